//! Promise: an agent starts, and starts again, with what a person gave it: its variables, its
//! conversation, its model, and no key that it should not pay with.

use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

const KEY: &str = "ANTHROPIC_API_KEY";
const TALK: &str = "f247f362-4fbd-4e57-94f6-073b3cd68e4f";

fn start(space: &Space) -> Daemon<'_> {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    // The stand-in does nothing by itself, so its gate cannot be proven.
    daemon.request("PUT", "/settings/daemon", Some(&json!({"proveGate": false}))).ok();
    daemon
}

/// A stand-in for Claude that is up and idle, with these fields in its start.
fn idle(space: &Space, daemon: &Daemon<'_>, name: &str, mut fields: Value) -> Inside {
    fields["provider"] = json!("claude-code");
    let agent = Inside::start_as(space, daemon, name, &fields);
    agent.greet(TALK, &json!({"model": "claude-opus-5-5"}));
    agent.state(daemon, "idle");
    agent
}

fn stop(daemon: &Daemon<'_>, agent: &Inside) {
    daemon.post(&format!("/sessions/{}/stop", agent.id), &json!({}));
}

fn has_pair(args: &[String], pair: [&str; 2]) -> bool {
    args.windows(2).any(|two| two == pair)
}

#[test]
fn a_key_reaches_an_agent_only_where_that_billing_was_chosen() {
    let mut space = Space::new();
    for (name, value) in [(KEY, "the-daemons"), ("OPENAI_API_KEY", "open"), ("CLAUDECODE", "1")] {
        space.env.insert(name.to_string(), value.to_string());
    }
    let daemon = start(&space);
    let plain = Inside::start_claude(&space, &daemon, "plain");
    for name in [KEY, "OPENAI_API_KEY", "CLAUDECODE"] {
        assert_eq!(plain.try_variable(name), None, "{name}");
    }
    let fields = json!({"provider": "claude-code", "billingMode": "api"});
    let paid = Inside::start_as(&space, &daemon, "paid", &fields);
    assert_eq!(paid.variable(KEY), "the-daemons");
    assert_eq!(paid.try_variable("OPENAI_API_KEY"), None, "another agent's key");
    let shown = daemon.session(&paid.id);
    assert_eq!(shown["metadata"]["launch"]["billingMode"], "api");
    assert!(!shown.to_string().contains("the-daemons"));
    stop(&daemon, &paid);
    daemon.post(&format!("/sessions/{}/resume", paid.id), &json!({}));
    assert_eq!(paid.variable(KEY), "the-daemons", "kept at resume");
    let fields = json!({"provider": "claude-code", "billingMode": "api", "env": {KEY: "given"}});
    let given = Inside::start_as(&space, &daemon, "given", &fields);
    assert_eq!(given.variable(KEY), "given");
}

#[test]
fn a_key_given_to_a_subscription_is_refused_and_not_shown() {
    let space = Space::new();
    let _daemon = start(&space);
    let project = path_text(&space.project);
    for (provider, name) in [
        ("claude-code", KEY),
        ("claude-code", "ANTHROPIC_AUTH_TOKEN"),
        ("codex", "OPENAI_API_KEY"),
        ("command", KEY),
    ] {
        let line = ["start", "-p", provider, "-d", &project, "--env", name, "--", "env"];
        let out = space.cli(&line).env(name, "s3cret").expect(2);
        assert!(out.stderr.contains(name) && out.stderr.contains("-b api"), "{}", out.stderr);
        assert!(!out.stderr.contains("s3cret"), "{}", out.stderr);
    }
    let line = ["start", "-p", "claude-code", "-d", &project, "--env", "CLAUDECODE"];
    let out = space.cli(&line).env("CLAUDECODE", "1").expect(2);
    assert!(out.stderr.contains("another agent"), "{}", out.stderr);
    let line = ["start", "-p", "claude-code", "-d", &project, "-b", "gold"];
    assert!(space.cli(&line).expect(2).stderr.contains("subscription or api"));
    assert_eq!(space.cli(&["ls", "--json"]).expect(0).json()["sessions"], json!([]));
}

#[test]
fn a_resumed_session_gets_its_variables_again_and_is_told_what_it_lost() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = idle(&space, &daemon, "agent", json!({"env": {"TOKEN": "one"}, "args": ["-x"]}));
    assert_eq!(daemon.session(&agent.id)["metadata"]["launch"]["envNames"], json!(["TOKEN"]));
    stop(&daemon, &agent);
    let out = space.cli(&["resume", &agent.id]).expect(0);
    assert!(out.stderr.contains("it had TOKEN"), "{}", out.stderr);
    assert_eq!(agent.try_variable("TOKEN"), None);
    stop(&daemon, &agent);
    let line = ["resume", &agent.id, "--env", "TOKEN", "--", "--model", "opus"];
    let out = space.cli(&line).env("TOKEN", "two").expect(0);
    assert_eq!(out.stderr, "");
    assert_eq!(agent.variable("TOKEN"), "two");
    let args = agent.args();
    assert!(has_pair(&args, ["--resume", TALK]) && has_pair(&args, ["--model", "opus"]));
    assert!(!args.iter().any(|arg| arg == "-x"), "{args:?}");
    assert!(!daemon.session(&agent.id).to_string().contains("two"));
}

#[test]
fn a_conversation_without_a_prompt_is_begun_again_and_not_asked_for() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let transcript = space.root.join("talk.jsonl");
    agent.greet(&agent.id, &json!({"transcript_path": transcript}));
    stop(&daemon, &agent);
    space.cli(&["resume", &agent.id]).expect(0);
    assert!(has_pair(&agent.args(), ["--session-id", &agent.id]), "{:?}", agent.args());
    space.write("talk.jsonl", "{}\n");
    stop(&daemon, &agent);
    space.cli(&["resume", &agent.id]).expect(0);
    assert!(has_pair(&agent.args(), ["--resume", &agent.id]), "{:?}", agent.args());
}

#[test]
fn a_fork_goes_on_with_a_copy_and_a_conversation_has_one_program_at_a_time() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = idle(&space, &daemon, "agent", json!({"args": ["--verbose"]}));
    let forked = space.cli(&["fork", &agent.id, "--json"]).expect(0).json();
    let id = forked["session"]["id"].as_str().expect("an id").to_string();
    assert_ne!(id, agent.id);
    wait_until("the fork to run", SOON, || daemon.session(&id)["status"] == "RUNNING");
    stop(&daemon, &agent);
    // Both work in one directory: the orders are the fork's alone now.
    let args = agent.args();
    let wanted = ["--resume", TALK, "--fork-session", "--session-id", &id];
    assert_eq!(args[..5], wanted, "{args:?}");
    assert_eq!(args.last().map(String::as_str), Some("--verbose"));
    // Ended before there was a prompt in it, it begins as it first did.
    agent.greet(&id, &json!({"transcript_path": space.root.join("none.jsonl")}));
    daemon.post(&format!("/sessions/{id}/stop"), &json!({}));
    daemon.post(&format!("/sessions/{id}/resume"), &json!({}));
    assert_eq!(agent.args()[..5], wanted);
    daemon.post(&format!("/sessions/{id}/stop"), &json!({}));

    daemon.post(&format!("/sessions/{}/resume", agent.id), &json!({}));
    let project = path_text(&space.project);
    let line = ["start", "-p", "claude-code", "-d", &project, "--resume-id", TALK];
    let out = space.cli(&line).expect(1);
    assert!(out.stderr.contains(&agent.id) && out.stderr.contains("fork"), "{}", out.stderr);
    stop(&daemon, &agent);
    space.cli(&line).expect(0);
    let line = ["start", "-p", "command", "-d", &project, "--resume-id", TALK, "--", "cat"];
    assert!(space.cli(&line).expect(2).stderr.contains("no conversations"));
    let line = ["start", "-p", "claude-code", "-d", &project, "--resume-id", "--bare"];
    space.cli(&line).expect(2);
}

#[test]
fn another_model_comes_with_a_new_start_and_the_same_conversation_and_variables() {
    let space = Space::new();
    let mut daemon = start(&space);
    let given = json!({"env": {"TOKEN": "kept"}, "args": ["--model=haiku", "--verbose"]});
    let agent = idle(&space, &daemon, "agent", given);
    let ask = |daemon: &Daemon<'_>| daemon.get(&format!("/sessions/{}/model", agent.id));
    let wanted = json!({
        "model": "claude-opus-5-5", "provider": "claude-code", "supportsModelSwitch": true
    });
    assert_eq!(ask(&daemon), wanted);
    agent.state(&daemon, "working");
    let out = space.cli(&["model", &agent.id, "sonnet"]).expect(1);
    assert!(out.stderr.contains("not at rest"), "{}", out.stderr);
    agent.state(&daemon, "idle");
    space.cli(&["model", &agent.id, "--bare"]).expect(2);
    space.cli(&["model", &agent.id, "-", "x"]).expect(2);
    let out = space.cli(&["model", &agent.id, "sonnet"]).expect(0);
    assert!(out.stdout.contains("agent runs again, with sonnet"), "{}", out.stdout);
    let args = agent.args();
    assert!(has_pair(&args, ["--model", "sonnet"]) && has_pair(&args, ["--resume", TALK]));
    assert!(!args.iter().any(|arg| arg.contains("haiku")), "{args:?}");
    assert_eq!(agent.variable("TOKEN"), "kept");
    assert_eq!(daemon.session(&agent.id)["epoch"], 2);
    assert_eq!(ask(&daemon)["model"], "sonnet", "as asked for, until its hooks name it");
    let switched = json!({
        "hook_event_name": "PostModelSwitch", "session_id": TALK, "cwd": "/tmp",
        "to_model": "claude-sonnet-5-5",
    });
    assert_eq!(agent.hook(&switched)["code"], 0);
    assert_eq!(ask(&daemon)["model"], "claude-sonnet-5-5");

    daemon.crash_and_restart();
    agent.state(&daemon, "idle");
    let out = space.cli(&["model", &agent.id, "opus"]).expect(1);
    assert!(out.stderr.contains("resume") && out.stderr.contains("--env TOKEN"), "{}", out.stderr);
    assert_eq!(daemon.session(&agent.id)["epoch"], 2, "it runs on");
    let codex = json!({"provider": "command", "args": ["cat"], "cwd": space.project});
    let id = daemon.post("/sessions", &codex)["session"]["id"].as_str().expect("an id").to_string();
    let out = space.cli(&["model", &id, "opus"]).expect(1);
    assert!(out.stderr.contains("in its own terminal"), "{}", out.stderr);
    assert_eq!(space.cli(&["model", &id]).expect(0).stdout, "unknown\n");
}

#[test]
fn a_prompt_given_with_the_start_is_typed_once_the_agent_is_up() {
    let space = Space::new();
    let daemon = start(&space);
    let project = path_text(&space.project);
    let line = ["start", "-p", "claude-code", "-d", &project, "--prompt", "-"];
    std::thread::scope(|scope| {
        let started = scope.spawn(|| space.cli(&line).stdin(b"fix it\nplease\n").expect(0));
        let id = wait_for("the session", SOON, || {
            let sessions = daemon.get("/sessions")["sessions"].clone();
            sessions[0]["id"].as_str().map(str::to_string)
        });
        daemon.wait_screen(&id, "inside");
        let agent = Inside::of(&id, space.project.clone());
        agent.listen();
        agent.say("\x1b[?2004h");
        agent.greet(TALK, &json!({}));
        agent.state(&daemon, "idle");
        agent.wait_typed("\x1b[200~fix it\nplease\x1b[201~\r");
        let out = started.join().expect("the client");
        assert!(out.stdout.contains("started"), "{}", out.stdout);
    });
    let line = ["start", "-p", "command", "--attach", "--prompt", "x", "--", "cat"];
    assert!(space.cli(&line).expect(2).stderr.contains("--attach"));
}
