//! The promise: each tool call is decided by exactly the policies that hold for its session at that
//! moment, whoever changed them last, and nothing that is stored about them is lost.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

fn start(space: &Space) -> Daemon<'_> {
    Inside::install_claude(space);
    Daemon::start(space)
}

/// What the gate says of a call, with the policy that said it.
#[track_caller]
fn ask(agent: &Inside, tool: &str) -> (String, String) {
    let ran = agent.hook(&json!({
        "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "cwd": "/tmp", "permission_mode": "default",
        "tool_name": tool, "tool_input": {"command": "make"}, "tool_use_id": "toolu_1",
    }));
    let said: Value = serde_json::from_str(ran["stdout"].as_str().expect("text"))
        .unwrap_or_else(|error| panic!("{error}: {ran}"));
    let said = &said["hookSpecificOutput"];
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_string();
    (text("permissionDecision"), text("permissionDecisionReason"))
}

#[track_caller]
fn expect(agent: &Inside, tool: &str, decision: &str) {
    let (said, reason) = ask(agent, tool);
    assert_eq!(said, decision, "{tool}: {reason}");
}

/// A policy that denies one tool.
fn denies(name: &str, tool: &str) -> Value {
    json!({"name": name, "id": name, "rules": [{"action": "deny", "tool": tool}]})
}

#[track_caller]
fn ids(body: &Value, list: &str) -> Vec<String> {
    let items = body[list].as_array().unwrap_or_else(|| panic!("no {list} in {body}"));
    items.iter().map(|item| item["id"].as_str().expect("an id").to_string()).collect()
}

/// A change that must go well.
#[track_caller]
fn put(daemon: &Daemon<'_>, path: &str, body: Value) -> Value {
    daemon.request("PUT", path, Some(&body)).ok()
}

#[track_caller]
fn delete(daemon: &Daemon<'_>, path: &str) -> Value {
    daemon.request("DELETE", path, None).ok()
}

#[test]
fn a_policy_holds_from_the_very_next_call_and_not_while_it_is_disabled() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    expect(&agent, "Bash", "ask");
    let made = daemon.post("/policies", &denies("no-bash", "Bash"))["policy"].clone();
    let fresh = json!([true, 0, "global", null, 1, [], false]);
    let names = ["enabled", "priority", "scope", "sessionId", "version", "policySets", "builtIn"];
    assert_eq!(json!(names.map(|name| made[name].clone())), fresh, "{made}");
    expect(&agent, "Bash", "deny");
    put(&daemon, "/policies/no-bash", json!({"enabled": false}));
    expect(&agent, "Bash", "ask");
    put(&daemon, "/policies/no-bash", json!({"enabled": true}));
    expect(&agent, "Bash", "deny");
    let rules = json!([{"action": "allow", "tool": "Bash"}]);
    let changed = put(&daemon, "/policies/no-bash", json!({"rules": rules, "version": 1}));
    assert_eq!(changed["policy"]["version"], 2);
    expect(&agent, "Bash", "allow");
    let stale = json!({"rules": [], "version": 1});
    let reply = daemon.request("PUT", "/policies/no-bash", Some(&stale));
    assert_eq!(reply.status, 409, "{}", reply.text());
    assert!(reply.text().contains("version 2"), "{}", reply.text());
    expect(&agent, "Bash", "allow");
    assert_eq!(delete(&daemon, "/policies/no-bash")["sessionIds"], json!([agent.id]));
    expect(&agent, "Bash", "ask");
    let rows = daemon.get(&format!("/policy-decisions?sessionId={}", agent.id));
    let names: Vec<&Value> =
        rows["decisions"].as_array().expect("rows").iter().map(|d| &d["policyName"]).collect();
    let (none, named) = (&Value::Null, &json!("no-bash"));
    assert_eq!(names, [none, named, none, named, named, named, none]);
}

#[test]
fn a_session_is_under_the_sets_that_were_chosen_from_its_first_call_on() {
    let space = Space::new();
    let daemon = start(&space);
    let mut policy = denies("in-set", "Bash");
    policy["scope"] = json!("set");
    daemon.post("/policies", &policy);
    daemon.post("/policy-sets", &json!({"id": "mine", "name": "strict", "policyIds": ["in-set"]}));
    let begun = |name: &str, sets: Value| {
        let fields = json!({"provider": "claude-code", "policySetIds": sets});
        Inside::start_as(&space, &daemon, name, &fields)
    };
    let strict = begun("strict", json!(["strict", "mine"]));
    let applied = |one: &Inside| daemon.get(&format!("/sessions/{}/policy-sets", one.id));
    assert_eq!(ids(&applied(&strict), "policySets"), ["mine"], "once, and not the usual one");
    expect(&strict, "Bash", "deny");
    let free = begun("free", json!([]));
    assert_eq!(applied(&free)["policySets"], json!([]));
    let usual = Inside::start_claude(&space, &daemon, "usual");
    assert_eq!(ids(&applied(&usual), "policySets"), ["standard"]);
    let before = daemon.get("/sessions");
    let unknown = json!({"provider": "claude-code", "cwd": "/", "policySetIds": ["nope"]});
    let refused = daemon.request("POST", "/sessions", Some(&unknown));
    assert_eq!(refused.status, 404, "{}", refused.text());
    let count = |list: &Value| list["sessions"].as_array().map(Vec::len);
    assert_eq!(count(&daemon.get("/sessions")), count(&before), "nothing is left behind");
    let audit = space.cli(&["audit", "export"]).expect(0).stdout;
    assert!(audit.contains("started under the policy set strict"), "{audit}");
    assert!(audit.contains("started with no policy set"), "{audit}");
}

#[test]
fn a_set_decides_only_where_it_is_applied_and_only_as_long() {
    let space = Space::new();
    let daemon = start(&space);
    let (one, other) = (
        Inside::start_claude(&space, &daemon, "one"),
        Inside::start_claude(&space, &daemon, "other"),
    );
    let mut policy = denies("in-set", "Bash");
    policy["scope"] = json!("set");
    daemon.post("/policies", &policy);
    let set = json!({"name": "strict", "policyIds": ["in-set"]});
    let set = daemon.post("/policy-sets", &set)["policySet"]["id"].clone();
    expect(&one, "Bash", "ask");
    let applied = format!("/sessions/{}/policy-sets", one.id);
    assert_eq!(daemon.post(&applied, &json!({"policySetId": "strict"}))["applied"], true);
    expect(&one, "Bash", "deny");
    expect(&other, "Bash", "ask");
    assert_eq!(daemon.post(&applied, &json!({"policySetId": set}))["applied"], false);
    assert_eq!(ids(&daemon.get(&applied), "policySets"), ["standard", set.as_str().unwrap()]);
    let effective = daemon.get(&format!("/sessions/{}/effective-policies", one.id));
    assert_eq!(effective["defaultAction"], "ask");
    assert!(ids(&effective, "policies").contains(&"in-set".to_string()), "{effective}");
    let members = "/policy-sets/strict/policies";
    delete(&daemon, &format!("{members}/in-set"));
    expect(&one, "Bash", "ask");
    daemon.post(members, &json!({"policyId": "in-set"}));
    expect(&one, "Bash", "deny");
    delete(&daemon, &format!("{applied}/strict"));
    expect(&one, "Bash", "ask");
    daemon.post(&applied, &json!({"policySetId": "strict"}));
    let gone = delete(&daemon, "/policy-sets/strict");
    assert_eq!((&gone["sessionIds"], &gone["wasDefault"]), (&json!([one.id]), &json!(false)));
    expect(&one, "Bash", "ask");
    let logs = space.cli(&["logs", &one.id]).expect(0).stdout;
    assert!(logs.contains("set applied") && logs.contains("set taken off"), "{logs}");
}

#[test]
fn a_new_session_gets_the_default_set_and_keeps_it_whatever_the_default_is_later() {
    let space = Space::new();
    let mut daemon = start(&space);
    let settings = "/settings/daemon";
    assert_eq!(daemon.get(settings)["settings"]["defaultPolicySet"], "standard");
    let standard = Inside::start_claude(&space, &daemon, "standard");
    expect(&standard, "TodoWrite", "allow");
    put(&daemon, settings, json!({"defaultPolicySet": null}));
    let bare = Inside::start_claude(&space, &daemon, "bare");
    expect(&bare, "TodoWrite", "ask");
    daemon.post(
        "/policies",
        &json!({"id": "m", "name": "m", "scope": "set",
        "rules": [{"action": "deny", "tool": "TodoWrite"}]}),
    );
    let mine = json!({"id": "mine", "name": "mine", "policyIds": ["m"], "isDefault": true});
    assert_eq!(daemon.post("/policy-sets", &mine)["policySet"]["isDefault"], true);
    let strict = Inside::start_claude(&space, &daemon, "strict");
    daemon.crash_and_restart();
    expect(&strict, "TodoWrite", "deny");
    expect(&standard, "TodoWrite", "allow");
    expect(&bare, "TodoWrite", "ask");
    assert_eq!(delete(&daemon, "/policy-sets/mine")["wasDefault"], true);
    assert_eq!(daemon.get(settings)["settings"]["defaultPolicySet"], Value::Null);
    expect(&strict, "TodoWrite", "ask");
    put(&daemon, "/policy-sets/standard", json!({"isDefault": true}));
    assert_eq!(daemon.get(settings)["settings"]["defaultPolicySet"], "standard");
    for wrong in [json!("nothing"), json!(7), json!([])] {
        let body = json!({"defaultPolicySet": wrong});
        let status = daemon.request("PUT", settings, Some(&body)).status;
        assert!(matches!(status, 400 | 404), "{wrong}: {status}");
    }
}

#[test]
fn the_default_action_is_for_what_no_rule_is_about() {
    let space = Space::new();
    let daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    put(&daemon, "/settings/daemon", json!({"defaultPolicyAction": "deny"}));
    expect(&agent, "Bash", "deny");
    expect(&agent, "TodoWrite", "allow");
    put(&daemon, "/settings/daemon", json!({"defaultPolicyAction": null}));
    expect(&agent, "Bash", "ask");
    for wrong in [json!("allow"), json!("Deny"), json!(false)] {
        let body = json!({"defaultPolicyAction": wrong});
        let reply = daemon.request("PUT", "/settings/daemon", Some(&body));
        assert_eq!(reply.status, 400, "{wrong}");
        assert!(reply.text().contains("ask or deny"), "{}", reply.text());
    }
}

#[test]
fn a_sessions_own_policy_is_for_it_alone_and_goes_with_it() {
    let space = Space::new();
    let daemon = start(&space);
    let (one, other) = (
        Inside::start_claude(&space, &daemon, "one"),
        Inside::start_claude(&space, &daemon, "other"),
    );
    let own = format!("/sessions/{}/policy", one.id);
    let wanted = json!({"policy": {"name": "own", "rules": [{"action": "deny", "tool": "Bash"}]}});
    let id = format!("{}-policy", one.id);
    let made = json!({"success": true, "policyId": id, "action": "created"});
    assert_eq!(put(&daemon, &own, wanted.clone()), made);
    expect(&one, "Bash", "deny");
    expect(&other, "Bash", "ask");
    let listed = daemon.get(&own)["policies"][0].clone();
    assert_eq!((&listed["priority"], &listed["sessionId"]), (&json!(50), &json!(one.id)));
    let next = json!({"policy": {"name": "own", "rules": [{"action": "deny", "tool": "Write"}]}});
    assert_eq!(put(&daemon, &own, next)["action"], "updated");
    assert_eq!(daemon.get(&own)["policies"][0]["version"], 2);
    expect(&one, "Bash", "ask");
    expect(&one, "Write", "deny");
    // One more, made like any other.
    let more = json!({"name": "own 2", "sessionId": "one", "rules": []});
    assert_eq!(daemon.post("/policies", &more)["policy"]["scope"], "session");
    let all = |query: &str| ids(&daemon.get(&format!("/policies{query}")), "policies").len();
    assert_eq!((all("?sessionId=one"), all("?sessionId=other"), all("?sessionId=null")), (2, 0, 0));
    let wrong = json!({"name": "s", "policyIds": [id]});
    let reply = daemon.request("POST", "/policy-sets", Some(&wrong));
    assert_eq!(reply.status, 409, "a set is not for what one session owns: {}", reply.text());
    // An id that looks like the other's own does not make it that.
    let id = format!("{}-policy", other.id);
    daemon.post("/policies", &json!({"id": id, "name": "all", "rules": []}));
    let reply = daemon.request("PUT", &format!("/sessions/{}/policy", other.id), Some(&wanted));
    assert_eq!(reply.status, 409, "{}", reply.text());
    delete(&daemon, &format!("/policies/{id}"));
    daemon.post(&format!("/sessions/{}/kill", one.id), &json!({}));
    delete(&daemon, &format!("/sessions/{}", one.id));
    assert_eq!(all(""), 0);
}

#[test]
fn a_policy_that_cannot_be_read_any_more_is_asked_about_and_named() {
    let space = Space::new();
    let mut daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    let allow = json!({"id": "all", "name": "all", "rules": [{"action": "allow", "tool": "*"}]});
    daemon.post("/policies", &allow);
    daemon.post("/policies", &denies("no-write", "Write"));
    daemon.post("/policies", &denies("newer", "WebFetch"));
    expect(&agent, "Bash", "allow");
    daemon.stop();
    let database = Connection::open(space.state.join("codepiper.db")).expect("the database");
    let rules = r#"[{"action":"deny","smell":"odd"}]"#;
    let sql = "UPDATE policies SET rules = ?1 WHERE id = 'newer'";
    assert_eq!(database.execute(sql, [rules]).expect("a newer rule"), 1);
    drop(database);
    daemon.start_binary(BINARY);
    let (said, reason) = ask(&agent, "Bash");
    assert_eq!(said, "ask", "{reason}");
    assert!(reason.contains("newer") && reason.contains("smell"), "{reason}");
    expect(&agent, "TodoWrite", "ask");
    expect(&agent, "Write", "deny");
    let problem = daemon.get("/policies/newer")["policy"]["problem"].clone();
    assert!(problem.as_str().expect("words").contains("smell"), "{problem}");
    put(&daemon, "/settings/daemon", json!({"defaultPolicyAction": "deny"}));
    expect(&agent, "Bash", "deny");
    put(&daemon, "/policies/newer", json!({"enabled": false}));
    expect(&agent, "Bash", "allow");
}

#[test]
fn everything_is_there_again_after_a_kill() {
    let space = Space::new();
    let mut daemon = start(&space);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    daemon.post("/policies", &denies("one", "Bash"));
    let off = json!({"name": "off ü", "description": "what for", "enabled": false, "rules": [],
        "priority": -7, "sessionId": agent.id});
    daemon.post("/policies", &off);
    daemon.post("/policy-sets", &json!({"id": "s", "name": "s", "policyIds": ["one"]}));
    let applied = format!("/sessions/{}/policy-sets", agent.id);
    daemon.post(&applied, &json!({"policySetId": "s"}));
    let paths = ["/policies", "/policy-sets", "/policy-sets/s", &applied];
    let before = paths.map(|path| daemon.get(path));
    daemon.crash_and_restart();
    assert_eq!(paths.map(|path| daemon.get(path)), before);
    expect(&agent, "Bash", "deny");
}

#[test]
fn rules_in_the_setting_of_an_older_version_still_hold_and_nothing_is_loosened() {
    let space = Space::new();
    std::fs::create_dir(&space.state).expect("a state directory");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&space.state, private).expect("mode 0700");
    let path = space.state.join("codepiper.db");
    let old = Connection::open(&path).expect("a database");
    old.execute_batch(include_str!("../data/schema/v1.sql")).expect("the first schema");
    let rules = r#"[{"action":"deny","tool":"TodoWrite"},{"action":"ask","tool":"Read"}]"#;
    old.execute("INSERT INTO settings VALUES ('policy', ?1)", [rules]).expect("a setting");
    drop(old);
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).expect("mode 0600");
    let daemon = start(&space);
    assert_eq!(ids(&daemon.get("/policies"), "policies"), ["settings"]);
    let agent = Inside::start_claude(&space, &daemon, "agent");
    expect(&agent, "TodoWrite", "deny");
    expect(&agent, "Read", "ask");
    assert!(daemon.get("/settings/daemon")["settings"].get("policy").is_none());
}

#[test]
fn of_two_clients_at_once_one_is_first_and_the_other_is_told() {
    let space = Space::new();
    let daemon = start(&space);
    let count = |statuses: &[u16], status: u16| statuses.iter().filter(|s| **s == status).count();
    let at_once = |method: &str, path: &str, body: &Value| -> Vec<u16> {
        let one = || daemon.request(method, path, Some(body)).status;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a status")).collect()
        })
    };
    let policy = json!({"name": "mine", "rules": []});
    let statuses = at_once("POST", "/policies", &policy);
    assert_eq!((count(&statuses, 201), count(&statuses, 409)), (1, 7), "{statuses:?}");
    let change = json!({"rules": [{"action": "ask", "tool": "*"}], "version": 1});
    let statuses = at_once("PUT", "/policies/mine", &change);
    assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, 7), "{statuses:?}");
    let statuses = at_once("POST", "/policy-sets", &json!({"name": "s", "policyIds": ["mine"]}));
    assert_eq!((count(&statuses, 201), count(&statuses, 409)), (1, 7), "{statuses:?}");
    let statuses = at_once("DELETE", "/policies/mine", &Value::Null);
    assert_eq!((count(&statuses, 200), count(&statuses, 404)), (1, 7), "{statuses:?}");
    assert_eq!(daemon.get("/policy-sets/s")["policySet"]["policyCount"], 0);
}

#[test]
fn what_the_program_calls_its_own_verdicts_names_no_policy_and_no_set() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.post("/policies", &denies("mine", "Read"));
    let refused = |method: &str, path: &str, body: Value| {
        let reply = daemon.request(method, path, Some(&body));
        assert_eq!(reply.status, 409, "{method} {path}: {}", reply.text());
        assert!(reply.text().contains("choose another one"), "{}", reply.text());
    };
    refused("POST", "/policies", denies("built-in", "Read"));
    refused("PUT", "/policies/mine", json!({"name": "built-in"}));
    refused("POST", "/policy-sets", json!({"name": "built-in"}));
    refused("POST", "/policy-sets", json!({"name": "fine", "id": "built-in"}));
}
