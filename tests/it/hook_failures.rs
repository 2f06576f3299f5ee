//! The promise: whatever fails between a hook and the daemon, the tool does not run, and an event
//! that only tells stops nobody. Each row of the program's own table is driven through the built
//! binary, as a child of a real session; `hook_ends.rs` has the rows of the process itself.

use crate::damage::Disk;
use crate::damage::fill;
use crate::hook_calls::SOON_OVER;
use crate::hook_calls::allow;
use crate::hook_calls::hook_of;
use crate::hook_calls::open;
use crate::hook_calls::order;
use crate::hook_calls::program_of;
use crate::hook_calls::stdin;
use crate::hook_calls::walk;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::fake::Fake;
use crate::support::fake::reply;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use codepiper::cli::hook::table::BLOCK;
use codepiper::cli::hook::table::Failure;
use codepiper::cli::hook::table::QUIET;
use codepiper::cli::hook::table::TABLE;
use codepiper::limits;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Makes something else of a hook's input.
type Spoil = fn(&str) -> String;

#[test]
fn the_table_blocks_at_the_gate_and_each_of_its_rows_is_driven() {
    for row in TABLE {
        assert_eq!((row.gate, row.dialog, row.tells), (BLOCK, QUIET, QUIET), "{}", row.what);
        let driven = format!("walk(Failure::{:?},", row.failure);
        let tests = [include_str!("hook_failures.rs"), include_str!("hook_ends.rs")];
        assert!(tests.iter().any(|t| t.contains(&driven)), "no test of: {}", row.what);
    }
}

#[test]
fn input_of_no_use_blocks() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let most = limits::gate::HOOK_STDIN_BYTES;
    let file = path_text(&space.root.join("large"));
    let large = |event: &str, bytes: usize| {
        let mut call: Value = serde_json::from_str(&stdin(event)).expect("JSON");
        let rest = call.to_string().len() - "ls".len();
        call["tool_input"]["command"] = json!("x".repeat(bytes - rest));
        fs::write(&file, call.to_string()).expect("a file");
        json!({"do": "run", "argv": [BINARY, "hook-forward"], "stdin_file": file})
    };
    walk(Failure::Input, "a byte too much", "bytes on stdin", |event| {
        inside.ask(&large(event, most + 1))
    });
    let ran = inside.ask(&large("Stop", most));
    assert_eq!((&ran["code"], &ran["stderr"]), (&json!(0), &json!("")), "{ran}");
    for (what, text, words) in [
        ("empty", "", "stdin is empty"),
        ("white", " \n", "names no"),
        ("no object", "[\"Stop\"]", "names no"),
        ("no event", "{\"cwd\":\"/\"}", "names no"),
        ("another agent's event", "{\"hook_event_name\":\"BeforeTool\"}", "BeforeTool"),
    ] {
        let ran = inside.ask(&order(text, &[]));
        assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{what}: {ran}");
        assert!(ran["stderr"].as_str().is_some_and(|s| s.contains(words)), "{what}: {ran}");
    }
    // As long as it may be it gets a verdict, if not a yes.
    let ran = inside.ask(&large("PreToolUse", most));
    assert_eq!(ran["code"], 0, "{ran}");
    assert!(ran["stdout"].as_str().is_some_and(|text| text.contains("\"ask\"")), "{ran}");
}

#[test]
fn a_place_outside_of_sessions_blocks() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    for (name, value) in [
        ("CODEPIPER_UNIX_SOCK", ""),
        ("CODEPIPER_UNIX_SOCK", "hook.sock"),
        ("CODEPIPER_SESSION", ""),
        ("CODEPIPER_SESSION", "../x"),
        ("CODEPIPER_SECRET", ""),
        ("CODEPIPER_SECRET", "a b"),
    ] {
        walk(Failure::Place, &format!("{name}={value}"), name, |event| {
            inside.ask(&order(&stdin(event), &[(name, value)]))
        });
    }
}

#[test]
fn a_daemon_that_is_gone_stopped_or_unreachable_blocks_in_time() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let away = |what: &str, words: &str| {
        walk(Failure::Away, what, words, |event| inside.ask(&order(&stdin(event), &[SOON_OVER])));
    };
    let program = program_of(&daemon, &inside);
    proc::signal(daemon.pid(), Name::SIGSTOP).expect("a daemon of ours");
    away("stopped", "did not answer in time");
    // One that goes on in time has not lost the question.
    let pending = inside.tell(&order(&stdin("PreToolUse"), &[]));
    hook_of(program);
    proc::signal(daemon.pid(), Name::SIGCONT).expect("a daemon of ours");
    assert_eq!(inside.result(pending)["code"], 0);
    let door = space.state.join("hook/hook.sock");
    let moved = space.root.join("moved.sock");
    fs::rename(&door, &moved).expect("a socket");
    away("no socket", "cannot connect");
    fs::write(&door, "").expect("a file");
    away("a file instead", "cannot connect");
    fs::rename(&moved, &door).expect("a socket");
    let ran = inside.ask(&order(&stdin("PreToolUse"), &[]));
    assert_eq!(ran["code"], 0, "the socket is back: {ran}");
    daemon.kill9();
    away("gone", "cannot connect");
}

#[test]
fn a_daemon_that_never_comes_to_an_answer_blocks_in_time() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let at = |name: &str| space.root.join(name);
    let drip = |stream: &mut UnixStream| {
        // Always on its way to an answer: a head without an end.
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while sent.is_ok() {
            std::thread::sleep(Duration::from_millis(5));
            sent = stream.write_all(b"x");
        }
    };
    let cut = |at: usize| allow()[..at].to_vec();
    for (what, fake, words) in [
        ("silent", Fake::silent(at("1.sock")), "in time"),
        ("slow", Fake::start(at("2.sock"), drip), "in time"),
        ("closes at once", Fake::saying(at("3.sock"), Vec::new()), "closed the connection"),
        ("closes in between", Fake::saying(at("4.sock"), cut(70)), "closed the connection"),
        ("always busy", Fake::saying(at("5.sock"), reply(503, "{}")), "busy"),
    ] {
        let socket = path_text(&fake.path);
        let env = [SOON_OVER, ("CODEPIPER_UNIX_SOCK", socket.as_str())];
        walk(Failure::Away, what, words, |event| inside.ask(&order(&stdin(event), &env)));
    }
    // Slow, but in time.
    let late = Fake::start(at("6.sock"), |stream| {
        for byte in allow() {
            std::thread::sleep(Duration::from_millis(2));
            let _ = stream.write_all(&[byte]);
        }
    });
    let socket = path_text(&late.path);
    let ran = inside.ask(&order(&stdin("PreToolUse"), &[("CODEPIPER_UNIX_SOCK", &socket)]));
    assert_eq!(ran["code"], 0, "{ran}");
}

#[test]
fn a_call_that_the_daemon_does_not_believe_or_understand_blocks() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let other = Inside::start(&space, &daemon, "other");
    let ended = Inside::start(&space, &daemon, "ended");
    let secret = |of: &Inside| of.variable("CODEPIPER_SECRET");
    let (others, dead) = (secret(&other), secret(&ended));
    daemon.post(&format!("/sessions/{}/kill", ended.id), &json!({}));
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (what, session, secret) in [
        ("a wrong secret", inside.id.as_str(), "0000"),
        ("another session's secret", &inside.id, &others),
        ("another session's id and secret", &other.id, &others),
        ("an ended session's id and secret", &ended.id, &dead),
        ("an unknown session", nobody, &others),
    ] {
        let env = [("CODEPIPER_SESSION", session), ("CODEPIPER_SECRET", secret)];
        walk(Failure::Refused, what, "refused", |event| inside.ask(&order(&stdin(event), &env)));
    }
    // A call from outside of all sessions, with everything that a session knows.
    let own = inside.ask(&json!({"do": "facts"}))["env"].clone();
    walk(Failure::Refused, "outside", "does not belong", |event| {
        let mut hook = space.cli(&["hook-forward"]).stdin(stdin(event).as_bytes());
        for name in ["CODEPIPER_SESSION", "CODEPIPER_SECRET", "CODEPIPER_UNIX_SOCK"] {
            hook = hook.env(name, own[name].as_str().expect("a variable"));
        }
        let out = hook.run();
        json!({"code": out.status.code(), "stdout": out.stdout, "stderr": out.stderr})
    });
    // What is no JSON, for one reader or another.
    let spoil: [(&str, Spoil); 6] = [
        ("cut off", |text| text[..text.len() - 1].to_string()),
        ("cut off in a string", |text| text[..text.len() - 4].to_string()),
        ("more behind it", |text| format!("{text} {{}}")),
        ("a field of the envelope behind it", |text| format!("{text},\"event\":\"Stop\"")),
        ("a key twice", |text| text.replacen('{', "{\"cwd\":\"/\",", 1)),
        ("too deep", |text| {
            text.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(40), "]".repeat(40)), 1)
        }),
    ];
    for (what, spoil) in spoil {
        walk(Failure::Refused, what, "HTTP 400", |event| {
            inside.ask(&order(&spoil(&stdin(event)), &[]))
        });
    }
    for session in [&inside.id, &other.id] {
        let rows = daemon.get(&format!("/policy-decisions?sessionId={session}"));
        let decided = rows["decisions"].as_array().expect("a list").len();
        assert_eq!(decided, usize::from(*session == inside.id), "only open()'s own call");
    }
}

#[test]
fn a_decision_that_a_full_disk_does_not_take_is_a_no() {
    if proc::uid() != 0 {
        eprintln!("not tested: mounting a small disk takes root");
        return;
    }
    // In this order: the space ends its processes before the disk goes.
    let disk = Disk::mount("12m");
    let mut space = Space::new();
    space.state = disk.0.clone();
    space.env.insert("CODEPIPER_HOME".to_string(), path_text(&space.state));
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let ballast = space.state.join("ballast");
    fill(&ballast);
    // The first few may still find room in the database's own files.
    wait_for("the disk to be full for the database too", SOON, || {
        (inside.ask(&order(&stdin("PreToolUse"), &[SOON_OVER]))["code"] != 0).then_some(())
    });
    walk(Failure::Away, "full disk", "disk is full", |event| {
        inside.ask(&order(&stdin(event), &[SOON_OVER]))
    });
    fs::remove_file(ballast).expect("the ballast");
    let ran = inside.ask(&order(&stdin("PreToolUse"), &[]));
    assert_eq!(ran["code"], 0, "with room it decides again: {ran}");
}

#[test]
fn a_reply_that_is_no_verdict_blocks() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let good = String::from_utf8(allow()).expect("text");
    let at = |number: usize| space.root.join(format!("{number}.sock"));
    for (number, (what, bytes)) in [
        ("garbage", b"\0\x01\xff what\r\n\r\n".to_vec()),
        ("a page", b"<html>200 OK</html>\r\n\r\n".to_vec()),
        ("no length", good.replace("Content-Length", "Length").into_bytes()),
        ("an endless head", [b"HTTP/1.1 200 X\r\nX: ".to_vec(), vec![b'x'; 70_000]].concat()),
        ("empty", reply(200, "")),
        ("no object", reply(200, "\"allow\"")),
        ("a yes without the agent's words", reply(200, "{\"decision\":\"allow\",\"allow\":true}")),
        ("silence for a no", reply(200, "{\"decision\":\"deny\",\"output\":null}")),
        ("words for another event", good.replace("PreToolUse", "PreToolUsx").into_bytes()),
    ]
    .into_iter()
    .enumerate()
    {
        let fake = Fake::saying(at(number), bytes);
        let socket = path_text(&fake.path);
        let env = [("CODEPIPER_UNIX_SOCK", socket.as_str())];
        walk(Failure::Garbage, what, "the daemon's reply", |event| {
            inside.ask(&order(&stdin(event), &env))
        });
    }
}
