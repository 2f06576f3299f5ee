//! The promise: a session is shown as guarded only while nothing speaks against it. What ran
//! without its decision, a changed hook file and silent hooks raise an alarm that everybody sees.

use crate::hook_gate::set_policy;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn start(space: &Space) -> Daemon<'_> {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    let policy = json!([
        {"action": "allow", "tool": "Bash", "command": "ls"},
        {"action": "deny", "tool": "Bash", "command": "reboot"},
    ]);
    set_policy(&daemon, &policy).ok();
    daemon
}

fn event(name: &str, call: &str, command: &str) -> Value {
    json!({
        "hook_event_name": name, "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "cwd": "/tmp", "source": "startup",
        "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": call,
    })
}

/// A session whose hooks have reported.
fn guarded(space: &Space, daemon: &Daemon<'_>, name: &str) -> Inside {
    let agent = Inside::start_claude(space, daemon, name);
    agent.hook(&event("SessionStart", "", ""));
    assert_eq!(daemon.session(&agent.id)["guarded"], true);
    agent
}

fn wait_alarm(daemon: &Daemon<'_>, id: &str, words: &str) {
    wait_until(&format!("an alarm with {words:?}"), SOON, || {
        daemon.session(id)["alarm"].as_str().is_some_and(|alarm| alarm.contains(words))
    });
    assert_eq!(daemon.session(id)["guarded"], false);
}

#[test]
fn a_call_that_ran_as_it_was_decided_raises_no_alarm() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = guarded(&space, &daemon, "agent");
    agent.hook(&event("PreToolUse", "c1", "ls"));
    agent.hook(&event("PostToolUse", "c1", "ls"));
    agent.hook(&event("PreToolUse", "c2", "something that is asked"));
    agent.hook(&event("PostToolUse", "c2", "something that is asked"));
    let mut question = event("PreToolUse", "c3", "");
    question["tool_name"] = json!("AskUserQuestion");
    agent.hook(&question);
    question["hook_event_name"] = json!("PostToolUse");
    question["tool_input"]["answers"] = json!({"which": "that"});
    agent.hook(&question);
    let mut read = event("PostToolUse", "c1", "ls");
    read["tool_response"] = json!({"stdout": "hunter2", "stderr": ""});
    agent.hook(&read);
    let events = daemon.get(&format!("/sessions/{}/events?type=PostToolUse", agent.id));
    assert_eq!(events["events"].as_array().map(Vec::len), Some(4), "{events}");
    assert!(!events.to_string().contains("hunter2"), "what a tool printed is not kept");
    let session = daemon.session(&agent.id);
    assert_eq!((&session["guarded"], &session["alarm"]), (&json!(true), &Value::Null));
}

#[test]
fn whatever_ran_otherwise_than_it_was_decided_is_seen_by_everybody() {
    let space = Space::new();
    let daemon = start(&space);
    for (at, (before, after, words)) in [
        (None, "ls", "without a decision"),
        (Some("ls"), "ls -a", "another input"),
        (Some("reboot"), "reboot", "although it was denied"),
    ]
    .into_iter()
    .enumerate()
    {
        let agent = guarded(&space, &daemon, &format!("agent{at}"));
        if let Some(before) = before {
            agent.hook(&event("PreToolUse", "c1", before));
        }
        agent.hook(&event("PostToolUse", "c1", after));
        wait_alarm(&daemon, &agent.id, words);
        // Neither a new conversation nor time takes it back.
        agent.hook(&event("SessionStart", "", ""));
        wait_alarm(&daemon, &agent.id, words);
        let events = daemon.get(&format!("/sessions/{}/events?type=alarm", agent.id));
        assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
    }
    let list = space.cli(&["ls"]).expect(0).stdout;
    assert_eq!(list.matches("ALARM").count(), 3, "{list}");
    let shown = space.cli(&["show", "agent0"]).expect(0).stdout;
    assert!(shown.contains("without a decision"), "{shown}");
    let doctor = space.cli(&["doctor"]).run().stdout;
    assert!(doctor.contains("3 running sessions have an alarm"), "{doctor}");
    daemon.post("/sessions/agent0/kill", &json!({}));
    let again = daemon.post("/sessions/agent0/resume", &json!({}));
    assert_eq!(again["session"]["alarm"], Value::Null, "a new start is a new beginning");
}

#[test]
fn a_held_call_that_ran_without_its_yes_is_an_alarm_and_one_with_it_is_none() {
    let space = Space::new();
    let daemon = start(&space);
    let asked = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    for (name, answer, alarm) in [
        ("approved", Some("approve"), false),
        ("denied", Some("deny"), true),
        ("pending", None, true),
    ] {
        let agent = Inside::start_as(&space, &daemon, name, &asked);
        agent.hook(&event("SessionStart", "", ""));
        let held = agent.hook_aside(&event("PreToolUse", "c1", "touch it"));
        let id = wait_for("the approval", SOON, || {
            let open = daemon.get(&format!("/approvals?sessionId={}", agent.id));
            open["approvals"][0]["id"].as_i64()
        });
        if let Some(verb) = answer {
            space.cli(&[verb, &id.to_string()]).expect(0);
            agent.result(held);
        }
        agent.hook(&event("PostToolUse", "c1", "touch it"));
        if alarm {
            wait_alarm(&daemon, &agent.id, "without the approval that it was held for");
        }
        assert_eq!(daemon.session(&agent.id)["guarded"], !alarm, "{name}");
    }
}

/// The overlay of a session and the program that its hooks run.
fn files(space: &Space, id: &str) -> (PathBuf, PathBuf) {
    let overlay = space.state.join("sessions").join(id).join("claude-settings.json");
    let hooks = fs::read_dir(space.state.join("hook")).expect("the hook directory").flatten();
    let mut programs = hooks.map(|e| e.path()).filter(|p| path_text(p).contains("codepiper-"));
    (overlay, programs.next().expect("a pinned program"))
}

/// Replaces a file as a program of the same user can.
fn replace(path: &PathBuf, text: &str) {
    fs::remove_file(path).expect("a file of ours");
    fs::write(path, text).expect("a file in its place");
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("its mode");
}

#[test]
fn a_changed_hook_file_is_noticed_at_once() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = guarded(&space, &daemon, "agent");
    let (overlay, program) = files(&space, &agent.id);
    let text = fs::read_to_string(&overlay).expect("the overlay");
    fs::write(&overlay, text.replace("block", "continue")).expect("a change in place");
    wait_alarm(&daemon, &agent.id, "claude-settings.json was changed");
    let other = guarded(&space, &daemon, "other");
    replace(&program, "#!/bin/sh\nexit 0\n");
    wait_alarm(&daemon, &other.id, "the program that its hooks run was changed");
    // The next start does not trust what stands there.
    let fresh = guarded(&space, &daemon, "fresh");
    let ran = fresh.hook(&event("PreToolUse", "c1", "reboot"));
    assert!(ran["stdout"].as_str().is_some_and(|out| out.contains("deny")), "{ran}");
}

#[test]
fn a_hook_file_that_was_changed_while_no_daemon_ran_is_noticed_by_the_next() {
    let space = Space::new();
    let mut daemon = start(&space);
    let agent = guarded(&space, &daemon, "agent");
    let (_, program) = files(&space, &agent.id);
    daemon.kill9();
    fs::remove_file(program).expect("a pinned program");
    daemon.start_binary(crate::support::daemon::BINARY);
    wait_alarm(&daemon, &agent.id, "the program that its hooks run is gone");
}

#[test]
fn an_agent_that_works_while_its_hooks_say_nothing_raises_an_alarm() {
    let space = Space::new();
    let daemon = start(&space);
    let silent = Inside::start_claude(&space, &daemon, "silent");
    let heard = guarded(&space, &daemon, "heard");
    for agent in [&silent, &heard] {
        let text = "\u{1b}]7501;state=working:app=claude\u{1b}\\";
        agent.ask(&json!({"do": "say", "text": text}));
    }
    wait_alarm(&daemon, &silent.id, "its hooks say nothing");
    assert_eq!(daemon.session(&heard.id)["guarded"], true);
}

#[test]
fn a_program_that_is_too_old_or_does_not_say_its_version_is_not_started() {
    let space = Space::new();
    let daemon = start(&space);
    for (prints, words) in [
        ("echo ' 2.1.200 (Claude Code)'", "is older than 2.1.295"),
        ("echo hello", "does not print a version"),
        ("exit 1", "does not print a version"),
    ] {
        space.write_program("home/bin/claude", &format!("#!/bin/sh\n{prints}\n"));
        let body = json!({"provider": "claude-code", "cwd": path_text(&space.project)});
        let reply = daemon.request("POST", "/sessions", Some(&body));
        assert!(reply.status >= 400 && reply.text().contains(words), "{}", reply.text());
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
}

#[test]
fn an_agent_that_is_not_installed_is_named_and_found_as_soon_as_it_is() {
    let space = Space::new();
    // Nothing but what the login shell's probe needs, whatever this host has installed.
    space.write("home/.profile", "PATH=\"$HOME/bin\"\n");
    fs::create_dir(space.home.join("bin")).expect("a directory in the home");
    std::os::unix::fs::symlink("/usr/bin/env", space.home.join("bin/env")).expect("a link");
    let daemon = Daemon::start(&space);
    daemon.request("PUT", "/settings/daemon", Some(&json!({"proveGate": false}))).ok();
    let project = path_text(&space.project);
    let start = ["start", "-p", "claude-code", "-d", &project];
    let failed = space.cli(&start).expect(1).stderr;
    assert!(failed.contains("Claude Code is not installed here"), "{failed}");
    assert!(failed.contains("PATH"), "{failed}");
    Inside::install_claude(&space);
    space.cli(&start).expect(0);
}
