//! The promise: what is typed arrives whole, or an error says that it did not; however large it is
//! and whether or not the program reads.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::fs;
use std::time::Duration;
use std::time::Instant;

/// Characters of one `send`.
const MOST: usize = 1024 * 1024;

/// Puts its terminal into raw mode, waits for the file `go`, reads as many bytes as told in its
/// second argument, and says what came.
const READER: &str = r#"
import hashlib, os, sys, time, tty
tty.setraw(0)
print("raw\r", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
got = b""
while len(got) < int(sys.argv[2]):
    got += os.read(0, 65536)
with open(sys.argv[1] + ".new", "w") as file:
    file.write("%d %s" % (len(got), hashlib.sha256(got).hexdigest()))
os.rename(sys.argv[1] + ".new", sys.argv[1] + ".got")
print("read\r", flush=True)
time.sleep(600)
"#;

struct Reader {
    id: String,
    go: std::path::PathBuf,
}

fn reader(space: &Space, daemon: &Daemon<'_>, bytes: usize) -> Reader {
    let script = path_text(&space.write("reader.py", READER));
    let go = space.root.join("go");
    let count = bytes.to_string();
    let id = daemon.start_session(&["/usr/bin/python3", &script, &path_text(&go), &count]);
    daemon.wait_screen(&id, "raw");
    Reader { id, go }
}

/// Length and hash of what the program read.
#[track_caller]
fn got(reader: &Reader) -> String {
    let path = reader.go.with_extension("got");
    wait_for("the program to have read all", SOON, || fs::read_to_string(&path).ok())
}

fn print_of(bytes: &[u8]) -> String {
    let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    format!("{} {hash}", bytes.len())
}

/// Numbered words, so that a lost, doubled or moved piece shows.
fn text(bytes: usize) -> String {
    let mut text: String = (0..bytes / 8).map(|n| format!("{n:07} ")).collect();
    text.push_str(&"x".repeat(bytes - text.len()));
    text
}

#[test]
fn a_mebibyte_of_text_arrives_whole() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let text = text(MOST);
    let reader = reader(&space, &daemon, MOST);
    fs::write(&reader.go, "").expect("a file");
    let body = json!({"text": text, "newline": false});
    daemon.post(&format!("/sessions/{}/send", reader.id), &body);
    assert_eq!(got(&reader), print_of(text.as_bytes()));
}

#[test]
fn a_mebibyte_of_the_longest_characters_arrives_whole_from_a_pipe() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let text = "🦀".repeat(MOST);
    let reader = reader(&space, &daemon, text.len() + 1);
    fs::write(&reader.go, "").expect("a file");
    space.cli(&["send", &reader.id, "-"]).stdin(text.as_bytes()).expect(0);
    let all = [text.as_bytes(), b"\r"].concat();
    assert_eq!(got(&reader), print_of(&all), "with Enter behind it");
}

#[test]
fn more_than_a_mebibyte_is_refused_and_nothing_is_typed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let reader = reader(&space, &daemon, 5);
    fs::write(&reader.go, "").expect("a file");
    let path = format!("/sessions/{}/send", reader.id);
    let long = json!({"text": "x".repeat(MOST + 1)});
    let reply = daemon.request("POST", &path, Some(&long));
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(reply.text().contains("1048576"), "{}", reply.text());
    let larger = json!({"text": "x".repeat(9 * MOST)});
    assert_eq!(daemon.request("POST", &path, Some(&larger)).status, 413);
    let stdin = "x".repeat(5 * MOST);
    let out = space.cli(&["send", &reader.id, "-"]).stdin(stdin.as_bytes()).expect(2);
    assert!(out.stderr.contains("1048576"), "{}", out.stderr);
    daemon.post(&path, &json!({"text": "after", "newline": false}));
    assert_eq!(got(&reader), print_of(b"after"));
}

#[test]
fn a_program_that_does_not_read_costs_its_sender_a_clear_error_and_nobody_else_anything() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let reader = reader(&space, &daemon, 1);
    let path = format!("/sessions/{}/send", reader.id);
    let other = daemon.start_session(&["cat"]);
    let (text, start) = (text(MOST), Instant::now());
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| daemon.request("POST", &path, Some(&json!({"text": text}))));
        let mut number = 0;
        while !stuck.is_finished() {
            number += 1;
            let asked = Instant::now();
            let line = format!("line {number}");
            daemon.post(&format!("/sessions/{other}/send"), &json!({"text": line}));
            daemon.screen(&reader.id);
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
        assert!(number > 10, "the other session was typed into {number} times");
        let reply = stuck.join().expect("a reply");
        assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
        assert_eq!((reply.status, &reply.json()["code"]), (408, &json!("timeout")));
        let words = ["does not read its terminal", "of 1048576 bytes"];
        assert!(words.iter().all(|w| reply.text().contains(w)), "{}", reply.text());
    });
    // It wakes up: what it had been given is there, and typing goes on.
    fs::write(&reader.go, "").expect("a file");
    daemon.wait_screen(&reader.id, "read");
    assert_eq!(daemon.session(&reader.id)["status"], "RUNNING");
    daemon.post(&format!("/sessions/{}/kill", reader.id), &json!({}));
}
