//! A conversation changes its id, its length and its process, and stays under the gate.

use crate::claude::agent::Agent;
use crate::claude::script::Script;
use crate::claude::script::call;
use crate::claude::script::touch;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

fn deny(command: &str) -> Value {
    json!({"action": "deny", "tool": "Bash", "command": command, "reason": "not this"})
}

#[test]
fn a_subagents_calls_are_decided_and_recorded_under_its_own_id() {
    let space = Space::new();
    let helper = json!({
        "description": "a helper", "prompt": "inner work", "subagent_type": "general-purpose",
        "run_in_background": false,
    });
    let script = Script::new()
        .on("start a helper", &[call("Agent", helper)])
        .on("inner work", &[touch("inner"), touch("denied")])
        .rule(json!({"action": "allow", "tool": "Agent"}))
        .allow(&["touch inner"])
        .rule(deny("touch denied"));
    let agent = Agent::start(&space, &script);

    agent.say("start a helper");
    assert!(!agent.model.result_at("inner work", 1, SOON).is_error);
    let refused = agent.model.result_at("inner work", 2, SOON);
    assert!(refused.is_error && refused.text.contains("not this"), "{refused:?}");
    agent.model.result_of("start a helper");
    assert!(agent.made("inner") && !agent.made("denied"));

    assert_eq!(agent.verdicts(), ["allow", "allow", "deny"]);
    let rows = agent.decisions();
    assert_eq!(rows[0]["agentId"], Value::Null, "the main agent has none");
    let name = rows[1]["agentId"].as_str().expect("the subagent's id");
    assert_eq!(rows[2]["agentId"], name);
    for event in ["SubagentStart", "SubagentStop"] {
        wait_until(event, SOON, || agent.events(event).len() == 1);
        assert_eq!(agent.events(event)[0]["payload"]["agent_id"], name, "{event}");
    }
    agent.stop();
}

#[test]
fn a_conversation_that_is_cleared_compacted_and_resumed_stays_under_the_gate() {
    let space = Space::new();
    let script = Script::new()
        .on("do the allowed thing", &[touch("allowed")])
        .on("do the denied thing", &[touch("denied")])
        .on("remember the heron", &[touch("allowed")])
        .on("do the last thing", &[touch("allowed")])
        .allow(&["touch allowed"])
        .rule(deny("touch denied"))
        .watch("the heron");
    let agent = Agent::start(&space, &script);
    let talk = || agent.row()["metadata"]["providerSession"]["id"].clone();
    let first = talk();
    assert!(!agent.ask("do the allowed thing").is_error);

    agent.say("/clear");
    wait_until("the new conversation's id", SOON, || talk() != first);
    let second = talk();
    assert_eq!(agent.row()["guarded"], true);
    assert!(agent.ask("do the denied thing").text.contains("not this"));

    agent.say("/compact");
    wait_until("the compaction to be told", SOON, || !agent.events("PostCompact").is_empty());
    assert_eq!(agent.events("PreCompact").len(), 1);
    assert_eq!(talk(), second, "a shorter conversation is the same one");
    assert!(!agent.ask("remember the heron").is_error);

    agent.stop();
    space.cli(&["resume", &agent.id]).expect(0);
    wait_until("the hooks of the new process", SOON, || agent.row()["guarded"] == true);
    assert_eq!(talk(), second, "it goes on under the id it had last");
    agent.daemon.wait_screen(&agent.id, "manual mode");
    assert!(!agent.ask("do the last thing").is_error);
    let heard = agent.model.heard("do the last thing");
    assert_eq!(heard[0]["seen"], json!(["the heron"]), "it remembers what was said");
    assert!(agent.made("allowed") && !agent.made("denied"));
    assert_eq!(agent.verdicts(), ["allow", "deny", "allow", "allow"]);
    agent.stop();
}
