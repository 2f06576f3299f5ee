//! Rules as lines, their examples, and the verbs that need no daemon.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;

const LINES: &str = "\
# What this project is worked on with.
allow shell ls * ; id look
  match: ls --x  src
allow tool Write Edit ; write src/**
deny host *.evil.example
";

#[test]
fn a_file_of_lines_is_loaded_and_a_wrong_example_leaves_the_old_policy() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let good = LINES.replace("ls --x  src", "ls src");
    let file = path_text(&space.write("mine.rules", &good));
    let said = space.cli(&["policy", "load", &file]).expect(0).stdout;
    assert!(said.contains("made policy mine") && said.contains("3 rules"), "{said}");
    let want = json!([
        {"action": "allow", "command": "ls *", "id": "look", "match": "ls src"},
        {"action": "allow", "tool": ["Write", "Edit"], "write": "src/**"},
        {"action": "deny", "host": "*.evil.example"},
    ]);
    assert_eq!(daemon.get("/policies/mine")["policy"]["rules"], want);
    let shown = space.cli(&["policy", "show", "mine", "--lines"]).expect(0).stdout;
    let again = space.cli(&["policy", "load", "-", "--name", "mine"]).stdin(shown.as_bytes());
    assert!(again.expect(0).stdout.contains("the rules are as they were"), "{shown}");
    space.write("mine.rules", &LINES.replace("ls --x  src", "rm src"));
    let error = space.cli(&["policy", "load", &file]).expect(2).stderr;
    assert!(error.contains("mine.rules:3:10: \"rm src\": the rule is not about it"), "{error}");
    space.write("mine.rules", "allow toool x\n");
    let error = space.cli(&["policy", "load", &file]).expect(2).stderr;
    assert!(error.contains("mine.rules:1:7: unknown word \"toool\""), "{error}");
    let rules = json!([{"action": "deny", "tool": "x", "match": "ls"}]).to_string();
    let line = ["policy", "update", "mine", "--rules", &rules];
    let error = space.cli(&line).expect(2).stderr;
    assert!(error.contains("rule 1: field \"match\", example 1"), "{error}");
    assert_eq!(daemon.get("/policies/mine")["policy"]["rules"], want, "the old one stays");
    space.cli(&["policy", "update", "mine", "--rules", "deny tool * ; id no"]).expect(0);
    let changed = daemon.get("/policies/mine")["policy"]["rules"].clone();
    assert_eq!(changed, json!([{"action": "deny", "tool": "*", "id": "no"}]));
}

#[test]
fn examples_are_tested_without_a_daemon() {
    let space = Space::new();
    let file = path_text(&space.write("a.rules", LINES));
    let out = space.cli(&["policy", "test", &file]).expect(1);
    let wrong = "FAIL  look  match: ls --x  src  (the rule is not about it)";
    assert!(out.stdout.contains(wrong), "{}", out.stdout);
    assert!(out.stdout.contains("3 rules, 1 examples, 1 failed"), "{}", out.stdout);
    let body = space.cli(&["policy", "test", &file, "--json"]).expect(1).json();
    assert_eq!((&body["failed"], &body["examples"][0]["ok"]), (&json!(1), &json!(false)));
    space.write("a.rules", &LINES.replace("ls --x  src", "ls src"));
    assert!(space.cli(&["policy", "test", &file]).expect(0).stdout.contains("ok    look"));
    let error = space.cli(&["policy", "test", "-"]).stdin(b"allow x\n").expect(2).stderr;
    assert!(error.contains("standard input:1:7: unknown word"), "{error}");
}

#[test]
fn eval_answers_each_case_in_order_whatever_is_in_it() {
    let space = Space::new();
    let allow = json!([{"id": "ls", "action": "allow", "command": "ls *"}]);
    let deep = json!({"file_path": "a/".repeat(4096)});
    let large = json!([{"action": "deny", "tool": "x".repeat(1 << 20)}]);
    let mut input = Vec::new();
    for case in [
        json!({"id": "a", "command": "ls src", "rules": allow}),
        json!({"id": "b", "command": "ls $x", "rules": allow}),
        json!({"id": "c", "tool": "Read", "input": deep, "rules": allow}),
        json!({"id": "d", "command": "ls", "rules": [{"action": "allow", "smell": "x"}]}),
        json!({"id": "e", "command": "ls", "rules": "allow shell ls\ndeny shell ls ; id no"}),
        json!({"id": "f", "command": "x".repeat(64 * 1024 + 1), "rules": allow}),
        json!({"id": "g", "command": "ls", "rules": large}),
        json!({"id": "h", "command": "cat x", "rules": "allow read **", "context": {"cwd": 1}}),
    ] {
        input.extend_from_slice(case.to_string().as_bytes());
        input.push(b'\n');
    }
    input.extend_from_slice(b"not json\n{\"id\": 3, \"command\": \"\xff\"}\n\n");
    input.extend_from_slice(&vec![b' '; 5 * 1024 * 1024]);
    input.extend_from_slice(
        b"\n{\"id\": \"z\", \"command\": \"ls\", \"rules\": \"allow shell ls\"}",
    );
    let out = space.cli(&["policy", "eval"]).stdin(&input).expect(0).stdout;
    let all: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short: Vec<String> = all
        .iter()
        .map(|said| format!("{} {}", said["id"], said["decision"].as_str().unwrap()))
        .collect();
    let want = [
        "\"a\" allow",
        "\"b\" ask",
        "\"c\" ask",
        "\"d\" ask",
        "\"e\" deny",
        "\"f\" ask",
        "\"g\" ask",
        "\"h\" ask",
        "null ask",
        "null ask",
        "null ask",
        "\"z\" allow",
    ];
    assert_eq!(short, want, "{out}");
    assert_eq!(all[0]["effects"], json!(["exec ls"]));
    assert!(all[3]["reason"].as_str().unwrap().contains("unknown field \"smell\""), "{}", all[3]);
    assert!(all[8]["error"].is_string() && all[10]["error"].is_string());
}

#[test]
fn a_call_is_explained_by_a_file_by_the_default_and_by_a_session() {
    let space = Space::new();
    let file = path_text(&space.write("a.rules", "allow shell ls * ; id look\ndeny shell rm *\n"));
    let line = ["policy", "explain", "--file", &file, "--", "ls", "src", ";", "rm", "-r", "x"];
    let said = space.cli(&line).expect(0).stdout;
    for words in ["deny: ", "part   ls src", "exec rm", "> deny ", "about rm -r x", "(look)"] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    let daemon = Daemon::start(&space);
    let id = daemon.start_session(&["cat"]);
    let json = |line: &[&str]| {
        let line = [&["policy", "explain", "--json"], line].concat();
        space.cli(&line).expect(0).json()["explanation"].clone()
    };
    let read = json(&["--tool", "Read", r#"{"file_path": "a"}"#]);
    assert_eq!((&read["decision"], &read["rule"]), (&json!("allow"), &json!("read-project")));
    let own =
        json!({"name": "own", "sessionId": id, "rules": [{"action": "deny", "tool": "Read"}]});
    daemon.post("/policies", &own);
    let read = json(&["--session", &id, "--tool", "Read", r#"{"file_path": "a"}"#]);
    assert_eq!((&read["decision"], &read["policy"]), (&json!("deny"), &json!("own")));
    let state =
        json(&["--session", &id, "--tool", "Read", r#"{"file_path": "/tmp/codepiper.sock"}"#]);
    assert_eq!(state["rule"], "self-protection");
    // What the repository brings makes it stricter, and never milder.
    let tighten = "deny shell ls * ; id repo\nallow tool *\n";
    std::fs::create_dir_all(space.project.join(".codepiper")).unwrap();
    std::fs::write(space.project.join(".codepiper/policy"), tighten).unwrap();
    let ls = json(&["--session", &id, "ls"]);
    assert_eq!((&ls["decision"], &ls["rule"]), (&json!("deny"), &json!("repo")));
    assert_eq!(json(&["--session", &id, "make"])["decision"], "ask");
    let listed = || {
        let all = daemon.get(&format!("/sessions/{id}/effective-policies"))["policies"].clone();
        let all = all.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["repository"] == true).unwrap_or_default()
    };
    let tells = || space.cli(&["show", &id]).expect(0).stdout;
    assert_eq!(listed()["name"], ".codepiper/policy");
    assert_eq!(listed()["rules"].as_array().map(Vec::len), Some(2));
    let said =
        "/.codepiper/policy tightens: rules that hold: 1, that would allow and are ignored: 1";
    assert!(tells().contains(said), "{}", tells());
    std::fs::write(space.project.join(".codepiper/policy"), "deny shel ls\n").unwrap();
    let pwd = json(&["--session", &id, "pwd"]);
    assert_eq!((&pwd["decision"], &pwd["rule"]), (&json!("ask"), &json!("unreadable")));
    assert!(pwd["reason"].as_str().unwrap().contains(".codepiper/policy:1:6: unknown word"));
    assert!(tells().contains("is not understood"), "{}", tells());
    assert!(listed()["problem"].as_str().is_some_and(|why| why.contains("unknown word")));
    std::fs::remove_file(space.project.join(".codepiper/policy")).unwrap();
    std::os::unix::fs::symlink("/dev/null", space.project.join(".codepiper/policy")).unwrap();
    assert_eq!(json(&["--session", &id, "pwd"])["rule"], "unreadable");
    std::fs::remove_file(space.project.join(".codepiper/policy")).unwrap();
    assert_eq!(json(&["--session", &id, "pwd"])["decision"], "allow");
    assert_eq!(listed(), Value::Null);
    assert!(!tells().contains(".codepiper/policy"), "{}", tells());
}
