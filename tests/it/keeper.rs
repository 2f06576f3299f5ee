//! Promise: what becomes of a session is told truthfully, whoever dies.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;

fn ended(daemon: &Daemon<'_>, id: &str) -> Value {
    daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=20"))["session"].clone()
}

#[test]
fn a_killed_keeper_is_a_lost_keeper() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    proc::signal(daemon.keeper(&id), Name::SIGKILL).unwrap();
    let session = ended(&daemon, &id);
    assert_eq!(
        (&session["status"], &session["reason"]),
        (&"CRASHED".into(), &"keeper lost".into())
    );
}

#[test]
fn a_keeper_killed_while_no_daemon_runs_is_told_by_the_next() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let keeper = daemon.keeper(&id);
    daemon.kill9();
    proc::signal(keeper, Name::SIGKILL).unwrap();
    wait_until("the keeper to be gone", SOON, || proc::stat(keeper).is_none_or(|s| s.state == 'Z'));
    daemon.start_binary(crate::support::daemon::BINARY);
    let session = ended(&daemon, &id);
    assert_eq!(session["reason"], "keeper lost", "{session}");
}

#[test]
fn another_boot_is_a_restarted_host() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let keeper = daemon.keeper(&id);
    assert!(daemon.stop().success());
    proc::signal(keeper, Name::SIGKILL).unwrap();
    sql(&space, "update sessions set boot_id = 'another boot'");
    daemon.start_binary(crate::support::daemon::BINARY);
    let session = ended(&daemon, &id);
    assert_eq!(
        (&session["status"], &session["reason"]),
        (&"CRASHED".into(), &"host restarted".into())
    );
}

/// Changes the database behind the daemon's back, while none runs.
fn sql(space: &Space, statement: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); \
                  c.execute(sys.argv[2]); c.commit()";
    let database = path_text(&space.state.join("codepiper.db"));
    let mut python = std::process::Command::new("python3");
    let done = python.args(["-c", script, &database, statement]).status().unwrap();
    assert!(done.success());
}

#[test]
fn an_end_that_no_daemon_saw_is_kept_until_one_has_stored_it() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let go = path_text(&space.root.join("go"));
    let wait = format!("while [ ! -e {go} ]; do sleep 0.01; done; echo last words; exit 42");
    let id = daemon.start_session(&["sh", "-c", &wait]);
    let keeper = daemon.keeper(&id);
    let program = daemon.session(&id)["pid"].as_i64().unwrap() as i32;
    daemon.kill9();
    std::fs::write(&go, "").unwrap();
    wait_until("the program to end", SOON, || proc::stat(program).is_none());
    assert!(proc::stat(keeper).is_some(), "the keeper keeps the exit status");
    daemon.start_binary(crate::support::daemon::BINARY);
    let session = ended(&daemon, &id);
    assert_eq!((&session["status"], &session["exitCode"]), (&"CRASHED".into(), &42.into()));
    assert_eq!(daemon.log(&id), b"last words\r\n");
    wait_until("the keeper to go", SOON, || proc::stat(keeper).is_none());
}

#[test]
fn a_keeper_that_the_database_does_not_know_is_adopted_and_never_killed() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "echo still here; cat"]);
    daemon.wait_screen(&id, "still here");
    let keeper = daemon.keeper(&id);
    assert!(daemon.stop().success());
    std::fs::remove_file(space.state.join("codepiper.db")).unwrap();
    daemon.start_binary(crate::support::daemon::BINARY);
    let session = wait_for("the session to be adopted", SOON, || {
        daemon.try_request("GET", &format!("/sessions/{id}"), None).filter(|r| r.status == 200)
    });
    let session = &session.json()["session"];
    assert_eq!((&session["status"], &session["reason"]), (&"RUNNING".into(), &"recovered".into()));
    assert!(session["name"].as_str().unwrap().starts_with("recovered-"), "{session}");
    daemon.wait_screen(&id, "still here");
    daemon.post(&format!("/sessions/{id}/send"), &serde_json::json!({"text": "and answers"}));
    daemon.wait_screen(&id, "and answers");
    assert!(proc::stat(keeper).is_some());
}

#[test]
fn what_a_program_leaves_behind_does_not_outlive_its_session() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let pids = path_text(&space.root.join("pids"));
    // One in the background, one that left the session and lost its parent.
    let script = format!(
        "sleep 1000 & echo $! > {pids}; (setsid sh -c 'trap \"\" HUP; echo $$ >> {pids}; \
         exec sleep 1001' &); while [ $(wc -l < {pids}) -lt 2 ]; do sleep 0.01; done; sleep 0.2"
    );
    let id = daemon.start_session(&["sh", "-c", &script]);
    let session = ended(&daemon, &id);
    assert_eq!((&session["status"], &session["exitCode"]), (&"STOPPED".into(), &0.into()));
    let pids = std::fs::read_to_string(pids).unwrap();
    let pids: Vec<i32> = pids.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    wait_until("both to be gone", SOON, || pids.iter().all(|pid| proc::stat(*pid).is_none()));
}

#[test]
fn a_descendant_that_prints_for_ever_does_not_keep_an_ended_session_running() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    // It ignores the hang-up and opens the terminal anew for each line.
    let script = "t=$(tty); (trap '' HUP; while :; do echo again > $t; done) & sleep 0.3; exit 5";
    let id = daemon.start_session(&["sh", "-c", script]);
    let session = ended(&daemon, &id);
    assert_eq!((&session["status"], &session["exitCode"]), (&"CRASHED".into(), &5.into()));
}
