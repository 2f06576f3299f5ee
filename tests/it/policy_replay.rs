//! What a draft would have said of the calls on record, and why one was decided as it was.

use crate::hook_gate::set_policy;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;

const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ456789";

fn call(command: &str) -> Value {
    json!({
        "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "permission_mode": "default",
        "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": "toolu_1",
    })
}

#[test]
fn a_draft_shows_what_it_would_change_and_a_decision_what_it_would_be_today() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    set_policy(&daemon, &json!([{"id": "tests", "action": "allow", "command": "cargo test"}])).ok();
    let agent = Inside::start_claude(&space, &daemon, "agent");
    for command in ["cargo test", "make all", "cargo test", &format!("deploy {TOKEN}")] {
        agent.hook(&call(command));
    }
    let head = daemon.get("/audit/head")["head"].clone();
    let draft = "deny shell cargo test ; id no\nallow shell make all ; id yes\n";
    let file = path_text(&space.write("draft.rules", draft));
    let line = ["policy", "replay", &file, "--since", "1h", "--session", &agent.id];
    let said = space.cli(&[&line[..], &["--json"]].concat()).expect(0).json();
    let changed = said["changed"].as_array().expect("a list");
    let short: Vec<Value> =
        changed.iter().map(|c| json!([c["call"], c["was"], c["would"], c["times"]])).collect();
    let want =
        json!([["Bash make all", "ask", "allow", 1], ["Bash cargo test", "allow", "deny", 2],]);
    assert_eq!(json!(short), want, "{said}");
    assert_eq!((&said["rows"], &said["inexact"]), (&json!(4), &json!(1)), "{said}");
    let counts = json!({"allow": {"deny": 2}, "ask": {"allow": 1, "ask": 1}});
    assert_eq!(said["counts"], counts);
    let table = space.cli(&line).expect(0).stdout;
    for words in ["cargo test", ": no", "allow -> deny   2", "4 calls judged again", "1 of them"] {
        assert!(table.contains(words), "no {words:?} in\n{table}");
    }
    assert_eq!(daemon.get("/audit/head")["head"], head, "nothing was written");

    set_policy(&daemon, &json!([{"id": "late", "action": "deny", "command": "cargo test"}])).ok();
    let row = changed[1]["seq"].to_string();
    let line = ["policy", "explain", "--decision", &row];
    let said = space.cli(&[&line[..], &["--json"]].concat()).expect(0).json();
    let rules = [&said["entry"]["ruleId"], &said["today"]["rule"]];
    assert_eq!((rules, &said["inexact"]), ([&json!("tests"), &json!("late")], &json!(false)));
    let shown = space.cli(&line).expect(0).stdout;
    for words in ["Bash cargo test\n", "(rule, mine: tests, version 1)", "today:\ndeny: "] {
        assert!(shown.contains(words), "no {words:?} in\n{shown}");
    }
}
