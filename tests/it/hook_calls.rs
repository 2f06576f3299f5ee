//! Hook calls of a session's program, in good and in odd circumstances, and how they must end.

use crate::hook_gate::set_policy;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::fake::reply;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use codepiper::cli::hook::table::Failure;
use codepiper::cli::hook::table::TABLE;
use codepiper::limits;
use codepiper::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::time::Instant;

/// For runs that must give up; a variable may shorten the wait only.
pub const SOON_OVER: (&str, &str) = ("CODEPIPER_HOOK_DEADLINE_MS", "300");

/// One event of each column of the table.
const EVENTS: [&str; 3] = ["PreToolUse", "PermissionRequest", "Stop"];

/// What an agent says at this event.
pub fn stdin(event: &str) -> String {
    json!({
        "hook_event_name": event, "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "cwd": "/tmp", "tool_name": "Bash", "tool_input": {"command": "ls"},
    })
    .to_string()
}

/// A session that runs what it is told, under a policy that allows everything.
pub fn open(space: &Space, daemon: &Daemon<'_>) -> Inside {
    set_policy(daemon, &json!([{"action": "allow", "tool": "*"}])).ok();
    let inside = Inside::start(space, daemon, "caller");
    let ran = inside.ask(&order(&stdin("PreToolUse"), &[]));
    assert_eq!(ran["code"], 0, "{ran}");
    assert!(ran["stdout"].as_str().is_some_and(|text| text.contains("\"allow\"")), "{ran}");
    inside
}

/// hook-forward itself with this input, these variables changed.
pub fn order(stdin: &str, env: &[(&str, &str)]) -> Value {
    around(&[BINARY, "hook-forward"], stdin, env)
}

/// hook-forward in a line of shell, where it is called `"$0" hook-forward`.
pub fn shell(line: &str, stdin: &str, env: &[(&str, &str)]) -> Value {
    around(&["/bin/bash", "-c", line, BINARY], stdin, env)
}

/// Any program with the hook in it.
pub fn around(argv: &[&str], stdin: &str, env: &[(&str, &str)]) -> Value {
    let env: Value = env.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    json!({"do": "run", "argv": argv, "stdin": stdin, "env": env})
}

/// Lets the same thing fail at each kind of event and compares the ends with the table's row.
#[track_caller]
pub fn walk(failure: Failure, what: &str, words: &str, mut run: impl FnMut(&str) -> Value) {
    let row = TABLE.iter().find(|row| row.failure == failure).expect("a row");
    for (event, end) in EVENTS.iter().zip([row.gate, row.dialog, row.tells]) {
        let begun = Instant::now();
        let ran = run(event);
        assert_eq!((&ran["code"], &ran["stdout"]), (&json!(end.code), &json!("")), "{what}: {ran}");
        let stderr = ran["stderr"].as_str().expect("text");
        match end.says_why {
            true => assert!(stderr.contains("not run") && stderr.contains(words), "{what}: {ran}"),
            false => assert_eq!(stderr, "", "{what} at {event}"),
        }
        let took = begun.elapsed();
        assert!(took < limits::gate::HOOK_DEADLINE / 2, "{what} at {event} took {took:?}");
    }
}

/// The hook that runs in the session now.
#[track_caller]
pub fn hook_of(program: i32) -> i32 {
    wait_for("a hook to run", SOON, || {
        let below = proc::descendants(program);
        below.iter().find(|p| p.comm.starts_with("codepiper")).map(|p| p.pid)
    })
}

/// The process of the session's program.
#[track_caller]
pub fn program_of(daemon: &Daemon<'_>, inside: &Inside) -> i32 {
    daemon.session(&inside.id)["pid"].as_i64().expect("a pid") as i32
}

/// The daemon's whole reply that lets a call run.
pub fn allow() -> Vec<u8> {
    let inner = json!({"hookEventName": "PreToolUse", "permissionDecision": "allow"});
    let output = json!({"hookSpecificOutput": inner});
    reply(200, &json!({"decision": "allow", "output": output}).to_string())
}
