//! The promise: the dashboard's WebSocket tells what changes, once and in time; it takes nothing
//! before `hello`, and neither nonsense nor a flood does more than end its own connection.

use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::socket::Heard;
use crate::support::socket::Socket;
use crate::support::socket::raw_frame;
use crate::support::space::Space;
use serde_json::Value;
use serde_json::json;

/// Whatever a peer did, the daemon goes on for others.
#[track_caller]
fn is_well(space: &Space) {
    let mut socket = Socket::hello(space);
    socket.subscribe("notifications");
}

#[test]
fn nothing_is_heard_before_hello_and_a_wrong_one_ends_the_connection() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    for first in [
        json!({"op": "subscribe", "topic": "sessions"}),
        json!({"op": "pty_input", "sessionId": "x", "data": "x"}),
        json!({"op": "hello", "version": 99}),
        json!({"op": "hello"}),
        json!([]),
    ] {
        let mut socket = Socket::open(&space);
        socket.say(first.clone());
        socket.raw(&raw_frame(0x81, br#"{"op":"hello","version":1}"#));
        let Heard::Json(answer) = socket.hear() else { panic!("no answer to {first}") };
        assert_eq!(answer["op"], "error", "{answer}");
        assert_eq!(socket.end(), Some(1008), "{first}");
    }
    let mut silent = Socket::open(&space);
    let answer = silent.json();
    assert_eq!(answer["code"], "timeout");
    assert_eq!(silent.end(), Some(1008));
    is_well(&space);
}

#[test]
fn pings_do_not_put_off_the_first_message() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    let mut socket = Socket::open(&space);
    let (ended, told) = std::sync::mpsc::channel::<()>();
    let mut pings = socket.second();
    let pinger = std::thread::spawn(move || {
        while told.recv_timeout(std::time::Duration::from_millis(200)).is_err() {
            use std::io::Write;
            let _ = pings.write_all(&raw_frame(0x89, b"p"));
        }
    });
    assert_eq!(socket.end(), Some(1008));
    ended.send(()).unwrap();
    pinger.join().unwrap();
}

#[test]
fn what_is_not_understood_is_told_and_the_connection_stays() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    let mut socket = Socket::hello(&space);
    let deep = "[".repeat(60_000);
    let messages = [
        "{",
        "[]",
        "null",
        "1",
        r#"{"op":"eval","data":"1"}"#,
        r#"{"op":{}}"#,
        &deep,
        r#"{"op":"subscribe","sinceSeq":1e308}"#,
        r#"{"op":"\u0000"}"#,
        "",
        r#"{"op":"hello","version":1}"#,
    ];
    for message in messages {
        socket.raw(&raw_frame(0x81, message.as_bytes()));
        let answer = socket.json();
        assert_eq!((&answer["op"], &answer["code"]), (&json!("error"), &json!("invalid")));
    }
    let long = format!("session:{}:pty", "a".repeat(5000));
    for topic in [
        "session:../../x:pty",
        "session:*:pty",
        "session:%:events",
        "*",
        "session::pty",
        "session:' OR 1=1:pty",
        "",
        "sessions\0x",
        &long,
        "admin",
        "session:nonexistent:pty",
        "session:nonexistent:events",
    ] {
        socket.say(json!({"op": "subscribe", "topic": topic}));
        let answer = socket.json();
        assert_eq!(answer["op"], "error", "{topic}: {answer}");
        assert!(answer["code"].is_string() && answer["error"].is_string(), "{answer}");
    }
    for _ in 0..5 {
        socket.raw(&raw_frame(0x82, &[0xff; 5000]));
        assert_eq!(socket.json()["op"], "error");
    }
    for op in ["pty_input", "pty_key", "resize"] {
        let nobody = "00000000-0000-0000-0000-000000000000";
        socket.say(json!({"op": op, "sessionId": nobody, "requestId": "r",
            "data": "x", "key": "x", "cols": 80, "rows": 24}));
        assert_eq!(socket.json()["op"], "error", "fields of another op");
    }
    let nobody = "00000000-0000-0000-0000-000000000000";
    socket.say(json!({"op": "pty_input", "sessionId": nobody, "data": "x", "requestId": "r"}));
    let answer = socket.json();
    assert_eq!((&answer["op"], &answer["code"]), (&json!("pty_input_error"), &json!("not_found")));
    assert_eq!(answer["requestId"], "r");
    socket.say(json!({"op": "unsubscribe", "topic": "sessions"}));
    assert_eq!(socket.json()["code"], "not_found");
    socket.subscribe("sessions");
}

#[test]
fn broken_frames_and_floods_end_their_own_connection() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    let subscribe = raw_frame(0x81, br#"{"op":"subscribe","topic":"session:x:events"}"#);
    let input = raw_frame(0x81, br#"{"op":"pty_input","sessionId":"x","data":"x"}"#);
    let declared = |length: u64| [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 5]].concat();
    let fragments = [raw_frame(0x01, b"a"), raw_frame(0x00, b"").repeat(50_000)].concat();
    let growing = [raw_frame(0x01, &[b'a'; 4096]), raw_frame(0x00, &[b'a'; 60_000]).repeat(40)];
    for (what, bytes, code) in [
        ("no mask", vec![0x81, 2, b'{', b'}'], 1002),
        ("reserved opcode", raw_frame(0x83, b"{}"), 1002),
        ("long control frame", raw_frame(0x89, &[b'a'; 126]), 1002),
        ("fragmented control frame", raw_frame(0x09, b"a"), 1002),
        ("continuation of nothing", raw_frame(0x80, b"a"), 1002),
        ("reserved bit", raw_frame(0xc1, b"{}"), 1002),
        ("4 EiB declared", declared(1 << 62), 1009),
        ("16 MiB of text", raw_frame(0x81, &vec![b'a'; 16 << 20]), 1009),
        ("a message that grows", growing.concat(), 1009),
        ("no UTF-8", raw_frame(0x81, b"\xff\xfe"), 1007),
        ("empty fragments", fragments, 1008),
        ("pings", raw_frame(0x89, b"p").repeat(5000), 1008),
        ("subscriptions", subscribe.repeat(1500), 1008),
        ("input", input.repeat(5000), 1008),
    ] {
        let mut socket = Socket::hello(&space);
        let mut flood = socket.second();
        let sender = std::thread::spawn(move || {
            use std::io::Write;
            // The daemon stops listening before all is sent.
            let _ = flood.write_all(&bytes);
        });
        let end = socket.end();
        // A flood may be cut off before the last words are read.
        assert!(end == Some(code) || end.is_none(), "{what}: {end:?}");
        drop(socket);
        sender.join().unwrap();
        is_well(&space);
    }
}

#[test]
fn sessions_are_told_when_they_come_change_and_go() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let old = daemon.start_session(&["cat"]);
    let mut socket = Socket::hello(&space);
    socket.subscribe("sessions");
    let id = daemon.start_session(&["cat"]);
    let of = |kind: &str, id: &str| {
        let (kind, id) = (kind.to_string(), id.to_string());
        move |said: &Value| said["type"] == kind.as_str() && said["session"]["id"] == id.as_str()
    };
    let created = socket.json_where(of("session_created", &id));
    assert_eq!(created["topic"], "sessions");
    daemon.request("PUT", &format!("/sessions/{old}/name"), Some(&json!({"name": "new"})));
    let named = |said: &Value| said["session"]["name"] == "new";
    assert_eq!(socket.json_where(named)["type"], "session_updated");
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    let ended = |said: &Value| said["session"]["endedAt"].is_string();
    assert_eq!(socket.json_where(ended)["session"]["id"], id.as_str());
    daemon.request("DELETE", &format!("/sessions/{id}"), None);
    socket.json_where(of("session_removed", &id));
    socket.say(json!({"op": "unsubscribe", "topic": "sessions"}));
    socket.json_where(|said| said["op"] == "unsubscribed");
    daemon.request("PUT", &format!("/sessions/{old}/name"), Some(&json!({"name": "newer"})));
    socket.subscribe("notifications");
}

#[test]
fn each_event_is_told_once_also_to_who_comes_back() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let topic = format!("session:{id}:events");
    let mut socket = Socket::hello(&space);
    socket.subscribe_with(json!({"topic": topic, "sinceSeq": 0}));
    let freeze = |what: &str| daemon.post(&format!("/sessions/{id}/{what}"), &json!({}));
    let mut told: Vec<Value> = Vec::new();
    let mut until = |socket: &mut Socket, kind: &str| {
        loop {
            let data = socket.json_where(|said| said["topic"] == topic.as_str())["data"].clone();
            told.push(data.clone());
            if data["type"] == kind {
                return data["id"].as_i64().unwrap();
            }
        }
    };
    freeze("freeze");
    let last = until(&mut socket, "frozen");
    drop(socket);
    freeze("thaw");
    freeze("freeze");
    freeze("thaw");
    let mut socket = Socket::hello(&space);
    socket.subscribe_with(json!({"topic": topic, "sinceSeq": last}));
    until(&mut socket, "thawed");
    until(&mut socket, "frozen");
    until(&mut socket, "thawed");
    let all = daemon.get(&format!("/sessions/{id}/events?since=0"))["events"].clone();
    assert_eq!(json!(told), all);
    let mut fresh = Socket::hello(&space);
    fresh.subscribe(&topic);
    freeze("freeze");
    let first = fresh.json_where(|said| said["topic"] == topic.as_str());
    assert_eq!(first["data"]["type"], "frozen", "only what is new");
}

#[test]
fn approvals_are_told_when_they_come_and_when_they_are_answered() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    let asked = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let inside = Inside::start_as(&space, &daemon, "told", &asked);
    let mut socket = Socket::hello(&space);
    socket.subscribe("approvals");
    let event = crate::approvals::event("PreToolUse", "touch x", Some("t1"));
    let order = inside.hook_aside(&event);
    let created = socket.json();
    assert_eq!(
        (&created["topic"], &created["type"]),
        (&json!("approvals"), &json!("approval_created"))
    );
    let id = created["approval"]["id"].to_string();
    assert_eq!(created["approval"], daemon.get(&format!("/approvals/{id}"))["approval"]);
    daemon.post(&format!("/approvals/{id}/deny"), &json!({}));
    let updated = socket.json();
    assert_eq!(
        (&updated["type"], &updated["approval"]["status"]),
        (&json!("approval_updated"), &json!("denied"))
    );
    inside.result(order);
}

#[test]
fn a_topic_subscribed_to_again_gets_another_number_and_there_is_an_end_to_them() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let mut socket = Socket::hello(&space);
    let topic = format!("session:{id}:pty");
    let (first, second) = (socket.subscribe(&topic), socket.subscribe(&topic));
    assert_ne!(first, second);
    socket.type_text(&id, "x");
    daemon.wait_screen(&id, "x");
    loop {
        let frame = socket.frame();
        if frame.id == second && frame.body.contains(&b'x') {
            break;
        }
    }
}
