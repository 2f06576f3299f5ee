//! What happened, read back: events, the audit log, and the output log piece by piece.

use crate::base::error::{Context, Error, Result};
use crate::limits;
use crate::model::audit::Asked;
use crate::model::audit::Entry;
use crate::model::audit::Filter;
use crate::model::audit::Head;
use crate::model::audit::Page;
use crate::model::audit::Report;
use crate::model::event;
use crate::model::event::Events;
use crate::model::session::Session;
use crate::output::reader::Reader;
use crate::service::Service;
use crate::store::audit;
use crate::store::audit::page;
use crate::store::audit::verify;
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

    /// Rows of the audit log, the newest last.
    pub fn audit(&self, filter: &Filter) -> Result<Vec<Entry>> {
        Ok(self.audit_page(filter)?.entries)
    }

    /// The same, with where there are more. One with a tool or a text in its filter may have few
    /// rows, or none, and more behind them: it looks into [`limits::AUDIT_SCAN`] at once.
    pub fn audit_page(&self, filter: &Filter) -> Result<Page> {
        self.store().read(|conn| page::page(conn, filter))
    }

    /// Reads the whole audit log through, on a thread of its own and its own connection, and gives
    /// `then` what it found. `Busy` while another check runs.
    pub fn verify_audit(&self, asked: Asked, then: Box<dyn FnOnce(Result<Report>) + Send>) {
        let path = self.paths.database();
        self.checks.run("audit-check", move || verify::verify(&path, &asked), then);
    }

    /// One row of the audit log.
    pub fn audit_row(&self, seq: i64) -> Result<Entry> {
        let found = self.store().read(|conn| audit::get(conn, seq))?;
        found.ok_or_else(|| Error::not_found(format!("the audit log has no row {seq}")))
    }

    /// What was changed about a policy, oldest first.
    pub fn policy_history(&self, id: &str) -> Result<Vec<Entry>> {
        self.store().read(|conn| audit::of_policy(conn, id))
    }

    /// The newest row's place in the chain.
    pub fn audit_head(&self) -> Result<Head> {
        let found = self.store().read(audit::head)?;
        found.ok_or_else(|| Error::not_found("the audit log has no row"))
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

    /// The same with the secrets of the session covered, also those that begin before this piece or
    /// end behind it. Every other byte stands where it stood.
    pub fn covered_piece(&self, row: &Session, from: u64, max: u64) -> Result<Piece> {
        let mut piece = self.log_piece(row, from, max)?;
        let Some(known) = self.known(row).filter(|_| !piece.bytes.is_empty()) else {
            return Ok(piece);
        };
        let (margin, to) = (known.longest() as u64, piece.from + piece.bytes.len() as u64);
        let before = self.stretch(row, piece.from.saturating_sub(margin), piece.from)?;
        let behind = self.stretch(row, to, to + margin)?;
        let mut all = [&before[..], &piece.bytes, &behind].concat();
        known.cover(&mut all);
        let length = piece.bytes.len();
        piece.bytes.copy_from_slice(&all[before.len()..before.len() + length]);
        Ok(piece)
    }

    /// What there is without a gap right before `to`, or right behind `from`.
    fn stretch(&self, row: &Session, from: u64, to: u64) -> Result<Vec<u8>> {
        let (mut bytes, mut at) = (Vec::new(), from);
        while at < to {
            let piece = self.log_piece(row, at, to - at)?;
            if piece.bytes.is_empty() || piece.from >= to {
                break;
            }
            if piece.from > at {
                bytes.clear();
            }
            at = piece.from + piece.bytes.len() as u64;
            bytes.extend(piece.bytes);
        }
        Ok(bytes)
    }

    /// The index of a session's log, as it is on disk.
    pub fn log_index(&self, row: &Session) -> Result<Vec<u8>> {
        let path = self.paths.session_log(&row.id).join("index");
        std::fs::read(&path).internal(|| format!("cannot read {}", path.display()))
    }
}
