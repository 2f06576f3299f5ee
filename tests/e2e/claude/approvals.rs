//! What the policy asks, answered from the command line and in the agent's own dialog: the first
//! answer counts, and the other side hears of it.

use crate::claude::agent::Agent;
use crate::claude::agent::Home;
use crate::claude::person::Person;
use crate::claude::script::Script;
use crate::claude::script::call;
use crate::claude::script::touch;
use crate::support::daemon::BINARY;
use crate::support::daemon::other_build;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

/// The approval, once it has this status.
#[track_caller]
fn ended(agent: &Agent<'_>, id: &str, status: &str) -> Value {
    wait_for(&format!("approval {id} to be {status}"), SOON, || {
        let found = agent.daemon.get(&format!("/approvals/{id}"))["approval"].clone();
        (found["status"] == status).then_some(found)
    })
}

/// The number of the one approval that is pending.
#[track_caller]
fn pending(agent: &Agent<'_>) -> String {
    wait_for("an approval", SOON, || {
        let found = agent.daemon.get("/approvals")["approvals"].as_array().cloned()?;
        (found.len() == 1).then(|| found[0]["id"].to_string())
    })
}

#[test]
fn a_dialog_is_answered_from_the_command_line_or_in_the_terminal_whichever_is_first() {
    let space = Space::new();
    let script = Script::new()
        .on("one", &[touch("one")])
        .on("two", &[touch("two")])
        .on("three", &[touch("three")])
        .on("four", &[touch("four")]);
    let agent = Agent::start(&space, &script);
    let person = Person::at(&agent);

    agent.say("one");
    person.terminal.wait_text("Do you want to proceed?");
    space.answer(&["approve"]);
    assert!(!agent.model.result_of("one").is_error && agent.made("one"));
    wait_until("the dialog to go", SOON, || !person.shows("Do you want to proceed?"));

    agent.wait_status("NEEDS_INPUT");
    agent.say("two");
    person.terminal.wait_text("Do you want to proceed?");
    space.answer(&["deny", "--reason", "not on a Friday"]);
    let result = agent.model.result_of("two");
    assert!(result.is_error && result.text.contains("not on a Friday"), "{result:?}");
    assert!(!agent.made("two"));

    // In the terminal: the inbox says so, and a late answer changes nothing.
    agent.wait_status("NEEDS_INPUT");
    agent.say("three");
    let id = pending(&agent);
    person.terminal.wait_text("Do you want to proceed?");
    person.press("Enter", "the tool to run", || agent.made("three"));
    assert_eq!(ended(&agent, &id, "approved")["decider"], "terminal");
    let late = space.cli(&["deny", &id]).expect(1);
    assert!(late.stderr.contains("approved in the terminal"), "{}", late.stderr);

    agent.wait_status("NEEDS_INPUT");
    agent.say("four");
    let id = pending(&agent);
    person.terminal.wait_text("Do you want to proceed?");
    person.press("Escape", "the dialog to go", || !person.shows("Do you want to proceed?"));
    assert_eq!(ended(&agent, &id, "denied")["decider"], "terminal");
    let late = space.cli(&["approve", &id]).expect(1);
    assert!(late.stderr.contains("denied in the terminal"), "{}", late.stderr);
    assert!(!agent.made("four"));
    assert_eq!(agent.verdicts(), ["ask"; 4]);
    assert_eq!(agent.row().get("alarm"), None);
    agent.stop();
}

#[test]
fn a_question_outlives_a_killed_and_an_upgraded_daemon() {
    let space = Space::new();
    let script = Script::new().on("one", &[touch("one")]).on("two", &[touch("two")]);
    let mut agent = Agent::start(&space, &script);
    for (prompt, binary) in [("one", other_build(&space)), ("two", BINARY.to_string())] {
        agent.say(prompt);
        pending(&agent);
        agent.daemon.kill9();
        agent.restart_as(&binary);
        space.answer(&["approve"]);
        assert!(!agent.model.result_of(prompt).is_error && agent.made(prompt), "{prompt}");
    }
    agent.stop();
}

#[test]
fn without_dialogs_calls_are_granted_expire_and_are_told_apart_between_sessions() {
    let space = Space::new();
    let again: Vec<Value> = (0..5).map(|_| touch("again")).collect();
    let script = Script::new()
        .on("again and again", &again)
        .on("the same", &[touch("same")])
        .on("too late", &[touch("late")]);
    let agent = Agent::launch(&space, &script, &Home::default(), &["-p", "again and again"]);
    // The first is approved, three more are granted, the fifth is asked again.
    space.answer(&["approve", "--times", "3"]);
    space.answer(&["deny", "--reason", "that is enough"]);
    space.cli(&["wait", &agent.id, "--timeout", "60s"]).expect(0);
    assert_eq!(agent.verdicts(), ["ask", "allow", "allow", "allow", "ask"]);

    let both = [agent.another(&["-p", "the same"]), agent.another(&["-p", "the same"])];
    let two = wait_for("both questions", SOON, || {
        let found = agent.daemon.get("/approvals")["approvals"].as_array().cloned()?;
        (found.len() == 2).then_some(found)
    });
    for (approval, verb) in two.iter().zip(["approve", "deny"]) {
        space.cli(&[verb, &approval["id"].to_string()]).expect(0);
    }
    for id in &both {
        space.cli(&["wait", id, "--timeout", "60s"]).expect(0);
    }
    let said = |id: &Value| ended(&agent, &id["id"].to_string(), "approved")["sessionId"].clone();
    assert_eq!(said(&two[0]), two[0]["sessionId"]);

    space.cli(&["settings", "holdSeconds", "1"]).expect(0);
    let id = agent.another(&["-p", "too late"]);
    space.cli(&["wait", &id, "--timeout", "60s"]).expect(0);
    let page = agent.daemon.get(&format!("/approvals?status=all&sessionId={id}"));
    assert_eq!(page["approvals"][0]["status"], "expired", "{page}");
    assert!(!agent.made("late"), "nothing runs by the end of the time");
}

#[test]
fn a_background_subagents_call_is_asked_and_answered_like_any_other() {
    let space = Space::new();
    let helper = json!({
        "description": "a helper", "prompt": "inner work", "subagent_type": "general-purpose",
        "run_in_background": true,
    });
    let script = Script::new()
        .on("start a helper", &[call("Agent", helper)])
        .on("inner work", &[touch("inner")])
        .rule(json!({"action": "allow", "tool": "Agent"}));
    let agent = Agent::start(&space, &script);
    agent.say("start a helper");
    let id = pending(&agent);
    let approval = agent.daemon.get(&format!("/approvals/{id}"))["approval"].clone();
    assert!(approval["agentId"].is_string(), "{approval}");
    space.answer(&["approve"]);
    wait_until("the subagent's call to run", SOON, || agent.made("inner"));
    agent.stop();
}
