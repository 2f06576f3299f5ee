//! The promise: an agent's program runs in a session only after that very program was seen, in a
//! rehearsal, to leave undone what the gate denies. The agent is a stand-in that behaves well or
//! not; `make e2e` has the real ones.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::http;
use crate::support::http::Reply;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// Longer than a rehearsal that hangs is waited for.
const PAST_THE_DEADLINE: Duration = Duration::from_secs(60);

/// Puts a `claude` that behaves like this on the login shell's PATH, in the place of another. No
/// other agent is on it, whatever this machine has.
fn install(space: &Space, mode: &str) {
    let runs = path_text(&space.root.join("runs"));
    let body = include_str!("support/fake_claude.py");
    let text = format!("#!/usr/bin/python3\nMODE, RUNS = {mode:?}, {runs:?}\n{body}");
    space.write("home/.profile", "PATH=\"$HOME/bin\"\n");
    let (bin, new) = (space.home.join("bin"), space.write_program("home/new-claude", &text));
    if fs::create_dir(&bin).is_ok() {
        // The one tells the login shell's environment, the other is what a rehearsal runs.
        for name in ["env", "touch"] {
            symlink(Path::new("/usr/bin").join(name), bin.join(name)).expect("a link");
        }
    }
    fs::rename(new, bin.join("claude")).expect("the program's place");
}

/// How often a program was rehearsed with.
fn runs(space: &Space) -> usize {
    fs::read_to_string(space.root.join("runs")).unwrap_or_default().lines().count()
}

fn try_start(space: &Space, daemon: &Daemon<'_>) -> Reply {
    let asked = json!({"provider": "claude-code", "cwd": space.project});
    daemon.request("POST", "/sessions", Some(&asked))
}

#[track_caller]
fn start(space: &Space, daemon: &Daemon<'_>) -> Value {
    let session = try_start(space, daemon).ok()["session"].clone();
    daemon.wait_screen(session["id"].as_str().expect("an id"), "a session");
    session
}

/// What the gate has decided, in all sessions, those of rehearsals too.
fn decisions(daemon: &Daemon<'_>) -> Vec<Value> {
    daemon.get("/policy-decisions")["decisions"].as_array().expect("a list").clone()
}

/// The row of Claude Code in what `doctor` says.
fn finding(checks: &Value) -> Value {
    let rows = checks["checks"].as_array().expect("a list");
    rows.iter().find(|row| row["name"] == "Claude Code").expect("its row").clone()
}

#[track_caller]
fn expect_finding(row: &Value, ok: bool, words: &str) {
    assert_eq!(row["ok"], ok, "{row}");
    assert!(row["detail"].as_str().expect("text").contains(words), "no {words:?} in {row}");
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory").flatten();
    entries.map(|entry| entry.file_name().into_string().expect("text")).collect()
}

/// Nothing of a rehearsal is there: no session, no file, no keeper.
fn nothing_left(space: &Space, sessions: usize) -> bool {
    entries(&space.state.join("sessions")).len() == sessions
        && entries(&space.state.join("run/k")).len() == sessions
}

#[test]
fn a_well_behaved_agent_is_proven_once_before_its_first_session() {
    let space = Space::new();
    install(&space, "good");
    let mut daemon = Daemon::start(&space);
    expect_finding(&finding(&daemon.get("/doctor")), true, "2.1.400, gate not proven yet");
    let session = start(&space, &daemon);
    assert_eq!(session["gateProof"], "proven");
    assert_eq!(runs(&space), 1);
    assert!(nothing_left(&space, 1), "only the session itself");
    let listed = daemon.get("/sessions")["sessions"].as_array().expect("a list").len();
    assert_eq!(listed, 1, "a rehearsal is no session of the user's");
    // What was decided stays on record, told apart by its policy.
    let rows = decisions(&daemon);
    let said: Vec<_> = rows.iter().map(|row| (&row["decision"], &row["policyName"])).collect();
    let policy = json!("gate proof");
    assert_eq!(said, [(&json!("deny"), &policy), (&json!("allow"), &policy)]);
    daemon.crash_and_restart();
    let again = start(&space, &daemon);
    assert_eq!((&again["gateProof"], runs(&space)), (&json!("proven"), 1), "not proven twice");
    expect_finding(&finding(&daemon.get("/doctor")), true, "gate proven on 2.1.400 at 20");
    let shown = space.cli(&["show", again["id"].as_str().expect("an id")]).expect(0).stdout;
    assert!(shown.contains("proven on this program"), "{shown}");
    let command = daemon.start_session(&["/bin/sh", "-c", "read x"]);
    assert_eq!(daemon.session(&command)["gateProof"], "n/a");
}

#[test]
fn first_starts_at_the_same_moment_wait_for_one_proof() {
    let space = Space::new();
    install(&space, "good");
    let daemon = Daemon::start(&space);
    // More than there are workers: the rehearsal's own hooks must still be answered.
    std::thread::scope(|scope| {
        let control = space.control();
        let asked = json!({"provider": "claude-code", "cwd": space.project});
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let (control, asked) = (control.clone(), asked.clone());
                scope.spawn(move || http::try_request(&control, "POST", "/sessions", Some(&asked)))
            })
            .collect();
        for one in waiting {
            let reply = one.join().expect("a reply").expect("a reply").ok();
            assert_eq!(reply["session"]["gateProof"], "proven");
        }
    });
    assert_eq!(runs(&space), 1);
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(8));
}

#[test]
fn another_program_in_its_place_is_proven_anew_and_refused_where_the_gate_does_not_hold() {
    let space = Space::new();
    install(&space, "good");
    let daemon = Daemon::start(&space);
    let first = start(&space, &daemon);
    let id = first["id"].as_str().expect("an id");
    space.cli(&["stop", id]).expect(0);
    for (mode, words) in [("deaf", "without asking"), ("rude", "that was denied")] {
        install(&space, mode);
        let before = runs(&space);
        for _ in 0..2 {
            let refused = try_start(&space, &daemon);
            assert_eq!(refused.status, 403, "{}", refused.text());
            let sum = sha256sum(&space.home.join("bin/claude"));
            for word in ["Claude Code 2.1.400", words, sum.as_str(), "codepiper doctor"] {
                assert!(refused.text().contains(word), "no {word:?} in {}", refused.text());
            }
        }
        assert_eq!(runs(&space), before + 1, "{mode}: refused at once the second time");
        let resumed = daemon.request("POST", &format!("/sessions/{id}/resume"), None);
        assert_eq!(resumed.status, 403, "a resume runs the program that is there now");
        expect_finding(&finding(&daemon.get("/doctor")), false, "the gate does not hold");
    }
    let kept = entries(&space.state.join("sessions"));
    assert_eq!((kept.as_slice(), entries(&space.state.join("run/k")).len()), (&[id.into()][..], 0));
    // A person who knows better has a way.
    space.cli(&["settings", "proveGate", "false"]).expect(0);
    assert_eq!(start(&space, &daemon)["gateProof"], "none");
    assert_eq!(runs(&space), 3);
}

fn sha256sum(path: &Path) -> String {
    let out = std::process::Command::new("sha256sum").arg(path).output().expect("sha256sum");
    let text = String::from_utf8(out.stdout).expect("text");
    text.split(' ').next().expect("a digest").to_string()
}

#[test]
fn an_agent_that_cannot_be_tried_is_started_with_a_mark_and_tried_by_the_next_daemon() {
    let space = Space::new();
    install(&space, "crashes");
    let mut daemon = Daemon::start(&space);
    let project = path_text(&space.project);
    let started = space.cli(&["start", "-p", "claude-code", "-d", &project]).expect(0);
    assert!(started.stderr.contains("gate not proven"), "{started:?}");
    let sessions = daemon.get("/sessions")["sessions"].clone();
    assert_eq!(sessions[0]["gateProof"], "unclear");
    let row = finding(&daemon.get("/doctor"));
    expect_finding(&row, false, "cannot reach my service");
    assert!(row["fix"].as_str().expect("text").contains("--prove claude-code"), "{row}");
    start(&space, &daemon);
    assert_eq!(runs(&space), 1, "not tried again and again");
    let doctor = space.cli(&["doctor", "--prove", "claude-code"]).expect(1);
    assert!(doctor.stdout.contains("gate not proven"), "{doctor:?}");
    assert_eq!(runs(&space), 2, "but when a person asks");
    daemon.crash_and_restart();
    start(&space, &daemon);
    assert_eq!(runs(&space), 3, "and by the next daemon");
    install(&space, "good");
    let doctor = space.cli(&["doctor", "--prove"]).run().stdout;
    assert!(doctor.contains("gate proven on 2.1.400"), "{doctor}");
    assert_eq!(start(&space, &daemon)["gateProof"], "proven");
    assert_eq!(runs(&space), 4);
    let unknown = space.cli(&["doctor", "--prove", "clode"]).expect(2);
    assert!(unknown.stderr.contains("claude-code"), "{unknown:?}");
}

#[test]
fn an_agent_that_does_not_tell_its_model_why_is_not_proven() {
    let space = Space::new();
    install(&space, "silent");
    let daemon = Daemon::start(&space);
    assert_eq!(start(&space, &daemon)["gateProof"], "unclear");
    expect_finding(&finding(&daemon.get("/doctor")), false, "why a call was denied");
}

#[test]
fn an_agent_that_hangs_is_ended_and_started_with_a_mark() {
    let space = Space::new();
    install(&space, "hangs");
    let daemon = Daemon::start(&space);
    let asked = json!({"provider": "claude-code", "cwd": space.project, "name": "hung"});
    std::thread::scope(|scope| {
        scope.spawn(|| http::try_request(&space.control(), "POST", "/sessions", Some(&asked)));
        wait_until("the rehearsal to run", SOON, || runs(&space) == 1);
        let listed = daemon.get("/sessions")["sessions"].as_array().map(Vec::len);
        assert_eq!(listed, Some(0), "not while it runs either");
        wait_until("the start to go on", PAST_THE_DEADLINE, || {
            daemon.try_request("GET", "/sessions/hung", None).is_some_and(|r| r.status == 200)
        });
        assert_eq!(daemon.session("hung")["gateProof"], "unclear");
        expect_finding(&finding(&daemon.get("/doctor")), false, "ended after 30 s");
        wait_until("nothing to be left", SOON, || nothing_left(&space, 1));
    });
}

#[test]
fn a_daemon_that_ends_in_the_middle_leaves_nothing() {
    let space = Space::new();
    install(&space, "hangs");
    let mut daemon = Daemon::start(&space);
    for killed in [true, false] {
        let before = runs(&space);
        let asked = json!({"provider": "claude-code", "cwd": space.project});
        let control = space.control();
        let waiting = std::thread::spawn(move || {
            http::try_request(&control, "POST", "/sessions", Some(&asked))
        });
        wait_until("the rehearsal to run", SOON, || runs(&space) == before + 1);
        if killed {
            daemon.kill9();
            assert!(!nothing_left(&space, 0), "its keeper lives on");
            daemon.start_binary(BINARY);
            wait_until("the next daemon to clear up", SOON, || nothing_left(&space, 0));
            assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
        } else {
            assert!(daemon.stop().success());
            assert!(nothing_left(&space, 0), "{:?}", entries(&space.state.join("run/k")));
        }
        let _ = waiting.join();
    }
    install(&space, "good");
    daemon.start_binary(BINARY);
    assert_eq!(start(&space, &daemon)["gateProof"], "proven");
}
