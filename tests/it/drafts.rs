//! The promise: rules can be looked at, explained on a call and tried on the past before they are
//! stored, and nothing of that changes anything.

use crate::hook_gate::set_policy;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;

#[test]
fn rules_that_are_typed_are_looked_at_as_the_command_line_does() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let check = |text: &str| daemon.post("/policies/check", &json!({"text": text}));
    let text = "deny shell git push * ; id push ; reason \"mine\"\nallow tool bash\n";
    let said = check(text);
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(said["about"][0]["rule"], "push");
    assert_eq!(said["about"][0]["text"], "deny   [push]  command git push *  (mine)");
    assert!(said["warnings"][0].as_str().expect("a warning").starts_with("rule 2: no tool"));
    let made = daemon.request(
        "POST",
        "/policies",
        Some(&json!({"name": "typed", "rules": said["rules"]})),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let stored = daemon.get("/policies/typed");
    assert_eq!(stored["policy"]["lines"], said["lines"]);
    assert_eq!(check(&said["rules"].to_string())["lines"], said["lines"]);
    // What is wrong is named with its place, as on the command line.
    let broken = "allow shell ls\n  match: rm x\n";
    let said = check(broken);
    assert_eq!(
        (&said["ok"], &said["line"], &said["column"]),
        (&json!(false), &json!(2), &json!(10))
    );
    let file = path_text(&space.write("broken.rules", broken));
    let told = space.cli(&["policy", "load", &file]).expect(2).stderr;
    let error = said["error"].as_str().expect("an error");
    assert!(told.contains(&format!("broken.rules:2:10: {error}")), "{told} {error}");
    let said = check(r#"[{"action": "allow", "tool": "Read"}, {"action": "deny", "host": "A.b"}]"#);
    assert_eq!((&said["rule"], &said["field"]), (&json!(2), &json!("host")), "{said}");
}

#[test]
fn a_call_can_be_explained_by_a_draft_beside_what_holds_or_in_place_of_a_policy() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let rules = json!([{"id": "held", "action": "deny", "command": "make"}]);
    let body = json!({"name": "held", "rules": rules});
    let id = daemon.request("POST", "/policies", Some(&body)).json()["policy"]["id"].clone();
    let explain = |more: Value| {
        let mut body = json!({"tool": "Bash", "input": {"command": "make"}, "cwd": "/tmp"});
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        daemon.request("POST", "/policies/explain", Some(&body))
    };
    let decision = |more: Value| explain(more).ok()["explanation"]["decision"].clone();
    let draft = "allow shell make";
    assert_eq!(decision(json!({})), "deny");
    assert_eq!(decision(json!({"text": draft})), "deny", "what holds holds on");
    assert_eq!(decision(json!({"text": draft, "policyId": id})), "allow");
    let said = explain(json!({"text": draft, "policyId": id})).ok();
    assert_eq!(said["explanation"]["policy"], "held");
    assert_eq!(decision(json!({})), "deny", "nothing was stored");
    for (more, words) in [
        (json!({"policyId": id}), "goes with"),
        (json!({"text": "allow", "policyId": id}), "draft:1:"),
        (json!({"text": draft, "policyId": "standard-1"}), "cannot be changed"),
    ] {
        let refused = explain(more);
        assert_eq!(refused.status, 400);
        assert!(refused.text().contains(words), "{}", refused.text());
    }
    assert_eq!(explain(json!({"text": draft, "policyId": "nobody"})).status, 404);
}

#[test]
fn a_draft_is_tried_on_the_past_alike_by_api_and_command_line() {
    let space = Space::new();
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    set_policy(&daemon, &json!([{"id": "tests", "action": "allow", "command": "cargo test"}])).ok();
    let agent = Inside::start_claude(&space, &daemon, "agent");
    for command in ["cargo test", "make all", "cargo test", "ls"] {
        agent.hook(&json!({
            "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
            "transcript_path": "/tmp/t.jsonl", "permission_mode": "default",
            "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": "toolu_1",
        }));
    }
    let head = daemon.get("/audit/head")["head"].clone();
    let text = "deny shell cargo test ; id no\nallow shell make all\n";
    let file = path_text(&space.write("draft.rules", text));
    let line = ["policy", "replay", &file, "--since", "1h", "--session", &agent.id, "--json"];
    let told = space.cli(&line).expect(0).json();
    let asked = json!({"text": text, "name": file, "since": "1h", "sessionId": agent.id});
    let said = daemon.post("/policies/replay", &asked);
    let mut flat = said["summary"].clone();
    flat["changed"] = said["changed"].clone();
    assert_eq!(flat, told);
    let changed = said["changed"].as_array().expect("a list");
    assert_eq!(changed.len(), 3, "{said}");
    assert_eq!(changed[1]["by"], format!("{file}: no"));
    // The same rules in JSON, and the newest call alone.
    let rules = daemon.post("/policies/check", &json!({"text": text}))["rules"].clone();
    let asked = json!({"rules": rules, "name": file, "since": "1h", "sessionId": agent.id});
    assert_eq!(daemon.post("/policies/replay", &asked), said);
    let asked = json!({"text": text, "limit": 1, "sessionId": agent.id, "withStandard": true});
    assert_eq!(daemon.post("/policies/replay", &asked)["summary"]["rows"], 1);
    for (body, words) in [
        (json!({}), "either"),
        (json!({"text": "allow"}), "draft:1:"),
        (json!({"text": text, "since": "soon"}), "since is"),
        (json!({"text": text, "limit": 2_000_000}), "at most"),
    ] {
        let refused = daemon.request("POST", "/policies/replay", Some(&body));
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.text().contains(words), "{body}: {}", refused.text());
    }
    assert_eq!(daemon.get("/audit/head")["head"], head, "nothing was written");
}
