//! What happened, read back: events, decisions, and the output log piece by piece.

use crate::base::error::{Context, Result};
use crate::limits;
use crate::model::call;
use crate::model::call::NewDecision;
use crate::model::event;
use crate::model::event::Events;
use crate::model::session::Session;
use crate::output::reader::Reader;
use crate::service::Service;
use crate::store::decisions;
use crate::store::events;

/// A piece of a session's output log.
pub struct Piece {
    /// Offset of the first byte: later than asked for where output is gone.
    pub from: u64,
    /// The bytes; none at the end of the log.
    pub bytes: Vec<u8>,
    /// Offset of the oldest byte kept.
    pub start: u64,
    /// Offset behind the newest byte.
    pub end: u64,
}

impl Service {
    /// Events of a session.
    pub fn events(&self, page: &event::Page) -> Result<Events> {
        self.store().read(|conn| events::page(conn, page))
    }

    /// Decisions with their ids, newest last.
    pub fn decisions(&self, page: &call::Page) -> Result<Vec<(i64, NewDecision)>> {
        self.store().read(|conn| decisions::page(conn, page))
    }

    /// At most `max` bytes of a session's log from `from` on.
    pub fn log_piece(&self, row: &Session, from: u64, max: u64) -> Result<Piece> {
        let mut reader = Reader::new(&self.paths.session_log(&row.id));
        let mut bytes = vec![0; max.min(limits::LOG_PIECE) as usize];
        let chunk = reader.read(from, &mut bytes)?;
        let (start, end) = reader.bounds()?;
        bytes.truncate(chunk.len);
        Ok(Piece { from: chunk.from, bytes, start, end })
    }

    /// The index of a session's log, as it is on disk.
    pub fn log_index(&self, row: &Session) -> Result<Vec<u8>> {
        let path = self.paths.session_log(&row.id).join("index");
        std::fs::read(&path).internal(|| format!("cannot read {}", path.display()))
    }
}
