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
