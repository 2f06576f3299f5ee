//! Policies and sets of them as they are stored and shown. What a rule means is not known here.

use crate::base::error::{Error, Result};
use crate::limits;
use serde_json::Value;

/// Which sessions a policy holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Global,
    /// The one with this id; the policy goes with it.
    Session(String),
    /// Those that a set which lists it is applied to.
    Set,
}

impl Scope {
    /// The word of the API and the database.
    pub fn word(&self) -> &'static str {
        match self {
            Scope::Global => "global",
            Scope::Session(_) => "session",
            Scope::Set => "set",
        }
    }

    /// The scope behind a word, with the session where one is named; `None` where the two do not
    /// go together.
    pub fn from_word(word: &str, session: Option<String>) -> Option<Scope> {
        match (word, session) {
            ("global", None) => Some(Scope::Global),
            ("session", Some(id)) => Some(Scope::Session(id)),
            ("set", None) => Some(Scope::Set),
            _ => None,
        }
    }

    /// The session that owns the policy, where one does.
    pub fn session(&self) -> Option<&str> {
        match self {
            Scope::Session(id) => Some(id),
            Scope::Global | Scope::Set => None,
        }
    }
}

/// A named list of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPolicy {
    /// UUID, or as its maker wished.
    pub id: String,
    /// What verdicts and logs call it. Unique among those that no session owns.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it decides anything at the moment.
    pub enabled: bool,
    /// Only picks which of several rules that say the same is named.
    pub priority: i64,
    /// Which sessions it holds for.
    pub scope: Scope,
    /// The JSON list that rules are read from.
    pub rules: Value,
    /// 1 at first, one more with each change of the rules.
    pub version: i64,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub updated_ms: i64,
}

/// A named list of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySet {
    /// UUID, or as its maker wished.
    pub id: String,
    /// Unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub updated_ms: i64,
}

/// A description, trimmed: one line of at most [`limits::gate::REASON_CHARS`] characters; empty
/// is none.
pub fn clean_description(text: &str) -> Result<Option<String>> {
    let text = text.trim();
    if text.chars().count() > limits::gate::REASON_CHARS {
        let most = limits::gate::REASON_CHARS;
        return Err(Error::invalid(format!("a description may have {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid("a description is one line, without control characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_string()))
}

/// Checks an id that its maker has chosen.
pub fn check_id(id: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if id.is_empty() || id.len() > limits::gate::POLICY_ID_BYTES || !id.bytes().all(plain) {
        let most = limits::gate::POLICY_ID_BYTES;
        return Err(Error::invalid(format!(
            "field \"id\" must be 1 to {most} letters, digits and dashes; leave it out to get one"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_back_by_word_and_need_their_session() {
        for scope in [Scope::Global, Scope::Session("a".into()), Scope::Set] {
            let session = scope.session().map(str::to_string);
            assert_eq!(Scope::from_word(scope.word(), session), Some(scope));
        }
        assert_eq!(Scope::from_word("session", None), None);
        assert_eq!(Scope::from_word("global", Some("a".into())), None);
        assert_eq!(Scope::from_word("all", None), None);
    }

    #[test]
    fn ids_and_descriptions_that_would_break_a_path_or_a_line_are_refused() {
        for id in ["", "a/b", "a b", "ü", "a.b", &"x".repeat(65)] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
        check_id(&"aZ0-".repeat(16)).unwrap();
        assert_eq!(clean_description("  what it is ").unwrap().as_deref(), Some("what it is"));
        assert_eq!(clean_description("  ").unwrap(), None);
        assert!(clean_description("a\u{1b}[2Jb").is_err());
        assert!(clean_description(&"x".repeat(501)).is_err());
    }
}
