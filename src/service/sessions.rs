//! What can be done with sessions: find, list, stop, rename, remove.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::config::paths;
use crate::keeper::peer;
use crate::limits;
use crate::model::event::NewEvent;
use crate::model::session::Session;
use crate::model::session::State;
use crate::output;
use crate::service::Service;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::live::Picture;
use crate::service::rebuild;
use crate::service::rebuild::Rebuilt;
use crate::service::records::session_event;
use crate::service::reserve::What;
use crate::store::events;
use crate::store::sessions;
use crate::sys::tty::Size;
use crate::term::query::Filter;
use crate::term::screen::Screen;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// From which offset on the terminal had which columns and rows.
pub type SizeFrom = (u64, (u16, u16));

fn of_the_log(screen: &Screen, offset: u64) -> Picture {
    let mut filter = Filter::new();
    Picture {
        offset,
        repaint: screen.repaint(&mut filter),
        filter,
        text: screen.text(),
        cursor: screen.cursor(),
        size: screen.size(),
        bracketed_paste: false,
        application_cursor: false,
    }
}

impl Service {
    /// All sessions, newest first; running ones as they are now. Rehearsals are nobody's.
    pub fn list(&self) -> Result<Vec<Session>> {
        let stored = self.store().read(sessions::list);
        // With a damaged database the running ones are still known.
        let lost = stored.is_err() && self.store().damage().is_some();
        let mut rows = if lost { Vec::new() } else { stored? };
        for row in &mut rows {
            if let Some(live) = self.records.live(&row.id) {
                *row = live.row();
            }
        }
        for live in self.records.all_live() {
            if !rows.iter().any(|row| row.id == live.id) {
                rows.insert(0, live.row());
            }
        }
        rows.retain(|row| !self.is_proof(&row.id, &row.cwd));
        Ok(rows)
    }

    /// When a session came to its state, Unix milliseconds. What an earlier daemon has seen is
    /// looked up once, and kept for as long as the session runs.
    pub fn state_since(&self, row: &Session) -> Option<i64> {
        let Some(live) = self.records.live(&row.id) else { return row.ended_ms };
        if let Some(known) = live.view().since_ms {
            return Some(known);
        }
        // No event tells of a start: it is the last change.
        if row.state == State::Starting {
            return Some(row.updated_ms);
        }
        let found = self.store().read(|conn| events::newest_at(conn, &row.id, "state")).ok()?;
        let since = found.unwrap_or(row.created_ms);
        live.set_view(|view| {
            view.since_ms.get_or_insert(since);
        });
        Some(since)
    }

    /// The session with this whole id.
    pub fn find(&self, id: &str) -> Result<Session> {
        if let Some(live) = self.records.live(id) {
            return Ok(live.row());
        }
        let key = id.to_string();
        let row = self.store().read(move |conn| sessions::get(conn, &key))?;
        row.ok_or_else(|| Error::not_found(format!("Session not found: {id}")))
    }

    /// The session that a person means: by id, by name, or by the beginning of an id.
    pub fn resolve(&self, words: &str) -> Result<Session> {
        if words.len() == 36
            && let Ok(row) = self.find(words)
        {
            return Ok(row);
        }
        let rows = self.list()?;
        let by_name: Vec<&Session> =
            rows.iter().filter(|row| row.name.as_deref() == Some(words)).collect();
        let by_id: Vec<&Session> =
            rows.iter().filter(|row| !words.is_empty() && row.id.starts_with(words)).collect();
        match (by_name.as_slice(), by_id.as_slice()) {
            ([one], _) | ([], [one]) => Ok((*one).clone()),
            ([], []) => Err(Error::not_found(format!("Session not found: {words}"))),
            (many @ [_, ..], _) | ([], many) => {
                let ids: Vec<&str> =
                    many.iter().map(|row| &row.id[..row.id.len().min(13)]).collect();
                let all = ids.join(", ");
                Err(Error::conflict(format!("{words:?} could be any of {all}; write more of it")))
            }
        }
    }

    /// The session that a process belongs to, by its keeper; `None` outside of all.
    pub fn session_of(&self, pid: i32) -> Result<Option<String>> {
        let keepers = peer::keepers_of(pid)?;
        let Some(nearest) = keepers.first() else { return Ok(None) };
        let is = |keeper: Option<(i32, u64)>| {
            keepers.iter().any(|stat| keeper == Some((stat.pid, stat.start)))
        };
        let live = self.records.all_live().into_iter().find(|live| is(live.row().keeper));
        if let Some(live) = live {
            return Ok(Some(live.id.clone()));
        }
        // One that is not adopted yet, or a keeper that is not ours, is a session all the same.
        let stored = self.store().read(sessions::list).unwrap_or_default();
        let known = stored.into_iter().find(|row| is(row.keeper)).map(|row| row.id);
        Ok(Some(known.unwrap_or_else(|| format!("of keeper {}", nearest.pid))))
    }

    /// The running session; `None` when it has ended. One that is just being started or adopted
    /// is waited for, up to [`limits::ADOPT_WAIT`].
    pub fn live(&self, row: &Session) -> Result<Option<Arc<Live>>> {
        let deadline = time::now() + limits::ADOPT_WAIT;
        loop {
            if let Some(live) = self.records.live(&row.id) {
                return Ok(Some(live));
            }
            if !self.find(&row.id)?.state.is_live() {
                return Ok(None);
            }
            if time::now() >= deadline {
                let id = &row.id;
                return Err(Error::busy(format!("session {id} is being adopted; try again")));
            }
            // An end of what is being adopted rings nothing: look again after a moment.
            self.records.await_added(&row.id, limits::gate::RECONNECT);
        }
    }

    /// Whether a session has ended and its thread with it. One that still waits for its adoption
    /// has not; one that is not there any more has.
    pub fn has_ended(&self, id: &str) -> bool {
        match self.records.live(id) {
            Some(live) => live.view().end_owed,
            None => self.find(id).map_or(true, |row| !row.state.is_live()),
        }
    }

    /// The running session, or a conflict that says how it ended.
    pub fn need_live(&self, row: &Session) -> Result<Arc<Live>> {
        self.live(row)?.ok_or_else(|| {
            let id = &row.id;
            Error::conflict(format!("session {id} is not running; resume it first"))
        })
    }

    /// Asks a session to end. Nothing happens to one that has ended.
    pub fn stop(&self, row: &Session, now: bool) -> Result<()> {
        self.live(row)?.map_or(Ok(()), |live| live.ask(Command::Stop { now }))
    }

    /// Gives a session's terminal another size.
    pub fn resize(&self, row: &Session, size: Size) -> Result<()> {
        self.need_live(row)?.ask(Command::Resize(size))
    }

    /// The screen now, or as the session left it.
    pub fn picture(&self, row: &Session) -> Result<Picture> {
        if let Some(live) = self.live(row)? {
            return live.picture().map(|picture| self.hide(row, picture));
        }
        let dir = self.paths.session_log(&row.id);
        let Rebuilt { screen, at, .. } = rebuild::screen(&dir, row.log_end)?;
        Ok(self.hide(row, of_the_log(&screen, at)))
    }

    /// The screen as it was at the nearest place at or before `at` from which the output can be
    /// shown on, and the sizes of the terminal from there to `end`, each with its offset.
    pub fn past(&self, row: &Session, at: u64, end: u64) -> Result<(Picture, Vec<SizeFrom>)> {
        let past = rebuild::near(&self.paths.session_log(&row.id), at, end)?;
        Ok((self.hide(row, of_the_log(&past.screen, past.at)), past.sizes))
    }

    /// Renames a session; an empty name takes it away.
    pub fn rename(&self, row: &Session, name: &str) -> Result<Session> {
        let hold = self.reserve(&row.id, Some(name), What::Name)?;
        let name = hold.name.clone();
        let event = session_event(&row.id, "renamed", json!({"name": name}));
        let set = |row: &mut Session| {
            row.name.clone_from(&name);
            row.updated_ms = time::unix_ms();
        };
        let row = match self.records.live(&row.id) {
            Some(live) => live.change(set),
            None => {
                let mut row = self.find(&row.id)?;
                set(&mut row);
                row
            }
        };
        let row = self.store_with_event(row, event)?;
        self.records.waits.notify(&row.id);
        Ok(row)
    }

    fn store_with_event(&self, row: Session, event: NewEvent) -> Result<Session> {
        self.store().write(move |tx| {
            sessions::update(tx, &row)?;
            events::append(tx, &event)?;
            Ok(row)
        })
    }

    /// Removes an ended session with its log and directory. Its decisions stay.
    pub fn remove(&self, row: &Session) -> Result<()> {
        let _hold = self.reserve(&row.id, None, What::Remove)?;
        let row = self.find(&row.id)?;
        if row.state.is_live() || self.records.live(&row.id).is_some() {
            let id = &row.id;
            return Err(Error::conflict(format!("session {id} is running; stop it first")));
        }
        let id = row.id.clone();
        self.store().write(move |tx| sessions::delete(tx, &id))?;
        self.records.waits.notify(&row.id);
        output::writer::remove(&self.paths.session_log(&row.id))?;
        paths::remove_session(&self.paths, &row.id)
    }

    /// Removes sessions that ended longer ago than `age`; returns their ids.
    pub fn prune(&self, age: Duration) -> Result<Vec<String>> {
        let before = time::unix_ms() - age.as_millis().min(i64::MAX as u128) as i64;
        let mut removed = Vec::new();
        for row in self.list()? {
            let old = row.ended_ms.is_some_and(|at| at < before);
            if old && !row.state.is_live() && self.records.live(&row.id).is_none() {
                self.remove(&row)?;
                removed.push(row.id);
            }
        }
        Ok(removed)
    }
}
