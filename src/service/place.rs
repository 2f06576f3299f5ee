//! A viewer's place in a session's output: the ring while it keeps up, the log when it does not.

use crate::base::error::Result;
use crate::config::paths::Paths;
use crate::model::session::Session;
use crate::output::reader::Reader;
use crate::service::live::Live;
use crate::service::live::Picture;
use crate::service::tail::Read;
use crate::term::query::Filter;
use std::sync::Arc;

/// Where a viewer stands. It never sees the terminal's queries: a real terminal would answer them
/// a second time.
pub struct Place {
    live: Option<Arc<Live>>,
    log: Reader,
    filter: Filter,
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
    /// A place at `offset`.
    pub fn new(paths: &Paths, row: &Session, live: Option<Arc<Live>>, offset: u64) -> Place {
        let log = Reader::new(&paths.session_log(&row.id));
        Place { live, log, filter: Filter::new(), offset }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves behind a repainted screen.
    pub fn show(&mut self, picture: &mut Picture) {
        self.offset = picture.offset;
        self.filter = std::mem::take(&mut picture.filter);
    }

    /// Takes what comes next; `buffer` is room for reading, `shown` gets what the viewer may see.
    pub fn next(&mut self, buffer: &mut [u8], shown: &mut Vec<u8>) -> Result<Next> {
        let found = self.live.as_ref().map(|live| live.tail.read(self.offset, buffer));
        let count = match found {
            Some(Read::Bytes(count)) => count,
            Some(Read::AtEnd) => return Ok(self.at_end()),
            behind => {
                let chunk = self.log.read(self.offset, buffer)?;
                let from = match (chunk.len, behind) {
                    (0, Some(Read::Behind(ring))) => ring,
                    (0, _) => return Ok(Next::End),
                    _ => chunk.from,
                };
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
        self.filter.push(&buffer[..count], shown);
        Ok(Next::Output(self.offset - self.filter.held() as u64))
    }

    fn at_end(&self) -> Next {
        match self.live.as_ref().is_none_or(|live| live.tail.is_closed()) {
            true => Next::End,
            false => Next::Nothing,
        }
    }
}
