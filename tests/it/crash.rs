//! Promise: kill -9 of the daemon, or an upgrade, loses no byte of output, doubles none, and never
//! makes a program wait.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::daemon::other_build;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::wait_for;
use serde_json::Value;
use std::time::Duration;

/// Prints numbered lines at a steady pace until a file tells it to end, and keeps a record of its
/// own: how many lines, and the longest that one line ever took.
const COUNTER: &str = r#"
import os, sys, time
n, slowest, last = 0, 0.0, time.monotonic()
while not os.path.exists(sys.argv[1]):
    os.write(1, b"line %08d\n" % n)
    n += 1
    now = time.monotonic()
    slowest, last = max(slowest, now - last), now
    time.sleep(0.002)
    last = time.monotonic()
with open(sys.argv[2] + ".new", "w") as f:
    f.write("%d %f" % (n, slowest))
os.rename(sys.argv[2] + ".new", sys.argv[2])
sys.exit(7)
"#;

/// Two minutes for a machine that does other work beside; alone it takes a quarter of that.
const END: Duration = Duration::from_secs(55);

struct Counter {
    id: String,
    lines: usize,
    slowest: f64,
}

/// Runs the counter while `disturb` does its worst, and returns the program's own record.
fn count(space: &Space, daemon: &mut Daemon<'_>, disturb: impl FnOnce(&mut Daemon<'_>)) -> Counter {
    let script = path_text(&space.write("counter.py", COUNTER));
    let (stop, record) = (space.root.join("stop"), space.root.join("record"));
    let id = daemon.start_session(&["python3", &script, &path_text(&stop), &path_text(&record)]);
    disturb(daemon);
    std::fs::write(&stop, "").unwrap();
    let text = wait_for("the counter's record", END, || std::fs::read_to_string(&record).ok());
    let (lines, slowest) = text.split_once(' ').unwrap();
    Counter { id, lines: lines.parse().unwrap(), slowest: slowest.parse().unwrap() }
}

fn check(daemon: &Daemon<'_>, counter: &Counter) {
    let ended: Value = daemon.get(&format!("/sessions/{}/wait?for=ended&timeout=20", counter.id));
    assert_eq!(ended["session"]["status"], "CRASHED", "{ended}");
    assert_eq!(ended["session"]["exitCode"], 7, "{ended}");
    let log = String::from_utf8(daemon.log(&counter.id)).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), counter.lines, "as many lines as the program wrote");
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, format!("line {n:08}"), "no line is missing, doubled or out of place");
    }
    // A program that waited for a daemon would have waited for a restart, tens of milliseconds at
    // the very least and each time; a busy machine may hold a write up once.
    assert!(counter.slowest < 1.0, "one write took {} s", counter.slowest);
}

#[test]
fn a_hundred_kills_of_the_daemon_lose_and_double_nothing() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let counter = count(&space, &mut daemon, |daemon| {
        for _ in 0..100 {
            daemon.crash_and_restart();
        }
    });
    check(&daemon, &counter);
}

#[test]
fn twenty_upgrades_lose_and_double_nothing() {
    let space = Space::new();
    let other = other_build(&space);
    let mut daemon = Daemon::start(&space);
    let mut builds = Vec::new();
    let counter = count(&space, &mut daemon, |daemon| {
        for round in 0..20 {
            assert!(daemon.stop().success());
            daemon.start_binary(if round % 2 == 0 { &other } else { BINARY });
            builds.push(daemon.get("/version")["build"].as_str().unwrap().to_string());
        }
    });
    assert_ne!(builds[0], builds[1], "two builds took turns");
    check(&daemon, &counter);
}
