//! The gate, shown with the real Claude Code against a scripted model: what policy allows runs,
//! what it denies does not, whatever happens to the daemon in between.

mod agent;
mod codex;
mod codex_gate;
mod codex_repository;
mod driving;
mod model;
mod proof;
#[path = "../it/support/mod.rs"]
mod support;

use crate::agent::Agent;
use crate::support::space::Space;
use crate::support::wait::wait_for;
use serde_json::json;
use std::time::Duration;

/// Longer than hook-forward's own deadline of 20 s plus the agent's way back to the model.
const PAST_THE_DEADLINE: Duration = Duration::from_secs(45);

const REASON: &str = "this file is not yours to make";

#[test]
fn an_allowed_tool_runs_and_a_denied_one_does_not_and_the_model_is_told_why() {
    let space = Space::new();
    let agent = Agent::start(&space);

    agent.say("do the allowed thing");
    let result = agent.model.result_of("the allowed thing");
    assert!(!result.is_error, "{result:?}");
    assert!(space.project.join("allowed").exists(), "the allowed tool has run");

    agent.say("do the denied thing");
    let result = agent.model.result_of("the denied thing");
    assert!(result.is_error && result.text.contains(REASON), "{result:?}");
    assert!(!space.project.join("denied").exists(), "the denied tool has not run");

    assert_eq!(agent.daemon.session(&agent.id)["guarded"], true);
    assert_eq!(agent.decisions("allow"), 1, "one row for the allowed call");
    assert_eq!(agent.decisions("deny"), 1, "one row for the denied call");
    agent.stop();
}

#[test]
fn a_daemon_killed_and_restarted_while_a_tool_waits_still_decides() {
    let space = Space::new();
    let mut agent = Agent::start(&space);

    for (thing, is_error) in [("held allowed", false), ("held denied", true)] {
        agent.say(&format!("do the {thing} thing"));
        agent.model.wait_asked(thing);
        agent.daemon.kill9();
        agent.model.let_go(&space, thing);
        agent.wait_hook();
        agent.restart();
        let result = agent.model.result_of(thing);
        assert_eq!(result.is_error, is_error, "{thing}: {result:?}");
        assert_eq!(result.text.contains(REASON), is_error, "{thing}: {result:?}");
    }
    assert!(space.project.join("allowed").exists(), "the allowed tool has run");
    assert!(!space.project.join("denied").exists(), "the denied tool has not run");
    agent.stop();
}

#[test]
fn without_a_daemon_no_tool_runs_and_the_session_lives_on() {
    let space = Space::new();
    let mut agent = Agent::start(&space);

    agent.say("do the held allowed thing");
    agent.model.wait_asked("held allowed");
    agent.daemon.kill9();
    agent.model.let_go(&space, "held allowed");
    let what = "the agent to tell the model that nobody decided";
    let result = wait_for(what, PAST_THE_DEADLINE, || agent.model.try_result_of("held allowed"));
    assert!(result.is_error && result.text.contains("codepiper"), "{result:?}");
    assert!(!space.project.join("allowed").exists(), "nothing has run without a decision");

    agent.restart();
    agent.say("do the allowed thing");
    assert!(!agent.model.result_of("the allowed thing").is_error);
    assert!(space.project.join("allowed").exists(), "it runs once there is a daemon again");
    agent.stop();
}

/// What the model does when it is asked to, and the policy it meets.
fn scenario(space: &Space) -> serde_json::Value {
    let touch = |file: &str| {
        let input = json!({"command": format!("touch {file}"), "description": "make a file"});
        json!([{"name": "Bash", "input": input}])
    };
    let entry = |thing: &str, file: &str, hold: Option<&str>| {
        let mut first = json!({"text": "As you wish.", "tools": touch(file)});
        if let Some(name) = hold {
            first["hold"] = json!(model::hold_file(space, name));
        }
        json!({"match": thing, "steps": [first, {"text": "Outcome: ${tool_result}"}]})
    };
    json!({"prompts": [
        entry("held allowed", "allowed", Some("held allowed")),
        entry("held denied", "denied", Some("held denied")),
        entry("the allowed", "allowed", None),
        entry("the denied", "denied", None),
        entry("the asked", "asked", None),
    ]})
}

fn policy() -> serde_json::Value {
    json!([
        {"action": "allow", "tool": "Bash", "command": "touch allowed"},
        {"action": "deny", "tool": "Bash", "command": "touch denied", "reason": REASON},
    ])
}
