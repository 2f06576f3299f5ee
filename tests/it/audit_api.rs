//! The promise: over the API the audit log is searched, taken along and checked as on the command
//! line.

use crate::hook_gate::set_policy;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use serde_json::Value;
use serde_json::json;

/// A log with some calls in it.
fn filled(space: &Space) -> (Daemon<'_>, String) {
    Inside::install_claude(space);
    let daemon = Daemon::start(space);
    set_policy(&daemon, &json!([{"id": "tests", "action": "allow", "command": "cargo test"}])).ok();
    let agent = Inside::start_claude(space, &daemon, "agent");
    for (tool, input) in [
        ("Bash", json!({"command": "cargo test"})),
        ("Bash", json!({"command": "=cmd \"quoted\", and more"})),
        ("Read", json!({"file_path": "/etc/hostname"})),
        ("Bash", json!({"command": "cargo build"})),
    ] {
        agent.hook(&json!({
            "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
            "transcript_path": "/tmp/t.jsonl", "permission_mode": "default",
            "tool_name": tool, "tool_input": input, "tool_use_id": "toolu_1",
        }));
    }
    (daemon, agent.id.clone())
}

fn commands(found: &Value) -> Vec<&str> {
    let list = found["entries"].as_array().expect("a list");
    list.iter().map(|entry| entry["args"]["command"].as_str().unwrap_or("")).collect()
}

#[test]
fn rows_are_found_by_tool_time_and_text_and_page_by_page() {
    let space = Space::new();
    let (daemon, id) = filled(&space);
    let get = |query: &str| daemon.get(&format!("/audit?sessionId={id}&kind=decision{query}"));
    assert_eq!(commands(&get("&text=CARGO")), ["cargo test", "cargo build"]);
    assert_eq!(commands(&get("&text=%22quoted%22")).len(), 1);
    assert_eq!(commands(&get("&text=mine")), ["cargo test"], "the policy's name");
    assert_eq!(commands(&get("&text=100%25")).len(), 0);
    assert_eq!(get("&tool=Read")["entries"][0]["toolName"], "Read");
    assert_eq!(commands(&get("&tool=read")).len(), 0);
    let all = get("");
    assert_eq!((commands(&all).len(), &all["hasMore"]), (4, &json!(false)));
    let at = all["entries"][1]["timestamp"].as_str().expect("a time");
    let early = get(&format!("&to={at}"));
    assert!(commands(&early).len() >= 2 && commands(&early).len() <= 4, "{early}");
    assert_eq!(commands(&get("&to=2001-01-01T00:00:00Z")).len(), 0);
    let newest = get("&limit=3");
    assert_eq!((commands(&newest).len(), &newest["hasMore"]), (3, &json!(true)));
    let rest = get(&format!("&limit=3&before={}", newest["next"]));
    assert_eq!((commands(&rest), &rest["hasMore"]), (vec!["cargo test"], &json!(false)));
    for (query, words) in [
        ("to=soon".to_string(), "to is a time"),
        (format!("text={}", "x".repeat(201)), "200 characters"),
    ] {
        let refused = daemon.request("GET", &format!("/audit?{query}"), None);
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(words), "{}", refused.text());
    }
}

#[test]
fn an_export_is_the_command_lines_byte_for_byte() {
    let space = Space::new();
    let (daemon, id) = filled(&space);
    for (format, kind) in [("csv", "text/csv; charset=utf-8"), ("jsonl", "application/x-ndjson")] {
        let told = space.cli(&["audit", "export", "--format", format, "--session", &id]);
        let told = told.expect(0).stdout;
        let target = format!("/audit/export?format={format}&sessionId={id}");
        let got = daemon.request("GET", &target, None);
        assert_eq!((got.status, got.header("Content-Type")), (200, Some(kind)));
        let name = format!("attachment; filename=\"audit.{format}\"");
        assert_eq!(got.header("Content-Disposition"), Some(name.as_str()));
        assert_eq!(got.header("Transfer-Encoding"), Some("chunked"));
        assert_eq!(String::from_utf8_lossy(&got.body), told);
    }
    let csv =
        daemon.request("GET", &format!("/audit/export?format=csv&sessionId={id}&tool=Bash"), None);
    let csv = String::from_utf8(csv.body).expect("text");
    assert_eq!(csv.lines().count(), 4, "{csv}");
    assert!(csv.lines().next().expect("a head").starts_with("seq,timestamp,"), "{csv}");
    let head = daemon.request("HEAD", "/audit/export", None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for query in ["format=xml", "limit=3", "since=1", "kind=odd"] {
        let refused = daemon.request("GET", &format!("/audit/export?{query}"), None);
        assert_eq!(refused.status, 400, "{query}: {}", refused.text());
    }
}

#[test]
fn a_check_says_what_the_command_line_says_and_keeps_no_key() {
    let space = Space::new();
    let (daemon, _) = filled(&space);
    let key = daemon.request("POST", "/audit/key", Some(&json!({}))).json()["key"].clone();
    let key = key.as_str().expect("a key").to_string();
    let head = daemon.get("/audit/head")["head"].clone();
    let file = space.write("key.txt", &key);
    let line = ["audit", "verify", "--json", "--key-file", file.to_str().expect("a path")];
    let told = space.cli(&line).expect(0).json();
    let said = daemon.post("/audit/verify", &json!({"key": key}));
    assert_eq!(said, told);
    assert_eq!((&said["ok"], &said["keyed"]["to"]), (&json!(true), &said["rows"]));
    assert_eq!(daemon.post("/audit/verify", &json!({"head": head}))["ok"], true);
    let wrong = format!("1:{}", "0".repeat(64));
    let said = daemon.post("/audit/verify", &json!({"head": wrong}));
    assert_eq!((&said["ok"], &said["findings"][0]["what"]), (&json!(false), &json!("rewritten")));
    for body in [json!({"key": "AAAA"}), json!({"head": "x"}), json!({"keys": 1}), json!([])] {
        assert_eq!(daemon.request("POST", "/audit/verify", Some(&body)).status, 400, "{body}");
    }
    assert!(!space.daemon_log().contains(&key));
}
