//! What requests at the same moment must not take twice: a session, its name, the last free place.

use crate::base::error::{Error, Result};
use crate::model::session;
use crate::model::session::Session;
use crate::service::Service;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// What is taken at the moment, beside what the store knows.
#[derive(Default)]
pub struct Reserved {
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    id: String,
    name: Option<String>,
    what: What,
}

/// What a session is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is going to run: one place of the limit, and nobody else may start or remove it.
    Start,
    /// It is going to be removed: nobody else may start or remove it.
    Remove,
    /// Its name alone.
    Name,
}

impl Reserved {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Gives back what was taken when it is dropped; by then the store knows better.
pub struct Hold<'a> {
    reserved: &'a Reserved,
    id: String,
    what: What,
    /// The checked name, trimmed; `None` where none was asked for.
    pub name: Option<String>,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut entries = self.reserved.lock();
        let own = |e: &Entry| e.id == self.id && e.what == self.what && e.name == self.name;
        if let Some(at) = entries.iter().position(own) {
            entries.swap_remove(at);
        }
    }
}

impl Service {
    /// Takes session `id`, and `name` for it where one is asked for.
    pub fn reserve(&self, id: &str, name: Option<&str>, what: What) -> Result<Hold<'_>> {
        let name = name.map(session::clean_name).transpose()?.flatten();
        let mut entries = self.reserved.lock();
        let alone = |what| matches!(what, What::Start | What::Remove);
        if alone(what) && entries.iter().any(|e| e.id == id && alone(e.what)) {
            let message = format!("session {id} is just being started or removed; try again");
            return Err(Error::conflict(message));
        }
        if what == What::Start {
            self.check_places(&entries)?;
        }
        if let Some(name) = &name {
            self.check_name(name, id, &entries)?;
        }
        entries.push(Entry { id: id.to_string(), name: name.clone(), what });
        Ok(Hold { reserved: &self.reserved, id: id.to_string(), what, name })
    }

    fn check_places(&self, entries: &[Entry]) -> Result<()> {
        let most = self.number("maxSessions");
        // Those that wait to be adopted run as well; the list has them by their rows.
        let rows = self.list()?;
        let live = rows.iter().filter(|row| row.state.is_live());
        let mut ids: HashSet<&str> = live.map(|row| row.id.as_str()).collect();
        ids.extend(entries.iter().filter(|e| e.what == What::Start).map(|e| e.id.as_str()));
        if ids.len() as u64 >= most {
            let message = format!("{most} sessions run already, the limit; stop one first");
            return Err(Error::conflict(message));
        }
        Ok(())
    }

    fn check_name(&self, name: &str, own: &str, entries: &[Entry]) -> Result<()> {
        let stored = |row: &Session| row.name.as_deref() == Some(name) && row.id != own;
        let coming = |e: &Entry| e.name.as_deref() == Some(name) && e.id != own;
        if entries.iter().any(coming) || self.list()?.iter().any(stored) {
            return Err(Error::conflict(format!("another session is called {name:?} already")));
        }
        Ok(())
    }
}
