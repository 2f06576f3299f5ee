//! Driving the real Claude Code from outside its terminal: prompts that wait for their turn,
//! dialogs that no program answers by accident, commands, models, forks.

use crate::claude::agent::Agent;
use crate::claude::person::press_until;
use crate::claude::script::Script;
use crate::claude::script::touch;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

fn wait_queued(agent: &Agent<'_>, count: usize) {
    let what = format!("{count} prompts to wait");
    wait_until(&what, SOON, || agent.daemon.session(&agent.id)["queued"] == count);
}

fn wait_for(agent: &Agent<'_>, what: &str) {
    agent.daemon.get(&format!("/sessions/{}/wait?for={what}&timeout=30", agent.id));
}

fn said(agent: &Agent<'_>, text: &str) -> bool {
    agent.model.prompts().iter().any(|prompt| prompt.contains(text))
}

fn conversation(agent: &Agent<'_>, id: &str) -> Value {
    agent.daemon.session(id)["metadata"]["providerSession"]["id"].clone()
}

const HELD: &str = "do the held allowed thing";

fn script() -> Script {
    Script::new()
        .held(HELD, &[touch("allowed")])
        .on("do the allowed thing", &[touch("allowed")])
        .on("do the denied thing", &[touch("denied")])
        .on("do the asked thing", &[touch("asked")])
        .allow(&["touch allowed"])
        .rule(json!({"action": "deny", "tool": "Bash", "command": "touch denied"}))
}

#[test]
fn queued_prompts_wait_for_the_turn_and_keep_their_order() {
    let space = Space::new();
    let agent = Agent::start(&space, &script());
    agent.say(HELD);
    agent.model.wait_asked(HELD);
    std::thread::scope(|scope| {
        let send = |text| space.cli(&["send", "--queue", "--wait", &agent.id, text]).expect(0);
        let first = scope.spawn(move || send("the first\nin line"));
        wait_queued(&agent, 1);
        let second = scope.spawn(move || send("the second in line"));
        wait_queued(&agent, 2);
        assert!(!said(&agent, "in line"), "nothing is typed while the agent works");
        agent.let_go(HELD);
        first.join().expect("the first client");
        second.join().expect("the second client");
    });
    let mut prompts = agent.model.prompts();
    prompts.retain(|prompt| prompt.contains("in line"));
    prompts.dedup();
    assert_eq!(prompts, ["the first\nin line", "the second in line"]);
    agent.stop();
}

#[test]
fn a_dialog_gets_no_text_and_is_answered_by_keys_that_are_meant_for_it() {
    let space = Space::new();
    let agent = Agent::start(&space, &script());
    agent.say("do the asked thing");
    wait_for(&agent, "blocked");
    for line in [["send", &agent.id, "go on"], ["keys", &agent.id, "enter"]] {
        let out = space.cli(&line).expect(1);
        assert!(out.stderr.contains("codepiper attach"), "{}", out.stderr);
    }
    std::thread::scope(|scope| {
        let send = || space.cli(&["send", "--queue", &agent.id, "after the dialog"]).expect(0);
        let waiting = scope.spawn(send);
        wait_queued(&agent, 1);
        assert!(!space.project.join("asked").exists(), "no answer was given");
        let yes = ["keys", "--at-dialog", &agent.id, "1"];
        press_until("a yes", || drop(space.cli(&yes).run()), || agent.made("asked"));
        let result = agent.model.result_of("do the asked thing");
        assert!(!result.is_error, "{result:?}");
        waiting.join().expect("the client");
    });
    assert!(space.project.join("asked").exists(), "a person said yes");
    wait_until("the prompt behind the dialog", SOON, || said(&agent, "after the dialog"));
    agent.stop();
}

#[test]
fn commands_a_new_model_and_a_fork_keep_the_conversation_that_they_should() {
    let space = Space::new();
    let agent = Agent::start(&space, &script());
    agent.say("do the allowed thing");
    agent.model.result_of("do the allowed thing");
    wait_for(&agent, "idle");
    let old = conversation(&agent, &agent.id);
    space.cli(&["slash", &agent.id, "clear"]).expect(0);
    wait_until("a new conversation", SOON, || conversation(&agent, &agent.id) != old);
    let wait = ["send", "--wait", &agent.id];
    space.cli(&[&wait[..], &["remember the elephant"]].concat()).expect(0);
    let talk = conversation(&agent, &agent.id);

    let model = || space.cli(&["model", &agent.id]).expect(0).stdout;
    assert!(!model().contains("haiku"), "{}", model());
    space.cli(&["model", &agent.id, "haiku"]).expect(0);
    wait_until("the new model", SOON, || model().contains("haiku"));
    agent.daemon.wait_screen(&agent.id, "remember the elephant");
    assert_eq!(conversation(&agent, &agent.id), talk);
    let settings = std::fs::read_to_string(space.home.join(".claude/settings.json"));
    assert!(!settings.unwrap_or_default().contains("haiku"), "the person's default is theirs");

    let forked = space.cli(&["fork", &agent.id, "--json"]).expect(0).json();
    let fork = forked["session"]["id"].as_str().expect("an id").to_string();
    agent.daemon.wait_screen(&fork, "remember the elephant");
    space.cli(&["send", "--wait", &fork, "do the denied thing"]).expect(0);
    let denied = agent.daemon.get(&format!("/policy-decisions?sessionId={fork}&decision=deny"));
    assert_eq!(denied["decisions"].as_array().map(Vec::len), Some(1), "{denied}");
    assert!(!space.project.join("denied").exists(), "the fork is behind the gate");
    assert_ne!(conversation(&agent, &fork), talk);
    space.cli(&["stop", &fork]).expect(0);
    agent.stop();
}

#[test]
fn the_first_prompt_waits_until_the_agent_is_up() {
    let space = Space::new();
    let agent = Agent::start(&space, &script());
    let project = space.project.to_str().expect("text");
    let prompt = "do the allowed thing";
    let line = ["start", "-p", "claude-code", "-d", project, "--prompt", prompt];
    space.cli(&line).expect(0);
    assert!(!agent.model.result_of("do the allowed thing").is_error);
    let sessions = agent.daemon.get("/sessions")["sessions"].clone();
    assert_eq!(sessions[0]["guarded"], true);
    space.cli(&["stop", sessions[0]["id"].as_str().expect("an id")]).expect(0);
    agent.stop();
}
