//! The promise: what the policy asks is answered from anywhere, once; the answer is about exactly
//! what was shown, and it is in the audit log before the agent hears of it. The agent is a
//! stand-in; `make e2e` has the real ones.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use serde_json::Value;
use serde_json::json;

const TALK: &str = "f247f362-4fbd-4e57-94f6-073b3cd68e4f";

pub fn event(name: &str, command: &str, call: Option<&str>) -> Value {
    let mut event = json!({
        "hook_event_name": name, "session_id": TALK, "transcript_path": "/tmp/t.jsonl",
        "tool_name": "Bash", "tool_input": {"command": command, "description": "harmless"},
    });
    if let Some(call) = call {
        event["tool_use_id"] = json!(call);
    }
    event
}

/// A daemon, and a Claude without dialogs in it.
fn headless<'a>(space: &'a Space, name: &str) -> (Daemon<'a>, Inside) {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    let asked = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let inside = Inside::start_as(space, &daemon, name, &asked);
    (daemon, inside)
}

/// A daemon, and a Claude with dialogs in it.
fn interactive<'a>(space: &'a Space, name: &str) -> (Daemon<'a>, Inside) {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    let inside = Inside::start_claude(space, &daemon, name);
    (daemon, inside)
}

/// The pending approvals, once there are so many, and their sessions say so too.
#[track_caller]
fn pending(daemon: &Daemon<'_>, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} approvals"), SOON, || {
        let found = daemon.get("/approvals")["approvals"].as_array().cloned().unwrap();
        let sessions = daemon.get("/sessions")["sessions"].as_array().cloned().unwrap();
        let told: u64 = sessions.iter().filter_map(|s| s["pendingApprovals"].as_u64()).sum();
        (found.len() == count && told == count as u64).then_some(found)
    })
}

/// The approval, once it has this status.
#[track_caller]
fn ended(daemon: &Daemon<'_>, id: i64, status: &str) -> Value {
    wait_for(&format!("approval {id} to be {status}"), SOON, || {
        let found = daemon.get(&format!("/approvals/{id}"))["approval"].clone();
        (found["status"] == status).then_some(found)
    })
}

fn said(result: &Value) -> Value {
    assert_eq!(result["code"], 0, "{result}");
    serde_json::from_str(result["stdout"].as_str().unwrap()).unwrap_or_default()
}

/// Opens the agent's dialog for a command: the gate asks, and the hook of the dialog is held.
#[track_caller]
fn open_dialog(inside: &Inside, command: &str, call: &str) -> u32 {
    let asked = said(&inside.hook(&event("PreToolUse", command, Some(call))));
    assert_eq!(asked["hookSpecificOutput"]["permissionDecision"], "ask", "{asked}");
    inside.hook_aside(&event("PermissionRequest", command, None))
}

#[test]
fn without_a_dialog_the_call_is_held_until_a_person_answers() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, "held");
    let order = inside.hook_aside(&event("PreToolUse", "touch a\u{202e}b\nrm x", Some("t1")));
    let approval = pending(&daemon, 1).remove(0);
    assert_eq!(approval["content"][0]["text"], "touch a\u{202e}b\nrm x", "whole");
    wait_for("the session to say so", SOON, || {
        (daemon.session(&inside.id)["status"] == "NEEDS_PERMISSION").then_some(())
    });
    let shown = space.cli(&["inbox", "--no-color"]).expect(0).stdout;
    for line in ["    $ touch aU+202Eb", "    > rm x", "    description: harmless", "    why: "] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    let id = approval["id"].as_i64().unwrap();
    let out = space.cli(&["approve", &id.to_string()]).expect(0).stdout;
    assert!(out.starts_with(&format!("{id}  approved by control pid ")), "{out}");
    let told = said(&inside.result(order));
    assert_eq!(told["hookSpecificOutput"]["permissionDecision"], "allow", "{told}");
    let order = inside.hook_aside(&event("PreToolUse", "touch c", Some("t2")));
    let id = pending(&daemon, 1)[0]["id"].to_string();
    space.cli(&["deny", &id, "--reason", "not on a Friday"]).expect(0);
    let told = said(&inside.result(order));
    let inner = &told["hookSpecificOutput"];
    assert_eq!(inner["permissionDecision"], "deny");
    assert_eq!(inner["permissionDecisionReason"], "not on a Friday");
    // Each is one row that asks and one that answers, in this order.
    let rows = daemon.get("/policy-decisions")["decisions"].as_array().cloned().unwrap();
    assert_eq!(rows.iter().map(|row| &row["decision"]).collect::<Vec<_>>(), ["ask", "ask"]);
    let late = space.cli(&["approve", &id]).expect(1);
    assert!(late.stderr.contains("was denied by control pid"), "{}", late.stderr);
}

#[test]
fn in_a_dialog_the_first_answer_counts_wherever_it_comes_from() {
    let space = Space::new();
    let (daemon, inside) = interactive(&space, "first");
    // From the command line.
    let order = open_dialog(&inside, "touch a", "t1");
    let approval = pending(&daemon, 1).remove(0);
    assert_eq!(approval["dialog"], true);
    assert_eq!(approval["toolUseId"], "t1", "of the call that the gate has judged");
    space.cli(&["approve", &approval["id"].to_string()]).expect(0);
    let told = said(&inside.result(order));
    assert_eq!(told["hookSpecificOutput"]["decision"], json!({"behavior": "allow"}));
    inside.hook(&event("PostToolUse", "touch a", Some("t1")));
    assert_eq!(daemon.session(&inside.id).get("alarm"), None);
    let order = open_dialog(&inside, "touch b", "t2");
    let id = pending(&daemon, 1)[0]["id"].to_string();
    space.cli(&["deny", &id, "--reason", "not now"]).expect(0);
    let told = said(&inside.result(order));
    let wanted = json!({"behavior": "deny", "message": "not now"});
    assert_eq!(told["hookSpecificOutput"]["decision"], wanted);
    // Yes in the terminal: the agent tells nobody until the call has run.
    let order = open_dialog(&inside, "touch c", "t3");
    let id = pending(&daemon, 1)[0]["id"].as_i64().unwrap();
    inside.hook(&event("PostToolUse", "touch c", Some("t3")));
    let approval = ended(&daemon, id, "approved");
    assert_eq!(approval["decider"], "terminal");
    assert_eq!(inside.result(order)["stdout"], "", "nothing more to say");
    let late = space.cli(&["deny", &id.to_string()]).expect(1);
    assert!(late.stderr.contains("approved in the terminal"), "{}", late.stderr);
    // No in the terminal: the hook is ended.
    let order = open_dialog(&inside, "touch d", "t4");
    let id = pending(&daemon, 1)[0]["id"].as_i64().unwrap();
    inside.withdraw(order);
    assert_eq!(ended(&daemon, id, "denied")["decider"], "terminal");
    let late = space.cli(&["approve", &id.to_string()]).expect(1);
    assert!(late.stderr.contains("denied in the terminal"), "{}", late.stderr);
}

#[test]
fn a_grant_answers_the_same_call_as_often_as_was_said_and_no_other() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, "granted");
    let ask =
        |command: &str, call: &str| inside.hook_aside(&event("PreToolUse", command, Some(call)));
    let order = ask("make it", "t1");
    let id = pending(&daemon, 1)[0]["id"].to_string();
    space.cli(&["approve", &id, "--times", "3", "--for", "30m"]).expect(0);
    assert_eq!(said(&inside.result(order))["hookSpecificOutput"]["permissionDecision"], "allow");
    for number in 2..=4 {
        let mut again = event("PreToolUse", "make it", Some(&format!("t{number}")));
        again["tool_input"]["description"] = json!(format!("try {number}"));
        let told = said(&inside.hook(&again));
        assert_eq!(told["hookSpecificOutput"]["permissionDecision"], "allow", "{number}");
    }
    let order = ask("make it", "t5");
    assert_eq!(pending(&daemon, 1).len(), 1, "the fourth one is asked again");
    inside.withdraw(order);
    pending(&daemon, 0);
    let grants = space.cli(&["grants", "--all", "--json"]).expect(0).json();
    assert_eq!(
        (&grants["grants"][0]["used"], &grants["grants"][0]["holds"]),
        (&json!(3), &json!(false))
    );
    // One that is taken back answers nothing; one for another command neither.
    let order = ask("make other", "t6");
    let id = pending(&daemon, 1)[0]["id"].to_string();
    space.cli(&["approve", &id, "--session"]).expect(0);
    inside.result(order);
    let order = ask("make other ", "t7");
    let id = pending(&daemon, 1)[0]["id"].to_string();
    space.cli(&["deny", &id]).expect(0);
    inside.result(order);
    space.cli(&["grant", "revoke", "2"]).expect(0);
    ask("make other", "t8");
    assert_eq!(pending(&daemon, 1).len(), 1);
    assert_eq!(space.cli(&["grants"]).expect(0).stdout.trim(), "nothing is granted");
}

#[test]
fn a_question_outlives_the_daemon_that_asked_it() {
    let space = Space::new();
    let (mut daemon, held) = headless(&space, "held");
    let shown = Inside::start_claude(&space, &daemon, "shown");
    let first = held.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    let second = open_dialog(&shown, "touch b", "t2");
    let before = pending(&daemon, 2);
    daemon.crash_and_restart();
    let after = pending(&daemon, 2);
    let ids = |list: &[Value]| list.iter().map(|one| one["id"].as_i64()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
    // A stop is no end either: the hooks come back to the next daemon.
    daemon.stop();
    daemon.start_binary(crate::support::daemon::BINARY);
    wait_for("the whole calls", SOON, || {
        pending(&daemon, 2).iter().all(|one| one["argsWhole"] == true).then_some(())
    });
    for approval in &after {
        space.cli(&["approve", &approval["id"].to_string()]).expect(0);
    }
    let told = said(&held.result(first));
    assert_eq!(told["hookSpecificOutput"]["permissionDecision"], "allow", "{told}");
    let told = said(&shown.result(second));
    assert_eq!(told["hookSpecificOutput"]["decision"], json!({"behavior": "allow"}));
}

#[test]
fn an_answer_is_about_what_was_shown_and_nothing_runs_by_a_late_one() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, "exact");
    let other = Inside::start_as(
        &space,
        &daemon,
        "other",
        &json!({"provider": "claude-code", "args": ["-p", "hi"]}),
    );
    // Two sessions ask the same thing: each has its own answer.
    let (mine, theirs) = (
        inside.hook_aside(&event("PreToolUse", "touch a", Some("t1"))),
        other.hook_aside(&event("PreToolUse", "touch a", Some("t1"))),
    );
    let both = pending(&daemon, 2);
    let of = |inside: &Inside| {
        both.iter().find(|one| one["sessionId"] == inside.id.as_str()).unwrap().clone()
    };
    assert_ne!(of(&inside)["boundSha256"], of(&other)["boundSha256"]);
    let path = |inside: &Inside, verb: &str| format!("/approvals/{}/{verb}", of(inside)["id"]);
    let wrong = json!({"boundSha256": of(&other)["boundSha256"]});
    let refused = daemon.request("POST", &path(&inside, "approve"), Some(&wrong));
    assert_eq!(refused.status, 409, "{}", String::from_utf8_lossy(&refused.body));
    let right = json!({"boundSha256": of(&inside)["boundSha256"]});
    daemon.post(&path(&inside, "approve"), &right);
    assert_eq!(said(&inside.result(mine))["hookSpecificOutput"]["permissionDecision"], "allow");
    assert_eq!(pending(&daemon, 1)[0]["sessionId"], other.id.as_str());
    // The session ends; nothing is left to approve.
    daemon.post(&format!("/sessions/{}/kill", other.id), &json!({}));
    let id = of(&other)["id"].as_i64().unwrap();
    let late = space.cli(&["approve", &id.to_string()]).expect(1);
    assert!(late.stderr.contains("ended") || late.stderr.contains("withdrawn"), "{}", late.stderr);
    assert_eq!(ended(&daemon, id, "withdrawn")["decider"], "withdrawn");
    assert!(!other.dir.join(format!("{theirs}.result")).exists());
    for (line, code) in [
        (&["approve", "99"][..], 4),
        (&["approve", "0"], 2),
        (&["approve", "1", "--for", "25h"], 2),
        (&["approve", "1", "--times", "0"], 2),
    ] {
        space.cli(line).expect(code);
    }
}

#[test]
fn a_cleared_conversation_takes_its_questions_along() {
    let space = Space::new();
    let (daemon, inside) = interactive(&space, "cleared");
    let order = open_dialog(&inside, "touch a", "t1");
    let id = pending(&daemon, 1)[0]["id"].as_i64().unwrap();
    inside.hook(&json!({"hook_event_name": "SessionEnd", "session_id": TALK, "reason": "clear"}));
    ended(&daemon, id, "withdrawn");
    let told = said(&inside.result(order));
    assert_eq!(told["hookSpecificOutput"]["decision"]["behavior"], "deny");
    // What the person's own settings ask is theirs to answer.
    daemon
        .post("/policies", &json!({"name": "all", "rules": [{"action": "allow", "tool": "Bash"}]}));
    let asked = said(&inside.hook(&event("PreToolUse", "touch b", Some("t2"))));
    assert_eq!(asked["hookSpecificOutput"]["permissionDecision"], "allow");
    let result = inside.hook(&event("PermissionRequest", "touch b", None));
    assert_eq!((&result["code"], &result["stdout"]), (&json!(0), &json!("")));
    pending(&daemon, 0);
}

#[test]
fn the_inbox_tells_what_comes_and_what_was_answered() {
    let space = Space::new();
    let (_daemon, inside) = headless(&space, "watched");
    let mut command = std::process::Command::new(crate::support::daemon::BINARY);
    command.args(["inbox", "--watch", "--json"]).env("CODEPIPER_SOCKET", space.control());
    let mut watch = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(watch.stdout.take().unwrap()));
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let order = inside.hook_aside(&event("PreToolUse", "touch a", Some("t1")));
    let came = next();
    assert_eq!(came["status"], "pending");
    space.cli(&["approve", &came["id"].to_string()]).expect(0);
    let answered = next();
    assert_eq!((&answered["id"], &answered["status"]), (&came["id"], &json!("approved")));
    inside.result(order);
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn an_attached_terminal_shows_what_holds_the_program_up_and_then_its_own_line_again() {
    let space = Space::new();
    let (daemon, inside) = headless(&space, "held");
    let terminal = Tmux::start(&space, 90, 12, &format!("{BINARY} attach {}", inside.id));
    terminal.wait_text("inside");
    inside.say("\u{1b}[12;1Hthe last line\u{1b}[2;1H");
    terminal.wait_text("the last line");
    let before = terminal.still();
    let order = inside.hook_aside(&event("PreToolUse", "make it", Some("t1")));
    let id = pending(&daemon, 1)[0]["id"].to_string();
    let note = format!("codepiper asks: approve {id} | deny {id}: Bash make it");
    terminal.wait_text(&note);
    inside.say("\u{1b}[2;1Hgoes on\u{1b}[2;1H\u{1b}[K");
    terminal.still();
    let seen = terminal.screen();
    assert!(seen.lines().last().is_some_and(|line| line.contains(&note)), "{seen}");
    space.cli(&["approve", &id]).expect(0);
    said(&inside.result(order));
    terminal.wait_text("the last line");
    assert_eq!(terminal.still(), before);
    space.cli(&["freeze", &inside.id]).expect(0);
    terminal.wait_text("is frozen; to let it go on: codepiper thaw held");
    space.cli(&["thaw", &inside.id]).expect(0);
    terminal.wait_text("the last line");
    assert_eq!(terminal.still(), before);
}
