//! The promise: a full disk never makes a program wait and never ends one. What could not be
//! written is a gap in the log, said truthfully, and output goes on behind it.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use codepiper::limits::SEGMENT_BYTES as SEGMENT;
use codepiper::output::segment_path;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

/// Prints numbered lines for ever, and keeps the longest time that one of them took in a file.
const PRINTER: &str = r#"
import os, sys, time
worst, number = 0, 0
while True:
    start = time.monotonic()
    sys.stdout.write("".join("%014d\n" % n for n in range(number, number + 64)))
    sys.stdout.flush()
    worst, number = max(worst, time.monotonic() - start), number + 64
    if number % 1024 == 0:
        with open(sys.argv[1] + ".new", "w") as file:
            file.write("%f" % worst)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(0.002)
"#;

fn printer(space: &Space, daemon: &Daemon<'_>) -> String {
    let script = path_text(&space.write("printer.py", PRINTER));
    let record = path_text(&space.root.join("worst"));
    let id = daemon.start_session(&["/usr/bin/python3", &script, &record]);
    daemon.wait_screen(&id, "00000");
    id
}

/// The longest time that the printer waited for its terminal.
fn worst_wait(space: &Space) -> f64 {
    let text = fs::read_to_string(space.root.join("worst")).expect("the printer's record");
    text.parse().expect("a number")
}

/// Offset and length of the first gap in a session's index.
fn gap(daemon: &Daemon<'_>, id: &str) -> Option<(u64, u32)> {
    let index = daemon.request("GET", &format!("/sessions/{id}/index"), None).body;
    let record = index.chunks(24).find(|r| r.len() == 24 && r[16..18] == [3, 0])?;
    let offset = u64::from_le_bytes(record[..8].try_into().expect("eight bytes"));
    Some((offset, u32::from_le_bytes(record[20..].try_into().expect("four bytes"))))
}

fn is_degraded(daemon: &Daemon<'_>, id: &str) -> bool {
    daemon.session(id)["logDegraded"] == json!(true)
}

/// Waits until the session has printed `count` bytes more, which it must whatever the disk says.
#[track_caller]
fn wait_printed(daemon: &Daemon<'_>, id: &str, count: u64) {
    let bytes = || daemon.session(id)["logBytes"].as_u64().expect("a number");
    let (start, before) = (bytes(), daemon.screen(id));
    wait_until("the session to print on", SOON, || bytes() > start + count);
    assert_ne!(daemon.screen(id), before, "and its screen goes along");
}

/// The log before and behind the gap: whole numbered lines, and nothing doubled.
#[track_caller]
fn check_log(daemon: &Daemon<'_>, id: &str) {
    let (offset, lost) = gap(daemon, id).expect("a gap in the index");
    assert!(lost > 0);
    let page = |from: u64| {
        let page = daemon.request("GET", &format!("/sessions/{id}/log?from={from}"), None);
        let first = page.header("X-CodePiper-From").expect("an offset").parse().expect("a number");
        (first, page.body)
    };
    let (first, behind): (u64, Vec<u8>) = page(offset);
    assert_eq!(first, offset + u64::from(lost), "what follows the gap has its true place");
    // Every line has 16 bytes, so an offset tells the number that must stand there.
    for (at, bytes) in [(first, behind), page(offset.saturating_sub(64 * 1024))] {
        let skip = (16 - at % 16) as usize % 16;
        let lines = bytes[skip..].chunks_exact(16).take((offset / 16) as usize);
        for (line, number) in lines.zip((at + skip as u64) / 16..).take(2000) {
            let expected = format!("{number:014}\r\n");
            assert_eq!(String::from_utf8_lossy(line), expected, "at {}", number * 16);
        }
    }
}

#[test]
fn a_log_that_cannot_be_written_becomes_a_gap_and_nobody_waits() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = printer(&space, &daemon);
    // What stands where the next segment belongs: no user, not even root, can write there.
    let log = space.state.join(format!("sessions/{id}/log"));
    let next = segment_path(&log, SEGMENT);
    fs::create_dir(&next).expect("an obstacle");
    wait_until("the session to say so", Duration::from_secs(40), || is_degraded(&daemon, &id));
    wait_printed(&daemon, &id, 100_000);
    let doctor = space.cli(&["doctor"]).expect(1);
    assert!(doctor.stdout.contains("cannot write their log"), "{}", doctor.stdout);
    fs::remove_dir(&next).expect("the obstacle");
    wait_until("the log to go on", SOON, || !is_degraded(&daemon, &id));
    assert_eq!(gap(&daemon, &id).map(|(offset, _)| offset), Some(SEGMENT));
    wait_printed(&daemon, &id, 10_000);
    check_log(&daemon, &id);
    assert!(worst_wait(&space) < 2.0, "the program waited {} s", worst_wait(&space));
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
}

/// Takes all room that is left.
fn fill(state: &Path) {
    let mut file = File::create(state.join("filler")).expect("a file");
    for piece in [64 * 1024, 4096, 1] {
        while file.write_all(&vec![b'x'; piece]).is_ok() {}
    }
}

#[test]
fn a_full_disk_ends_nothing_and_is_forgotten_once_there_is_room() {
    let mut space = Space::new();
    let has_small_disk = space.give_small_disk(8);
    let daemon = Daemon::start(&space);
    let id = printer(&space, &daemon);
    let dying = daemon.start_session(&["sh", "-c", "read x; exit 7"]);
    let other = daemon.start_session(&["cat"]);
    if has_small_disk {
        fill(&space.state);
        wait_until("the session to say so", SOON, || is_degraded(&daemon, &id));
        exhaust_the_database(&daemon);
        daemon.post(&format!("/sessions/{dying}/send"), &json!({"text": ""}));
    }
    wait_printed(&daemon, &id, 100_000);
    daemon.post(&format!("/sessions/{other}/send"), &json!({"text": "still here"}));
    daemon.wait_screen(&other, "still here");
    let asked = Instant::now();
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(3));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(daemon.get("/health")["status"], "ok", "full is not damaged");
    if has_small_disk {
        fs::remove_file(space.state.join("filler")).expect("the filler");
        wait_until("the log to go on", SOON, || !is_degraded(&daemon, &id));
        let ended = wait_for("the end to be stored", SOON, || {
            Some(daemon.session(&dying)).filter(|row| row["status"] == "CRASHED")
        });
        assert_eq!(ended["exitCode"], 7, "{ended}");
        wait_printed(&daemon, &id, 10_000);
        check_log(&daemon, &id);
    }
    daemon.start_session(&["cat"]);
    assert!(worst_wait(&space) < 2.0, "the program waited {} s", worst_wait(&space));
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    assert!(!space.daemon_log().contains("panicked"), "{}", space.daemon_log());
}

/// Saves until that fails, which must say why and what to do.
#[track_caller]
fn exhaust_the_database(daemon: &Daemon<'_>) {
    let reason = "x".repeat(500);
    let rule = |n: usize| json!({"id": format!("r{n}"), "action": "deny", "reason": reason});
    for count in (0..40).map(|n| 300 + n) {
        let policy: Vec<_> = (0..count).map(rule).collect();
        let body = json!({"policy": policy});
        let reply = daemon.request("PUT", "/settings/daemon", Some(&body));
        if reply.status != 200 {
            assert_eq!(reply.status, 503, "{}", reply.text());
            assert!(reply.text().contains("disk is full"), "{}", reply.text());
            return;
        }
    }
    panic!("the disk is not full");
}
