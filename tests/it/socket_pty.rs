//! The promise: a terminal in the browser is the terminal. What is typed arrives, once, and is
//! acknowledged when it has; no byte of output is lost on whoever comes back; and a viewer that
//! does not read costs nobody anything.

use crate::support::daemon::Daemon;
use crate::support::socket::Frame;
use crate::support::socket::GAP;
use crate::support::socket::OUTPUT;
use crate::support::socket::RESIZE;
use crate::support::socket::SNAPSHOT;
use crate::support::socket::Socket;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;

fn pty(id: &str) -> String {
    format!("session:{id}:pty")
}

/// Shows what is typed, control characters as letters, from when it says so.
fn shows_keys(daemon: &Daemon<'_>, before: &str) -> String {
    let script = format!("stty raw -echo; {before} echo ready; exec cat -v");
    let id = daemon.start_session(&["sh", "-c", &script]);
    daemon.wait_screen(&id, "ready");
    id
}

#[test]
fn a_terminal_is_shown_as_it_is_and_then_as_it_goes_on() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "printf '\\033[32mgreen\\033[0m'; exec cat"]);
    daemon.wait_screen(&id, "green");
    let mut socket = Socket::hello(&space);
    let number = socket.subscribe(&pty(&id));
    let size = socket.frame();
    assert_eq!((size.kind, size.id), (RESIZE, number));
    assert_eq!(size.body, [120, 0, 30, 0]);
    let snapshot = socket.frame();
    assert_eq!((snapshot.kind, snapshot.id), (SNAPSHOT, number));
    assert!(String::from_utf8_lossy(&snapshot.body).contains("green"));
    socket.type_text(&id, "héllo\r");
    daemon.wait_screen(&id, "héllo\nhéllo");
    // What it was told by now, and what the log says, are the same bytes.
    let (mut shown, mut at) = (Vec::<u8>::new(), snapshot.offset);
    let log = daemon.log(&id);
    while at < log.len() as u64 {
        let frame = socket.frame();
        assert_eq!(frame.kind, OUTPUT);
        shown.extend(&frame.body);
        at = frame.offset;
        assert_eq!(shown, log[snapshot.offset as usize..at as usize]);
    }
}

#[test]
fn whoever_comes_back_gets_every_line_once() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let count = 50_000;
    let id = daemon.start_session(&["sh", "-c", &format!("read go; seq {count}; echo end")]);
    let mut socket = Socket::hello(&space);
    socket.subscribe(&pty(&id));
    socket.type_text(&id, "\r");
    let (mut shown, mut at, mut frames) = (Vec::new(), 0, 0);
    while !shown.ends_with(b"end\r\n") {
        socket = Socket::hello(&space);
        socket.subscribe_with(json!({"topic": pty(&id), "from": at}));
        // More each time: a connection that breaks early, and one that lasts.
        frames += 1;
        for _ in 0..frames {
            let Frame { kind, offset, body, .. } = socket.frame();
            if kind == OUTPUT {
                shown.extend(body);
                at = offset;
            }
            if shown.ends_with(b"end\r\n") {
                break;
            }
        }
    }
    let text = String::from_utf8(shown).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), count + 1);
    assert!(lines.iter().zip(1..=count).all(|(line, n)| *line == n.to_string()));
    assert!(frames > 2, "it came back at least twice");
}

#[test]
fn output_that_is_not_kept_any_more_is_a_gap_with_its_end() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let much = "head -c 72000000 /dev/zero | tr '\\0' x; echo; echo done; exec cat";
    let id = daemon.start_session(&["sh", "-c", much]);
    let mut oldest = 0;
    wait_until("the oldest output to go", SOON * 3, || {
        let page = daemon.request("GET", &format!("/sessions/{id}/log?from=0"), None);
        oldest = page.header("X-CodePiper-From").and_then(|at| at.parse().ok()).unwrap_or(0);
        oldest > 0
    });
    let mut socket = Socket::hello(&space);
    socket.subscribe_with(json!({"topic": pty(&id), "from": 0}));
    assert_eq!(socket.frame().kind, RESIZE);
    let gap = socket.frame();
    assert_eq!((gap.kind, gap.offset), (GAP, 0));
    let end = u64::from_le_bytes(gap.body.as_slice().try_into().unwrap());
    assert!(end >= oldest, "{end} {oldest}");
    let next = socket.frame();
    assert_eq!((next.kind, next.offset), (OUTPUT, end + next.body.len() as u64));
}

#[test]
fn who_typed_last_has_the_size() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let (mut first, mut second) = (Socket::hello(&space), Socket::hello(&space));
    let resize = |socket: &mut Socket, cols: u16, rows: u16| {
        socket.say(json!({"op": "resize", "sessionId": id, "cols": cols, "rows": rows}));
        socket.json_where(|said| said["op"] == "resize_ack")["applied"] == true
    };
    let size = |cols: u16, rows: u16| {
        wait_until(&format!("{cols}x{rows}"), SOON, || {
            let session = daemon.session(&id);
            (&session["ptyCols"], &session["ptyRows"]) == (&json!(cols), &json!(rows))
        });
    };
    first.subscribe(&pty(&id));
    assert_eq!(first.frame().body, [120, 0, 30, 0]);
    assert!(resize(&mut first, 90, 25), "it is alone");
    size(90, 25);
    assert!(!resize(&mut second, 70, 20), "nobody has typed, and it is not alone");
    second.type_text(&id, "x");
    size(70, 20);
    assert!(!resize(&mut first, 91, 26));
    assert!(resize(&mut second, 71, 21));
    size(71, 21);
    first.type_text(&id, "y");
    size(91, 26);
    drop(first);
    let mut shown = Socket::hello(&space);
    shown.subscribe(&pty(&id));
    assert_eq!(shown.frame().body, [91, 0, 26, 0]);
    second.say(json!({"op": "resize", "sessionId": id, "cols": 0, "rows": 20}));
    assert_eq!(second.json()["code"], "invalid");
}

#[test]
fn keys_are_sent_as_the_program_has_asked_for() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let plain = shows_keys(&daemon, "");
    let application = shows_keys(&daemon, "printf '\\033[?1h';");
    let mut socket = Socket::hello(&space);
    for (id, shown) in [(&plain, "^[[A^C"), (&application, "^[OA^C")] {
        for key in ["up", "ctrl+c"] {
            socket.say(json!({"op": "pty_key", "sessionId": id, "key": key, "requestId": "k"}));
            let answer = socket.json();
            assert_eq!(answer["op"], "pty_key_ack", "{answer}");
        }
        daemon.wait_screen(id, shown);
    }
    socket.say(json!({"op": "pty_key", "sessionId": plain, "key": "any key"}));
    let answer = socket.json();
    assert_eq!((&answer["op"], &answer["code"]), (&json!("pty_input_error"), &json!("invalid")));
}

#[test]
fn a_paste_in_pieces_is_one_paste_that_cannot_end_itself() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = shows_keys(&daemon, "printf '\\033[?2004h';");
    let mut socket = Socket::hello(&space);
    let paste = |socket: &mut Socket, index: usize, count: usize, data: &str| {
        socket.say(json!({"op": "pty_paste", "sessionId": id, "requestId": "p",
            "chunkIndex": index, "chunkCount": count, "data": data}));
    };
    let hostile = "a\x1b[201~\rrm -rf ~\x03b";
    let pieces: Vec<String> = hostile.chars().map(String::from).collect();
    for (index, piece) in pieces.iter().enumerate() {
        paste(&mut socket, index, pieces.len(), piece);
    }
    assert_eq!(socket.json()["op"], "pty_paste_ack");
    let screen = daemon.wait_screen(&id, "b^[[201~");
    // Pictures of control characters are none, but `cat` shows their bytes alike.
    let screen = screen.replace("M-bM-^PM-^", "picture of ");
    assert_eq!(screen.matches("^[[20").count(), 2, "{screen}");
    assert!(!screen.contains("^C") && screen.contains("rm -rf"), "{screen}");
    paste(&mut socket, 1, 2, "x");
    let answer = socket.json();
    assert_eq!((&answer["op"], &answer["requestId"]), (&json!("pty_input_error"), &json!("p")));
}

#[test]
fn what_a_browsers_terminal_answers_by_itself_is_not_typed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = shows_keys(&daemon, "");
    let mut socket = Socket::hello(&space);
    for (sent, shown) in [
        ("<\x1b[?1;2c>", "<>"),
        ("(\x1b]11;rgb:0000/0000/0000\x1b\\)", "()"),
        ("{\x1b[12;40R}", "{}"),
        ("[\x1b[1;5R]", "[^[[1;5R]"),
    ] {
        socket.type_text(&id, sent);
        daemon.wait_screen(&id, shown);
    }
}

#[test]
fn input_that_cannot_be_written_is_told() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let mut socket = Socket::hello(&space);
    let mut refused = |request: Value| -> Value {
        let mut said = json!({"op": "pty_input", "sessionId": id, "data": "x"});
        if request.is_string() {
            said["requestId"] = request.clone();
        }
        socket.say(said);
        let answer = socket.json();
        assert_eq!(answer["op"], "pty_input_error", "{answer}");
        assert_eq!(answer["requestId"], request);
        answer
    };
    daemon.post(&format!("/sessions/{id}/freeze"), &json!({}));
    assert!(refused(json!("a"))["error"].as_str().unwrap().contains("frozen"));
    assert_eq!(refused(json!(null))["code"], "conflict");
    daemon.post(&format!("/sessions/{id}/thaw"), &json!({}));
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    assert_eq!(refused(json!("b"))["code"], "conflict");
}

#[test]
fn a_viewer_stays_with_a_session_that_is_resumed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["sh", "-c", "echo begin; exec cat"]);
    daemon.wait_screen(&id, "begin");
    let mut socket = Socket::hello(&space);
    socket.subscribe(&pty(&id));
    socket.wait_text("begin");
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    daemon.post(&format!("/sessions/{id}/resume"), &json!({}));
    socket.wait_text("begin");
    socket.type_text(&id, "again\r");
    socket.wait_text("again");
}

#[test]
fn a_viewer_that_does_not_read_costs_nobody_anything_and_then_sees_the_screen() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let flood = daemon.start_session(&["sh", "-c", "read go; yes | head -c 30000000; exec cat"]);
    let other = daemon.start_session(&["cat"]);
    let mut stuck = Socket::hello(&space);
    stuck.subscribe(&pty(&flood));
    while stuck.frame().kind != SNAPSHOT {}
    let before = resident_kib(&daemon);
    stuck.type_text(&flood, "\r");
    let mut reader = Socket::hello(&space);
    reader.subscribe(&pty(&other));
    let topic = reader.subscribe(&pty(&flood));
    // Others type and see it, while it floods and nobody reads there.
    for round in 0..50 {
        let word = format!("w{round}.");
        reader.type_text(&other, &word);
        let mut echo = String::new();
        while !echo.contains(&word) {
            let frame = reader.frame();
            if frame.id != topic {
                echo.push_str(&String::from_utf8_lossy(&frame.body));
            }
        }
    }
    let end = || daemon.session(&flood)["logBytes"].as_u64().unwrap();
    wait_until("the flood to end", SOON * 3, || end() >= 45_000_000);
    let grown = resident_kib(&daemon).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
    // It reads again: what was on its way, then the screen as it is, and not all that it missed.
    let (mut bytes, mut kind) = (0, OUTPUT);
    while kind != SNAPSHOT {
        let frame = stuck.frame();
        (bytes, kind) = (bytes + frame.body.len(), frame.kind);
    }
    assert!(bytes < 10_000_000, "{bytes}");
    stuck.say(json!({"op": "pty_input", "sessionId": flood, "data": "and now\r"}));
    stuck.wait_text("and now\r\nand now");
    // Nothing is missing from the log.
    assert_eq!(daemon.log(&flood).windows(3).filter(|w| w == b"y\r\n").count(), 15_000_000);
}

fn resident_kib(daemon: &Daemon<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
