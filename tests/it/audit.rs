//! Promise: whoever was answered has a row in the audit log, the log shows who changed what, and
//! nobody rewrites it unnoticed.

use crate::hook_calls::open;
use crate::hook_calls::order;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::time::Duration;

/// One call of its own.
fn call(number: usize) -> String {
    json!({
        "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "cwd": "/tmp", "tool_name": "Bash", "tool_use_id": format!("toolu_{number}"),
        "tool_input": {"command": format!("echo {number}")},
    })
    .to_string()
}

fn rows(space: &Space, words: &[&str]) -> Vec<Value> {
    let out = space.cli(&[&["audit", "export"], words].concat()).expect(0).stdout;
    out.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

#[test]
fn no_answered_call_is_without_its_row_wherever_the_daemon_is_killed() {
    const KILLS: usize = 200;
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    space.cli(&["audit", "key", "--yes"]).expect(0);
    let inside = open(&space, &daemon);
    let mut answered = Vec::new();
    for number in 0..KILLS {
        let told = inside.tell(&order(&call(number), &[]));
        // From before the hook has started to well behind its answer, in steps of no order.
        std::thread::sleep(Duration::from_micros(number as u64 * 7919 % 30_000));
        daemon.crash_and_restart();
        // A hook that lost its daemon asks the next one.
        if inside.result(told)["code"] == 0 {
            answered.push(format!("toolu_{number}"));
        }
    }
    assert!(answered.len() > KILLS / 2, "{} were answered", answered.len());
    let kept: Vec<Value> = rows(&space, &["--kind", "decision"]);
    for id in answered {
        let of = kept.iter().filter(|row| row["toolUseId"] == *id);
        assert!(of.count() == 1, "the answered call {id} has one row");
    }
    let verified = space.cli(&["audit", "verify", "--json"]).expect(0).json();
    assert_eq!(verified["findings"], json!([]), "{verified}");
}

#[test]
fn the_log_says_who_changed_what_and_a_policy_has_a_history() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    space.write("project/one.json", r#"[{"action": "deny", "command": "git push"}]"#);
    space.write("project/two.json", r#"[{"action": "deny", "command": "git push *"}]"#);
    let make = ["policy", "create", "--name", "mine", "--rules", "@one.json"];
    space.cli(&make).expect(0);
    space.cli(&["policy", "update", "mine", "--rules", "@two.json"]).expect(0);
    space.cli(&["settings", "maxSessions", "33"]).expect(0);
    let id = daemon.start_session(&["cat"]);
    space.cli(&["policy-set", "apply", "standard", &id]).run();
    let history = space.cli(&["policy", "history", "mine"]).expect(0).stdout;
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines.len(), 5, "{history}");
    assert!(lines[0].contains("version 1") && lines[0].contains("control pid"), "{history}");
    assert!(lines[1].starts_with("  + ") && lines[1].contains("git push"), "{history}");
    assert!(lines[3].starts_with("  - ") && lines[4].starts_with("  + "), "{history}");
    let setting = &rows(&space, &["--kind", "setting"])[0];
    assert_eq!(
        (&setting["args"]["setting"], &setting["args"]["is"]),
        (&json!("maxSessions"), &json!(33))
    );
    assert!(setting["client"].as_str().is_some_and(|by| by.contains("(codepiper)")), "{setting}");
    space.cli(&["policy", "delete", "mine"]).expect(0);
    let last = rows(&space, &["--kind", "policy"]).pop().expect("a row");
    assert_eq!(last["reason"], "policy mine removed");
}

#[test]
fn the_table_has_the_fields_and_secrets_never_reach_the_disk() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    let secret = format!("ghp_{}", "a1B2".repeat(9));
    let call = call(1).replace("echo 1", &format!("gh auth {secret} \\u001b[2K"));
    assert_eq!(inside.ask(&order(&call, &[]))["code"], 0);
    let table = space.cli(&["audit", "--limit", "5"]).expect(0).stdout;
    let head = table.lines().next().expect("a head");
    for name in [
        "Timestamp",
        "Session ID",
        "Tool name and arguments",
        "Matched policy and rule",
        "Decision",
        "Reason",
    ] {
        assert!(head.contains(name), "{name}: {head}");
    }
    let row = table.lines().last().expect("a row");
    assert!(row.contains("Bash gh auth [redacted:github-token] \\x1b[2K"), "{row}");
    assert!(row.contains("  ask  "), "what has control characters is asked: {row}");
    let csv = space.cli(&["audit", "export", "--format", "csv"]).expect(0).stdout;
    assert!(csv.lines().count() >= 4 && !csv.contains('\u{1b}'), "{csv}");
    assert!(daemon.stop().success());
    assert_nowhere(&space, &secret);
}

#[test]
fn a_secret_in_what_hooks_tell_never_reaches_the_disk() {
    let space = Space::new();
    Inside::install_claude(&space);
    let mut daemon = Daemon::start(&space);
    let inside = Inside::start_claude(&space, &daemon, "told");
    let secret = format!("ghp_{}", "c3D4".repeat(9));
    for name in ["UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure"] {
        let words = format!("gh auth {secret}");
        inside.hook(&json!({
            "hook_event_name": name, "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
            "transcript_path": "/tmp/t.jsonl", "cwd": "/tmp", "tool_name": "Bash",
            "tool_input": {"command": words}, "tool_use_id": "c1", "prompt": words, "error": words,
        }));
    }
    let events = daemon.get(&format!("/sessions/{}/events?source=hook", inside.id)).to_string();
    assert_eq!(events.matches("gh auth [redacted:github-token]").count(), 9, "{events}");
    assert_nowhere(&space, &secret);
    assert!(daemon.stop().success());
    assert_nowhere(&space, &secret);
}

/// None of the daemon's own files has these words, nor what has yet to be moved into one.
#[track_caller]
fn assert_nowhere(space: &Space, words: &str) {
    for name in ["codepiper.db", "codepiper.db-wal", "daemon.log", "audit.head"] {
        let Ok(bytes) = fs::read(space.state.join(name)) else { continue };
        let found = bytes.windows(words.len()).any(|part| part == words.as_bytes());
        assert!(!found, "{name} has the token");
    }
}

#[test]
fn a_check_needs_no_daemon_and_a_missing_key_denies_and_says_why() {
    let space = Space::new();
    let mut daemon = Daemon::start(&space);
    let inside = open(&space, &daemon);
    space.cli(&["audit", "key"]).expect(5);
    let made = space.cli(&["audit", "key", "--yes", "--json"]).expect(0).json();
    let key = made["key"].as_str().expect("a key");
    let file = path_text(&space.write("project/key.txt", key));
    assert_eq!(inside.ask(&order(&call(1), &[]))["code"], 0);
    let head = space.cli(&["audit", "head"]).expect(0).stdout;
    let check = |code: i32| {
        let words = ["audit", "verify", "--key-file", &file, "--head", head.trim()];
        space.cli(&words).expect(code)
    };
    check(0);
    space.cli(&["audit", "verify", "--key", "-"]).stdin(key.as_bytes()).expect(0);
    let typed = space.cli(&["audit", "verify", "--key", key]).expect(0);
    assert!(typed.stderr.contains("--key-file"), "{}", typed.stderr);
    assert!(daemon.stop().success());
    let out = check(0);
    assert!(out.stdout.contains("every row fits"), "{}", out.stdout);
    fs::remove_file(space.state.join("audit.key")).expect("the key's file");
    let out = check(1);
    assert!(out.stdout.contains("TAMPERED  key"), "{}", out.stdout);
    daemon.start_binary(BINARY);
    deny(&inside, "is missing");
    space.cli(&["audit", "key", "--yes"]).expect(0);
    assert_eq!(inside.ask(&order(&call(3), &[]))["code"], 0);
}

#[track_caller]
fn deny(inside: &Inside, why: &str) {
    let ran = inside.ask(&order(&call(2), &[]));
    assert_eq!(ran["code"], 2, "{ran}");
    assert!(ran["stderr"].as_str().is_some_and(|text| text.contains(why)), "{ran}");
}
