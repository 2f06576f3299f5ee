//! Events: what happened in a session, in order, for `logs` and the dashboard's timeline.

use serde_json::Value;

/// Where an event comes from; the words are the API's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The daemon: starts, state changes, adoptions, refused peers.
    Session,
    /// The agent's hooks.
    Hook,
    /// The gate: one event for each decision.
    Decision,
}

impl Source {
    /// All sources.
    pub const ALL: [Source; 3] = [Source::Session, Source::Hook, Source::Decision];

    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Source::Session => "session",
            Source::Hook => "hook",
            Source::Decision => "decision",
        }
    }

    /// The source behind a word.
    pub fn from_word(word: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|s| s.word() == word)
    }
}

/// One event, not yet stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The session it belongs to.
    pub session: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Where it comes from.
    pub source: Source,
    /// What happened: `started`, `state`, `PreToolUse`, `allow`, …
    pub kind: String,
    /// Details.
    pub payload: Value,
}

/// A stored event; `id` grows by one with each.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Place in the order of all events.
    pub id: i64,
    /// The event.
    pub event: NewEvent,
}

/// Which events of a session to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The session, by its whole id.
    pub session: String,
    /// Only events after this id.
    pub since: Option<i64>,
    /// Only events before this id.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
    /// Only of this source.
    pub source: Option<Source>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// The newest first. Otherwise ids ascend.
    pub newest_first: bool,
}

impl Page {
    /// The newest `limit` events of a session, in ascending order.
    pub fn newest(session: &str, limit: usize) -> Page {
        Page {
            session: session.to_string(),
            since: None,
            before: None,
            limit,
            source: None,
            kind: None,
            newest_first: false,
        }
    }
}

/// A page's events, and whether the limit cut some off.
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// In the order asked for.
    pub events: Vec<Event>,
    /// There are more on the side where the limit cut.
    pub has_more: bool,
}
