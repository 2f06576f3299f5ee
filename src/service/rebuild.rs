//! Rebuilds a session's screen from its log: the newest checkpoint, then the output behind it with
//! every change of size in its place.

use crate::base::error::Result;
use crate::limits;
use crate::output::index;
use crate::output::index::Mark;
use crate::output::index::Record;
use crate::output::reader;
use crate::output::reader::Reader;
use crate::term::screen::Screen;
use std::path::Path;

/// A screen made from the log.
pub struct Rebuilt {
    /// The screen.
    pub screen: Screen,
    /// How far the log went.
    pub at: u64,
    /// Output was missing: a full-screen program should paint again.
    pub torn: bool,
}

/// The screen as it was at `end` of the log in `dir`, or as far as the log goes. Queries found in
/// the output are not answered: they may have been answered already.
pub fn screen(dir: &Path, end: u64) -> Result<Rebuilt> {
    let records = index::read(dir)?;
    let (mut screen, mut at) = begin(dir, &records, end);
    let mut resizes = sizes(&records, at, end);
    let mut next = resizes.next();
    let (mut log, mut torn) = (Reader::new(dir), false);
    let mut buffer = vec![0; limits::PTY_CHUNK];
    while at < end {
        let until = next.map_or(end, |(offset, _)| offset.min(end));
        let want = buffer.len().min((until - at) as usize);
        let chunk = log.read(at, &mut buffer[..want])?;
        if chunk.len == 0 && want > 0 {
            break;
        }
        torn |= chunk.from > at;
        // Bytes that lie behind a gap may lie behind the resize too; order is kept either way.
        screen.feed_quiet(&buffer[..chunk.len]);
        at = if want == 0 { at } else { chunk.from + chunk.len as u64 };
        while let Some((offset, (cols, rows))) = next
            && offset <= at
        {
            screen.resize(cols, rows);
            next = resizes.next();
        }
    }
    Ok(Rebuilt { screen, at, torn: torn || at < end })
}

/// A screen of the past, from which the output can be shown on.
pub struct Past {
    /// The screen.
    pub screen: Screen,
    /// Output up to here is in it.
    pub at: u64,
    /// The sizes that the output behind it was written for, and from where on.
    pub sizes: Vec<(u64, (u16, u16))>,
}

/// The screen at the newest place at or before `at` where one is known without any output: a
/// checkpoint, the beginning of a program, or of what is kept of the log. `end` is how far the
/// sizes are wanted.
pub fn near(dir: &Path, at: u64, end: u64) -> Result<Past> {
    let records = index::read(dir)?;
    let (start, _) = Reader::new(dir).bounds()?;
    let (mut screen, mut found) = begin(dir, &records, at);
    if found < start {
        let (cols, rows) = size_at(&records, start);
        (screen, found) = (Screen::new(cols, rows), start);
    }
    let sizes = sizes(&records, found, end).collect();
    Ok(Past { screen, at: found, sizes })
}

/// The screen at the newest checkpoint at or below `end`, or an empty one where the program began.
fn begin(dir: &Path, records: &[Record], end: u64) -> (Screen, u64) {
    let epoch = last_before(records, end, |m| matches!(m, Mark::Epoch(_)));
    let epoch_at = epoch.map_or(0, |r| r.offset);
    // One that stands where the epoch began is the last picture of the epoch before.
    let checkpoint = reader::checkpoint(dir, end).filter(|(at, _)| *at > epoch_at);
    let (at, picture) = checkpoint.unwrap_or((epoch_at, Vec::new()));
    let (cols, rows) = size_at(records, at);
    let mut screen = Screen::new(cols, rows);
    screen.feed_quiet(&picture);
    (screen, at)
}

fn size_at(records: &[Record], at: u64) -> (u16, u16) {
    let resize = last_before(records, at, |m| matches!(m, Mark::Resize { .. }));
    let known = resize.and_then(|r| index::last_size(&[r]));
    known.unwrap_or((limits::DEFAULT_COLS, limits::DEFAULT_ROWS))
}

/// Changes of size behind `from` and up to `end`.
fn sizes(
    records: &[Record],
    from: u64,
    end: u64,
) -> impl Iterator<Item = (u64, (u16, u16))> + use<'_> {
    let within = records.iter().filter(move |r| r.offset > from && r.offset <= end);
    within.filter_map(|r| index::last_size(&[*r]).map(|size| (r.offset, size)))
}

fn last_before(records: &[Record], at: u64, wanted: impl Fn(&Mark) -> bool) -> Option<Record> {
    records.iter().rfind(|r| r.offset <= at && wanted(&r.mark)).copied()
}
