//! A viewer's place in a session's output: the ring while it keeps up, the log when it does not.

use crate::base::error::Result;
use crate::config::paths::Paths;
use crate::model::redact::exact::Needles;
use crate::model::redact::exact::Stream;
use crate::model::session::Session;
use crate::output::reader::Reader;
use crate::service::live::Live;
use crate::service::live::Picture;
use crate::service::tail::Read;
use crate::term::query::Filter;
use std::sync::Arc;

/// Where a viewer stands. It never sees the terminal's queries: a real terminal would answer them
/// a second time. Nor secrets of the session, where that is wanted.
pub struct Place {
    live: Option<Arc<Live>>,
    log: Reader,
    filter: Filter,
    mask: Option<Stream>,
    offset: u64,
}

/// What comes next at a place.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Bytes to show, perhaps none; the stream goes on at this offset.
    Output(u64),
    /// Output from the one offset to the other is gone.
    Gap(u64, u64),
    /// Nothing at the moment.
    Nothing,
    /// Nothing any more.
    End,
}

impl Place {
    /// A place at `offset`; `hidden` is kept out of what is shown.
    pub fn new(
        paths: &Paths,
        row: &Session,
        live: Option<Arc<Live>>,
        hidden: Option<Arc<Needles>>,
        offset: u64,
    ) -> Place {
        let log = Reader::new(&paths.session_log(&row.id));
        let mask = hidden.map(|needles| Stream::new(vec![needles]));
        Place { live, log, filter: Filter::new(), mask, offset }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Up to where the output has been shown: less than read, while something is held back.
    pub fn shown_to(&self) -> u64 {
        let held = self.filter.held() + self.mask.as_ref().map_or(0, Stream::held);
        self.offset.saturating_sub(held as u64)
    }

    /// Moves behind a repainted screen.
    pub fn show(&mut self, picture: &mut Picture) {
        self.offset = picture.offset;
        self.filter = std::mem::take(&mut picture.filter);
        // What waited is in the picture.
        if let Some(mask) = &mut self.mask {
            mask.end(&mut Vec::new());
        }
    }

    /// Takes what comes next; `buffer` is room for reading, `shown` gets what the viewer may see.
    pub fn next(&mut self, buffer: &mut [u8], shown: &mut Vec<u8>) -> Result<Next> {
        let found = self.live.as_ref().map(|live| live.tail.read(self.offset, buffer));
        let count = match found {
            Some(Read::Bytes(count)) => count,
            Some(Read::AtEnd) => return Ok(self.at_end(shown)),
            behind => {
                let chunk = self.log.read(self.offset, buffer)?;
                let from = match (chunk.len, behind) {
                    (0, Some(Read::Behind(ring))) => ring,
                    (0, _) => return Ok(self.end(shown)),
                    _ => chunk.from,
                };
                if from > self.offset && self.flush(shown) {
                    return Ok(Next::Output(self.offset));
                }
                if from > self.offset {
                    // The bytes are read again at the new offset, behind the notice.
                    let gap = Next::Gap(self.offset, from);
                    self.offset = from;
                    return Ok(gap);
                }
                chunk.len
            }
        };
        self.offset += count as u64;
        let Some(mask) = &mut self.mask else {
            self.filter.push(&buffer[..count], shown);
            return Ok(Next::Output(self.shown_to()));
        };
        let mut passed = Vec::with_capacity(count);
        self.filter.push(&buffer[..count], &mut passed);
        mask.push(&passed, shown);
        Ok(Next::Output(self.shown_to()))
    }

    fn at_end(&mut self, shown: &mut Vec<u8>) -> Next {
        match self.live.as_ref().is_none_or(|live| live.tail.is_closed()) {
            true => self.end(shown),
            false => Next::Nothing,
        }
    }

    /// The end, once what waited is shown.
    fn end(&mut self, shown: &mut Vec<u8>) -> Next {
        match self.flush(shown) {
            true => Next::Output(self.offset),
            false => Next::End,
        }
    }

    /// Shows what waited to become a secret; false where nothing did.
    fn flush(&mut self, shown: &mut Vec<u8>) -> bool {
        let Some(mask) = self.mask.as_mut().filter(|mask| mask.held() > 0) else { return false };
        mask.end(shown);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::writer::Writer;
    use crate::service::login::stand::Stand;

    /// All that a viewer sees of this output, read in pieces of `size`, and where each piece ended.
    fn seen(stand: &Stand, output: &str, size: usize) -> (String, Vec<u64>) {
        let row = stand.service.blank(&format!("place-{size}"));
        std::fs::create_dir_all(stand.service.paths.session(&row.id)).unwrap();
        let dir = stand.service.paths.session_log(&row.id);
        let mut log = Writer::open(&dir, 1 << 30).unwrap();
        log.append(output.as_bytes());
        let vars = [("TOKEN".to_string(), "secret-value".to_string())];
        let vars = vars.iter().map(|(name, value)| (name, value));
        let hidden = Arc::new(Needles::of(vars, |bytes| Box::new(bytes)));
        let mut place = Place::new(&stand.service.paths, &row, None, Some(hidden), 0);
        let (mut shown, mut ends, mut buffer) = (Vec::new(), Vec::new(), vec![0; size]);
        loop {
            match place.next(&mut buffer, &mut shown).unwrap() {
                Next::Output(end) => ends.push(end),
                Next::End => return (String::from_utf8(shown).unwrap(), ends),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_secret_is_hidden_wherever_the_output_is_cut_and_its_beginning_is_shown_at_the_end() {
        let stand = Stand::new("place-hidden");
        let output = "a secret-value b secret-valu c secret-value\r\nd secret-v";
        for size in 1..output.len() + 2 {
            let (shown, ends) = seen(&stand, output, size);
            let wanted = "a [secret TOKEN] b secret-valu c [secret TOKEN]\r\nd secret-v";
            assert_eq!(shown, wanted, "{size}");
            assert_eq!(ends.last(), Some(&(output.len() as u64)), "{size}");
            // Whoever goes on from there has not been shown what comes, and sees all of it.
            assert!(ends.is_sorted(), "{size}: {ends:?}");
        }
    }
}
