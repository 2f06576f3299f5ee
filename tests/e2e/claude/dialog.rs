//! What policy leaves to a person is asked in the agent's own dialog, in every mode of the agent.

use crate::claude::agent::Agent;
use crate::claude::person::Person;
use crate::claude::script::Script;
use crate::claude::script::call;
use crate::claude::script::touch;
use crate::support::space::Space;
use serde_json::json;

#[test]
fn an_asked_tool_opens_the_agents_dialog_and_runs_only_after_a_yes() {
    let space = Space::new();
    let script = Script::new()
        .on("do the first thing", &[touch("first")])
        .on("do the second thing", &[touch("second")])
        .on("do the allowed thing", &[touch("allowed")])
        .rule(json!({
            "action": "ask", "tool": "Bash", "command": "touch first", "reason": "have a look",
        }))
        .allow(&["touch allowed"]);
    let agent = Agent::start(&space, &script);
    let person = Person::at(&agent);

    agent.say("do the first thing");
    person.terminal.wait_text("Do you want to proceed?");
    person.terminal.wait_text("have a look");
    agent.wait_status("NEEDS_PERMISSION");
    assert!(!agent.made("first"), "it has not run before the yes");
    person.press("Enter", "the allowed tool to run", || agent.made("first"));
    assert!(!agent.model.result_of("do the first thing").is_error);

    // No rule is about it.
    agent.say("do the second thing");
    person.terminal.wait_text("Do you want to proceed?");
    person.press("Escape", "the dialog to go", || !person.shows("Do you want"));
    agent.wait_status("NEEDS_INPUT");
    assert!(!agent.ask("do the allowed thing").is_error, "the agent goes on");
    assert!(!agent.made("second"), "it has not run after the no");
    assert_eq!(agent.verdicts(), ["ask", "ask", "allow"]);
    assert_eq!(agent.events("PermissionRequest").len(), 2);
    agent.stop();
}

#[test]
fn no_mode_and_no_key_of_the_agents_goes_past_the_gate() {
    let space = Space::new();
    let file = json!({"file_path": space.project.join("new.txt"), "content": "mine"});
    let script = Script::new()
        .on("write it", &[call("Write", file)])
        .on("do the allowed thing", &[touch("allowed")])
        .allow(&["touch allowed"]);
    let agent = Agent::start(&space, &script);
    let person = Person::at(&agent);

    // The key that hands the conversation to a process of Claude's own, elsewhere.
    person.terminal.keys(&["Left"]);
    agent.say("/background");
    person.terminal.wait_text("Unknown command: /background");

    let modes: Vec<String> = (0..4).map(|_| person.next_mode()).collect();
    let named = |at: usize, word: &str| modes[at].contains(word);
    assert!(named(0, "accept edits") && named(1, "plan") && named(2, "manual"), "{modes:?}");
    assert!(named(3, "accept edits"), "there are no others: {modes:?}");

    // In the mode that accepts edits by itself.
    agent.say("write it");
    person.terminal.wait_text("Do you want to create");
    person.press("Escape", "the dialog to go", || !person.shows("Do you want"));

    assert!(!agent.ask("do the allowed thing").is_error);
    let agents: Vec<_> = agent.tree().into_iter().filter(|p| p.comm == "claude").collect();
    assert_eq!(agents.len(), 1, "one conversation, one process: {agents:?}");
    assert!(!agent.made("new.txt"));
    agent.stop();
}
