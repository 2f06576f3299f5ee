//! An attached terminal is the program's: every byte reaches it, watchers do not disturb it, its
//! size is that of whoever types; and afterwards the terminal is the user's again.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::Shown;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use std::fs;

/// Writes every byte it reads, in hex, to the file `hex`; ends at the text `end`.
const HEX: &str = r#"
import os, sys, tty
tty.setraw(0)
out = open("hex", "w", buffering=1)
print("reading", end="", flush=True)
seen = b""
while not seen.endswith(b"end"):
    chunk = os.read(0, 4096)
    seen += chunk
    out.write(chunk.hex())
"#;

/// Switches on what a terminal has, and waits for a line.
const MODES: &str = r"printf '\033[?1049h\033[?25l\033[?1h\033=\033[?1003h\033[?1006h\033[?2004h'
printf '\033[?6h\033[4h\033[3;9r\033[?7l\033[31m'; stty raw -echo
printf ready; head -c1 >/dev/null; exit 7";

fn attach<'a>(space: &'a Space, cols: u16, rows: u16, args: &str) -> Tmux<'a> {
    Tmux::start(space, cols, rows, &format!("{BINARY} attach {args}"))
}

fn hex_reader(space: &Space, daemon: &Daemon<'_>) -> String {
    let path = space.write("project/hex.py", HEX);
    let id = daemon.start_session(&["/usr/bin/python3", path.to_str().expect("text")]);
    daemon.wait_screen(&id, "reading");
    id
}

/// What [`HEX`] has read, once it has ended.
fn read_by(space: &Space, daemon: &Daemon<'_>, id: &str) -> String {
    space.cli(&["wait", id, "--timeout", "20s"]).expect(0);
    assert_eq!(daemon.session(id)["exitCode"], 0);
    fs::read_to_string(space.project.join("hex")).expect("the reader's file")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn every_control_byte_reaches_the_program_as_it_is() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = hex_reader(&space, &daemon);
    let terminal = attach(&space, 80, 24, &id);
    terminal.wait_text("reading");
    // Ctrl-\ passes too, because no d follows it.
    let all: Vec<u8> = (0..=0x7f).collect();
    terminal.keys(&["C-c"]);
    terminal.bytes(&all);
    terminal.text("日é");
    terminal.text("end");
    let expected = [b"\x03", &all[..], "日éend".as_bytes()].concat();
    assert_eq!(read_by(&space, &daemon, &id), hex(&expected));
    terminal.wait_text("ended: exit code 0");
}

#[test]
fn without_detach_keys_those_bytes_reach_the_program_too() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = hex_reader(&space, &daemon);
    let terminal = attach(&space, 80, 24, &format!("--detach-keys none {id}"));
    terminal.wait_text("reading");
    terminal.bytes(b"\x1cd\x1c\x1cd");
    terminal.text("end");
    assert_eq!(read_by(&space, &daemon, &id), hex(b"\x1cd\x1c\x1cdend"));
}

#[test]
fn other_detach_keys_leave_the_usual_ones_to_the_program() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = hex_reader(&space, &daemon);
    let terminal = attach(&space, 80, 24, &format!("--detach-keys ctrl-a,q {id}"));
    terminal.wait_text("reading");
    terminal.bytes(b"\x1cd");
    terminal.keys(&["C-a", "q"]);
    assert_eq!(terminal.wait_end(), 0);
    space.cli(&["send", "--no-newline", &id, "end"]).expect(0);
    assert_eq!(read_by(&space, &daemon, &id), hex(b"\x1cdend"));
}

#[test]
fn a_watcher_types_nothing_and_has_no_say_about_the_size() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = hex_reader(&space, &daemon);
    let owner = attach(&space, 100, 30, &id);
    owner.wait_text("reading");
    owner.text("x");
    wait_size(&daemon, &id, (100, 30));
    let watcher = attach(&space, 50, 10, &format!("-r {id}"));
    watcher.wait_text("reading");
    watcher.text("must not arrive");
    watcher.resize(55, 12);
    watcher.keys(&["C-c"]);
    watcher.keys(&["C-\\", "d"]);
    assert_eq!(watcher.wait_end(), 0, "{}", watcher.screen());
    assert_eq!(size(&daemon, &id), (100, 30));
    owner.text("end");
    assert_eq!(read_by(&space, &daemon, &id), hex(b"xend"));
}

#[test]
fn the_size_is_that_of_the_terminal_that_typed_last() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["bash", "--norc", "--noprofile"]);
    let large = attach(&space, 100, 30, &id);
    large.wait_text("bash-");
    wait_size(&daemon, &id, (100, 30));
    let small = attach(&space, 60, 20, &id);
    small.wait_text("bash-");
    for (terminal, text, expected) in
        [(&small, "20 60", (60, 20)), (&large, "30 100", (100, 30)), (&small, "20 60", (60, 20))]
    {
        terminal.text("clear; stty size");
        terminal.keys(&["Enter"]);
        terminal.wait_text(text);
        wait_size(&daemon, &id, expected);
    }
    // Only the typist's new size counts.
    large.resize(110, 33);
    small.resize(66, 22);
    wait_size(&daemon, &id, (66, 22));
}

fn size(daemon: &Daemon<'_>, id: &str) -> (u64, u64) {
    let session = daemon.session(id);
    (session["ptyCols"].as_u64().unwrap_or(0), session["ptyRows"].as_u64().unwrap_or(0))
}

#[track_caller]
fn wait_size(daemon: &Daemon<'_>, id: &str, wanted: (u64, u64)) {
    wait_until(&format!("the size {wanted:?}"), SOON, || size(daemon, id) == wanted);
}

/// A shell in a terminal; in it `attach` a program that switches everything on, then `leave`. What
/// comes back is a shell that works, in a terminal as it was.
#[track_caller]
fn the_terminal_is_given_back(code: &str, leave: impl Fn(&Daemon<'_>, &str, &Tmux<'_>)) {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["bash", "-c", MODES]);
    daemon.wait_screen(&id, "ready");
    let shell = Tmux::start(&space, 80, 24, "env PS1='> ' bash --norc --noprofile");
    shell.wait_text(">");
    let before = shell.modes();
    shell.text(&format!("stty -a >before; {BINARY} attach {id}; echo \"code-$?\""));
    shell.text("; stty -a >after; echo all-'over'");
    shell.keys(&["Enter"]);
    wait_until("the program's modes", SOON, || {
        let modes = shell.modes();
        modes.contains("cursor=0 alternate=1") && modes.contains("mouse=1,1")
    });
    shell.wait_screen("the program's screen", |s| s.trim() == "ready");
    leave(&daemon, &id, &shell);
    shell.wait_text("all-over");
    shell.wait_text(&format!("code-{code}"));
    let read = |name: &str| fs::read_to_string(space.project.join(name)).expect("stty's output");
    assert_eq!(read("after"), read("before"));
    let mut last = Shown::default();
    wait_until(&format!("the terminal's modes as they were: {before}"), SOON, || {
        last.0 = shell.modes();
        last.0 == before
    });
    shell.text("echo still-'here'");
    shell.keys(&["Enter"]);
    shell.wait_text("still-here");
    let here = shell.colours().lines().find(|l| l.contains("still-here")).map(str::to_string);
    assert!(!here.expect("a line").contains("\x1b[31m"), "the program's colour stays");
}

#[test]
fn after_a_detach_the_terminal_is_the_users_again() {
    the_terminal_is_given_back("0", |_, _, shell| shell.keys(&["C-\\", "d"]));
}

#[test]
fn after_the_programs_end_the_terminal_is_the_users_again() {
    the_terminal_is_given_back("0", |_, _, shell| {
        shell.text("x");
        shell.wait_text("ended: exit code 7");
    });
}

#[test]
fn after_a_killed_program_the_terminal_is_the_users_again() {
    the_terminal_is_given_back("0", |daemon, id, _| {
        daemon.post(&format!("/sessions/{id}/kill"), &serde_json::json!({}));
    });
}

#[test]
fn a_terminated_attach_gives_the_terminal_back() {
    the_terminal_is_given_back("143", |_, _, shell| {
        let attach = wait_for("the attach process", SOON, || {
            proc::descendants(shell.command_pid()).into_iter().find(|p| p.comm == "codepiper")
        });
        proc::signal(attach.pid, Name::SIGTERM).expect("SIGTERM");
    });
}

#[test]
fn attach_needs_a_terminal_and_a_session_that_lives() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let out = space.cli(&["attach"]).expect(2);
    assert!(out.stderr.contains("tail -f"), "{}", out.stderr);
    let none = Tmux::start(&space, 80, 24, &format!("{BINARY} attach; echo code-$?; sleep 99"));
    none.wait_text("code-2");
    none.wait_text("no session lives");
    let id = daemon.start_session(&["bash", "-c", "echo hello; read -r line"]);
    let only = attach(&space, 80, 24, "");
    only.wait_text("hello");
    only.keys(&["Enter"]);
    only.wait_text("ended: exit code");
    let late = format!("{BINARY} attach {id}; echo code-$?; sleep 99");
    let late = Tmux::start(&space, 80, 24, &late);
    late.wait_text("code-1");
    late.wait_text("has ended");
}
