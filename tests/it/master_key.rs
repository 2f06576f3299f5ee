//! The promise: what is sealed opens with its key, through every change of that key and every
//! crash, and without the right key nothing starts half.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::http;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

fn create(daemon: &Daemon<'_>, name: &str, value: &str) {
    daemon.post("/env-sets", &json!({"name": name, "vars": {"A": value}}));
}

/// The row of `doctor` about the key.
fn doctor(daemon: &Daemon<'_>) -> Value {
    let all = daemon.get("/doctor");
    let rows = all["checks"].as_array().expect("a list").iter();
    rows.into_iter().find(|row| row["name"] == "master key").expect("a row").clone()
}

/// A session with this set prints its value.
#[track_caller]
fn check_opens(daemon: &Daemon<'_>, space: &Space, set: &str, value: &str) {
    let started = daemon.post(
        "/sessions",
        &json!({
            "provider": "command", "cwd": space.project, "envSetIds": [set],
            "args": ["sh", "-c", "echo \"<$A>\"; exec sleep 600"],
        }),
    );
    let id = started["session"]["id"].as_str().expect("an id");
    daemon.wait_screen(id, &format!("<{value}>"));
    daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
}

fn key(space: &Space) -> PathBuf {
    space.state.join("master.key")
}

#[test]
fn rotation_killed_at_thirty_random_points_loses_no_set() {
    const SETS: usize = 40;
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    (0..SETS).for_each(|n| create(&daemon, &format!("set {n}"), &format!("value {n}")));
    let first = std::fs::read(key(&space)).expect("a key");
    let begin = Instant::now();
    space.cli(&["key", "rotate"]).expect(0);
    let whole = begin.elapsed();
    let mut unfinished = 0;
    for round in 0..30 {
        let control = space.control();
        let rotating = std::thread::spawn(move || {
            http::try_request(&control, "POST", "/key/rotate", Some(&json!({})))
        });
        // Spread over the time that a rotation takes, and not at the same places each time.
        let at = whole * (round * 7 % 30) / 28;
        std::thread::sleep(at + Duration::from_micros(u64::from(std::process::id() % 997)));
        daemon.kill9();
        let _ = rotating.join();
        let is = |end: &str| space.state.join(format!("master.key.{end}")).exists();
        unfinished += usize::from(is("new") || is("old"));
        daemon.start_binary(BINARY);
        wait_until("the change of the key to be at its end", SOON, || {
            doctor(&daemon)["ok"] == json!(true) && !is("new") && !is("old")
        });
        let detail = doctor(&daemon)["detail"].as_str().expect("text").to_string();
        assert!(detail.contains(&format!("opens all {SETS} sealed")) || detail.contains("all 41"));
        let (set, value) = (format!("set {round}"), format!("value {round}"));
        check_opens(&daemon, &space, &set, &value);
    }
    assert!(unfinished > 0, "some were cut off in the middle");
    assert_ne!(std::fs::read(key(&space)).expect("a key"), first);
    assert_eq!(daemon.get("/env-sets")["envSets"].as_array().map(Vec::len), Some(SETS));
}

#[test]
fn a_key_that_is_wrong_missing_loose_or_foreign_starts_no_session_and_says_what_to_do() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    create(&daemon, "one", "canary");
    let path = key(&space);
    let whole = std::fs::read(&path).expect("a key");
    let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("it");
    type Spoil<'a> = Box<dyn Fn() + 'a>;
    let mut cases: Vec<(Spoil<'_>, &str)> = vec![
        (Box::new(|| std::fs::write(&path, [7; 32]).expect("a file")), "another master.key"),
        (Box::new(|| std::fs::write(&path, [7; 31]).expect("a file")), "no key of 32 bytes"),
        (Box::new(|| mode(0o640)), "chmod 600"),
        (Box::new(|| mode(0o604)), "chmod 600"),
        (Box::new(|| std::fs::remove_file(&path).expect("no file")), "backup"),
    ];
    if proc::uid() == 0 {
        let foreign = || chown(&path, Some(65534), None).expect("another's file");
        cases.push((Box::new(foreign), "belongs to uid 65534"));
    }
    for (spoil, why) in cases {
        daemon.stop();
        spoil();
        daemon.start_binary(BINARY);
        let line = ["start", "-p", "command", "--env-set", "one", "--", "sleep", "600"];
        let refused = space.cli(&line).run();
        assert!(!refused.status.success(), "{why}");
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
        assert!(refused.stderr.contains("env set one does not open"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("canary"));
        assert_eq!(daemon.get("/sessions")["sessions"], json!([]), "{why}");
        let row = doctor(&daemon);
        assert_eq!(row["ok"], json!(false), "{why}: {row}");
        assert!(row["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{row}");
        // Neither does it get lost by what one tries next.
        assert!(!space.cli(&["key", "rotate"]).run().status.success(), "{why}");
        daemon.stop();
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &whole).expect("the key again");
        mode(0o600);
        daemon.start_binary(BINARY);
        assert_eq!(doctor(&daemon)["ok"], json!(true), "{why}");
        check_opens(&daemon, &space, "one", "canary");
        for row in daemon.get("/sessions")["sessions"].as_array().expect("a list") {
            let id = row["id"].as_str().expect("an id");
            space.cli(&["wait", id, "--for", "ended"]).run();
            space.cli(&["rm", id]).expect(0);
        }
    }
}

#[test]
fn a_key_that_systemd_gives_is_used_and_left_alone() {
    let mut space = Space::new();
    let given = space.root.join("credentials");
    std::fs::create_dir(&given).expect("a directory");
    std::fs::write(given.join("codepiper-master-key"), [9; 32]).expect("a key");
    let dir = given.to_str().expect("text").to_string();
    space.env.insert("CREDENTIALS_DIRECTORY".to_string(), dir);
    let daemon = Daemon::start(&space);
    create(&daemon, "one", "value");
    check_opens(&daemon, &space, "one", "value");
    assert!(!key(&space).exists(), "none was made beside it");
    let refused = space.cli(&["key", "rotate"]).expect(1);
    for part in ["CREDENTIALS_DIRECTORY", "start the daemon without", "systemd-creds"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let detail = doctor(&daemon)["detail"].as_str().expect("text").to_string();
    assert!(detail.contains("given by systemd"), "{detail}");
    assert_eq!(std::fs::read(given.join("codepiper-master-key")).expect("it"), [9; 32]);
}
