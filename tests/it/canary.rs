//! The promise: a secret that a session gets through an env set is seen by its own programs and
//! nowhere else: not in command lines, foreign environments, logs, the database, replies, records
//! or questions, through a whole life with crashes and a change of the master key.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use codepiper::sys::proc;
use data_encoding::BASE64;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

const CANARIES: [&str; 2] = ["Canary/Kx81+first one?", "Canary-Qz44-second_one"];

/// All that must not be seen.
fn needles() -> Vec<Vec<u8>> {
    let forms = |text: &str| [text.as_bytes().to_vec(), BASE64.encode(text.as_bytes()).into()];
    CANARIES.iter().flat_map(|text| forms(text)).collect()
}

fn shows(bytes: &[u8]) -> bool {
    needles().iter().any(|needle| bytes.windows(needle.len()).any(|part| part == needle))
}

/// Looks at all processes of the host until it is dropped.
struct Watch {
    over: Arc<AtomicBool>,
    found: Arc<Mutex<Vec<String>>>,
    looks: Option<JoinHandle<usize>>,
}

impl Watch {
    fn begin() -> Watch {
        let (over, found) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ends, finds) = (over.clone(), found.clone());
        let looks = std::thread::spawn(move || {
            let mut rounds = 0;
            while !ends.load(Ordering::Relaxed) {
                finds.lock().expect("the list").extend(look());
                rounds += 1;
            }
            rounds
        });
        Watch { over, found, looks: Some(looks) }
    }

    #[track_caller]
    fn end(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let rounds = self.looks.take().map(|thread| thread.join().expect("the looking thread"));
        assert!(rounds > Some(10), "it has looked: {rounds:?}");
        assert_eq!(*self.found.lock().expect("the list"), Vec::<String>::new());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn look() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let Ok(pid) = name.parse::<i32>() else { continue };
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        if shows(&read("cmdline")) {
            found.push(format!("command line of {pid}"));
        }
        if shows(&read("environ")) && !is_inside(pid) {
            found.push(format!("environment of {pid}"));
        }
    }
    found
}

/// Whether a process belongs to a session; one that is gone meanwhile is nobody's.
fn is_inside(pid: i32) -> bool {
    let mut at = pid;
    while at > 1 {
        let Some(stat) = proc::stat(at) else { return true };
        if stat.comm.starts_with("codepiper-keep") && at != pid {
            return true;
        }
        at = stat.ppid;
    }
    false
}

/// Everything below the state directory, and what the daemon has said.
#[track_caller]
fn check_files(space: &Space) {
    fn below(dir: &Path, check: &mut dyn FnMut(&Path)) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type().expect("a type") {
                kind if kind.is_dir() => below(&entry.path(), check),
                kind if kind.is_file() => check(&entry.path()),
                _ => {}
            }
        }
    }
    let (mut files, mut wal) = (0, false);
    below(&space.state, &mut |path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(!shows(&bytes), "{} shows it", path.display());
        files += 1;
        wal |= path.ends_with("codepiper.db-wal") && !bytes.is_empty();
    });
    assert!(files > 5, "{files} files");
    let said = std::fs::read(space.root.join("daemon.out")).expect("daemon.out");
    assert!(!shows(&said), "the daemon has said it");
    assert!(wal, "the write-ahead log was there to be looked at");
}

/// Every route that can be read, as far as it answers at once.
#[track_caller]
fn check_replies(daemon: &Daemon<'_>, space: &Space, session: &str, set: &str, approval: &str) {
    let table = space.cli(&["help", "api"]).expect(0).stdout;
    let mut asked = 0;
    for line in table.lines() {
        let mut words = line.split_whitespace();
        let (Some("GET"), Some(path)) = (words.next(), words.next()) else { continue };
        if path == "/ws" || path.ends_with("/wait") {
            continue;
        }
        let id = match path.split('/').nth(1).expect("a resource") {
            "sessions" => session,
            "env-sets" => set,
            "approvals" => approval,
            _ => "standard",
        };
        let path = path.replace(":id", id).replace(":seq", "1");
        let reply = daemon.request("GET", &path, None);
        assert!(!shows(&reply.body), "{path}: {}", reply.text());
        asked += usize::from(reply.status == 200);
    }
    assert!(asked > 20, "{asked} routes have answered");
}

fn event(name: &str, command: &str, call: &str) -> Value {
    json!({
        "hook_event_name": name, "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "tool_name": "Bash", "tool_use_id": call,
        "tool_input": {"command": command, "description": command},
    })
}

/// A call with the secret in it is asked, shown without it, and answered.
#[track_caller]
fn ask(daemon: &Daemon<'_>, space: &Space, inside: &Inside, secret: &str, call: &str) -> String {
    let coded = BASE64.encode(secret.as_bytes());
    // The beginning of a long command is shown elsewhere: cut in the middle of the secret.
    let long = "x".repeat(290);
    let command = format!("curl -H {secret} {coded}; echo {long}{secret}");
    let order = inside.hook_aside(&event("PreToolUse", &command, call));
    let id = wait_for("an approval", SOON, || {
        let open = daemon.get("/approvals")["approvals"].as_array().cloned()?;
        let open = open.into_iter().find(|one| one["status"] == "pending")?;
        assert!(!shows(open.to_string().as_bytes()), "{open}");
        assert!(open.to_string().contains("[secret TOKEN]"), "by its name: {open}");
        Some(open["id"].to_string())
    });
    let shown = space.cli(&["inbox", "--no-color"]).expect(0).stdout;
    assert!(shown.contains("[secret TOKEN]") && !shows(shown.as_bytes()), "{shown}");
    space.cli(&["approve", &id]).expect(0);
    let result = inside.result(order);
    assert_eq!(result["code"], 0, "{result}");
    assert!(result["stdout"].as_str().expect("text").contains("allow"), "{result}");
    let mut ran = event("PostToolUse", &command, call);
    ran["tool_response"] = json!({"stdout": format!("it says {secret}\n{coded}")});
    inside.hook(&ran);
    id
}

#[test]
fn a_secret_is_seen_by_the_sessions_own_programs_and_nowhere_else() {
    let space = Space::new();
    Inside::install_claude(&space);
    let mut daemon = Daemon::start(&space);
    let mut watch = Watch::begin();
    let create = ["env-set", "create", "--name", "prod", "--stdin"];
    let text = format!("TOKEN='{}'\n", CANARIES[0]);
    space.cli(&create).stdin(text.as_bytes()).expect(0);
    let set = daemon.get("/env-sets")["envSets"][0]["id"].as_str().expect("an id").to_string();
    let asked = json!({"provider": "claude-code", "args": ["-p", "hi"], "envSetIds": ["prod"]});
    let inside = Inside::start_as(&space, &daemon, "agent", &asked);
    assert_eq!(inside.variable("TOKEN"), CANARIES[0], "its own program has it");
    let id = ask(&daemon, &space, &inside, CANARIES[0], "t1");
    check_replies(&daemon, &space, &inside.id, &set, &id);
    check_files(&space);

    // Another daemon knows it again from the set.
    daemon.crash_and_restart();
    wait_for("the session to be adopted", SOON, || {
        (daemon.session(&inside.id)["adopting"] == false).then_some(())
    });
    let id = ask(&daemon, &space, &inside, CANARIES[0], "t2");
    space.cli(&["key", "rotate"]).expect(0);
    check_replies(&daemon, &space, &inside.id, &set, &id);
    check_files(&space);

    // Another value, from the next start on.
    space.cli(&["stop", &inside.id]).expect(0);
    let text = format!("TOKEN='{}'\n", CANARIES[1]);
    let update = space.cli(&["env-set", "update", "prod", "--stdin"]);
    update.stdin(text.as_bytes()).expect(0);
    space.cli(&["resume", &inside.id]).expect(0);
    let pid = daemon.session(&inside.id)["pid"].as_i64().expect("a pid");
    let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("its environment");
    assert!(shows(&environ), "the new one has it");
    daemon.kill9();
    check_files(&space);
    daemon.start_binary(BINARY);
    check_replies(&daemon, &space, &inside.id, &set, &id);
    let exported = space.cli(&["audit", "export"]).expect(0).stdout;
    assert!(exported.contains("[secret TOKEN]") && !shows(exported.as_bytes()));
    space.cli(&["kill", &inside.id]).expect(0);
    check_files(&space);
    watch.end();
}

#[test]
fn viewers_see_the_name_of_a_printed_secret_where_that_is_set_and_the_log_stays_raw() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let set = |daemon: &Daemon<'_>, value: Value| {
        daemon.request("PUT", "/settings/daemon", Some(&json!({"maskOutput": value})))
    };
    assert_eq!(set(&daemon, json!("yes")).status, 400);
    let vars = json!({"TOKEN": CANARIES[1]});
    daemon.post("/env-sets", &json!({"name": "prod", "vars": vars}));
    let script = "echo \"<$TOKEN>\"; echo end; exec sleep 600";
    let asked = json!({
        "provider": "command", "cwd": space.project, "envSetIds": ["prod"],
        "args": ["sh", "-c", script],
    });
    let started = daemon.post("/sessions", &asked);
    let id = started["session"]["id"].as_str().expect("an id").to_string();
    let raw = daemon.wait_screen(&id, "end");
    assert!(shows(raw.as_bytes()), "off by default: {raw}");
    set(&daemon, json!(true)).ok();
    let masked = |daemon: &Daemon<'_>| {
        let screen = daemon.screen(&id);
        assert!(screen.contains("<[secret TOKEN]>") && !shows(screen.as_bytes()), "{screen}");
        assert!(shows(&daemon.log(&id)), "the log is raw");
        let cast = space.cli(&["replay", &id, "--export", "cast"]).expect(0).stdout;
        assert!(cast.contains("<[secret TOKEN]") && !shows(cast.as_bytes()), "{cast}");
        // Also where a piece begins or ends in the middle of it.
        for from in 0..20 {
            let path = format!("/sessions/{id}/log?from={from}&len=9&covered=true");
            let piece = daemon.request("GET", &path, None).text();
            assert!(!piece.contains("Qz44") && !piece.contains("cond_o"), "{from}: {piece}");
        }
    };
    masked(&daemon);
    daemon.crash_and_restart();
    daemon.wait_screen(&id, "end");
    masked(&daemon);
    space.cli(&["stop", &id]).expect(0);
    masked(&daemon);
    let log = space.state.join("sessions").join(&id).join("log");
    for entry in std::fs::read_dir(log).expect("the log").flatten() {
        let mode = entry.metadata().expect("it").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
}
