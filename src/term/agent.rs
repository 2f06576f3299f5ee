//! What an agent says about itself in OSC 7501. Its word is for display, never for a decision.

use data_encoding::BASE64;

/// Longest body that is read: state, app, kind and a short message.
const BODY_BYTES: usize = 4096;

/// What a blocked agent waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A yes or no to a tool call.
    Permission,
    /// The answer to a question.
    Question,
    /// A person who logs in.
    Auth,
    /// It did not say, or said something new.
    Unknown,
}

/// The state an agent announced last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Waits for a prompt.
    Idle,
    /// Works on one.
    Working,
    /// Cannot go on without a person.
    Blocked(Kind),
    /// Has finished its task.
    Done,
    /// Has nothing to say any more.
    Clear,
}

impl AgentState {
    /// Reads the part of the sequence after `7501;`: `state=…` and further `key=value` fields,
    /// separated by colons. `None` for everything malformed.
    pub fn parse(body: &[u8]) -> Option<AgentState> {
        if body.len() > BODY_BYTES {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let mut state = None;
        let mut kind = Kind::Unknown;
        for field in text.split(':') {
            match field.split_once('=')? {
                ("state", word) if state.is_none() => state = Some(word),
                ("state", _) => return None,
                ("kind", "permission") => kind = Kind::Permission,
                ("kind", "question") => kind = Kind::Question,
                ("kind", "auth") => kind = Kind::Auth,
                ("msg", text) => drop(BASE64.decode(text.as_bytes()).ok()?),
                _ => {}
            }
        }
        Some(match state? {
            "idle" => AgentState::Idle,
            "working" => AgentState::Working,
            "blocked" => AgentState::Blocked(kind),
            "done" => AgentState::Done,
            "clear" => AgentState::Clear,
            _ => return None,
        })
    }

    /// It has nothing to do: a prompt is taken as one.
    pub fn is_at_rest(self) -> bool {
        matches!(self, AgentState::Idle | AgentState::Done)
    }

    /// It waits for an answer: what is typed now may be taken for one.
    pub fn is_blocked(self) -> bool {
        matches!(self, AgentState::Blocked(_))
    }

    /// The body that [`AgentState::parse`] reads back as this state.
    pub fn body(self) -> &'static str {
        match self {
            AgentState::Idle => "state=idle",
            AgentState::Working => "state=working",
            AgentState::Blocked(Kind::Permission) => "state=blocked:kind=permission",
            AgentState::Blocked(Kind::Question) => "state=blocked:kind=question",
            AgentState::Blocked(Kind::Auth) => "state=blocked:kind=auth",
            AgentState::Blocked(Kind::Unknown) => "state=blocked",
            AgentState::Done => "state=done",
            AgentState::Clear => "state=clear",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_both_agents_are_read() {
        for (body, state) in [
            ("state=idle:app=claude", AgentState::Idle),
            ("state=working:app=codex", AgentState::Working),
            (
                "state=blocked:app=claude:kind=permission:msg=QmFzaA==",
                AgentState::Blocked(Kind::Permission),
            ),
            ("state=blocked:app=codex:kind=question", AgentState::Blocked(Kind::Question)),
            (
                "state=blocked:app=claude-code:kind=auth:msg=Tm90IGxvZ2dlZCBpbg==",
                AgentState::Blocked(Kind::Auth),
            ),
            ("state=blocked:kind=new", AgentState::Blocked(Kind::Unknown)),
            ("state=done:app=claude:later=1", AgentState::Done),
            ("state=clear", AgentState::Clear),
        ] {
            assert_eq!(AgentState::parse(body.as_bytes()), Some(state), "{body}");
            assert_eq!(AgentState::parse(state.body().as_bytes()), Some(state));
        }
    }

    #[test]
    fn malformed_states_are_ignored() {
        let long = format!("state=idle:msg={}", "QUFB".repeat(2000));
        for body in [
            "",
            "?",
            "state",
            "state=",
            "state=sleeping",
            "app=claude",
            "state=idle:junk",
            "state=idle:state=done",
            "state=idle:msg=*",
            &long,
        ] {
            assert_eq!(AgentState::parse(body.as_bytes()), None, "{body}");
        }
        assert_eq!(AgentState::parse(b"state=idle:app=\xff"), None);
    }
}
