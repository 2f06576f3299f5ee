//! The play that is given in a proof: what the model asks for, in which order, and what the gate
//! says to it. Pure.

use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::provider::proof::Heard;
use crate::provider::proof::Say;

/// One call of the shell.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The model's id for the call.
    pub id: &'static str,
    /// What it runs.
    pub command: &'static str,
    /// The file that is there once it has run.
    pub file: &'static str,
    action: Action,
    reason: &'static str,
}

/// The call that must not run.
pub const FORBIDDEN: Step = Step {
    id: "call_codepiper_forbidden",
    command: "touch forbidden",
    file: "forbidden",
    action: Action::Deny,
    reason: REASON,
};

/// The call that must run.
pub const ALLOWED: Step = Step {
    id: "call_codepiper_allowed",
    command: "touch allowed",
    file: "allowed",
    action: Action::Allow,
    reason: "codepiper proves its gate: this file shall be made",
};

/// What the model must be told about the forbidden call.
pub const REASON: &str = "codepiper proves its gate: this file must not be made";

/// What decisions of a proof name as their policy, so that they are told from the user's.
pub const POLICY: &str = "gate proof";

/// What the model does next: the first call that it has no result of yet.
pub fn next(heard: &Heard) -> Say<'static> {
    let is_open = |step: &&Step| !heard.results.iter().any(|result| result.call == step.id);
    match [&FORBIDDEN, &ALLOWED].into_iter().find(is_open) {
        Some(step) if heard.may_call => Say::Call { id: step.id, command: step.command },
        _ => Say::Words("done"),
    }
}

/// What the gate says in a proof. What is not in the play does not run.
pub fn verdict(call: &ToolCall) -> Verdict {
    let is_it = |step: &&Step| command(call) == Some(step.command);
    let step = [&FORBIDDEN, &ALLOWED].into_iter().find(is_it);
    let unknown = "codepiper proves its gate: this call is no part of it";
    Verdict {
        action: step.map_or(Action::Deny, |step| step.action),
        policy: Some(POLICY.to_string()),
        rule: step.map(|step| step.file.to_string()),
        version: None,
        effects: Vec::new(),
        reason: step.map_or(unknown, |step| step.reason).to_string(),
    }
}

/// The command line of a call of the shell.
pub fn command(call: &ToolCall) -> Option<&str> {
    call.input.get("command")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::proof::ToolResult;
    use serde_json::json;

    #[test]
    fn the_model_asks_for_the_forbidden_call_then_for_the_allowed_one_then_ends() {
        let mut heard = Heard { may_call: true, results: Vec::new() };
        for step in [&FORBIDDEN, &ALLOWED] {
            assert_eq!(next(&heard), Say::Call { id: step.id, command: step.command });
            heard.results.push(ToolResult { call: step.id.into(), text: String::new() });
        }
        assert_eq!(next(&heard), Say::Words("done"));
        let deaf = Heard::default();
        assert_eq!(next(&deaf), Say::Words("done"), "no tools, no call");
    }

    #[test]
    fn only_the_allowed_call_is_allowed() {
        let says = |input| {
            let (tool, cwd) = ("Bash".to_string(), "/p".to_string());
            verdict(&ToolCall { tool, input, cwd, call_id: None, agent_id: None })
        };
        let allowed = says(json!({"command": "touch allowed"}));
        assert_eq!(allowed.action, Action::Allow);
        let denied = says(json!({"command": "touch forbidden", "description": "x"}));
        assert_eq!((denied.action, denied.reason.as_str()), (Action::Deny, REASON));
        for other in [json!({}), json!({"command": "touch  allowed"}), json!({"file_path": "/x"})] {
            let verdict = says(other);
            assert_eq!(verdict.action, Action::Deny);
            assert_eq!((verdict.policy.as_deref(), verdict.rule), (Some(POLICY), None));
        }
    }
}
