//! The promise: a process inside a session cannot drive codepiper. It is refused at every socket
//! but the hook door, the hook door takes only its own session's calls, and attempts are recorded.

use crate::support::daemon::Daemon;
use crate::support::http;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

const LIST: &str = "GET /sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// The attempts recorded in a session, oldest first.
fn refused(daemon: &Daemon<'_>, id: &str) -> Vec<Value> {
    let page = daemon.get(&format!("/sessions/{id}/events?type=refused&limit=1000"));
    page["events"].as_array().expect("a list").clone()
}

#[track_caller]
fn wait_refused(daemon: &Daemon<'_>, id: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} recorded attempts in {id}");
    wait_for(&what, SOON, || {
        let found = refused(daemon, id);
        (found.len() >= count).then_some(found)
    })
}

fn keeper(space: &Space, id: &str) -> PathBuf {
    space.state.join(format!("run/k/{id}.sock"))
}

#[test]
fn the_control_socket_refuses_and_records_every_descendant_of_a_session() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    for (number, how) in ["plain", "orphan", "renamed"].iter().enumerate() {
        let reply = inside.request(how, &space.control(), LIST);
        assert_eq!(reply.status, 403, "{how}: {}", reply.text());
        assert_eq!(reply.json()["code"], "denied", "{how}");
        assert!(!reply.text().contains(&inside.id), "{how}: {}", reply.text());
        let events = wait_refused(&daemon, &inside.id, number + 1);
        let last = &events[number];
        assert_eq!(last["source"], "session", "{how}: {last}");
        assert_eq!(last["payload"]["door"], "control", "{how}: {last}");
        assert!(last["payload"]["pid"].as_i64().is_some_and(|pid| pid > 1), "{how}: {last}");
    }
    assert_eq!(refused(&daemon, &inside.id).len(), 3, "one event for each attempt");
}

#[test]
fn an_inherited_connection_is_refused_when_its_maker_has_ended() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    for how in ["passed", "zombie"] {
        let reply = inside.request(how, &space.control(), LIST);
        assert_eq!(reply.status, 403, "{how}: {}", reply.text());
        let log = wait_for("a line in the log", SOON, || {
            let log = space.daemon_log();
            log.contains("refused at the control door").then_some(log)
        });
        assert!(log.contains("has ended") || log.contains("cannot be traced"), "{how}: {log}");
    }
}

#[test]
fn every_verb_of_the_client_is_refused_inside_a_session_too() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let binary = crate::support::daemon::BINARY;
    let line = format!("{binary} sessions; echo code=$?; {binary} version; exec sleep 600");
    let home = space.state.to_str().expect("text");
    let socket = format!("CODEPIPER_SOCKET={home}/run/control.sock");
    let id = daemon.start_session(&["/usr/bin/env", &socket, "/bin/sh", "-c", &line]);
    let screen = daemon.wait_screen(&id, "code=");
    assert!(screen.contains("code=5"), "{screen}");
    assert!(screen.contains("inside a session"), "{screen}");
    wait_refused(&daemon, &id, 1);
}

#[test]
fn keepers_refuse_and_record_their_own_and_their_siblings_programs() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let own = Inside::start(&space, &daemon, "own");
    let sibling = Inside::start(&space, &daemon, "sibling");
    let mut recorded = 0;
    for how in ["plain", "orphan", "renamed", "passed", "zombie"] {
        for id in [&own.id, &sibling.id] {
            let reply = own.knock(how, &keeper(&space, id), "");
            assert_eq!(reply, "", "{how}: not a byte, and the connection is closed");
        }
        recorded += 1;
        for id in [&own.id, &sibling.id] {
            let events = wait_refused(&daemon, id, recorded);
            assert_eq!(events[recorded - 1]["payload"]["door"], "keeper", "{how}: {events:?}");
        }
    }
    for inside in [&own, &sibling] {
        assert_eq!(daemon.session(&inside.id)["status"], "RUNNING");
        inside.ask(&json!({"do": "facts"}));
    }
}

#[test]
fn without_a_daemon_a_keeper_still_refuses_and_the_next_daemon_records_it() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    let socket = keeper(&space, &inside.id);
    daemon.kill9();
    for how in ["plain", "orphan", "passed"] {
        assert_eq!(inside.knock(how, &socket, ""), "", "{how}");
    }
    // A process outside is greeted, so silence was the refusal.
    let mut outside = UnixStream::connect(&socket).expect("a keeper that listens");
    outside.set_read_timeout(Some(SOON)).expect("a time-out");
    assert!(outside.read(&mut [0; 64]).expect("a greeting") > 0);
    drop(outside);
    daemon.start_binary(crate::support::daemon::BINARY);
    wait_until("the session to be adopted", SOON, || {
        daemon.session(&inside.id)["adopting"] == json!(false)
    });
    // The greeted one took the reports with it; the daemon's record holds what came after.
    inside.knock("orphan", &socket, "");
    let events = wait_refused(&daemon, &inside.id, 1);
    assert!(events.iter().all(|e| e["payload"]["door"] == "keeper"), "{events:?}");
}

#[test]
fn attempts_made_without_a_daemon_are_recorded_by_the_next_one() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    daemon.kill9();
    for _ in 0..3 {
        assert_eq!(inside.knock("plain", &keeper(&space, &inside.id), ""), "");
    }
    daemon.start_binary(crate::support::daemon::BINARY);
    assert_eq!(wait_refused(&daemon, &inside.id, 3).len(), 3);
}

#[test]
fn a_second_connection_from_outside_does_not_disturb_the_first() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let id = daemon.start_session(&["/bin/cat"]);
    for _ in 0..20 {
        let mut second = UnixStream::connect(keeper(&space, &id)).expect("a keeper that listens");
        second.set_read_timeout(Some(SOON)).expect("a time-out");
        let mut got = Vec::new();
        let _ = second.read_to_end(&mut got);
        assert!(got.is_empty(), "one client at a time: {got:?}");
    }
    daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "still mine"}));
    daemon.wait_screen(&id, "still mine");
    assert_eq!(refused(&daemon, &id), Vec::<Value>::new(), "outside is not refused, only late");
    let log = space.daemon_log();
    assert!(!log.contains("connecting again"), "{log}");
}

#[test]
fn a_storm_of_refused_attempts_costs_others_nothing() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let inside = Inside::start(&space, &daemon, "inside");
    let control = json!({"do": "many", "socket": space.control(), "send": LIST, "times": 2000});
    let own = keeper(&space, &inside.id);
    let door = json!({"do": "many", "socket": own, "send": "", "times": 2000});
    let storms = [inside.tell(&control), inside.tell(&door)];
    let other = daemon.start_session(&["/bin/cat"]);
    daemon.post(&format!("/sessions/{other}/send"), &json!({"text": "undisturbed"}));
    daemon.wait_screen(&other, "undisturbed");
    storms.iter().for_each(|number| drop(inside.result(*number)));
    let events = wait_refused(&daemon, &inside.id, 2);
    assert!(events.len() < 100, "{} events: the database must not grow so", events.len());
    for door in ["control", "keeper"] {
        assert!(events.iter().any(|e| e["payload"]["door"] == door), "no {door}");
    }
}

/// A hook call as `hook-forward` makes it.
fn call(session: &str, secret: &str) -> String {
    let data = json!({
        "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"},
        "cwd": "/tmp", "session_id": session,
    });
    let body = json!({
        "sessionId": session, "requestId": "r1", "event": "PreToolUse", "data": data,
    })
    .to_string();
    let length = body.len();
    format!(
        "POST /hooks/claude HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         X-CodePiper-Secret: {secret}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn the_hook_socket_takes_a_session_only_from_its_own_process_with_its_own_secret() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let own = Inside::start_claude(&space, &daemon, "own");
    let other = Inside::start_claude(&space, &daemon, "other");
    let door = space.state.join("hook/hook.sock");
    let (secret, others) = (own.variable("CODEPIPER_SECRET"), other.variable("CODEPIPER_SECRET"));
    assert_ne!(secret, others);
    let good = own.request("plain", &door, &call(&own.id, &secret));
    assert_eq!((good.status, &good.json()["decision"]), (200, &json!("ask")), "{}", good.text());
    let refusals = [
        ("a wrong secret", own.request("plain", &door, &call(&own.id, &others)), 403),
        ("no secret", own.request("plain", &door, &call(&own.id, "")), 403),
        ("another's id", own.request("plain", &door, &call(&other.id, &secret)), 403),
        ("both of another's", own.request("plain", &door, &call(&other.id, &others)), 403),
        ("a false keeper", own.request("renamed", &door, &call(&other.id, &others)), 403),
        ("a maker that ended", own.request("passed", &door, &call(&own.id, &secret)), 403),
        ("an unknown id", own.request("plain", &door, &call(&space_uuid(), &secret)), 404),
        ("a route of the other door", own.request("plain", &door, LIST), 404),
    ];
    for (what, reply, status) in refusals {
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert!(!reply.text().contains(&secret) && !reply.text().contains(&others), "{what}");
    }
    let request = call(&own.id, &secret);
    let outside = http::exchange(&door, request.as_bytes()).expect("a reply");
    assert_eq!(outside.status, 403, "from outside: {}", outside.text());
    let rows = |id: &str| {
        daemon.get(&format!("/policy-decisions?sessionId={id}"))["decisions"]
            .as_array()
            .expect("a list")
            .len()
    };
    assert_eq!((rows(&own.id), rows(&other.id)), (1, 0), "nothing refused was decided");
    for id in [&own.id, &other.id] {
        let events = wait_refused(&daemon, id, 1);
        assert!(events.iter().all(|e| e["payload"]["door"] == "hook"), "{events:?}");
    }
    for text in [secret, others] {
        assert!(!space.daemon_log().contains(&text), "a secret in the log");
    }
}

fn space_uuid() -> String {
    "00000000-0000-4000-8000-000000000000".to_string()
}

#[test]
fn the_hook_socket_refuses_a_session_that_has_ended() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    daemon.uncage();
    let ended = Inside::start_claude(&space, &daemon, "ended");
    let other = Inside::start_claude(&space, &daemon, "other");
    let secret = ended.variable("CODEPIPER_SECRET");
    daemon.post(&format!("/sessions/{}/kill", ended.id), &json!({}));
    let door = space.state.join("hook/hook.sock");
    let reply = other.request("plain", &door, &call(&ended.id, &secret));
    assert!(matches!(reply.status, 403 | 404), "{} {}", reply.status, reply.text());
    // A resumed session has another secret: the old one stays dead.
    daemon.post(&format!("/sessions/{}/resume", ended.id), &json!({}));
    let again = ended.request("plain", &door, &call(&ended.id, &secret));
    assert_eq!(again.status, 403, "{}", again.text());
    let fresh = ended.variable("CODEPIPER_SECRET");
    let good = ended.request("plain", &door, &call(&ended.id, &fresh));
    assert_eq!(good.status, 200, "{}", good.text());
}
