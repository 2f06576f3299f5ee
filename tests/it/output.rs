//! Promise: what a program printed is in the log byte for byte, and replays with times and sizes.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::fs::File;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

/// 50 MB of numbered lines, 100 bytes each.
const LINES: usize = 500_000;

fn line(n: usize) -> String {
    format!("{n:08} {}\n", "x".repeat(90))
}

/// A file with the lines, and what a terminal makes of it.
fn big(space: &Space) -> (String, Vec<u8>) {
    let text: String = (0..LINES).map(line).collect();
    let shown = text.replace('\n', "\r\n").into_bytes();
    (path_text(&space.write("big", &text)), shown)
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn ended(daemon: &Daemon<'_>, id: &str) -> Value {
    daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=50"))["session"].clone()
}

#[test]
fn fifty_megabytes_are_in_the_log_byte_for_byte() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let (file, shown) = big(&space);
    let id = daemon.start_session(&["sh", "-c", &format!("cat {file}; sleep 0.2")]);
    let session = ended(&daemon, &id);
    assert_eq!(session["logBytes"], shown.len(), "{session}");
    assert_eq!(sha(&daemon.log(&id)), sha(&shown));
}

#[test]
fn the_oldest_output_goes_first_and_what_is_kept_is_byte_identical() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let keep = 16 * 1024 * 1024;
    let set = daemon.request("PUT", "/settings/daemon", Some(&json!({"sessionLogBytes": keep})));
    assert_eq!(set.status, 200, "{}", set.text());
    let (file, shown) = big(&space);
    let id = daemon.start_session(&["sh", "-c", &format!("cat {file}; sleep 0.2")]);
    ended(&daemon, &id);
    let kept = daemon.log(&id);
    assert!((keep / 2..=keep).contains(&kept.len()), "{} bytes kept", kept.len());
    assert_eq!(sha(&kept), sha(&shown[shown.len() - kept.len()..]));
}

#[test]
fn a_recording_has_the_output_its_times_and_its_sizes() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let script = "printf 'one\\n'; read x; printf 'two\\n'; sleep 0.5; printf '\\303\\251nd\\n'";
    let id = daemon.start_session(&["sh", "-c", script]);
    daemon.wait_screen(&id, "one");
    daemon.post(&format!("/sessions/{id}/resize"), &json!({"cols": 90, "rows": 20}));
    daemon.post(&format!("/sessions/{id}/send"), &json!({"text": "go"}));
    ended(&daemon, &id);
    let cast = space.cli(&["replay", &id, "--export", "cast"]).expect(0).stdout;
    let mut lines = cast.lines().map(|l| serde_json::from_str::<Value>(l).expect("JSON lines"));
    let head = lines.next().unwrap();
    assert_eq!((&head["version"], &head["term"]["cols"]), (&3.into(), &120.into()));
    let events: Vec<Value> = lines.collect();
    let of = |kind: &str| events.iter().filter(|e| e[1] == kind).collect::<Vec<_>>();
    let output: String = of("o").iter().map(|e| e[2].as_str().unwrap()).collect();
    assert_eq!(output.into_bytes(), daemon.log(&id));
    assert!(of("r").iter().any(|e| e[2] == "90x20"), "{events:?}");
    assert_eq!(of("x")[0][2], "0");
    let took: f64 = events.iter().map(|e| e[0].as_f64().unwrap()).sum();
    assert!(took >= 0.4, "the pause of half a second is in it: {took}");
}

#[test]
fn a_viewer_that_stops_reading_holds_nobody_up_and_loses_nothing() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let (file, shown) = big(&space);
    let go = path_text(&space.root.join("go"));
    let wait = format!("while [ ! -e {go} ]; do sleep 0.01; done");
    let script = format!("echo ready; {wait}; cat {file}; sleep 0.2");
    let id = daemon.start_session(&["sh", "-c", &script]);
    let shown = [b"ready\r\n", &shown[..]].concat();
    let seen = space.root.join("seen");
    let mut viewer = Command::new(crate::support::daemon::BINARY)
        .args(["tail", "-f", "-n", "all", &id])
        .env_clear()
        .envs(&space.env)
        .stdin(Stdio::null())
        .stdout(File::create(&seen).unwrap())
        .spawn()
        .unwrap();
    let viewer_pid = viewer.id() as i32;
    wait_until("the viewer to follow", SOON, || {
        std::fs::read(&seen).is_ok_and(|bytes| bytes == b"ready\r\n")
    });
    proc::signal(viewer_pid, Name::SIGSTOP).unwrap();
    let before = resident_kib(daemon.pid());
    std::fs::write(&go, "").unwrap();
    assert_eq!(ended(&daemon, &id)["logBytes"], shown.len(), "the program was not held up");
    let grown = resident_kib(daemon.pid()).saturating_sub(before);
    assert!(grown < 30 * 1024, "the daemon grew by {grown} KiB for a viewer that does not read");
    proc::signal(viewer_pid, Name::SIGCONT).unwrap();
    wait_until("the viewer to catch up and end", Duration::from_secs(40), || {
        viewer.try_wait().unwrap().is_some()
    });
    assert_eq!(sha(&std::fs::read(&seen).unwrap()), sha(&shown), "every byte in order");
}

fn resident_kib(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}
