//! What an attached terminal says over the program's last line: why nothing goes on there, or what
//! is let through. Knows sessions from the API's JSON only; drawing is the screen's business.

use crate::cli::describe::label;
use crate::cli::describe::until;
use crate::cli::describe::word;
use crate::cli::text;
use serde_json::Value;
use serde_json::json;

/// Words for the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// One line, harmless. What matters most comes first: a narrow terminal cuts it.
    pub text: String,
    /// Said for a while only: the program goes on below it.
    pub brief: bool,
}

/// What there is to say of a session.
pub fn of(session: &Value) -> Option<Banner> {
    let name = label(session);
    let asks = &session["asks"];
    let (text, brief) = if session["frozen"] == json!(true) {
        (format!(" {name} is frozen; to let it go on: codepiper thaw {name} "), false)
    } else if let Some(id) = asks["approvalId"].as_i64() {
        let more = match asks["more"].as_u64() {
            None | Some(0) => String::new(),
            Some(more) => format!(" (and {more} more)"),
        };
        let call = text::clean(word(asks, "call"));
        (format!(" codepiper asks: approve {id} | deny {id}{more}: {call} "), false)
    } else {
        match until(session) {
            off if off.is_empty() => return None,
            on => (format!(" dangerous mode {on}; codepiper dangerous {name} --off "), true),
        }
    };
    Some(Banner { text, brief })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_the_program_up_is_said_until_it_is_over_and_the_rest_for_a_while() {
        let mut session = json!({"name": "build", "dangerousUntil": "2026-01-01T00:00:00Z"});
        let banner = of(&session).unwrap();
        assert!(banner.brief && banner.text.contains("2026-01-01"), "{banner:?}");
        session["asks"] = json!({"approvalId": 7, "call": "Bash git push\u{1b}[2J", "more": 0});
        let banner = of(&session).unwrap();
        assert_eq!(banner.text, " codepiper asks: approve 7 | deny 7: Bash git push\\x1b[2J ");
        session["asks"]["more"] = json!(2);
        assert!(of(&session).unwrap().text.contains("deny 7 (and 2 more): "));
        session["frozen"] = json!(true);
        let banner = of(&session).unwrap();
        assert!(!banner.brief && banner.text.ends_with("codepiper thaw build "), "{banner:?}");
        assert_eq!(of(&json!({"name": "build", "frozen": false})), None);
    }
}
