//! What can be subscribed to, by its name.

use crate::base::error::{Error, Result};
use crate::limits::socket::TOPIC_CHARS;

/// See [`crate::http::socket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// All sessions.
    Sessions,
    /// What waits for a person.
    Approvals,
    /// What a person should hear of.
    Notifications,
    /// The events of the session with this id.
    Events(String),
    /// Its terminal.
    Terminal(String),
}

impl Topic {
    /// Reads a name. Whether the session exists is not known here.
    pub fn parse(name: &str) -> Result<Topic> {
        let mut parts = name.split(':');
        let id = |id: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (!id.is_empty() && id.bytes().all(plain)).then(|| id.to_string())
        };
        let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
        let found = match parts {
            _ if name.len() > TOPIC_CHARS => None,
            [Some("sessions"), None, ..] => Some(Topic::Sessions),
            [Some("approvals"), None, ..] => Some(Topic::Approvals),
            [Some("notifications"), None, ..] => Some(Topic::Notifications),
            [Some("session"), Some(session), Some("events"), None] => {
                id(session).map(Topic::Events)
            }
            [Some("session"), Some(session), Some("pty"), None] => id(session).map(Topic::Terminal),
            _ => None,
        };
        let known = "sessions, approvals, notifications, session:ID:events and session:ID:pty";
        found.ok_or_else(|| Error::invalid(format!("unknown topic; known are {known}")))
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Topic::Sessions => "sessions".into(),
            Topic::Approvals => "approvals".into(),
            Topic::Notifications => "notifications".into(),
            Topic::Events(session) => format!("session:{session}:events"),
            Topic::Terminal(session) => format!("session:{session}:pty"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_one_name_and_nothing_else_is_one() {
        for name in ["sessions", "approvals", "notifications", "session:a-1:events"] {
            assert_eq!(Topic::parse(name).unwrap().name(), name);
        }
        assert_eq!(Topic::parse("session:a:pty").unwrap(), Topic::Terminal("a".into()));
        let long = format!("session:{}:pty", "a".repeat(5000));
        for bad in [
            "",
            "*",
            "admin",
            "session",
            "session::pty",
            "session:a",
            "session:a:",
            "session:a:pty:",
            "session:a:log",
            "session:../../x:pty",
            "session:*:pty",
            "session:%:events",
            "session:' OR 1=1:pty",
            "sessions\0x",
            "sessions:",
            "Sessions",
            &long,
        ] {
            assert!(Topic::parse(bad).is_err(), "{bad:?}");
        }
    }
}
