//! Promise: one daemon per state directory, which is its person's alone; nothing that is somebody
//! else's is replaced, and what is refused is refused with the way out.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// What a daemon says that does not start here.
#[track_caller]
fn refusal(space: &Space) -> String {
    space.cli(&["daemon"]).expect(1).stderr
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

#[track_caller]
fn is_socket(path: &Path) {
    let meta = fs::symlink_metadata(path).expect("a file");
    assert!(meta.file_type().is_socket(), "{} is no socket", path.display());
}

#[test]
fn a_second_daemon_on_the_same_home_is_refused_and_names_the_first() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let pid = daemon.pid();
    says(&refusal(&space), &[&format!("pid {pid}"), &path_text(&space.state), "CODEPIPER_HOME"]);
    // Nor by another address: it is the directory that has one daemon.
    let elsewhere = space.cli(&["daemon", "--socket", &path_text(&space.root.join("other.sock"))]);
    says(&elsewhere.expect(1).stderr, &[&format!("pid {pid}")]);
    assert!(!space.root.join("other.sock").exists());
    assert_eq!(daemon.get("/version")["pid"], pid);
    assert_eq!(daemon.session(&id)["status"], "RUNNING");
    assert!(daemon.ended().is_none());
}

#[test]
fn daemons_on_two_homes_work_side_by_side() {
    let (one, two) = (Space::new(), Space::new());
    let (first, second) = (Daemon::start(&one), Daemon::start(&two));
    let (a, b) = (first.start_session(&["cat"]), second.start_session(&["cat"]));
    for (daemon, own) in [(&first, &a), (&second, &b)] {
        let list = daemon.get("/sessions");
        let ids: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
        assert_eq!(ids, [own]);
    }
    let listed = two.cli(&["sessions"]).expect(0).stdout;
    assert!(listed.contains(&b[..8]) && !listed.contains(&a[..8]), "{listed}");
}

#[test]
fn the_socket_of_a_killed_daemon_is_replaced() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    daemon.kill9();
    is_socket(&space.control());
    daemon.start_binary(crate::support::daemon::BINARY);
    assert_eq!(daemon.get("/version")["pid"], daemon.pid());
    assert!(daemon.stop().success());
    assert!(!space.control().exists(), "a daemon that ends takes its socket along");
}

#[test]
fn a_foreign_file_at_the_control_path_is_left_alone() {
    let mut space = Space::new();
    let path = space.write("thesis.txt", "ten years of work");
    space.env.insert("CODEPIPER_SOCKET".to_string(), path_text(&path));
    says(&refusal(&space), &[&path_text(&path), "not a socket", "move it"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "ten years of work");
}

#[test]
fn a_live_foreign_socket_at_the_control_path_is_left_alone() {
    let mut space = Space::new();
    let path = space.root.join("theirs.sock");
    let theirs = UnixListener::bind(&path).unwrap();
    theirs.set_nonblocking(true).unwrap();
    space.env.insert("CODEPIPER_SOCKET".to_string(), path_text(&path));
    says(&refusal(&space), &[&path_text(&path), "answers", "--socket"]);
    is_socket(&path);
    // What connects there still reaches its owner.
    while theirs.accept().is_ok() {}
    let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    theirs.accept().expect("the owner still listens");
}

/// The tables of the original codepiper that a session of its leaves rows in.
const ORIGINAL: &str = r"
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript('''
PRAGMA journal_mode=WAL;
CREATE TABLE sessions (id TEXT PRIMARY KEY, provider TEXT NOT NULL, cwd TEXT NOT NULL,
  status TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, pid INTEGER,
  metadata_json TEXT);
CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL
  REFERENCES sessions(id) ON DELETE CASCADE, timestamp INTEGER, source TEXT, type TEXT,
  payload_json TEXT);
CREATE TABLE policies (id TEXT PRIMARY KEY, name TEXT, rules_json TEXT);
CREATE TABLE policy_decisions (id INTEGER PRIMARY KEY, session_id TEXT, decision TEXT);
CREATE TABLE workspaces (id TEXT PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE auth_config (id INTEGER PRIMARY KEY CHECK (id = 1), hash TEXT);
CREATE TABLE daemon_settings (id INTEGER PRIMARY KEY, settings_json TEXT);
INSERT INTO sessions VALUES ('a', 'claude', '/src', 'STOPPED', 1, 2, NULL, '{}');
''')
db.close()
";

#[test]
fn the_originals_database_is_refused_and_left_as_it_is() {
    let space = Space::new();
    drop(Daemon::start(&space));
    let database = space.state.join("codepiper.db");
    for part in ["codepiper.db", "codepiper.db-wal", "codepiper.db-shm"] {
        let _ = fs::remove_file(space.state.join(part));
    }
    let made = Command::new("python3").args(["-c", ORIGINAL]).arg(&database).status().unwrap();
    assert!(made.success());
    fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::read(&database).unwrap();
    assert!(before.len() > 4096);
    let text = refusal(&space);
    says(&text, &[&path_text(&database), "original codepiper", "not touched", "mv "]);
    assert_eq!(fs::read(&database).unwrap(), before);
    for part in ["codepiper.db-wal", "codepiper.db-shm"] {
        assert!(!space.state.join(part).exists(), "{part}");
    }
    // The way out that it names is one.
    fs::rename(&database, space.state.join("codepiper.db.original")).unwrap();
    assert_eq!(Daemon::start(&space).get("/health")["status"], "ok");
}

#[test]
fn directories_and_a_database_that_others_can_reach_are_refused_with_the_chmod() {
    let space = Space::new();
    drop(Daemon::start(&space));
    let places = [("", 0o755), ("run", 0o750), ("run/k", 0o701), ("hook", 0o777)];
    let files = [("codepiper.db", 0o644), ("daemon.lock", 0o640)];
    for (name, loose) in places.into_iter().chain(files) {
        let path = if name.is_empty() { space.state.clone() } else { space.state.join(name) };
        let good = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(loose)).unwrap();
        let want = if path.is_dir() { 700 } else { 600 };
        let text = refusal(&space);
        assert!(text.contains(&format!("chmod {want} {}", path.display())), "{name:?}: {text}");
        let now = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(now, loose, "{name:?} is the person's to change");
        fs::set_permissions(&path, good).unwrap();
    }
    Daemon::start(&space);
}

#[test]
fn a_home_that_is_a_link_is_refused() {
    let space = Space::new();
    fs::create_dir(space.root.join("real")).unwrap();
    symlink(space.root.join("real"), &space.state).unwrap();
    says(&refusal(&space), &[&path_text(&space.state), "is a link"]);
    assert_eq!(fs::read_dir(space.root.join("real")).unwrap().count(), 0);
}

#[test]
fn a_relative_home_is_refused_by_daemon_and_client() {
    let mut space = Space::new();
    space.env.insert("CODEPIPER_HOME".to_string(), "state".to_string());
    for verb in ["daemon", "sessions"] {
        let text = space.cli(&[verb]).expect(2).stderr;
        says(&text, &["CODEPIPER_HOME must be absolute", "state"]);
    }
    assert!(!space.project.join("state").exists());
}

#[test]
fn a_home_too_long_for_sockets_is_refused_before_anything_is_made() {
    let mut space = Space::new();
    let long = space.root.join("x".repeat(100));
    space.env.insert("CODEPIPER_HOME".to_string(), path_text(&long));
    says(&refusal(&space), &["too long", "at most", "CODEPIPER_HOME"]);
    assert!(!long.exists());
}
