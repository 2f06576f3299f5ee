//! What Codex wants to hear from a hook (0.169.0). It lets the call run on anything that it does
//! not understand to the last field.
//!
//! 1. A no MUST carry a reason that is not empty and no field besides: without a reason, or with
//!    one field more, the call runs.
//! 2. `ask` MUST NOT be said: Codex does not know it and runs the call.

use crate::model::call::Action;
use crate::model::call::Verdict;
use crate::provider::hook::GATE;
use serde_json::Value;
use serde_json::json;

/// What hook-forward prints for a verdict at PreToolUse; nothing for a yes, which Codex does not
/// take in words. What asks is a no here: see the provider's capabilities.
pub fn answer(verdict: &Verdict) -> Option<Value> {
    if verdict.action == Action::Allow {
        return None;
    }
    let reason = match verdict.reason.trim() {
        "" => "denied by the policy",
        reason => reason,
    };
    Some(json!({"hookSpecificOutput": {
        "hookEventName": GATE,
        "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    }}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_is_silence_and_everything_else_a_no_with_a_reason_and_no_other_field() {
        let say = |action, reason: &str| answer(&Verdict::new(action, reason));
        assert_eq!(say(Action::Allow, "fine"), None);
        for (action, reason, want) in [
            (Action::Deny, "never", "never"),
            (Action::Deny, " \n", "denied by the policy"),
            (Action::Ask, "look", "look"),
        ] {
            let said = say(action, reason).unwrap().to_string();
            let output = format!(
                "{{\"hookSpecificOutput\":{{\"hookEventName\":\"PreToolUse\",\
                 \"permissionDecision\":\"deny\",\"permissionDecisionReason\":\"{want}\"}}}}"
            );
            assert_eq!(said, output);
        }
    }
}
