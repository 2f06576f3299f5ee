//! What Claude Code wants to hear from a hook.
//!
//! 1. An answer MUST hold the fields that Claude checks and no others; with a wrong
//!    `hookEventName` the call would run.

use crate::model::call::Action;
use crate::model::call::Verdict;
use crate::provider::hook::GATE;
use serde_json::Value;
use serde_json::json;

/// What hook-forward prints for a verdict at PreToolUse. Deny and ask always carry a reason: it is
/// all that the model or the person gets to see.
pub fn answer(verdict: &Verdict) -> Option<Value> {
    let mut output = json!({
        "hookEventName": GATE,
        "permissionDecision": verdict.action.word(),
    });
    if verdict.action != Action::Allow {
        let reason = match verdict.reason.trim() {
            "" if verdict.action == Action::Deny => "denied by the policy",
            "" => "the policy asks",
            reason => reason,
        };
        output["permissionDecisionReason"] = reason.into();
    }
    Some(json!({ "hookSpecificOutput": output }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_of_the_protocol() {
        let say = |action, reason: &str| {
            let verdict = Verdict::new(action, reason);
            answer(&verdict).unwrap().to_string()
        };
        assert_eq!(
            say(Action::Allow, "fine"),
            r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}"#
        );
        let want = |word: &str, reason: &str| {
            format!(
                "{{\"hookSpecificOutput\":{{\"hookEventName\":\"PreToolUse\",\
                 \"permissionDecision\":\"{word}\",\"permissionDecisionReason\":\"{reason}\"}}}}"
            )
        };
        assert_eq!(say(Action::Deny, "no\n\"no\""), want("deny", "no\\n\\\"no\\\""));
        assert_eq!(say(Action::Ask, "look"), want("ask", "look"));
        assert_eq!(say(Action::Deny, " "), want("deny", "denied by the policy"));
        assert_eq!(say(Action::Ask, ""), want("ask", "the policy asks"));
    }
}
