//! Promise: a wrong request is refused with what is wrong in it, and leaves nothing behind.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::time::Duration;
use std::time::Instant;

/// A start request with some fields replaced.
fn start(space: &Space, changes: &Value) -> Value {
    let cwd = path_text(&space.project);
    let mut body = json!({"provider": "command", "cwd": cwd, "args": ["cat"]});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// The request must be refused with this status and these words.
#[track_caller]
fn refused(daemon: &Daemon<'_>, method: &str, path: &str, body: &Value, want: (u16, &str)) {
    let reply = daemon.request(method, path, Some(body));
    let text = reply.text();
    assert_eq!(reply.status, want.0, "{method} {path} {body}: {text}");
    let error = reply.json()["error"].as_str().unwrap_or_default().to_string();
    assert!(error.contains(want.1), "no {:?} in {error:?}", want.1);
}

/// No row, no directory, no keeper.
#[track_caller]
fn nothing_left(daemon: &Daemon<'_>, space: &Space) {
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
    for dir in ["sessions", "run/k"] {
        let left: Vec<_> = fs::read_dir(space.state.join(dir)).unwrap().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_start_that_cannot_work_is_refused_and_leaves_nothing_behind() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let file = path_text(&space.write("project/notes.txt", "text"));
    let gone = path_text(&space.root.join("gone"));
    let cases = [
        (json!({"cwd": gone}), 400, "is not there"),
        (json!({"cwd": file}), 400, "is not a directory"),
        (json!({"cwd": "project"}), 400, "must be absolute"),
        (json!({"cwd": "/tmp/\u{0}x"}), 400, "NUL"),
        (json!({"cwd": 7}), 400, "cwd"),
        (json!({"cwd": Value::Null}), 400, "cwd"),
        (json!({"args": ["no-such-program-anywhere"]}), 422, "no-such-program-anywhere"),
        (json!({"args": [file]}), 422, "not a program that you can run"),
        (json!({"args": ["./missing"]}), 422, "not a program that you can run"),
        (json!({"args": ["cat\u{0}"]}), 400, "NUL"),
        (json!({"args": ["echo", "a\u{0}b"]}), 422, "NUL"),
        (json!({"args": vec!["x"; 101]}), 400, "at most 100 arguments"),
        (json!({"args": "cat"}), 400, "args"),
        (json!({"provider": "hal9000"}), 400, "hal9000"),
        (json!({"cols": 0}), 400, "columns"),
        (json!({"cols": -1}), 400, "cols"),
        (json!({"rows": 70000}), 400, "rows"),
        (json!({"rows": 1.5}), 400, "rows"),
        (json!({"colour": "red"}), 400, "colour"),
        (json!({"name": "evil\u{1b}[2Jname"}), 400, "control"),
        (json!({"name": "x".repeat(81)}), 400, "80"),
        (json!({"env": {"A": 1}}), 400, "env"),
        (json!({"env": {"A=B": "1"}}), 400, "A=B"),
        (json!({"env": {"A": "x\u{0}"}}), 400, "NUL"),
    ];
    for (changes, status, words) in cases {
        refused(&daemon, "POST", "/sessions", &start(&space, &changes), (status, words));
    }
    nothing_left(&daemon, &space);
    let out = space.cli(&["start", "-p", "command", "-d", &gone, "--", "cat"]).run();
    assert!(!out.status.success() && out.stderr.contains(&gone), "{out:?}");
    let out = space.cli(&["start", "-p", "command", "--", "no-such-program-anywhere"]).expect(1);
    assert!(out.stderr.contains("no-such-program-anywhere"), "{}", out.stderr);
    space.cli(&["start", "-p", "hal9000"]).expect(2);
    nothing_left(&daemon, &space);
}

#[test]
fn the_cap_on_sessions_refuses_one_more_and_says_how_many() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.request("PUT", "/settings/daemon", Some(&json!({"maxSessions": 2}))).ok();
    let first = daemon.start_session(&["cat"]);
    daemon.start_session(&["cat"]);
    let body = start(&space, &json!({}));
    refused(&daemon, "POST", "/sessions", &body, (409, "2 sessions run already"));
    assert_eq!(fs::read_dir(space.state.join("sessions")).unwrap().count(), 2);
    daemon.post(&format!("/sessions/{first}/kill"), &json!({}));
    daemon.start_session(&["cat"]);
    for wrong in [json!(0), json!(-1), json!("many"), json!(100_000)] {
        let body = json!({ "maxSessions": wrong });
        refused(&daemon, "PUT", "/settings/daemon", &body, (400, "maxSessions"));
    }
    refused(&daemon, "PUT", "/settings/daemon", &json!({"speed": 11}), (400, "speed"));
}

#[test]
fn wrong_keys_sizes_fields_and_names_change_nothing() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "stty raw -echo; echo up; cat -v"]);
    daemon.wait_screen(&id, "up");
    let at = |rest: &str| format!("/sessions/{id}{rest}");
    let post = |rest: &str, body: Value, want| refused(&daemon, "POST", &at(rest), &body, want);
    post("/keys", json!({"keys": ["a", "hyper+q"]}), (400, "hyper+q"));
    post("/keys", json!({"keys": vec!["a"; 101]}), (400, "100"));
    post("/keys", json!({}), (400, "keys"));
    for (cols, rows) in [(0, 24), (80, 0), (-1, 24), (70_000, 24), (80, 70_000)] {
        post("/resize", json!({"cols": cols, "rows": rows}), (400, ""));
        let (cols, rows) = (cols.to_string(), rows.to_string());
        space.cli(&["resize", &id, &cols, &rows]).expect(2);
    }
    post("/resize", json!({"cols": 80}), (400, "rows"));
    post("/send", json!({"txt": "hello"}), (400, "txt"));
    post("/send", json!({"text": 5}), (400, "text"));
    space.cli(&["keys", &id, "hyper+q"]).expect(2);
    let session = daemon.session(&id);
    assert_eq!((&session["ptyCols"], &session["ptyRows"]), (&json!(120), &json!(30)));
    assert!(!daemon.screen(&id).contains('a'), "no key before the wrong one is pressed");

    daemon.request("PUT", &at("/name"), Some(&json!({"name": "build"}))).ok();
    let other = daemon.start_session(&["cat"]);
    let path = format!("/sessions/{other}/name");
    refused(&daemon, "PUT", &path, &json!({"name": "build"}), (409, "build"));
    refused(&daemon, "PUT", &path, &json!({"name": "a\u{7}b"}), (400, "control"));
    refused(&daemon, "PUT", &path, &json!({"name": "a\nb"}), (400, "control"));
    let taken = start(&space, &json!({"name": "build"}));
    refused(&daemon, "POST", "/sessions", &taken, (409, "build"));
    refused(&daemon, "GET", "/sessions/nobody", &json!({}), (404, "nobody"));
    space.cli(&["show", "nobody"]).expect(4);
    assert_eq!(daemon.get("/sessions/build")["session"]["id"], *id);
}

#[test]
fn a_prefix_that_fits_two_sessions_is_refused_with_both() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    // Of seventeen ids two begin with the same of sixteen digits.
    let ids: Vec<String> = (0..17).map(|_| daemon.start_session(&["true"])).collect();
    let twice = |id: &&String| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1;
    let id = ids.iter().find(twice).unwrap();
    let out = space.cli(&["show", &id[..1]]).expect(1);
    assert!(out.stderr.contains("could be any of") && out.stderr.contains(&id[..13]), "{out:?}");
}

/// Reads its terminal raw and says how many bytes came, and whether they were as sent.
const COUNTER: &str = r"
import os, tty, sys
tty.setraw(0)
os.write(1, b'ready\r\n')
want = int(sys.argv[1])
got = b''
while len(got) < want:
    got += os.read(0, 65536)
right = got == (b'0123456789abcdef' * (want // 16 + 1))[:want]
os.write(1, b'\r\ncame %d %s\r\n' % (len(got), b'whole' if right else b'torn'))
";

const MIB: usize = 1024 * 1024;

#[test]
fn a_mebibyte_arrives_whole_and_more_is_refused() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["python3", "-c", COUNTER, &MIB.to_string()]);
    daemon.wait_screen(&id, "ready");
    let text = "0123456789abcdef".repeat(MIB / 16);
    let path = format!("/sessions/{id}/send");
    let more = json!({"text": format!("{text}+"), "newline": false});
    refused(&daemon, "POST", &path, &more, (400, "1048576"));
    let send = space.cli(&["send", "--no-newline", &id, "-"]);
    send.stdin(text.as_bytes()).expect(0);
    daemon.wait_screen(&id, &format!("came {MIB} whole"));
}

#[test]
fn a_program_that_does_not_read_makes_send_fail_and_nothing_else() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "stty raw -echo; echo deaf; exec sleep 600"]);
    daemon.wait_screen(&id, "deaf");
    let body = json!({"text": "x".repeat(MIB), "newline": false});
    let begin = Instant::now();
    refused(&daemon, "POST", &format!("/sessions/{id}/send"), &body, (408, "does not read"));
    let took = begin.elapsed();
    assert!(took > Duration::from_secs(8) && took < Duration::from_secs(25), "{took:?}");
    let other = daemon.start_session(&["cat"]);
    daemon.post(&format!("/sessions/{other}/send"), &json!({"text": "all well"}));
    daemon.wait_screen(&other, "all well");
    assert_eq!(daemon.session(&id)["status"], "RUNNING");
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let ended = || daemon.session(&id)["status"] != "RUNNING";
    wait_until("the deaf program to end", SOON, ended);
}
