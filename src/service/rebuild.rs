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
    let epoch = last_before(&records, end, |m| matches!(m, Mark::Epoch(_)));
    let epoch_at = epoch.map_or(0, |r| r.offset);
    // One that stands where the epoch began is the last picture of the epoch before.
    let checkpoint = reader::checkpoint(dir, end).filter(|(at, _)| *at > epoch_at);
    let (mut at, picture) = checkpoint.unwrap_or((epoch_at, Vec::new()));
    let size = |at| {
        let resize = last_before(&records, at, |m| matches!(m, Mark::Resize { .. }));
        resize.and_then(|r| index::last_size(&[r]))
    };
    let (cols, rows) = size(at).unwrap_or((limits::DEFAULT_COLS, limits::DEFAULT_ROWS));
    let mut screen = Screen::new(cols, rows);
    screen.feed_quiet(&picture);
    let from = at;
    let mut resizes = records.iter().filter(|r| r.offset > from && r.offset <= end);
    let mut next = resizes.find_map(|r| index::last_size(&[*r]).map(|s| (r.offset, s)));
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
            next = resizes.find_map(|r| index::last_size(&[*r]).map(|s| (r.offset, s)));
        }
    }
    Ok(Rebuilt { screen, at, torn: torn || at < end })
}

fn last_before(records: &[Record], at: u64, wanted: impl Fn(&Mark) -> bool) -> Option<Record> {
    records.iter().rfind(|r| r.offset <= at && wanted(&r.mark)).copied()
}
