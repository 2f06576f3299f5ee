//! Visits to a daemon of a few lines: keys, pictures, and daemons that go away and come back.

use crate::base::error::Code;
use crate::base::error::Result;
use crate::cli::client::Client;
use crate::cli::fake::Fake;
use crate::cli::fake::output;
use crate::cli::fake::repaint;
use crate::cli::keyboard;
use crate::cli::keyboard::Keyboard;
use crate::cli::screen;
use crate::cli::visit::End;
use crate::cli::visit::Visit;
use crate::sys::signal::Name as Signal;
use crate::sys::signal::Signals;
use crate::sys::tty::Size;
use crate::term::screen::Screen;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tungstenite::Message;
use tungstenite::WebSocket;

/// A visit in a thread of its own, with the keyboard and the picture in the test's hands.
struct Room {
    keyboard: UnixStream,
    picture: UnixStream,
    seen: Vec<u8>,
    visit: JoinHandle<Option<Result<End>>>,
}

impl Room {
    fn enter(path: PathBuf, readonly: bool) -> Room {
        let (keyboard, stdin) = UnixStream::pair().unwrap();
        let (screen, picture) = screen::tests::fake(Size { cols: 40, rows: 10 });
        picture.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
        let run = move || {
            let keys = Keyboard::new(Some(keyboard::DEFAULT));
            let signals = Signals::block(&[Signal::SIGWINCH]).unwrap();
            let client = Client { path };
            let mut visit = Visit::new(client, "id".into(), "build".into(), screen, keys, readonly);
            visit.run(&File::from(OwnedFd::from(stdin)), &signals)
        };
        let visit = crate::base::thread::spawn("t-visit", run).unwrap();
        Room { keyboard, picture, seen: Vec::new(), visit }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until the picture so far ends with `text`.
    fn see(&mut self, text: &str) {
        let mut chunk = [0; 4096];
        while !self.text().contains(text) {
            let count = self.picture.read(&mut chunk).unwrap_or(0);
            assert!(count > 0, "{text:?} never came, only {:?}", self.text());
            self.seen.extend_from_slice(&chunk[..count]);
        }
    }

    /// Waits until a terminal would show this, with the cursor there.
    fn see_screen(&mut self, text: &str, cursor: (u16, u16)) {
        let mut chunk = [0; 4096];
        loop {
            let mut screen = Screen::new(40, 10);
            screen.feed_quiet(&self.seen);
            let (col, row, _) = screen.cursor();
            if (screen.text().as_str(), (col, row)) == (text, cursor) {
                return;
            }
            let count = self.picture.read(&mut chunk).unwrap_or(0);
            assert!(count > 0, "{text:?} never came, only {:?}", screen.text());
            self.seen.extend_from_slice(&chunk[..count]);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    fn end(self) -> Result<End> {
        self.visit.join().unwrap().expect("the visit panicked")
    }
}

fn enter(stream: &mut UnixStream) -> (WebSocket<UnixStream>, Value) {
    enter_in(stream, &json!({}))
}

/// The session is like this.
fn enter_in(stream: &mut UnixStream, session: &Value) -> (WebSocket<UnixStream>, Value) {
    let request = Fake::read_request(stream);
    let mut socket = Fake::upgrade(stream, &request);
    let asked = socket.read().unwrap();
    let asked = serde_json::from_str(asked.to_text().unwrap()).unwrap();
    let attached = json!({"op": "attached", "cols": 40, "rows": 10, "session": session});
    socket.send(Message::text(attached.to_string())).unwrap();
    (socket, asked)
}

/// A daemon that paints, then tells every input it gets, and when the visitor is gone.
fn listener() -> (Fake, crossbeam_channel::Receiver<Vec<u8>>) {
    let (told, tell): (Sender<Vec<u8>>, _) = bounded(64);
    let fake = Fake::serve_many(move |stream| {
        let (mut socket, _) = enter(stream);
        socket.send(repaint(0, "$ ")).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_binary() {
                told.send(message.into_data().to_vec()).unwrap();
            }
        }
        told.send(b"gone".to_vec()).unwrap();
    });
    (fake, tell)
}

#[test]
fn keys_reach_the_program_byte_for_byte_and_the_detach_keys_do_not() {
    let (fake, told) = listener();
    let mut room = Room::enter(fake.path.clone(), false);
    room.see("$ ");
    room.press(b"ls\r\x03\x1b[A\xff");
    let mut got = Vec::new();
    while got.len() < 8 {
        let message = told.recv_timeout(Duration::from_secs(8)).unwrap();
        assert_eq!(message[0], 1);
        got.extend_from_slice(&message[1..]);
    }
    assert_eq!(got, b"ls\r\x03\x1b[A\xff");
    room.press(b"last\x1cd");
    assert!(matches!(room.end().unwrap(), End::Detached));
    assert_eq!(told.recv_timeout(Duration::from_secs(8)).unwrap(), b"\x01last");
    assert_eq!(told.recv_timeout(Duration::from_secs(8)).unwrap(), b"gone", "nothing but that");
}

#[test]
fn a_watcher_sends_nothing_but_can_detach() {
    let (fake, told) = listener();
    let mut room = Room::enter(fake.path.clone(), true);
    room.see("$ ");
    room.press(b"rm -rf /\r");
    room.press(b"\x1cd");
    assert!(matches!(room.end().unwrap(), End::Detached));
    assert_eq!(told.recv_timeout(Duration::from_secs(8)).unwrap(), b"gone");
}

#[test]
fn a_killed_daemon_that_is_back_soon_goes_on_at_the_next_byte() {
    let visits = AtomicU32::new(0);
    let fake = Fake::serve_many(move |stream| {
        let (mut socket, asked) = enter(stream);
        if visits.fetch_add(1, Ordering::Relaxed) == 0 {
            assert_eq!(asked["from"], "screen");
            assert_eq!((asked["cols"].as_u64(), asked["resize"].as_bool()), (Some(40), Some(true)));
            socket.send(repaint(100, "picture|")).unwrap();
            socket.send(output(104, "one,")).unwrap();
            return;
        }
        assert_eq!(asked["from"], 104);
        socket.send(output(108, "two,")).unwrap();
        socket.send(Message::text(r#"{"op":"ended","session":{"exitCode":0}}"#)).unwrap();
        let _ = socket.read();
    });
    let mut room = Room::enter(fake.path.clone(), false);
    room.see("picture|one,two,");
    let End::Ended(session) = room.end().unwrap() else { panic!("not ended") };
    assert_eq!(session["exitCode"], 0);
}

#[test]
fn a_daemon_that_stays_away_is_told_on_the_last_line_and_painted_over_later() {
    let path = Fake::path();
    let first = Fake::serve_at(path.clone(), |stream| {
        let (mut socket, _) = enter(stream);
        socket.send(repaint(7, "old picture")).unwrap();
        // The daemon is gone: its socket file with it, like after a kill and a clean start.
        let _ = socket.read();
    });
    let mut room = Room::enter(path.clone(), false);
    room.see("old picture");
    std::fs::remove_file(&path).unwrap();
    room.press(b"x");
    room.see("daemon is away");
    room.press(b"lost");
    let (told, tell) = bounded(8);
    let _second = Fake::serve_at(path, move |stream| {
        let (mut socket, asked) = enter(stream);
        assert_eq!(asked["from"], "screen", "after a note the whole picture is needed");
        socket.send(repaint(9, "new picture")).unwrap();
        told.send(socket.read().unwrap().into_data().to_vec()).unwrap();
        let _ = socket.read();
    });
    room.see("new picture");
    room.press(b"kept");
    assert_eq!(tell.recv_timeout(Duration::from_secs(8)).unwrap(), b"\x01kept");
    drop(first);
    room.press(b"\x1cd");
    assert!(matches!(room.end().unwrap(), End::Detached));
}

#[test]
fn what_holds_the_program_up_stands_on_the_last_line_and_goes_without_a_trace() {
    let asked = json!({"asks": {"approvalId": 7, "call": "Bash make", "more": 0}});
    let state =
        |session: &Value| Message::text(json!({"op": "state", "session": session}).to_string());
    let (go, gone) = bounded::<()>(0);
    let visits = AtomicU32::new(0);
    let fake = Fake::serve_many(move |stream| {
        let is_first = visits.fetch_add(1, Ordering::Relaxed) == 0;
        let session = if is_first { json!({}) } else { asked.clone() };
        let (mut socket, begins) = enter_in(stream, &session);
        assert_eq!(begins["from"], "screen", "over an unknown picture nothing is drawn");
        socket.send(repaint(4, "\x1b[10;1Hprompt>")).unwrap();
        if is_first {
            socket.send(state(&asked)).unwrap();
            let _ = socket.read();
            return;
        }
        let _ = gone.recv();
        socket.send(output(5, "x")).unwrap();
        let _ = gone.recv();
        socket.send(state(&json!({}))).unwrap();
        let _ = gone.recv();
        socket.send(Message::text(r#"{"op":"ended","session":{"exitCode":0}}"#)).unwrap();
        let _ = socket.read();
    });
    let mut room = Room::enter(fake.path.clone(), false);
    let note = " codepiper asks: approve 7 | deny 7: Ba…";
    room.see_screen(&format!("{}{note}", "\n".repeat(9)), (7, 9));
    go.send(()).unwrap();
    room.see_screen(&format!("{}{note}", "\n".repeat(9)), (8, 9));
    go.send(()).unwrap();
    room.see_screen(&format!("{}prompt>x", "\n".repeat(9)), (8, 9));
    go.send(()).unwrap();
    assert!(matches!(room.end().unwrap(), End::Ended(_)));
}

#[test]
fn the_detach_keys_work_with_no_daemon_and_with_one_that_never_answers() {
    let room_at = |path: PathBuf| Room::enter(path, false);
    let mut room = room_at(Fake::path());
    room.press(b"\x1cd");
    assert!(matches!(room.end().unwrap(), End::Detached));
    let (held, hold) = bounded::<()>(0);
    let silent = Fake::serve_many(move |_| {
        let _ = hold.recv();
    });
    let mut room = room_at(silent.path.clone());
    room.see("daemon is away");
    room.press(b"\x1cd");
    assert!(matches!(room.end().unwrap(), End::Detached));
    drop(held);
}

#[test]
fn a_daemon_that_takes_no_keys_holds_neither_the_detach_keys_nor_our_memory() {
    let (held, hold) = bounded::<()>(0);
    let deaf = Fake::serve_many(move |stream| {
        let (mut socket, _) = enter(stream);
        socket.send(repaint(0, "$ ")).unwrap();
        let _ = hold.recv();
    });
    let mut room = Room::enter(deaf.path.clone(), false);
    room.see("$ ");
    // More than the socket, the link and the queue can hold together.
    for _ in 0..200 {
        room.press(&[b'x'; 16 * 1024]);
    }
    room.press(b"\x1cd");
    assert!(matches!(room.end().unwrap(), End::Detached));
    drop(held);
}

#[test]
fn refusals_and_a_closed_terminal_end_the_visit() {
    let refusing = Fake::serve_many(|stream| {
        let request = Fake::read_request(stream);
        let mut socket = Fake::upgrade(stream, &request);
        let refusal = r#"{"op":"error","error":"no such session","code":"not_found"}"#;
        socket.send(Message::text(refusal)).unwrap();
        let _ = socket.read();
    });
    let room = Room::enter(refusing.path.clone(), false);
    assert_eq!(room.end().unwrap_err().code, Code::NotFound);
    let (fake, _told) = listener();
    let mut room = Room::enter(fake.path.clone(), false);
    room.see("$ ");
    let Room { keyboard, visit, picture, .. } = room;
    drop(keyboard);
    let end = visit.join().unwrap().unwrap().unwrap();
    assert!(matches!(end, End::Signal(number) if number == Signal::SIGHUP as i32));
    drop(picture);
}
