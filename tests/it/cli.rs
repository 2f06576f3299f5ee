//! The command line is an interface: what it types, prints and returns is what scripts build on.

use crate::support::cli::Out;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use std::collections::HashSet;
use std::fs;

/// Asks for marked pastes and writes each read() as one line to the file `reads`; ends at `quit`.
const READS: &str = r#"
import os, sys, tty
tty.setraw(0)
out = open("reads", "w", buffering=1)
print("\x1b[?2004hreading", end="", flush=True)
while True:
    chunk = os.read(0, 65536)
    out.write(repr(chunk) + "\n")
    if b"quit" in chunk: break
"#;

fn reader(space: &Space, daemon: &Daemon<'_>) -> String {
    let path = space.write("project/reads.py", READS);
    let id = daemon.start_session(&["/usr/bin/python3", path.to_str().expect("text")]);
    daemon.wait_screen(&id, "reading");
    id
}

/// Returns when the reader has read so many times, with what.
#[track_caller]
fn reads(space: &Space, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(space.project.join("reads")).unwrap_or_default();
    wait_until(&format!("{count} reads"), SOON, || read().lines().count() >= count);
    read().lines().map(str::to_string).collect()
}

/// A session called `name` that prints `hello`, `again`, and waits for a line.
fn hello(space: &Space, daemon: &Daemon<'_>, name: &str) -> String {
    let script = "echo hello; echo again; read -r line; echo \"got $line\"; exit 3";
    let line = ["start", "-p", "command", "-n", name, "--json", "--", "bash", "-c", script];
    let started = space.cli(&line).expect(0).json();
    let id = started["session"]["id"].as_str().expect("an id").to_string();
    daemon.wait_screen(&id, "again");
    id
}

#[test]
fn send_types_words_with_dashes_and_enter_comes_in_a_later_read() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = reader(&space, &daemon);
    space.cli(&["send", &id, "fix", "-it", "--now", "--wait"]).expect(0);
    let typed = reads(&space, 2);
    assert_eq!(typed.len(), 2, "{typed:?}");
    assert!(typed[0].contains("fix -it --now --wait"), "{typed:?}");
    assert!(!typed[0].contains("\\r"), "{typed:?}");
    assert_eq!(typed[1], "b'\\r'");
}

#[test]
fn send_gives_several_lines_as_one_marked_paste() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = reader(&space, &daemon);
    let text = "one\ntwo --x\n\tthree \u{65e5}\u{1b}[201~\u{3}";
    space.cli(&["send", &id, "-"]).stdin(format!("{text}\n").as_bytes()).expect(0);
    let typed = reads(&space, 2);
    let expected = "\x1b[200~one\ntwo --x\n\tthree 日␛[201~␃\x1b[201~";
    let shown: String = expected
        .bytes()
        .map(|b| match b {
            b'\n' => "\\n".to_string(),
            b'\t' => "\\t".to_string(),
            0x20..=0x7e => char::from(b).to_string(),
            b => format!("\\x{b:02x}"),
        })
        .collect();
    assert_eq!(typed, [format!("b'{shown}'"), "b'\\r'".to_string()]);
    space.cli(&["send", "--no-newline", &id, "quit"]).expect(0);
    space.cli(&["wait", &id, "--timeout", "20s"]).expect(0);
    assert_eq!(reads(&space, 3).len(), 3, "no Enter behind --no-newline");
}

#[test]
fn keys_are_pressed_by_name_and_an_unknown_one_presses_none() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = reader(&space, &daemon);
    let out = space.cli(&["keys", &id, "a", "frob"]).expect(2);
    assert!(out.stderr.contains("frob"), "{}", out.stderr);
    space.cli(&["keys", &id, "ctrl+c", "up", "tab", "escape", "x", "enter"]).expect(0);
    space.cli(&["send", "--no-newline", &id, "quit"]).expect(0);
    space.cli(&["wait", &id, "--timeout", "20s"]).expect(0);
    let all: String = reads(&space, 1).iter().map(|l| l[2..l.len() - 1].to_string()).collect();
    assert!(all.starts_with(r"\x03\x1b[A\t\x1bx\r"), "{all}");
}

#[test]
fn tail_prints_the_last_lines_all_of_them_or_what_follows() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let script = "printf '\\033[31mred\\033[0m\\n'; seq 1 300; read -r go; seq 301 5000; exit 2";
    let id = daemon.start_session(&["bash", "-c", script]);
    daemon.wait_screen(&id, "300");
    let lines = |out: Out| out.stdout.lines().map(str::to_string).collect::<Vec<String>>();
    assert_eq!(lines(space.cli(&["tail", "-n", "2", &id]).expect(0)), ["299", "300"]);
    assert_eq!(lines(space.cli(&["tail", &id]).expect(0)).len(), 20);
    let log = daemon.log(&id);
    assert!(log.starts_with(b"\x1b[31mred\x1b[0m\r\n"));
    let all = space.cli(&["tail", "-n", "all", "--raw", &id]).expect(0);
    assert_eq!(all.stdout.as_bytes(), log);
    space.cli(&["tail", "-n", "many", &id]).expect(2);
    let following = space.cli(&["tail", "-f", "-n", "all", &id]);
    let out = std::thread::scope(|scope| {
        let out = scope.spawn(|| following.expect(0));
        space.cli(&["send", &id, "go"]).expect(0);
        out.join().expect("tail -f")
    });
    assert!(out.stdout.starts_with("\x1b[31mred"), "from the first byte on: {}", out.stdout);
    assert!(out.stdout.ends_with("4999\r\n5000\r\n"), "ends with all of it");
    let log = String::from_utf8(daemon.log(&id)).expect("text");
    assert!(log.ends_with(&out.stdout), "neither lost nor doubled");
}

#[test]
fn tail_shows_control_bytes_on_a_terminal_and_obeys_them_only_when_told_to() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let script = "printf 'A\\033]0;title\\007\\033[31mred\\033[5n\\n'; read -r go";
    let id = daemon.start_session(&["bash", "-c", script]);
    daemon.wait_screen(&id, "red");
    let shown = Tmux::start(&space, 80, 24, &format!("{BINARY} tail {id}"));
    shown.wait_text("red");
    assert!(!shown.colours().contains("\x1b[31m"), "{}", shown.colours());
    assert!(shown.screen().contains("[31mred"), "{}", shown.screen());
    let raw = Tmux::start(&space, 80, 24, &format!("{BINARY} tail --raw {id}"));
    raw.wait_text("Ared");
    assert!(raw.colours().contains("\x1b[31mred"), "{}", raw.colours());
}

#[test]
fn each_exit_code_means_what_help_says() {
    let space = Space::new();
    space.cli(&["sessions"]).expect(3);
    space.cli(&["daemon", "status"]).expect(3);
    space.cli(&["version"]).expect(0);
    let daemon = Daemon::start(&space);
    let id = hello(&space, &daemon, "build");
    space.cli(&["daemon", "status"]).expect(0);
    space.cli(&["show", &id]).expect(0);
    let late = space.cli(&["wait", "build", "--timeout", "1s"]).expect(124);
    assert!(late.stderr.contains("build is not ended yet"), "{}", late.stderr);
    space.cli(&["show"]).expect(2);
    space.cli(&["show", &id, "--no-such-option"]).expect(2);
    space.cli(&["wait", &id, "--timeout", "soon"]).expect(2);
    space.cli(&["start", "-p", "no-such-provider"]).expect(2);
    space.cli(&["show", "no-such-session"]).expect(4);
    let refused = space.cli(&["rm", &id]).expect(1);
    assert!(refused.stderr.contains("stop"), "the way out: {}", refused.stderr);
    let failed = space.cli(&["start", "-p", "command", "--", "no-such-program"]).expect(1);
    assert!(failed.stderr.contains("no-such-program"), "{}", failed.stderr);
    let both = space.cli(&["stop", "no-such-session", &id]).expect(4);
    assert!(both.stdout.contains("build") || both.stdout.contains(&id[..8]), "{}", both.stdout);
    space.cli(&["wait", &id, "--timeout", "20s"]).expect(0);
    space.cli(&["rm", &id]).expect(0);
    space.cli(&["show", &id]).expect(4);
}

#[test]
fn a_session_is_found_by_id_by_the_start_of_its_id_and_by_name() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = hello(&space, &daemon, "build");
    for word in [&id[..], &id[..8], &id[..6], "build"] {
        assert_eq!(space.cli(&["show", word, "--json"]).expect(0).json()["session"]["id"], id[..]);
    }
    space.cli(&["rename", "build", "other"]).expect(0);
    space.cli(&["show", "build"]).expect(4);
    space.cli(&["show", "other"]).expect(0);
    // Seventeen ids: at least two begin alike.
    let mut ids = vec![id];
    ids.extend((0..16).map(|_| daemon.start_session(&["sleep", "1000"])));
    let mut seen = HashSet::new();
    let twice = ids.iter().find(|id| !seen.insert(&id[..1])).expect("sixteen digits");
    let out = space.cli(&["show", &twice[..1]]).run();
    assert!(matches!(out.status.code(), Some(1 | 2 | 4)), "{out:?}");
    assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{out:?}");
}

#[test]
fn json_of_every_command_is_json() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = hello(&space, &daemon, "build");
    let json =
        |line: &[&str]| -> Value { space.cli(&[line, &["--json"]].concat()).expect(0).json() };
    let listed = json(&["sessions"]);
    assert_eq!(listed["sessions"][0]["id"], id[..]);
    assert_eq!(json(&["show", &id])["session"]["name"], "build");
    assert!(json(&["tail", &id])["output"].as_str().expect("text").contains("again"));
    assert!(json(&["logs", &id])["events"].is_array());
    assert!(json(&["version"])["daemon"]["version"].is_string());
    assert!(json(&["providers"])["providers"].is_array());
    for line in [
        &["settings"][..],
        &["settings", "maxSessions"],
        &["settings", "maxSessions", "90"],
        &["daemon", "status"],
        &["resize", &id, "100", "30"],
        &["rename", &id, "other"],
        &["keys", &id, "x"],
    ] {
        assert!(json(line).is_object(), "{line:?}");
    }
    let doctor = space.cli(&["doctor", "--json"]).run();
    assert!(doctor.json().is_object(), "{doctor:?}");
    assert!(json_line(&space, &["send", "--json", &id, "over"]).is_object());
    assert_eq!(json(&["wait", &id, "--timeout", "20s"])["session"]["exitCode"], 3);
    assert!(json(&["resume", &id]).is_object());
    assert!(json(&["stop", &id]).is_object());
    assert!(json(&["resume", &id]).is_object());
    assert!(json(&["kill", &id]).is_object());
    assert!(json(&["rm", &id]).is_object());
    assert!(json(&["prune", "--older-than", "1s"]).is_object());
    let error = space.cli(&["show", "nobody", "--json"]).expect(4);
    let error: Value = serde_json::from_str(&error.stderr).expect("errors are JSON too");
    assert_eq!(error["code"], "not_found");
}

fn json_line(space: &Space, line: &[&str]) -> Value {
    space.cli(line).expect(0).json()
}

#[test]
fn an_export_is_an_asciicast_with_every_byte_and_the_times() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let script = "printf '日本\\033[31mred\\n'; read -r go; sleep 0.3; echo late; exit 5";
    let id = daemon.start_session(&["bash", "-c", script]);
    daemon.wait_screen(&id, "red");
    space.cli(&["resize", &id, "91", "27"]).expect(0);
    space.cli(&["send", &id, "go"]).expect(0);
    space.cli(&["wait", &id, "--timeout", "20s"]).expect(0);
    let out = space.cli(&["replay", &id, "--export", "cast"]).expect(0);
    let lines: Vec<Value> = out
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let head = &lines[0];
    assert_eq!(head["version"], 3);
    assert!(head["term"]["cols"].as_u64() > Some(0) && head["term"]["rows"].as_u64() > Some(0));
    assert!(head["timestamp"].as_u64() > Some(1_700_000_000), "{head}");
    let (mut output, mut seconds) = (String::new(), 0.0);
    for event in &lines[1..] {
        assert_eq!(event.as_array().map(Vec::len), Some(3), "{event}");
        let time = event[0].as_f64().expect("seconds since the line before");
        assert!((0.0..60.0).contains(&time), "{event}");
        seconds += time;
        let data = event[2].as_str().expect("text");
        match event[1].as_str() {
            Some("o") => output.push_str(data),
            Some("r" | "m" | "x") => {}
            _ => panic!("an unknown event: {event}"),
        }
    }
    assert_eq!(output.as_bytes(), daemon.log(&id));
    assert!((0.3..60.0).contains(&seconds), "{seconds}");
    assert!(lines.iter().any(|l| l[1] == "r" && l[2] == "91x27"), "{}", out.stdout);
    let last = lines.last().expect("lines");
    assert_eq!((&last[1], &last[2]), (&Value::from("x"), &Value::from("5")));
    let file = space.root.join("a.cast");
    let file = file.to_str().expect("text");
    space.cli(&["replay", &id, "--export", "cast", "-o", file]).expect(0);
    assert_eq!(fs::read_to_string(file).expect("the file"), out.stdout);
    space.cli(&["replay", &id, "--export", "gif"]).expect(2);
}
