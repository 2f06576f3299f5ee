//! The promise: daemon and keepers hold nothing that they were not meant to have, show nobody what
//! they know, and run no program that a repository has named.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A file of a process in /proc.
fn of(pid: i32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a process that runs")
}

/// The words of one line of such a file, behind its name.
fn line(pid: i32, file: &str, name: &str) -> Vec<String> {
    let text = of(pid, file);
    let rest = text.lines().find_map(|line| line.strip_prefix(name)).expect("a known line");
    rest.split_whitespace().map(String::from).collect()
}

/// Where its descriptors lead.
fn open(pid: i32) -> Vec<String> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process that runs");
    let lead = |entry: std::io::Result<fs::DirEntry>| fs::read_link(entry.ok()?.path()).ok();
    all.filter_map(lead).map(|path| path.to_string_lossy().into_owned()).collect()
}

/// Root reads everything but for what it has given up; a user never had it.
fn given_up(rights: &str) -> String {
    match proc::uid() {
        0 => format!("setpriv --bounding-set={rights}"),
        _ => String::new(),
    }
}

fn start(daemon: &Daemon<'_>, space: &Space, level: &str, program: &[&str]) -> String {
    let body = json!({"provider": "command", "cwd": space.project, "args": program,
        "sandbox": level});
    daemon.post("/sessions", &body)["session"]["id"].as_str().expect("an id").to_string()
}

/// Our processes around a session's program: its keeper and what is between the two.
fn around(daemon: &Daemon<'_>, id: &str) -> Vec<i32> {
    let program = daemon.session(id)["pid"].as_i64().expect("a running program") as i32;
    let keeper = daemon.keeper(id);
    let line = proc::ancestry(program).expect("its ancestors");
    let above = line.iter().map(|s| s.pid).skip(1);
    above.take_while(|pid| *pid != keeper).chain([keeper]).collect()
}

#[test]
fn what_its_starter_left_open_reaches_neither_daemon_nor_keeper_nor_session() {
    let space = Space::new();
    let left = path_text(&space.write("left-open", "x"));
    let script = format!("#!/bin/sh\nexec 7<{left} 9>>{left}\nexec {BINARY} \"$@\"\n");
    let wrapper = path_text(&space.write_program("starter", &script));
    let mut daemon = Daemon::start(&space);
    daemon.stop();
    daemon.start_binary(&wrapper);
    for level in ["off", "guard"] {
        let id = start(&daemon, &space, level, &["sleep", "600"]);
        let program = daemon.session(&id)["pid"].as_i64().expect("a running program") as i32;
        for pid in around(&daemon, &id).into_iter().chain([daemon.pid(), program]) {
            assert!(!open(pid).contains(&left), "{level} {pid}: {:?}", open(pid));
        }
        assert_eq!(open(program).len(), 3, "{:?}", open(program));
    }
}

#[test]
fn it_writes_no_core_files_and_a_session_may_as_its_user_has_it() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let hard = of(std::process::id() as i32, "limits");
    let hard = hard.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("it");
    let hard = hard.split_whitespace().nth(1).expect("a limit");
    for level in ["off", "guard"] {
        let id = start(&daemon, &space, level, &["sh", "-c", "ulimit -S -c; echo end; sleep 600"]);
        for pid in around(&daemon, &id).into_iter().chain([daemon.pid()]) {
            let limits = line(pid, "limits", "Max core file size");
            assert_eq!(limits[..2], ["0", hard], "{level} {pid}");
        }
        daemon.wait_screen(&id, "0\nend");
    }
}

#[test]
fn keepers_give_up_new_privileges_and_leave_them_to_sessions_without_a_cage() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    for (level, inside) in [("off", "0"), ("guard", "1")] {
        let id = start(&daemon, &space, level, &["sleep", "600"]);
        for pid in around(&daemon, &id) {
            assert_eq!(line(pid, "status", "NoNewPrivs:"), ["1"], "{level} {pid}");
        }
        let program = daemon.session(&id)["pid"].as_i64().expect("a running program") as i32;
        assert_eq!(line(program, "status", "NoNewPrivs:"), [inside], "{level}");
    }
    assert_eq!(line(daemon.pid(), "status", "NoNewPrivs:"), ["0"], "its sessions would have it");
}

#[test]
fn programs_of_its_user_cannot_look_into_daemon_and_keepers() {
    let space = Space::new();
    let without = given_up("-sys_ptrace,-sys_admin,-perfmon");
    let script = format!("#!/bin/sh\nexec {without} {BINARY} \"$@\"\n");
    let wrapper = path_text(&space.write_program("starter", &script));
    let mut daemon = Daemon::start(&space);
    daemon.stop();
    daemon.start_binary(&wrapper);
    let id = start(&daemon, &space, "off", &["sleep", "600"]);
    let reads = |pid: i32| {
        let line = format!("exec {without} cat /proc/{pid}/environ /proc/{pid}/maps");
        Command::new("sh").args(["-c", &line]).output().expect("cat").status.success()
    };
    let program = daemon.session(&id)["pid"].as_i64().expect("a running program") as i32;
    assert!(reads(program), "what is a program of the user's can be read");
    for pid in around(&daemon, &id).into_iter().chain([daemon.pid()]) {
        assert!(!reads(pid), "{}", of(pid, "comm"));
    }
}

/// KiB of mappings of a process that are locked, in no dump and in no child.
fn kept(pid: i32) -> u64 {
    let smaps = of(pid, "smaps");
    let mut size = 0;
    let mut all = 0;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("Size:") => size = words.next().expect("a size").parse().expect("a number"),
            Some("VmFlags:") => {
                let flags: Vec<&str> = words.collect();
                if ["lo", "dd", "dc"].iter().all(|flag| flags.contains(flag)) {
                    all += size;
                }
            }
            _ => {}
        }
    }
    all
}

fn row(daemon: &Daemon<'_>) -> Value {
    let all = daemon.get("/doctor");
    let rows = all["checks"].as_array().expect("a list").iter();
    rows.into_iter().find(|row| row["name"] == "memory of secrets").expect("a row").clone()
}

fn secret_session(daemon: &Daemon<'_>, space: &Space) {
    daemon.post("/env-sets", &json!({"name": "one", "vars": {"A": "canary-value"}}));
    let body = json!({"provider": "command", "cwd": space.project, "envSetIds": ["one"],
        "args": ["sh", "-c", "echo \"<$A>\"; exec sleep 600"]});
    let started = daemon.post("/sessions", &body);
    daemon.wait_screen(started["session"]["id"].as_str().expect("an id"), "<canary-value>");
}

#[test]
fn the_key_and_known_secrets_are_in_locked_memory() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    secret_session(&daemon, &space);
    let (locked, row) = (line(daemon.pid(), "status", "VmLck:"), row(&daemon));
    assert!(locked[0].parse::<u64>().expect("a number") >= 8, "{locked:?}");
    assert!(kept(daemon.pid()) >= 8, "a page for the key, and one or more for the value");
    assert_eq!(row["ok"], true, "{row}");
    daemon.crash_and_restart();
    wait_until("what the session got to be known again", SOON, || kept(daemon.pid()) >= 8);
}

#[test]
fn where_no_memory_can_be_locked_everything_works_and_the_doctor_says_so() {
    let space = Space::new();
    let without = given_up("-ipc_lock");
    let script = format!("#!/bin/sh\nulimit -l 0\nexec {without} {BINARY} \"$@\"\n");
    let wrapper = path_text(&space.write_program("starter", &script));
    let mut daemon = Daemon::start(&space);
    daemon.stop();
    daemon.start_binary(&wrapper);
    secret_session(&daemon, &space);
    assert_eq!(line(daemon.pid(), "status", "VmLck:"), ["0", "kB"]);
    let row = row(&daemon);
    assert_eq!(row["ok"], false, "{row}");
    assert!(row["fix"].to_string().contains("LimitMEMLOCK"), "{row}");
    let log = fs::read_to_string(space.root.join("daemon.out")).expect("its log");
    assert_eq!(log.matches("swapped out").count(), 1, "{log}");
}

/// A repository whose settings name a program wherever git takes one, and files that other tools
/// take such names from.
fn hostile(space: &Space, project: &Path, mark: &Path) {
    let script = format!("#!/bin/sh\necho \"$0 $*\" >>{}\n", mark.display());
    let named = path_text(&space.write_program("named", &script));
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        let done = command.args(args).current_dir(project).env_clear().envs(&space.env).output();
        assert!(done.expect("git").status.success(), "{args:?}");
    };
    git(&["init", "-q"]);
    for key in ["core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "diff.external"] {
        git(&["config", key, &named]);
    }
    git(&["config", "core.hooksPath", &path_text(&space.root)]);
    git(&["config", "alias.status", &format!("!{named}")]);
    for (file, text) in [
        (".envrc", named.clone()),
        ("bunfig.toml", "preload = [\"./named.js\"]\n".to_string()),
        (".npmrc", format!("script-shell={named}\n")),
        (".bashrc", named.clone()),
        (".profile", named.clone()),
    ] {
        fs::write(project.join(file), text).expect("a file of the repository's");
    }
    git(&["diff"]);
    assert!(mark.exists(), "who runs git there runs it");
    fs::remove_file(mark).expect("removed");
}

#[test]
fn no_repository_names_a_program_that_daemon_or_client_runs() {
    let space = Space::new();
    let mark = space.root.join("mark");
    Inside::install_claude(&space);
    hostile(&space, &space.project, &mark);
    // As a person would who starts it from within a repository.
    let script = format!("#!/bin/sh\ncd {}\nexec {BINARY} \"$@\"\n", space.project.display());
    let wrapper = path_text(&space.write_program("starter", &script));
    let mut daemon = Daemon::start(&space);
    daemon.stop();
    daemon.start_binary(&wrapper);
    for level in ["off", "guard", "workspace", "strict"] {
        start(&daemon, &space, level, &["sleep", "600"]);
    }
    let inside = Inside::start_claude(&space, &daemon, "agent");
    hostile(&space, &inside.dir, &mark);
    inside.greet("conversation", &json!({"cwd": inside.dir}));
    let ran = inside.hook(&json!({"hook_event_name": "PreToolUse", "session_id": "conversation",
        "tool_name": "Bash", "tool_use_id": "t1", "cwd": inside.dir,
        "tool_input": {"command": "git status && git diff"}}));
    assert!(ran["stdout"].to_string().contains("ermission"), "it was judged: {ran}");
    for line in [&["ls"][..], &["doctor"], &["audit"], &["sandbox", "grants"]] {
        space.cli(line).run();
    }
    let project = path_text(&space.project);
    space.cli(&["start", "-p", "command", "-d", &project, "--show-env", "--", "true"]).expect(0);
    assert!(!mark.exists(), "{}", fs::read_to_string(&mark).unwrap_or_default());
}
