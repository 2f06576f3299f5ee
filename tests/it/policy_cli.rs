//! The client's side of policies: what it prints, what can be pasted, and how it fails.

use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// Runs a line as a shell would, with the client on the PATH.
#[track_caller]
fn paste(space: &Space, line: &str) -> String {
    let bin = Path::new(BINARY).parent().expect("a directory");
    let path = format!("{}:{}", path_text(bin), space.env["PATH"]);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).env_clear().envs(&space.env).env("PATH", path);
    let out = command.current_dir(&space.project).output().expect("a shell");
    let (stdout, stderr) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{line}\n{stdout}{stderr}");
    stdout.into_owned()
}

#[test]
fn what_help_and_readme_say_of_policies_can_be_pasted() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    space.cli(&["rename", &id, "build"]).expect(0);
    let help = space.cli(&["help", "policy"]).expect(0).stdout;
    let from = help.find("  echo '").expect("an example to paste");
    let length = help[from..].find("load -\n").expect("its end") + "load -".len();
    let said = paste(&space, &help[from..from + length]);
    assert!(said.contains("made policy mine") && said.contains("3 rules"), "{said}");
    space.write("project/rules.json", r#"[{"action": "deny", "tool": "WebFetch"}]"#);
    for topic in ["policy", "policy-set"] {
        let help = space.cli(&["help", topic]).expect(0).stdout;
        let examples = help.split_once("\nExamples\n").expect("examples").1;
        let lines: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
        assert!(lines.len() >= 4, "{help}");
        lines.into_iter().for_each(|line| drop(paste(&space, line)));
    }
    let readme = include_str!("../../README.md");
    let block = readme.split("\n\n").find(|block| block.contains("codepiper policy load"));
    let block = block.expect("README has an example");
    let end = block.find("codepiper start").expect("an agent is started in it");
    let said = paste(&space, &block[..end]);
    assert!(said.contains("policy mine") && said.contains("4 rules"), "{said}");
    for name in ["ask", "mine", "rules"] {
        let policy = daemon.get(&format!("/policies/{name}"))["policy"].clone();
        assert_eq!(policy["name"], name);
    }
    assert_eq!(daemon.get("/settings/daemon")["settings"]["defaultPolicySet"], Value::Null);
}

#[test]
fn load_brings_a_policy_to_what_the_file_says_and_tells_what_became_different() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let load = |rules: Value| {
        let file = space.write("mine.json", &rules.to_string());
        space.cli(&["policy", "load", &path_text(&file)]).expect(0).stdout
    };
    let rule = |id: &str, tool: &str| json!({"id": id, "action": "deny", "tool": tool});
    let said = load(json!([rule("a", "A"), {"action": "ask", "tool": "B", "reason": "why"}]));
    assert!(said.starts_with("made policy mine ("), "{said}");
    assert!(said.contains("   1  deny   [a]  tool A\n"), "{said}");
    assert!(said.contains("   2  ask    tool B  (why)\n"), "{said}");
    let id = daemon.get("/policies/mine")["policy"]["id"].clone();
    let said = load(json!([rule("a", "A2"), rule("c", "C")]));
    assert!(said.contains("1 added, 1 removed, 1 changed"), "{said}");
    for line in ["~ deny   [a]  tool A2\n", "+ deny   [c]  tool C\n", "- ask    tool B  (why)\n"] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    let said = load(json!([rule("a", "A2"), rule("c", "C")]));
    assert!(said.contains("version 2") && said.contains("as they were"), "{said}");
    let said = load(json!([rule("c", "C"), rule("a", "A2")]));
    assert!(said.contains("another order"), "{said}");
    let object = json!({"name": "mine", "description": "for all", "priority": 4, "enabled": false,
        "rules": [rule("c", "C")]});
    load(object);
    let policy = daemon.get("/policies/mine")["policy"].clone();
    assert_eq!(policy["id"], id, "in place");
    let facts = ["description", "priority", "enabled", "version"].map(|name| policy[name].clone());
    assert_eq!(json!(facts), json!(["for all", 4, false, 4]));
    load(json!([rule("c", "C")]));
    assert_eq!(daemon.get("/policies/mine")["policy"]["priority"], 4, "not named, not changed");
    let stdin = br#"{"rules": []}"#;
    let unnamed = space.cli(&["policy", "load", "-"]).stdin(stdin).expect(2);
    assert!(unnamed.stderr.contains("--name"), "{}", unnamed.stderr);
    let wrong = [
        (r#"[{"action": "deny", "action": "allow"}]"#, "twice"),
        (r#"{"rules": [], "priorty": 1}"#, "priorty"),
        (r#"{"name": "mine", "rules": [{"action": "permit"}]}"#, "rule 1"),
        ("[", "JSON"),
        ("", "JSON"),
    ];
    for (text, word) in wrong {
        let file = path_text(&space.write("mine.json", text));
        let out = space.cli(&["policy", "load", &file]).expect(2);
        assert!(out.stderr.contains(word), "{text}: {}", out.stderr);
    }
    let out = space.cli(&["policy", "load", "/nowhere/x.json"]).expect(2);
    assert!(out.stderr.contains("/nowhere/x.json"), "{}", out.stderr);
    assert_eq!(daemon.get("/policies/mine")["policy"]["version"], 4);
}

#[test]
fn each_verb_of_policy_says_what_it_did() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let run = |line: &[&str]| space.cli(&[&["policy"], line].concat()).expect(0).stdout;
    assert!(run(&["list"]).contains("no policies"));
    let rules = r#"[{"action":"deny","tool":"Bash","command":["a b","c"],"reason":"no"}]"#;
    let said = run(&["create", "--name", "mine", "--rules", rules, "--priority", "-2"]);
    assert!(said.contains("made policy mine") && said.contains("1 rule, version 1, on"), "{said}");
    let own = run(&["create", "--name", "own", "--rules", "[]", "--session", &id]);
    assert!(own.contains(&format!("session {}", &id[..8])), "{own}");
    let table = run(&["ls"]);
    for words in ["ID", "NAME", "SCOPE", "mine", "global", "own", &id[..8]] {
        assert!(table.contains(words), "no {words:?} in\n{table}");
    }
    assert!(!run(&["ls", "--session", &id]).contains("mine"));
    assert!(run(&["ls", "--enabled", "false"]).contains("no such policies"));
    let shown = run(&["show", "mine"]);
    for words in ["priority   -2", "scope      global", "   1  deny   tool Bash  command a b | c"] {
        assert!(shown.contains(words), "no {words:?} in\n{shown}");
    }
    let full = daemon.get("/policies/mine")["policy"]["id"].as_str().expect("an id").to_string();
    for word in [&full[..], &full[..8]] {
        assert_eq!(run(&["show", word]), shown);
    }
    assert!(run(&["toggle", "mine"]).starts_with("switched off policy mine"));
    assert!(run(&["toggle", "mine"]).starts_with("switched on policy mine"));
    assert!(run(&["update", "mine", "--name", "ours"]).starts_with("changed policy ours"));
    space.cli(&["policy", "show", "mine"]).expect(4);
    assert!(run(&["default"]).contains("ask"));
    assert!(run(&["default", "deny"]).contains("deny"));
    space.cli(&["policy", "default", "allow"]).expect(2);
    let gone = run(&["rm", "ours"]);
    assert!(gone.contains("removed policy ours") && gone.contains(&id[..8]), "{gone}");
    space.cli(&["policy", "rm", "ours"]).expect(4);
    let built_in = space.cli(&["policy", "rm", "standard"]).expect(1);
    assert!(built_in.stderr.contains("--copy standard"), "{}", built_in.stderr);
    assert!(run(&["show", "standard"]).contains("TodoWrite"));
}

#[test]
fn each_verb_of_policy_set_says_what_it_did() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let short = &id[..8];
    let run = |line: &[&str]| space.cli(&[&["policy-set"], line].concat()).expect(0).stdout;
    daemon.post("/policies", &json!({"name": "mine", "rules": [{"action": "ask", "tool": "*"}]}));
    let table = run(&["list"]);
    assert!(table.contains("standard") && table.contains("default built in"), "{table}");
    let said = run(&["create", "--name", "careful", "--copy", "standard", "--policy", "mine"]);
    assert!(said.contains("made policy set careful") && said.contains("2 policies"), "{said}");
    let shown = run(&["show", "careful"]);
    assert!(shown.contains("policy mine") && shown.contains("   1  ask    tool *"), "{shown}");
    assert!(run(&["remove-policy", "careful", "mine"]).contains("took policy mine out"));
    assert!(run(&["add-policy", "careful", "mine"]).contains("policy mine is in the set careful"));
    assert!(run(&["apply", "careful", &id]).contains("set careful holds"));
    assert!(run(&["apply", "careful", &id]).contains("already"));
    assert!(run(&["show", "careful"]).contains(&format!("sessions   {short}")));
    assert!(run(&["unapply", "careful", &id]).contains("took set careful off"));
    space.cli(&["policy-set", "unapply", "careful", &id]).expect(4);
    run(&["apply", "careful", &id]);
    let said = run(&["update", "careful", "--name", "strict", "--description", "no harm"]);
    assert!(said.contains("changed policy set strict"), "{said}");
    assert!(run(&["default"]).contains("standard"));
    run(&["default", "strict"]);
    assert!(run(&["show", "strict"]).contains("default    yes"));
    assert!(space.cli(&["policy", "show", "mine"]).expect(0).stdout.contains("sets       strict"));
    let removed = space.cli(&["policy", "rm", "mine"]).expect(0).stdout;
    assert!(removed.contains("in the sets strict"), "{removed}");
    let gone = run(&["delete", "strict"]);
    assert!(gone.contains(short) && gone.contains("new sessions get no set"), "{gone}");
    assert!(run(&["default"]).contains("no policy set"));
    run(&["default", "standard"]);
    assert!(run(&["default", "none"]).contains("no policy set"));
    let missing = ["policy-set", "create", "--name", "x", "--policy", "nope"];
    let missing = space.cli(&missing).expect(1);
    assert!(missing.stderr.contains("nope"), "{}", missing.stderr);
    space.cli(&["policy-set", "delete", "standard"]).expect(1);
}

#[test]
fn json_of_every_verb_is_the_apis_own() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let json =
        |line: &[&str]| -> Value { space.cli(&[line, &["--json"]].concat()).expect(0).json() };
    let made = json(&["policy", "create", "--name", "mine", "--rules", "[]"]);
    assert_eq!(json(&["policy", "show", "mine"]), made);
    assert_eq!(json(&["policy", "list"])["policies"], json!([made["policy"]]));
    assert_eq!(json(&["policy", "toggle", "mine"])["policy"]["enabled"], false);
    assert_eq!(json(&["policy", "update", "mine", "--priority", "3"])["policy"]["priority"], 3);
    let file = path_text(&space.write("mine.json", "[]"));
    assert_eq!(json(&["policy", "load", &file])["policy"]["name"], "mine");
    assert_eq!(json(&["policy", "default"])["settings"]["defaultPolicyAction"], "ask");
    let set = json(&["policy-set", "create", "--name", "s", "--policy", "mine"]);
    assert_eq!(set["policySet"]["policies"][0]["name"], "mine");
    assert_eq!(json(&["policy-set", "show", "s"])["policySet"]["name"], "s");
    assert_eq!(json(&["policy-set", "list"])["policySets"][3]["name"], "s");
    assert_eq!(json(&["policy-set", "update", "s", "--name", "t"])["policySet"]["name"], "t");
    assert_eq!(json(&["policy-set", "apply", "t", &id])["applied"], true);
    assert_eq!(json(&["policy-set", "unapply", "t", &id])["success"], true);
    assert_eq!(json(&["policy-set", "remove-policy", "t", "mine"])["success"], true);
    assert_eq!(json(&["policy-set", "add-policy", "t", "mine"])["success"], true);
    assert_eq!(json(&["policy-set", "default", "t"])["settings"]["maxSessions"], 64);
    assert_eq!(json(&["policy-set", "delete", "t"])["wasDefault"], true);
    assert_eq!(json(&["policy", "delete", "mine"])["name"], "mine");
    let error = space.cli(&["policy", "show", "mine", "--json"]).expect(4);
    let error: Value = serde_json::from_str(&error.stderr).expect("errors are JSON too");
    assert_eq!(error["code"], "not_found");
}
