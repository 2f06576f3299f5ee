//! Brings the sessions of an earlier daemon back: keepers that run are adopted, those that are
//! gone are told truthfully. Never kills anything.

use crate::base::error::Result;
use crate::base::thread;
use crate::base::time;
use crate::keeper::client;
use crate::keeper::client::Connected;
use crate::limits;
use crate::model::session::Change;
use crate::model::session::Exit;
use crate::model::session::Session;
use crate::model::session::State;
use crate::model::session::transition;
use crate::output::index;
use crate::output::index::Mark;
use crate::output::reader::Reader;
use crate::service::Service;
use crate::service::live::Command;
use crate::service::notices::raise;
use crate::service::rebuild;
use crate::service::rebuild::Rebuilt;
use crate::service::records::session_event;
use crate::store::events;
use crate::store::sessions;
use serde_json::json;
use std::sync::Arc;

/// What an earlier daemon left, as found before this one takes new work.
pub struct Survey {
    rows: Vec<Session>,
    keepers: Vec<String>,
    proofs: Vec<String>,
}

impl Service {
    /// Lists what there is to adopt. Before the doors open: a session that is just being started
    /// must not be taken for one that was left.
    pub fn survey(&self) -> Survey {
        let rows = self.store().read(sessions::live).unwrap_or_default();
        Survey { rows, keepers: self.keeper_ids(), proofs: self.left_proofs() }
    }

    /// Adopts every keeper, each in a thread of its own so that one that hangs delays no other,
    /// and settles the sessions that have none.
    pub fn adopt_all(self: &Arc<Service>, survey: Survey) -> Result<()> {
        let Survey { rows, keepers, proofs } = survey;
        proofs.iter().filter(|id| !keepers.contains(id)).for_each(|id| self.clear_proof(id));
        let mut waiting = Vec::new();
        for id in &keepers {
            let row = rows.iter().find(|row| row.id == *id).cloned();
            let (service, id) = (self.clone(), id.clone());
            waiting.push(thread::spawn(format!("adopt-{}", &id[..8]), move || {
                if let Err(error) = service.adopt(&id, row) {
                    log::warn!("session {id} is not adopted: {}", error.chain());
                }
            })?);
        }
        let gone = |row: &Session| !keepers.contains(&row.id) && !proofs.contains(&row.id);
        for row in rows.into_iter().filter(gone) {
            if let Err(error) = self.settle_gone(row) {
                log::warn!("{}", error.chain());
            }
        }
        for thread in waiting {
            let _ = thread.join();
        }
        Ok(())
    }

    fn keeper_ids(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.paths.keepers()) else { return Vec::new() };
        let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
        let ids = names.filter_map(|n| n.strip_suffix(".sock").map(str::to_string));
        ids.filter(|id| crate::base::id::is_uuid(id)).collect()
    }

    fn adopt(&self, id: &str, row: Option<Session>) -> Result<()> {
        let socket = self.paths.keeper(id);
        let deadline = time::now() + limits::KEEPER_READY;
        let connected = loop {
            match client::connect(&socket, crate::BUILD, deadline) {
                Ok(connected) => break connected,
                Err(error) if refused(&error) => {
                    // Nobody listens: the keeper is gone, its socket is litter.
                    let _ = std::fs::remove_file(&socket);
                    return row.map_or(Ok(()), |row| self.settle_gone(row));
                }
                Err(error) if time::now() >= deadline => return Err(error),
                // The keeper still holds the connection of a daemon that is just ending.
                Err(_) => std::thread::sleep(limits::gate::RECONNECT),
            }
        };
        if self.is_proof(id, &connected.hello.cwd) {
            return self.end_proof(id, connected);
        }
        let row = match row {
            Some(row) => row,
            None => self.recovered(&connected)?,
        };
        let log_dir = self.paths.session_log(id);
        let end = connected.hello.log_end;
        let Rebuilt { screen, at, torn } = rebuild::screen(&log_dir, end)?;
        let masked = self.masked_again(&row);
        let live = self.take_over(row, connected, None, (screen, at, end))?;
        match masked {
            Ok(masked) => live.mask(masked),
            Err(error) => log::warn!(
                "session {id}: what it got from its env sets is not masked: {}",
                error.chain()
            ),
        }
        // Its start was an earlier daemon's to watch; it lives, so it has settled.
        self.records.transition(&live, Change::Settled);
        self.await_hello(&live);
        self.see_frozen(&live);
        log::info!("session {id} adopted at offset {at}");
        if torn {
            live.ask(Command::Nudge)?;
        }
        Ok(())
    }

    /// A row for a keeper that the database does not know.
    fn recovered(&self, connected: &Connected) -> Result<Session> {
        let hello = &connected.hello;
        let id = hello.session.clone();
        let known = id.clone();
        let found = match self.store().read(move |conn| sessions::get(conn, &known)) {
            // What a damaged database knows of it is lost; its keeper knows enough.
            Err(_) if self.store().damage().is_some() => None,
            found => found?,
        };
        if let Some(mut row) = found {
            // Known, but not as running: an end was stored that was none.
            row.state = State::Running;
            row.reason = Some("recovered".to_string());
            return Ok(row);
        }
        let row = Session {
            id: id.clone(),
            provider: "command".to_string(),
            cwd: hello.cwd.clone(),
            state: State::Running,
            reason: Some("recovered".to_string()),
            name: Some(format!("recovered-{}", &id[..id.len().min(8)])),
            program: hello.program.clone(),
            args: vec![hello.program.clone()],
            epoch: hello.epoch,
            cols: hello.cols,
            rows: hello.rows,
            ..self.blank(&id)
        };
        let insert = row.clone();
        let event = session_event(&id, "recovered", json!({"program": row.program}));
        let stored = self.store().write(move |tx| {
            sessions::insert(tx, &insert)?;
            events::append(tx, &event).map(drop)
        });
        if let Err(error) = stored {
            log::warn!("recovered session {id} is only kept in memory: {}", error.chain());
        }
        Ok(row)
    }

    /// A session whose keeper is gone: as its log tells, else by the boot id.
    fn settle_gone(&self, mut row: Session) -> Result<()> {
        let log_dir = self.paths.session_log(&row.id);
        let records = index::read(&log_dir).unwrap_or_default();
        let end = index::last_end(&records);
        let exit = end.and_then(|record| match record.mark {
            Mark::EndCode(code) => Some(Exit::Code(code)),
            Mark::EndSignal(number) => Some(Exit::Signal(number)),
            _ => None,
        });
        let change = match exit {
            Some(exit) => Change::Ended { exit, wanted: row.stop_wanted },
            None => Change::KeeperGone { rebooted: row.boot_id != self.boot_id },
        };
        let Some((state, reason)) = transition(row.state, change) else { return Ok(()) };
        let from = row.state;
        row.state = state;
        row.reason = reason;
        row.exit = exit;
        row.ended_ms = Some(end.map_or_else(time::unix_ms, |record| record.unix_ms));
        row.updated_ms = time::unix_ms();
        row.log_end = Reader::new(&log_dir).bounds().map_or(row.log_end, |(_, end)| end);
        row.pid = None;
        row.keeper = None;
        row.secret_sha256 = None;
        row.frozen = false;
        row.dangerous = None;
        log::info!("session {} is {}: {:?}", row.id, row.state.word(), row.reason);
        let payload = json!({"to": row.state.word(), "reason": row.reason});
        let id = row.id.clone();
        let event = session_event(&id, "ended", payload);
        let stored = self.store().write(move |tx| {
            sessions::update(tx, &row)?;
            raise::moved(tx, &row, from, change, true)?;
            events::append(tx, &event).map(drop)
        });
        self.records.waits.notify(&id);
        self.records.told();
        stored
    }
}

/// Whether a connect failed because nobody listens at the socket.
fn refused(error: &crate::base::error::Error) -> bool {
    let source = error.source.as_ref().and_then(|s| s.downcast_ref::<std::io::Error>());
    source.is_some_and(|e| {
        matches!(e.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound)
    })
}
