//! What no rule opens, and what no rule loosens.

use super::*;

fn open() -> Policies {
    policies(&rules(json!([
        {"action": "allow", "tool": "*"}, {"action": "allow", "read": "**", "write": "**"},
        {"action": "allow", "read": "**/.codepiper/**", "write": "**/.codepiper/**"},
        {"action": "allow", "host": "*"},
    ])))
}

fn own() -> Vec<String> {
    vec!["/var/lib/Piper".to_string(), "/run/x.sock".to_string()]
}

fn ask(call: &ToolCall) -> Verdict {
    let resolve = |path: &str| normal(path).replace("/p/link", "/h/.claude");
    let own = own();
    let place = Place { resolve: &resolve, own: &own, ..PLACE };
    evaluate(&open(), call, &place)
}

#[test]
fn no_rule_opens_our_own_files_and_what_decides_what_runs() {
    let file = |tool: &str, path: &str| call(tool, json!({"file_path": path}), "/p");
    for path in [
        "/var/lib/Piper",
        "/var/lib/piper/new/x",
        "/run/x.sock",
        "~/.codepiper/a",
        "/h/.CODEPIPER/a",
        "/p/../h/.codepiper",
    ] {
        for tool in ["Read", "Write"] {
            let verdict = ask(&file(tool, path));
            assert_eq!(verdict.action, Action::Deny, "{tool} {path}");
            let source = (verdict.policy.as_deref(), verdict.rule.as_deref());
            assert_eq!(source, (Some("built-in"), Some("self-protection")));
            assert!(verdict.reason.contains("belongs to codepiper"), "{}", verdict.reason);
            assert_eq!(verdict.effects.len(), 1, "a denied call has its effects as well");
        }
    }
    for path in [
        "~/.claude/settings.json",
        ".claude/settings.local.json",
        "a/.claude/hooks/new",
        "~/.claude.json",
        ".CLAUDE/Settings.json",
        "link/settings.json",
        "~/.codex/config.toml",
        ".codex/x",
        ".mcp.json",
        ".codepiper/policy",
        ".git/hooks/pre-commit",
        "sub/.git/config",
        ".git",
        "~/.bashrc",
        "~/.ssh/authorized_keys",
        "~/.config/systemd/user/x.service",
        "~/.local/bin/git",
        "/etc/cron.d/x",
        "/etc/ld.so.preload",
        "~/.gitconfig",
    ] {
        let verdict = ask(&file("Write", path));
        assert_eq!(verdict.action, Action::Deny, "{path}: {}", verdict.reason);
        assert_eq!(verdict.rule.as_deref(), Some("self-protection"), "{path}");
        assert!(verdict.reason.contains("outside of the session"), "{}", verdict.reason);
        let secret = path.contains(".ssh");
        let read = if secret { Action::Ask } else { Action::Allow };
        assert_eq!(ask(&file("Read", path)).action, read, "{path} may be read");
    }
    for path in ["src/a.rs", ".gitignore", "~/.claude/plans/x.md", "docs/.bashrc", ".github/x"] {
        assert_eq!(ask(&file("Write", path)).action, Action::Allow, "{path}");
    }
    let patch =
        "*** Begin Patch\n*** Add File: a\n+x\n*** Add File: .git/hooks/x\n+x\n*** End Patch";
    assert_eq!(ask(&call("apply_patch", json!({"input": patch}), "/p")).action, Action::Deny);
    assert_eq!(
        ask(&call("mcp__fs__put", json!({"to": "~/.codepiper/x"}), "/p")).action,
        Action::Deny
    );
    assert_eq!(ask(&call("mcp__fs__put", json!({"to": "/h/.bashrc"}), "/p")).action, Action::Ask);
}

#[test]
fn a_command_that_might_write_what_is_protected_is_at_least_asked() {
    for (text, want) in [
        ("cp /var/lib/Piper/codepiper.db /tmp", Action::Deny),
        ("cat /h/.codepiper/x", Action::Deny),
        ("cp x .git/hooks/pre-commit", Action::Deny),
        ("cd .git/hooks && cp x pre-commit", Action::Ask),
        ("sort -o .git/config x", Action::Ask),
        ("git diff --output=.git/hooks/x", Action::Ask),
        ("env cp x /h/.bashrc", Action::Ask),
        ("claude -p x", Action::Ask),
        ("env -u X codex x", Action::Ask),
        ("printenv CODEPIPER_SECRET", Action::Ask),
        ("nohup sh -c 'sleep 9; codepiper approve 1'", Action::Ask),
        ("cat .git/config", Action::Allow),
        ("grep -n codepiper README.md", Action::Allow),
        ("git log --oneline .git", Action::Allow),
        ("cargo test -p x", Action::Allow),
        ("/h/.local/bin/uv run x", Action::Allow),
    ] {
        let verdict = ask(&bash(text));
        // What is known to write there is denied.
        let stricter = (want, verdict.action) == (Action::Ask, Action::Deny);
        assert!(verdict.action == want || stricter, "{text}: {}", verdict.reason);
    }
}

#[test]
fn no_list_of_rules_opens_what_is_protected() {
    let mut dice = Dice::new(17);
    let fields = ["tool", "command", "read", "write", "host", "cwd"];
    let values = ["*", "**", "Write", "Bash", "**/.git/**", "~/**", "/**", ".git/hooks/x", "cp *"];
    let calls = [
        call("Write", json!({"file_path": ".git/hooks/x"}), "/p"),
        call("Read", json!({"file_path": "/h/.codepiper/x"}), "/p"),
        bash("cp a .git/hooks/x"),
    ];
    let mut tried = 0;
    while tried < 500 {
        let one = |dice: &mut Dice| {
            let mut rule = json!({"action": *dice.pick(&["allow", "allow", "ask", "deny"])});
            for _ in 0..1 + dice.roll(2) {
                rule[*dice.pick(&fields)] = json!(dice.pick(&values));
            }
            rule
        };
        let list: Vec<Value> = (0..1 + dice.roll(6)).map(|_| one(&mut dice)).collect();
        let good = list.into_iter().filter(|rule| rule::parse(&json!([rule])).is_ok());
        let rules = rules(Value::Array(good.collect()));
        tried += 1;
        for call in &calls {
            let action = evaluate(&policies(&rules), call, &PLACE).action;
            assert_ne!(action, Action::Allow, "{call:?} {rules:?}");
        }
    }
}

#[test]
fn a_policy_that_tightens_never_loosens_and_changes_nothing_that_is_as_strict() {
    let allow = rules(json!([{"action": "allow", "tool": "*"}]));
    let some = rules(json!([{"id": "t", "action": "ask", "command": "cargo *"},
        {"id": "d", "action": "deny", "command": "git push *"}, {"action": "allow", "tool": "*"}]));
    let tighten = || vec![Policy { name: "repo".into(), ..policies(&some).list.remove(0) }];
    for default in [Action::Ask, Action::Deny] {
        for list in [policies(&allow).list, Vec::new()] {
            let one = Policies { list: list.clone(), tighten: Vec::new(), default };
            let two = Policies { list, tighten: tighten(), default };
            for text in ["cargo test", "git push", "ls", "ls $x", "cat /etc/passwd"] {
                let (a, b) =
                    (evaluate(&one, &bash(text), &PLACE), evaluate(&two, &bash(text), &PLACE));
                let strict = judge::strictness;
                assert!(strict(b.action) >= strict(a.action), "{text} {default:?}");
                assert!(b.action != a.action || a == b, "{text}");
            }
        }
    }
    let two = Policies { list: policies(&allow).list, tighten: tighten(), default: Action::Ask };
    let said = evaluate(&two, &bash("cargo test"), &PLACE);
    assert_eq!((said.action, said.policy.as_deref()), (Action::Ask, Some("repo")));
    assert_eq!(evaluate(&two, &bash("ls; git push"), &PLACE).action, Action::Deny);
    let none = Policies { list: Vec::new(), tighten: tighten(), default: Action::Ask };
    assert_eq!(
        evaluate(&none, &bash("ls"), &PLACE).action,
        Action::Ask,
        "its allow is passed over"
    );
}

#[test]
fn an_explanation_says_what_each_rule_is_about_and_which_decides() {
    let list = rules(json!([
        {"id": "ls", "action": "allow", "command": "ls *"},
        {"id": "push", "action": "deny", "command": "git push *"},
        {"id": "ssh", "action": "ask", "read": "~/.ssh/**"},
        {"id": "elsewhere", "action": "allow", "command": "git push", "cwd": "/srv/**"},
        {"id": "mcp", "action": "ask", "tool": "mcp__*"},
    ]));
    let said = explain::explain(&policies(&list), &bash("ls src && git push"), &PLACE);
    assert_eq!(said.verdict, evaluate(&policies(&list), &bash("ls src && git push"), &PLACE));
    assert_eq!(said.verdict.effects, ["exec ls", "exec git"]);
    assert_eq!(said.parts.len(), 2);
    let names: Vec<&str> = said.rules.iter().map(|rule| rule.rule.as_str()).collect();
    assert_eq!(names, ["ls", "push", "ssh", "elsewhere", "mcp"]);
    assert_eq!(said.rules[0].about, ["ls src"]);
    assert!(said.rules[1].decides && !said.rules[0].decides);
    let why = |at: usize| said.rules[at].why_not.clone().unwrap();
    assert_eq!(why(2), "no file and no host of the call is one of its");
    assert_eq!(why(3), "its \"cwd\" is about something else");
    assert_eq!(why(4), "its \"tool\" is about something else");
    let odd = explain::explain(&policies(&list), &bash("ls $x"), &PLACE);
    assert!(odd.not_understood.is_some() && odd.parts.is_empty());
    let many = rules(json!(vec![json!({"action": "ask", "tool": "x"}); limits::gate::RULES]));
    let said = explain::explain(&policies(&many), &bash("ls"), &PLACE);
    assert_eq!((said.rules.len(), said.left_out), (1000, limits::gate::RULES - 1000));
}

#[test]
fn the_built_in_sets_say_what_their_descriptions_say() {
    let sets = built_in::sets();
    let ask = |id: &str, call: &ToolCall| {
        let set = sets.iter().find(|set| set.id == id).unwrap();
        let list = set.policies.clone();
        evaluate(&Policies { list, tighten: Vec::new(), default: set.default }, call, &PLACE).action
    };
    let file = |tool: &str, path: &str| call(tool, json!({"file_path": path}), "/p");
    let fetch = call("WebFetch", json!({"url": "https://a.example"}), "/p");
    for (call, want) in [
        (file("Read", "a"), [Action::Allow, Action::Allow, Action::Ask]),
        (file("Read", "/etc/passwd"), [Action::Ask, Action::Deny, Action::Deny]),
        (file("Read", ".env"), [Action::Ask, Action::Deny, Action::Deny]),
        (file("Write", "a"), [Action::Ask, Action::Deny, Action::Ask]),
        (file("Write", "/x"), [Action::Ask, Action::Deny, Action::Deny]),
        (bash("cat a"), [Action::Allow, Action::Allow, Action::Ask]),
        (bash("make"), [Action::Ask, Action::Deny, Action::Ask]),
        (fetch, [Action::Ask, Action::Deny, Action::Deny]),
    ] {
        let got = ["standard", "read-only", "locked-down"].map(|id| ask(id, &call));
        assert_eq!(got, want, "{call:?}");
    }
}

#[test]
fn hosts_and_fields_are_judged_as_their_rules_say() {
    let list = rules(json!([
        {"id": "docs", "action": "allow", "host": "*.docs.example"},
        {"id": "evil", "action": "deny", "host": "*.evil.example"},
        {"id": "mine", "action": "allow", "tool": "mcp__git__*",
            "args": {"repo": "me/*", "n": "1"}},
        {"id": "force", "action": "deny", "args": {"force": "true"}},
    ]));
    let ask = |call: ToolCall| {
        let said = evaluate(&policies(&list), &call, &PLACE);
        format!("{} {}", said.action.word(), said.rule.unwrap_or_default())
    };
    let fetch = |url: &str| ask(call("WebFetch", json!({"url": url, "prompt": "x"}), "/p"));
    assert_eq!(fetch("https://a.docs.example/x"), "allow docs");
    assert_eq!(fetch("https://docs.example/x"), "ask ");
    assert_eq!(fetch("https://evil.example/"), "deny evil");
    assert_eq!(fetch("https://x@evil.example:99/"), "deny evil", "not understood, and denied");
    assert_eq!(fetch("https://a.docs.example:99/"), "ask ");
    assert_eq!(ask(bash("curl -s https://a.evil.example/x")), "deny evil");
    let mcp = |input: Value| ask(call("mcp__git__get", input, "/p"));
    assert_eq!(mcp(json!({"repo": "me/x", "n": 1})), "allow mine");
    assert_eq!(mcp(json!({"repo": "me/x"})), "ask ");
    assert_eq!(mcp(json!({"repo": "me/x", "n": 1, "force": true})), "deny force");
    assert_eq!(mcp(json!({"repo": "me/x", "n": 1, "force": [{"a": "true"}]})), "deny force");
    assert_eq!(mcp(json!({"repo": "me/x", "n": 1, "force": false})), "allow mine");
    assert_eq!(mcp(json!({"x": "evil.example"})), "deny evil");
}
