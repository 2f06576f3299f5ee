//! The promise: what is wrong with a policy or a set is named, and nothing of it is stored.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use serde_json::Value;
use serde_json::json;

/// The error of a request that must be refused with `status`, in words.
#[track_caller]
fn refused(daemon: &Daemon<'_>, what: (&str, &str), body: &Value, status: u16) -> String {
    let reply = daemon.request(what.0, what.1, Some(body));
    let shown: String = body.to_string().chars().take(200).collect();
    assert_eq!(reply.status, status, "{what:?} {shown}: {}", reply.text());
    let reply = reply.json();
    assert!(reply["code"].is_string(), "{reply}");
    reply["error"].as_str().expect("words").to_string()
}

#[test]
fn a_wrong_rule_is_named_by_number_and_field() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let ask = json!({"action": "ask", "tool": "*"});
    let named = json!({"id": "a", "action": "ask", "tool": "B"});
    let megabyte = "x".repeat(1024 * 1024);
    let before = daemon.post("/policies", &json!({"name": "kept", "rules": [ask]}));
    for (rules, words) in [
        (json!([ask, {"action": "deny", "tols": "Bash"}]), ["rule 2", "\"tols\""]),
        (json!([{"action": "permit"}]), ["rule 1", "action"]),
        (json!([{"tool": "Bash"}]), ["rule 1", "action"]),
        (json!([{"action": "deny", "tool": ""}]), ["rule 1", "tool"]),
        (json!([{"action": "deny", "command": []}]), ["rule 1", "command"]),
        (json!([{"action": "deny", "command": null}]), ["rule 1", "command"]),
        (json!([{"action": "deny", "command": megabyte}]), ["rule 1", "command"]),
        (json!([{"id": "a", "action": "deny", "tool": "A"}, named]), ["rule 2", "id"]),
        (json!(vec![ask.clone(); 10_001]), ["10001", "10000"]),
        (json!([null]), ["rule 1", "object"]),
        (json!({"action": "ask"}), ["rules", "list"]),
        (json!("ask"), ["rules", "list"]),
        (json!(null), ["rules", ""]),
    ] {
        let body = json!({"name": "new", "rules": rules});
        let own = json!({"policy": {"name": "new", "rules": rules}});
        let id = daemon.start_session(&["cat"]);
        for error in [
            refused(&daemon, ("POST", "/policies"), &body, 400),
            refused(&daemon, ("PUT", "/policies/kept"), &json!({"rules": rules}), 400),
            refused(&daemon, ("PUT", &format!("/sessions/{id}/policy")), &own, 400),
        ] {
            assert!(words.iter().all(|word| error.contains(word)), "no {words:?} in {error}");
        }
        daemon.post(&format!("/sessions/{id}/kill"), &json!({}));
    }
    assert_eq!(daemon.get("/policies")["policies"], json!([before["policy"]]));
    let twice = r#"{"name":"new","rules":[{"action":"deny","action":"allow"}]}"#;
    let head = format!(
        "POST /policies HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        twice.len()
    );
    let bytes = [head.as_bytes(), twice.as_bytes()].concat();
    let reply = crate::support::http::exchange(&space.control(), &bytes).expect("a reply");
    assert_eq!(reply.status, 400, "{}", reply.text());
    let most = json!({"name": "most", "rules": vec![ask; 10_000]});
    daemon.post("/policies", &most);
}

#[test]
fn whatever_else_is_wrong_with_a_policy_is_named() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.post("/policies", &json!({"id": "known", "name": "known", "rules": []}));
    let long = "x".repeat(81);
    let with = |field: &str, value: Value| {
        let mut body = json!({"name": "new", "rules": []});
        body[field] = value;
        body
    };
    for (body, status, word) in [
        (json!({"rules": []}), 400, "\"name\" is missing"),
        (json!({"name": "new"}), 400, "\"rules\" is missing"),
        (with("name", json!(" ")), 400, "name"),
        (with("name", json!(long)), 400, "80"),
        (with("name", json!("a\u{1b}[2J")), 400, "control"),
        (with("name", json!(7)), 400, "name"),
        (with("name", json!("known")), 409, "known"),
        (with("name", json!("standard")), 409, "built-in"),
        (with("id", json!("known")), 409, "known"),
        (with("id", json!("standard-1")), 409, "built-in"),
        (with("id", json!("a/b")), 400, "id"),
        (with("id", json!("x".repeat(65))), 400, "64"),
        (with("description", json!("a\nb")), 400, "description"),
        (with("enabled", json!("yes")), 400, "enabled"),
        (with("priority", json!(1.5)), 400, "priority"),
        (with("priority", json!(1_000_001)), 400, "1000000"),
        (with("sessionId", json!("nobody")), 404, "nobody"),
        (with("scope", json!("all")), 400, "scope"),
        (with("scope", json!("session")), 400, "sessionId"),
        (with("prioritty", json!(1)), 400, "prioritty"),
    ] {
        let error = refused(&daemon, ("POST", "/policies"), &body, status);
        assert!(error.contains(word), "{body}: no {word:?} in {error}");
    }
    for (body, status, word) in [
        (json!({}), 400, "nothing to change"),
        (json!({"version": 1}), 400, "nothing to change"),
        (json!({"name": ""}), 400, "name"),
        (json!({"enabled": true, "version": 2}), 409, "version 1"),
        (json!({"sessionId": "x"}), 400, "sessionId"),
        (json!({"scope": "session"}), 400, "scope"),
    ] {
        let error = refused(&daemon, ("PUT", "/policies/known"), &body, status);
        assert!(error.contains(word), "{body}: no {word:?} in {error}");
    }
    for path in ["/policies/standard-1", "/policies/standard"] {
        for method in ["PUT", "DELETE"] {
            let error = refused(&daemon, (method, path), &json!({"enabled": false}), 409);
            assert!(error.contains("built in") && error.contains("--copy standard"), "{error}");
        }
        assert_eq!(daemon.get(path)["policy"]["builtIn"], true);
    }
    refused(&daemon, ("DELETE", "/policies/nothing"), &Value::Null, 404);
    refused(&daemon, ("GET", "/policies?enabled=maybe"), &Value::Null, 400);
    assert_eq!(daemon.get("/policies?enabled=true")["policies"].as_array().map(Vec::len), Some(1));
    assert_eq!(daemon.get("/policies?enabled=false")["policies"], json!([]));
}

#[test]
fn whatever_is_wrong_with_a_set_is_named_and_the_built_in_one_stays() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    daemon.post("/policies", &json!({"id": "p", "name": "p", "rules": []}));
    daemon.post("/policy-sets", &json!({"id": "s", "name": "s", "policyIds": ["p", "p"]}));
    let missing = json!({"name": "new", "policyIds": ["p", "q", "x"]});
    let reply = daemon.request("POST", "/policy-sets", Some(&missing));
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert_eq!(reply.json()["missingPolicyIds"], json!(["q", "x"]));
    for (method, path, body, status, word) in [
        ("POST", "/policy-sets", json!({"name": "s"}), 409, "\"s\""),
        ("POST", "/policy-sets", json!({"id": "s", "name": "t"}), 409, "s"),
        ("POST", "/policy-sets", json!({"name": "standard"}), 409, "built-in"),
        ("POST", "/policy-sets", json!({"name": "t", "policyIds": ["standard-1"]}), 409, "copy"),
        ("POST", "/policy-sets", json!({"name": "t", "copyOf": "none"}), 404, "none"),
        ("POST", "/policy-sets", json!({"name": ""}), 400, "name"),
        ("POST", "/policy-sets", json!({"nane": "t"}), 400, "nane"),
        ("PUT", "/policy-sets/s", json!({}), 400, "nothing to change"),
        ("PUT", "/policy-sets/s", json!({"name": "standard"}), 409, "built-in"),
        ("PUT", "/policy-sets/none", json!({"name": "t"}), 404, "none"),
        ("PUT", "/policy-sets/standard", json!({"name": "t"}), 409, "--copy standard"),
        ("DELETE", "/policy-sets/standard", Value::Null, 409, "--copy standard"),
        ("DELETE", "/policy-sets/none", Value::Null, 404, "none"),
        ("POST", "/policy-sets/standard/policies", json!({"policyId": "p"}), 409, "--copy"),
        ("POST", "/policy-sets/s/policies", json!({"policyId": "p"}), 409, "already"),
        ("POST", "/policy-sets/s/policies", json!({"policyId": "q"}), 404, "q"),
        ("POST", "/policy-sets/s/policies", json!({"policy": "p"}), 400, "policy"),
        ("DELETE", "/policy-sets/s/policies/q", Value::Null, 404, "q"),
        ("POST", "/sessions/nobody/policy-sets", json!({"policySetId": "s"}), 404, "nobody"),
    ] {
        let error = refused(&daemon, (method, path), &body, status);
        assert!(error.contains(word), "{method} {path} {body}: no {word:?} in {error}");
    }
    let id = daemon.start_session(&["cat"]);
    let applied = format!("/sessions/{id}/policy-sets");
    refused(&daemon, ("POST", &applied), &json!({"policySetId": "none"}), 404);
    refused(&daemon, ("DELETE", &format!("{applied}/s")), &Value::Null, 404);
    let sets = daemon.get("/policy-sets")["policySets"].clone();
    let shown: Vec<&Value> = sets.as_array().expect("a list").iter().map(|s| &s["id"]).collect();
    assert_eq!(shown, ["standard", "read-only", "locked-down", "s"]);
    assert_eq!((&sets[0]["builtIn"], &sets[0]["isDefault"]), (&json!(true), &json!(true)));
    assert_eq!((&sets[3]["policyCount"], &sets[3]["sessionCount"]), (&json!(1), &json!(0)));
}

#[test]
fn a_copy_of_the_built_in_set_can_be_changed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let copy = daemon.post("/policy-sets", &json!({"name": "mine", "copyOf": "standard"}));
    let policies = copy["policySet"]["policies"].as_array().expect("a list").clone();
    let original = daemon.get("/policy-sets/standard")["policySet"]["policies"].clone();
    let rules = |all: &[Value]| all.iter().map(|one| one["rules"].clone()).collect::<Vec<_>>();
    assert_eq!(rules(&policies), rules(original.as_array().expect("a list")));
    for policy in &policies {
        assert_eq!((&policy["builtIn"], &policy["scope"]), (&json!(false), &json!("set")));
        let path = format!("/policies/{}", policy["id"].as_str().expect("an id"));
        daemon.request("PUT", &path, Some(&json!({"rules": []}))).ok();
    }
    let again = daemon.post("/policy-sets", &json!({"name": "next", "copyOf": "mine"}));
    let ids = |set: &Value| {
        let all = set["policySet"]["policies"].as_array().expect("a list");
        all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&again), ids(&copy), "a copy of a stored set lists the same policies");
}
