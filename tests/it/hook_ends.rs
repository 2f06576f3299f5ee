//! The promise: whatever happens to a hook's own process, short of SIGKILL, the tool does not run,
//! and an event that only tells stops nobody. Goes with `hook_failures.rs`.

use crate::hook_calls::SOON_OVER;
use crate::hook_calls::allow;
use crate::hook_calls::around;
use crate::hook_calls::hook_of;
use crate::hook_calls::open;
use crate::hook_calls::order;
use crate::hook_calls::program_of;
use crate::hook_calls::shell;
use crate::hook_calls::stdin;
use crate::hook_calls::walk;
use crate::hook_gate::set_policy;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::fake::Fake;
use crate::support::space::Space;
use crate::support::space::path_text;
use codepiper::cli::hook::table::Failure;
use codepiper::limits;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;

/// Starts a hook in a process that a test will kill, and collects the orphan as its subreaper.
const ORPHAN: &str = "
import ctypes, os, signal, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)
middle = os.fork()
if middle == 0:
    subprocess.call(sys.argv[1:])
    signal.pause()
os.waitpid(middle, 0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
";

/// A pipe that nobody will read from.
const NO_READER: &str = "exec python3 -c '
import os, subprocess, sys
read, write = os.pipe()
os.close(read)
sys.exit(subprocess.call(sys.argv[1:], stdout=write))' \"$0\" hook-forward";

/// A fake that lets the call run, but only when it is told to go on.
fn waiting(path: PathBuf) -> (Fake, Sender<()>) {
    let (go, told) = channel();
    let told = Mutex::new(told);
    let fake = Fake::start(path, move |stream| {
        let _ = told.lock().expect("one at a time").recv();
        let _ = stream.write_all(&allow());
    });
    (fake, go)
}

#[test]
fn a_signal_that_asks_to_end_blocks() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let program = program_of(&daemon, &inside);
    let fake = Fake::silent(space.root.join("fake.sock"));
    let socket = path_text(&fake.path);
    for signal in [Name::SIGTERM, Name::SIGINT, Name::SIGHUP, Name::SIGQUIT] {
        walk(Failure::Withdrawn, signal.as_str(), "withdrew", |event| {
            let asked = inside.tell(&order(&stdin(event), &[("CODEPIPER_UNIX_SOCK", &socket)]));
            fake.wait_asked();
            proc::signal(hook_of(program), signal).expect("a hook that waits");
            inside.result(asked)
        });
    }
}

#[test]
fn a_signal_that_would_end_other_programs_changes_nothing() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let program = program_of(&daemon, &inside);
    let (fake, go) = waiting(space.root.join("fake.sock"));
    let socket = path_text(&fake.path);
    let asked = inside.tell(&order(&stdin("PreToolUse"), &[("CODEPIPER_UNIX_SOCK", &socket)]));
    fake.wait_asked();
    let hook = hook_of(program);
    // All but those that ask to end, the two that nobody can block, and the C library's own two.
    let numbers = (1..=64).filter(|n| ![1, 2, 3, 15, 9, 19, 32, 33].contains(n));
    let line: String = numbers.map(|n| format!("kill -{n} {hook} || exit; ")).collect();
    let sent = Command::new("/bin/bash").args(["-c", &line]).status().expect("bash");
    assert!(sent.success(), "{sent}");
    go.send(()).expect("a fake that waits");
    let ran = inside.result(asked);
    assert_eq!((&ran["code"], &ran["stderr"]), (&json!(0), &json!("")), "{ran}");
    assert!(ran["stdout"].as_str().is_some_and(|text| text.contains("\"allow\"")), "{ran}");
}

#[test]
fn a_hook_whose_agent_has_gone_blocks_and_ends() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let program = program_of(&daemon, &inside);
    let fake = Fake::silent(space.root.join("fake.sock"));
    let socket = path_text(&fake.path);
    walk(Failure::Orphaned, "orphaned", "the agent has gone", |event| {
        let argv = ["/usr/bin/python3", "-c", ORPHAN, BINARY, "hook-forward"];
        let env = [("CODEPIPER_UNIX_SOCK", socket.as_str())];
        let asked = inside.tell(&around(&argv, &stdin(event), &env));
        fake.wait_asked();
        let parent = proc::stat(hook_of(program)).expect("a hook that waits").ppid;
        proc::signal(parent, Name::SIGKILL).expect("its parent");
        inside.result(asked)
    });
}

#[test]
fn an_answer_that_nobody_reads_blocks_and_is_not_taken_for_a_yes() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    for rule in ["allow", "deny", "ask"] {
        set_policy(&daemon, &json!([{"action": rule, "tool": "*"}])).ok();
        for (what, line) in [
            ("closed", "exec \"$0\" hook-forward >&-"),
            ("the null device", "exec \"$0\" hook-forward >/dev/null"),
            ("full", "exec \"$0\" hook-forward >/dev/full"),
            ("without a reader", NO_READER),
        ] {
            let what = format!("{rule}, stdout {what}");
            walk(Failure::Unread, &what, "nobody reads", |event| {
                inside.ask(&shell(line, &stdin(event), &[]))
            });
        }
    }
}

#[test]
fn the_exit_code_blocks_also_when_stdin_or_stderr_is_closed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    for (what, line) in [
        ("no stdin", "exec \"$0\" hook-forward <&-"),
        ("no stderr", "exec \"$0\" hook-forward 2>&-"),
        ("none at all", "exec \"$0\" hook-forward <&- >&- 2>&-"),
        ("a full disk for stderr", "exec \"$0\" hook-forward 2>/dev/full"),
        ("a directory as stdin", "exec \"$0\" hook-forward </"),
    ] {
        let env = [("CODEPIPER_SECRET", "0000")];
        let ran = inside.ask(&shell(line, &stdin("PreToolUse"), &env));
        assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{what}: {ran}");
    }
    // A good call needs no stderr.
    let ran = inside.ask(&shell("exec \"$0\" hook-forward 2>&-", &stdin("PreToolUse"), &[]));
    assert_eq!(ran["code"], 0, "{ran}");
    assert!(ran["stdout"].as_str().is_some_and(|text| text.contains("\"allow\"")), "{ran}");
}

#[test]
fn a_machine_without_memory_or_descriptors_blocks() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let file = path_text(&space.root.join("large"));
    walk(Failure::Broken, "no memory", "no memory", |event| {
        let mut call: Value = serde_json::from_str(&stdin(event)).expect("JSON");
        call["tool_input"]["command"] = json!("x".repeat(limits::gate::HOOK_STDIN_BYTES - 1000));
        fs::write(&file, call.to_string()).expect("a file");
        let line = format!("ulimit -d 8192; exec \"$0\" hook-forward <{file}");
        inside.ask(&shell(&line, "", &[SOON_OVER]))
    });
    // One less than it needs, until there are enough.
    let ends: Vec<i64> = (4..8)
        .map(|most| {
            let line = format!("ulimit -n {most}; exec \"$0\" hook-forward");
            inside.ask(&shell(&line, &stdin("PreToolUse"), &[SOON_OVER]))["code"].as_i64()
        })
        .map(|code| code.expect("a code"))
        .collect();
    assert!(ends.iter().all(|code| [0, 2].contains(code)), "{ends:?}");
    assert_eq!((ends[0], ends[3]), (2, 0), "{ends:?}");
}

#[test]
fn a_program_replaced_or_removed_during_the_call_still_answers() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let copy = space.root.join("copy");
    let change: [(&str, &dyn Fn()); 3] = [
        ("replaced", &|| {
            let new = space.write_program("new", "#!/bin/sh\nexit 0\n");
            fs::rename(new, &copy).expect("a program in its place");
        }),
        ("removed", &|| fs::remove_file(&copy).expect("the program")),
        ("unreadable", &|| {
            fs::set_permissions(&copy, PermissionsExt::from_mode(0o000)).expect("mode 0");
        }),
    ];
    for (what, change) in change {
        let _ = fs::remove_file(&copy);
        fs::copy(BINARY, &copy).expect("a copy");
        let (fake, go) = waiting(space.root.join(format!("{what}.sock")));
        let (program, socket) = (path_text(&copy), path_text(&fake.path));
        let argv = [program.as_str(), "hook-forward"];
        let env = [("CODEPIPER_UNIX_SOCK", socket.as_str())];
        let asked = inside.tell(&around(&argv, &stdin("PreToolUse"), &env));
        fake.wait_asked();
        change();
        go.send(()).expect("a fake that waits");
        let ran = inside.result(asked);
        assert_eq!((&ran["code"], &ran["stderr"]), (&json!(0), &json!("")), "{what}: {ran}");
        let stdout = ran["stdout"].as_str().expect("text");
        assert!(stdout.contains("\"allow\""), "{what}: {ran}");
    }
}
