//! The promise: a clock that was set back loses nothing and hangs nothing: order is by number,
//! deadlines are by a clock that nobody sets.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

/// Moves every time that the database holds, as if the clock had been ahead when it was written.
fn shift(space: &Space, to_ms: &str) {
    let script = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('UPDATE events SET at_ms = ?', [int(sys.argv[2])])
db.execute('UPDATE sessions SET created_ms = ?1, updated_ms = ?1', [int(sys.argv[2])])
db.execute('UPDATE sessions SET ended_ms = ? WHERE ended_ms IS NOT NULL', [int(sys.argv[2])])
db.commit()
db.close()
";
    let mut python = Command::new("/usr/bin/python3");
    let db = space.state.join("codepiper.db");
    let status = python.args(["-c", script]).arg(db).arg(to_ms).status().expect("python3");
    assert!(status.success());
}

fn ids(page: &Value) -> Vec<i64> {
    let events = page["events"].as_array().expect("a list");
    events.iter().map(|event| event["id"].as_i64().expect("an id")).collect()
}

#[track_caller]
fn check(to_ms: &str) {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let ended = daemon.start_session(&["true"]);
    wait_until("an end", SOON, || daemon.session(&ended)["status"] == "STOPPED");
    let id = daemon.start_session(&["cat"]);
    daemon.stop();
    shift(&space, to_ms);
    daemon.start_binary(BINARY);
    wait_until("the session to be adopted", SOON, || daemon.session(&id)["adopting"] == false);
    // New events come behind the old ones, whatever their times say.
    let events = format!("/sessions/{id}/events");
    let before = ids(&daemon.get(&events));
    let last = before.last().expect("an event");
    daemon.request("PUT", &format!("/sessions/{id}/name"), Some(&json!({"name": "later"}))).ok();
    let page = daemon.get(&format!("{events}?since={last}&wait=20"));
    assert_eq!(page["events"][0]["type"], "renamed", "{page}");
    let all = ids(&daemon.get(&events));
    assert!(all.is_sorted() && all.len() > before.len(), "{all:?}");
    let newest = daemon.get(&format!("{events}?limit=1"));
    assert_eq!(newest["events"][0]["type"], "renamed", "{newest}");
    // Deadlines are kept.
    let start = Instant::now();
    let waited = daemon.request("GET", &format!("/sessions/{id}/wait?timeout=1"), None);
    assert_eq!(waited.status, 408, "{}", waited.text());
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    let out = space.cli(&["wait", &id, "--timeout", "1s"]).expect(124);
    assert!(!out.stderr.is_empty());
    // Lists and logs show what is there.
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(2));
    space.cli(&["ls"]).expect(0);
    space.cli(&["show", &ended]).expect(0);
    space.cli(&["logs", &id]).expect(0);
    // Nothing that ended in the future is old, and nothing that runs is ever pruned.
    let removed = daemon.post("/sessions/prune", &json!({"olderThanSeconds": 3600}));
    let is_past = to_ms.starts_with('-');
    let expected = if is_past { json!([ended]) } else { json!([]) };
    assert_eq!(removed["removed"], expected);
    daemon.post("/sessions/prune", &json!({"olderThanSeconds": u64::MAX}));
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    for id in [&id, &ended] {
        let gone = daemon.request("DELETE", &format!("/sessions/{id}"), None).status;
        assert!(gone == 200 || is_past, "{gone}");
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
    assert!(!space.daemon_log().contains("panicked"), "{}", space.daemon_log());
}

#[test]
fn a_clock_that_was_a_decade_ahead_loses_and_hangs_nothing() {
    check("2100000000000");
}

#[test]
fn a_clock_before_1970_loses_and_hangs_nothing() {
    check("-86400000");
}

#[test]
fn times_at_the_end_of_numbers_are_survived() {
    check("9223372036854775807");
}

#[test]
fn times_at_the_start_of_numbers_are_survived() {
    check("-9223372036854775808");
}
