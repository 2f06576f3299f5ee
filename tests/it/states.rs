//! Promise: a session's state says how it went, and nothing is removed that was not asked for.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

fn ended(daemon: &Daemon<'_>, id: &str) -> Value {
    daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=20"))["session"].clone()
}

/// Runs a shell script that lives long enough to count as started.
fn run(daemon: &Daemon<'_>, script: &str) -> Value {
    let id = daemon.start_session(&["sh", "-c", &format!("sleep 0.3; {script}")]);
    ended(daemon, &id)
}

#[test]
fn ends_are_told_by_code_and_signal() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let session = run(&daemon, "exit 0");
    assert_eq!((&session["status"], &session["exitCode"]), (&"STOPPED".into(), &0.into()));
    let session = run(&daemon, "exit 3");
    assert_eq!((&session["status"], &session["exitCode"]), (&"CRASHED".into(), &3.into()));
    assert_eq!(session["reason"], "exit code 3");
    let session = run(&daemon, "kill -SEGV $$");
    assert_eq!((&session["status"], &session["exitSignal"]), (&"CRASHED".into(), &11.into()));
}

#[test]
fn what_the_user_ends_is_stopped_and_keeps_its_exit() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let stubborn = ["sh", "-c", "trap '' HUP TERM; while :; do sleep 1; done"];
    for (verb, program, signal) in [("stop", &["cat"][..], 1), ("kill", &stubborn[..], 9)] {
        let id = daemon.start_session(program);
        let session = &daemon.post(&format!("/sessions/{id}/{verb}"), &json!({}))["session"];
        assert_eq!(session["status"], "STOPPED", "{verb}: {session}");
        assert_eq!(session["exitSignal"], signal, "{verb}: {session}");
    }
}

#[test]
fn a_program_that_ignores_stop_is_killed_in_the_end() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "trap '' HUP TERM; while :; do sleep 1; done"]);
    let session = &daemon.post(&format!("/sessions/{id}/stop"), &json!({}))["session"];
    assert_eq!((&session["status"], &session["exitSignal"]), (&"STOPPED".into(), &9.into()));
}

#[test]
fn only_an_ended_session_is_removed_and_then_with_its_log() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let path = format!("/sessions/{id}");
    let refused = daemon.request("DELETE", &path, None);
    assert_eq!(refused.status, 409, "{}", refused.text());
    daemon.post(&format!("{path}/kill"), &json!({}));
    let dir = space.state.join("sessions").join(&id);
    assert!(dir.join("log/index").exists());
    assert_eq!(daemon.request("DELETE", &path, None).status, 200);
    assert!(!dir.exists());
    assert_eq!(daemon.request("GET", &path, None).status, 404);
}

#[test]
fn a_resumed_session_keeps_its_id_and_its_log_goes_on() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "echo one life; sleep 0.3"]);
    ended(&daemon, &id);
    let resumed = &daemon.post(&format!("/sessions/{id}/resume"), &json!({}))["session"];
    assert_eq!((&resumed["id"], &resumed["epoch"]), (&id.as_str().into(), &2.into()));
    assert_eq!(ended(&daemon, &id)["status"], "STOPPED");
    assert_eq!(daemon.log(&id), b"one life\r\none life\r\n");
    let index = daemon.request("GET", &format!("/sessions/{id}/index"), None).body;
    let kinds: Vec<u16> =
        index.chunks_exact(24).map(|r| u16::from_le_bytes([r[16], r[17]])).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == 4).count(), 2, "two epochs: {kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == 7).count(), 2, "two ends: {kinds:?}");
}

#[test]
fn a_session_starts_again_the_moment_its_end_is_told() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    for life in 2..12 {
        if life == 7 {
            // From then on the keeper is no child of the daemon's.
            daemon.crash_and_restart();
        }
        daemon.post(&format!("/sessions/{id}/stop"), &json!({}));
        let resumed = &daemon.post(&format!("/sessions/{id}/resume"), &json!({}))["session"];
        assert_eq!((&resumed["status"], &resumed["epoch"]), (&"RUNNING".into(), &life.into()));
    }
}

#[test]
fn a_failed_start_shows_the_programs_own_output_and_leaves_nothing_behind() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let text = path_text(&space.write("text", "no program"));
    let starts = [
        (vec!["sh", "-c", "echo wrong option >&2; exit 2"], "wrong option"),
        (vec![text.as_str()], ""),
        (vec!["no-such-program"], ""),
    ];
    for (args, output) in starts {
        let body = json!({"provider": "command", "cwd": path_text(&space.project), "args": args});
        let reply = daemon.request("POST", "/sessions", Some(&body));
        assert_eq!(reply.status, 422, "{args:?}: {}", reply.text());
        let shown = reply.json()["output"].as_str().unwrap_or_default().to_string();
        assert_eq!(shown, output, "{args:?}: {}", reply.text());
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
    for dir in ["sessions", "run/k"] {
        let left = std::fs::read_dir(space.state.join(dir)).unwrap().count();
        assert_eq!(left, 0, "{dir} is empty");
    }
}

#[test]
fn an_agent_that_is_idle_before_its_start_has_settled_is_shown_so() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let script = r"printf '\033]7501;state=idle\033\\'; exec cat";
    let id = daemon.start_session(&["sh", "-c", script]);
    assert_eq!(daemon.session(&id)["agent"], "state=idle");
    assert_eq!(daemon.session(&id)["status"], "NEEDS_INPUT");
}

#[test]
fn a_resumed_screen_starts_empty_also_for_the_next_daemon() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "echo one life; exec cat"]);
    daemon.wait_screen(&id, "one life");
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    daemon.post(&format!("/sessions/{id}/resume"), &json!({}));
    daemon.wait_screen(&id, "one life");
    daemon.crash_and_restart();
    assert_eq!(daemon.wait_screen(&id, "one life").trim_end(), "one life");
}

/// An agent that asks something before it begins, and says hello through its hooks once there is a
/// file `go`.
const SHY_AGENT: &str = r#"#!/bin/sh
[ "$1" = --version ] && echo 2.1.330 && exit
say() { printf '\033]7501;state=%s:app=claude-code\033\\' "$1"; }
say blocked:kind=permission
until [ -e go ]; do sleep 0.05; done
echo '{"hook_event_name":"SessionStart","session_id":"x","source":"startup","cwd":"/"}' |
  "${CODEPIPER_UNIX_SOCK%/*}"/codepiper-* hook-forward
say idle
until [ -e out ]; do sleep 0.05; done
say blocked:kind=auth
sleep 0.1
echo '{"hook_event_name":"StopFailure","session_id":"x","error":"authentication_failed"}' |
  "${CODEPIPER_UNIX_SOCK%/*}"/codepiper-* hook-forward
: >heard
cat
"#;

#[test]
fn an_agent_that_cannot_work_before_a_person_has_looked_says_why() {
    let space = Space::new();
    space.write("home/.profile", "PATH=\"$HOME/bin:$PATH\"\n");
    space.write_program("home/bin/claude", SHY_AGENT);
    let daemon = Daemon::start(&space);
    // A rehearsal would wait for its whole time for this agent to begin.
    daemon.request("PUT", "/settings/daemon", Some(&json!({"proveGate": false}))).ok();
    let body = json!({"provider": "claude-code", "cwd": space.project});
    let id = daemon.post("/sessions", &body)["session"]["id"].clone();
    let row = || daemon.session(id.as_str().expect("an id"));
    let wait = |words: &str| {
        wait_until(&format!("a reason: {words:?}"), SOON, || {
            let row = row();
            let reason = row["reason"].as_str().unwrap_or_default();
            row["status"] == "NEEDS_INPUT"
                && reason.contains(words)
                && reason.is_empty() == words.is_empty()
        });
    };
    wait("before it begins");
    assert_eq!(row()["guarded"], false);
    space.write("project/go", "");
    wait("");
    assert_eq!(row()["guarded"], true);
    space.write("project/out", "");
    // That its turn is over it says at the same time, by its hook.
    wait_until("the hook", SOON, || space.project.join("heard").exists());
    wait("not logged in");
}
