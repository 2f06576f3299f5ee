//! Promise: a clock that was set back breaks nothing; what comes later is told later.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use serde_json::Value;
use serde_json::json;
use std::process::Command;

/// Moves all that the database knows a day ahead: as if the clock had been set back by a day.
const AHEAD: &str = r"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
day = 86400 * 1000
db.execute('UPDATE sessions SET created_ms = created_ms + ?, updated_ms = updated_ms + ?, '
           'ended_ms = ended_ms + ?', (day, day, day))
db.execute('UPDATE events SET at_ms = at_ms + ?', (day,))
db.commit()
db.close()
";

fn ids(of: &Value, list: &str) -> Vec<Value> {
    of[list].as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
}

fn wait_ended(daemon: &Daemon<'_>, id: &str) {
    daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=20"));
}

#[test]
fn sessions_of_tomorrow_are_listed_waited_for_and_removed_like_others() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let ended = daemon.start_session(&["sh", "-c", "sleep 0.2"]);
    wait_ended(&daemon, &ended);
    let live = daemon.start_session(&["sh", "-c", "echo up; read line; exit 7"]);
    daemon.wait_screen(&live, "up");
    assert!(daemon.stop().success());
    let database = space.state.join("codepiper.db");
    let moved = Command::new("python3").args(["-c", AHEAD]).arg(&database).status().unwrap();
    assert!(moved.success());
    daemon.start_binary(BINARY);

    let latest = daemon.start_session(&["sh", "-c", "sleep 0.2"]);
    wait_ended(&daemon, &latest);
    let listed = ids(&daemon.get("/sessions"), "sessions");
    assert_eq!(listed, [json!(latest), json!(live), json!(ended)], "newest first");
    let shown = space.cli(&["sessions"]).expect(0).stdout;
    assert_eq!(shown.lines().count(), 4, "{shown}");

    // Whoever waits is woken, and finds what is new behind what is old.
    let path = format!("/sessions/{live}/events?limit=100&order=asc");
    let before = ids(&daemon.get(&path), "events");
    daemon.post(&format!("/sessions/{live}/send"), &json!({"text": "go"}));
    let out = space.cli(&["wait", "--timeout", "20", &live]).run();
    assert_eq!(daemon.session(&live)["exitCode"], 7, "{out:?}");
    let events = daemon.get(&path);
    let after = ids(&events, "events");
    assert!(after.len() > before.len() && after.starts_with(&before), "{events:#}");
    let last = events["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last["type"], "ended", "{events:#}");

    // What ended by today's clock goes; what ends tomorrow is not old yet, and can be removed.
    let body = json!({"olderThanSeconds": 0});
    let removed = daemon.post("/sessions/prune", &body)["removed"].clone();
    let removed = removed.as_array().unwrap();
    assert!(removed.contains(&json!(latest)) && removed.contains(&json!(live)), "{removed:?}");
    if !removed.contains(&json!(ended)) {
        space.cli(&["rm", &ended]).expect(0);
    }
    assert_eq!(daemon.get("/sessions")["sessions"], json!([]));
}
