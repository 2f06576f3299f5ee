//! Subscriptions to what changes: sessions, events, approvals. Each keeps what it has told, and
//! reads the rest when it is told that there is some.

use crate::base::error::{Code, Result};
use crate::http::handlers::Api;
use crate::http::shape;
use crate::http::shape::approval;
use crate::http::wire::Wire;
use crate::limits;
use crate::model::event::Page;
use crate::service::approvals::ANY;
use crate::service::news::Changed;
use crate::service::notices;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::collections::HashSet;

/// Topic `sessions`.
pub struct SessionList {
    known: HashSet<String>,
    /// To be told; each id once, however often it has changed.
    stale: BTreeSet<String>,
    /// Anything may have changed.
    look: bool,
}

impl SessionList {
    /// Knows those that there are now.
    pub fn new(api: &Api) -> Result<SessionList> {
        let known = api.list()?.into_iter().map(|row| row.id).collect();
        Ok(SessionList { known, stale: BTreeSet::new(), look: false })
    }

    /// Notes what has changed.
    pub fn changed(&mut self, changed: &Changed) {
        match changed {
            Changed::These(names) => {
                let is_one = |name: &&String| ![ANY, notices::ANY].contains(&name.as_str());
                self.stale.extend(names.iter().filter(is_one).cloned());
            }
            Changed::Anything => self.look = true,
        }
    }

    /// Tells one change; true when there are more.
    pub fn pump(&mut self, api: &Api, wire: &mut Wire) -> Result<bool> {
        if std::mem::take(&mut self.look) {
            self.stale.extend(self.known.iter().cloned());
            self.stale.extend(api.list()?.into_iter().map(|row| row.id));
        }
        let Some(id) = self.stale.pop_first() else { return Ok(false) };
        let (kind, session) = match api.find(&id) {
            Ok(row) if api.is_proof(&row.id, &row.cwd) => return Ok(true),
            Ok(row) => {
                let new = self.known.insert(id);
                let kind = if new { "session_created" } else { "session_updated" };
                (kind, shape::session(api, &row))
            }
            Err(error) if error.code == Code::NotFound => match self.known.remove(&id) {
                true => ("session_removed", json!({"id": id})),
                false => return Ok(true),
            },
            Err(error) => return Err(error),
        };
        wire.say(&json!({"topic": "sessions", "type": kind, "session": session}));
        Ok(!self.stale.is_empty())
    }
}

/// Topic `session:ID:events`.
pub struct EventList {
    session: String,
    topic: String,
    /// The newest event that was told.
    last: i64,
    stale: bool,
}

impl EventList {
    /// After event `since`, or after those that there are now.
    pub fn new(api: &Api, session: &str, topic: String, since: Option<i64>) -> Result<EventList> {
        let session = api.find(session)?.id;
        let last = match since {
            Some(since) => since,
            None => {
                let newest = api.events(&Page::newest(&session, 1))?.events;
                newest.last().map_or(0, |event| event.id)
            }
        };
        Ok(EventList { session, topic, last, stale: true })
    }

    /// Notes what has changed.
    pub fn changed(&mut self, changed: &Changed) {
        self.stale |= changed.has(&self.session);
    }

    /// Tells the next events; true when there may be more.
    pub fn pump(&mut self, api: &Api, wire: &mut Wire) -> Result<bool> {
        if !self.stale {
            return Ok(false);
        }
        let limit = limits::socket::EVENTS;
        let page = Page { since: Some(self.last), ..Page::newest(&self.session, limit) };
        let found = api.events(&page)?;
        for event in &found.events {
            if wire.is_full() {
                return Ok(false);
            }
            wire.say(&json!({"topic": self.topic, "data": shape::event(event)}));
            self.last = event.id;
        }
        self.stale = found.has_more;
        Ok(self.stale)
    }
}

/// Topic `approvals`.
pub struct ApprovalList {
    open: BTreeSet<i64>,
    stale: bool,
}

impl ApprovalList {
    /// Knows those that are open now.
    pub fn new(api: &Api) -> Result<ApprovalList> {
        let open = api.approvals(None, true)?;
        Ok(ApprovalList { open: open.iter().map(|view| view.approval.id).collect(), stale: false })
    }

    /// Notes what has changed.
    pub fn changed(&mut self, changed: &Changed) {
        self.stale |= changed.has(ANY);
    }

    /// Tells what has come and what was answered.
    pub fn pump(&mut self, api: &Api, wire: &mut Wire) -> Result<bool> {
        if !std::mem::take(&mut self.stale) {
            return Ok(false);
        }
        let pending = api.approvals(None, true)?;
        let now: BTreeSet<i64> = pending.iter().map(|view| view.approval.id).collect();
        let gone: Vec<i64> = self.open.difference(&now).copied().collect();
        for id in gone {
            if self.waits(wire) {
                return Ok(false);
            }
            match api.approval(id) {
                Ok(view) => wire.say(&told("approval_updated", approval::approval(&view))),
                // It went with its session, of which the list of sessions tells.
                Err(error) if error.code == Code::NotFound => {}
                Err(error) => return Err(error),
            }
            self.open.remove(&id);
        }
        for view in pending {
            if self.waits(wire) {
                return Ok(false);
            }
            if self.open.insert(view.approval.id) {
                wire.say(&told("approval_created", approval::approval(&view)));
            }
        }
        Ok(false)
    }

    /// The peer does not read: the rest is told from what is so then.
    fn waits(&mut self, wire: &Wire) -> bool {
        self.stale |= wire.is_full();
        self.stale
    }
}

fn told(kind: &str, approval: Value) -> Value {
    json!({"topic": "approvals", "type": kind, "approval": approval})
}
