//! The promise: dangerous mode allows what policy would leave to a person, in one session, for a
//! while, on record; what a person denied stays denied.

use crate::hook_gate::set_policy;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

/// The word that a hook brings back for a command, or `blocked`.
#[track_caller]
fn said(agent: &Inside, command: &str) -> String {
    let ran = agent.hook(&json!({
        "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "permission_mode": "default", "tool_name": "Bash",
        "tool_input": {"command": command}, "tool_use_id": "toolu_1", "cwd": agent.dir,
    }));
    let answer: Value = serde_json::from_str(ran["stdout"].as_str().expect("text")).expect("JSON");
    answer["hookSpecificOutput"]["permissionDecision"].as_str().expect("a word").to_string()
}

fn last(daemon: &Daemon<'_>, id: &str) -> Value {
    let page = daemon.get(&format!("/policy-decisions?sessionId={id}"));
    page["decisions"].as_array().expect("a list").last().expect("a decision").clone()
}

fn start(space: &Space) -> Daemon<'_> {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    let rules = json!([
        {"action": "deny", "tool": "Bash", "command": "git push", "reason": "mine"},
        {"action": "ask", "tool": "Bash", "command": "cargo *", "reason": "look"},
    ]);
    set_policy(&daemon, &rules).ok();
    daemon
}

#[test]
fn what_nobody_denied_is_allowed_on_record_until_it_is_taken_off() {
    let space = Space::new();
    let mut daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let other = Inside::start_claude(&space, &daemon, "other");
    assert_eq!(said(&agent, "cargo test"), "ask");
    let out = space.cli(&["dangerous", &agent.id, "--for", "10m"]).expect(2);
    assert!(out.stderr.contains("--yes"), "without a terminal: {}", out.stderr);
    assert!(daemon.session(&agent.id)["dangerousUntil"].is_null());
    space.cli(&["dangerous", &agent.id, "--for", "10m", "--yes"]).expect(0);
    assert_eq!(said(&agent, "cargo test"), "allow");
    let row = last(&daemon, &agent.id);
    assert_eq!((&row["policyName"], &row["ruleId"]), (&json!("built-in"), &json!("dangerous")));
    let reason = row["reason"].as_str().expect("text");
    assert!(reason.contains("else ask by mine: rule 2: look"), "{reason}");
    assert_eq!(said(&agent, "git push"), "deny", "a rule of the person's");
    assert_eq!(said(&other, "cargo test"), "ask", "another session");
    daemon.request("PUT", "/settings/daemon", Some(&json!({"defaultPolicyAction": "deny"}))).ok();
    assert_eq!(said(&agent, "make"), "allow", "denied by default");
    assert!(space.cli(&["ls"]).expect(0).stdout.contains("DANGEROUS"));
    assert!(space.cli(&["show", &agent.id]).expect(0).stdout.contains("dangerous"));
    daemon.crash_and_restart();
    assert_eq!(said(&agent, "make clean"), "allow", "it outlives the daemon");
    space.cli(&["dangerous", &agent.id, "--off"]).expect(0);
    assert_eq!(said(&agent, "make again"), "deny");
    let page = daemon.get(&format!("/sessions/{}/events?limit=1000", agent.id));
    let kinds: Vec<&Value> =
        page["events"].as_array().expect("a list").iter().map(|e| &e["type"]).collect();
    let has = |kind: &str| kinds.iter().filter(|k| ***k == kind).count();
    assert_eq!((has("dangerous on"), has("dangerous off")), (1, 1));
}

#[test]
fn it_ends_by_itself_and_with_the_program() {
    let space = Space::new();
    let daemon = start(&space);
    let asked = json!({"provider": "claude-code", "dangerousSeconds": 3600});
    let agent = Inside::start_as(&space, &daemon, "agent", &asked);
    assert_eq!(said(&agent, "cargo test"), "allow");
    space.cli(&["dangerous", &agent.id, "--for", "1s", "--yes"]).expect(0);
    wait_until("its end", SOON, || daemon.session(&agent.id)["dangerousUntil"].is_null());
    assert_eq!(said(&agent, "cargo test"), "ask");
    let ended = format!("/sessions/{}/events?type=dangerous%20off", agent.id);
    wait_until("the event", SOON, || {
        daemon.get(&ended)["events"].as_array().is_some_and(|all| !all.is_empty())
    });
    space.cli(&["dangerous", &agent.id, "--yes"]).expect(0);
    space.cli(&["kill", &agent.id]).expect(0);
    assert!(daemon.session(&agent.id)["dangerousUntil"].is_null());
    space.cli(&["dangerous", &agent.id, "--yes"]).expect(1);
}

#[test]
fn it_is_refused_where_there_is_no_gate_and_for_longer_than_a_day() {
    let space = Space::new();
    let daemon = start(&space);
    let plain = daemon.start_session(&["sleep", "600"]);
    let out = space.cli(&["dangerous", &plain, "--yes"]).expect(2);
    assert!(out.stderr.contains("no gate"), "{}", out.stderr);
    let line = ["start", "-p", "command", "--dangerous=5m", "--yes", "--", "sleep", "600"];
    space.cli(&line).expect(2);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    for wait in ["0s", "25h"] {
        space.cli(&["dangerous", &agent.id, "--for", wait, "--yes"]).expect(2);
    }
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(2));
}
