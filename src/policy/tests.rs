//! What the whole promises: the case files, the properties, and the time it takes.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod protection;
#[cfg(test)]
mod real;

use super::*;
use crate::base::json;
use crate::limits;
use crate::policy::path::normal;
use serde_json::Value;
use serde_json::json;

/// Where the tests stand, on a disk without links.
pub const PLACE: Place<'_> = Place { project: "/p", home: "/h", own: &[], resolve: &normal };

/// One policy named `mine` of these rules, that asks for the rest.
pub fn policies(rules: &[Rule]) -> Policies {
    let policy = Policy { name: "mine".into(), priority: 0, version: None, rules: rules.to_vec() };
    Policies { list: vec![policy], tighten: Vec::new(), default: Action::Ask }
}

/// A call from this directory.
pub fn call(tool: &str, input: Value, cwd: &str) -> ToolCall {
    let (cwd, call_id, agent_id) = (cwd.to_string(), None, None);
    ToolCall { tool: tool.to_string(), input, cwd, call_id, agent_id }
}

fn bash(command: &str) -> ToolCall {
    call("Bash", json!({"command": command}), "/p")
}

fn rules(value: Value) -> Vec<Rule> {
    rule::parse(&value).unwrap()
}

/// Numbers that look random and are the same in each run.
pub struct Dice(u64);

impl Dice {
    /// Dice that fall in the order of this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number below `n`.
    pub fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.roll(list.len())]
    }

    /// The same in another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.roll(end + 1));
        }
    }
}

struct Case {
    rules: Vec<Rule>,
    call: ToolCall,
    want: String,
    line: String,
}

/// Rules as JSON (or the word `standard`), a line `---`, then lines
/// `TOOL INPUT [in CWD] => ACTION RULE-OR-DASH`; any number of such blocks, parted by `===`. `#`
/// starts a comment line.
fn cases() -> Vec<Case> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy");
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut cases = Vec::new();
    for path in paths.filter(|path| path.extension().is_some_and(|e| e == "test")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("\n===\n") {
            let (rules, lines) = block.split_once("\n---\n").expect("a block has rules and ---");
            let plain: Vec<&str> = rules.lines().filter(|l| !l.starts_with('#')).collect();
            let rules = match plain.join("\n").as_str() {
                "standard" => built_in::standard().rules,
                text => rule::parse(&json::parse(text.as_bytes()).unwrap()).unwrap(),
            };
            for line in lines.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
                let (asked, want) = line.rsplit_once(" => ").expect("a case has =>");
                let (tool, rest) = asked.split_once(' ').expect("a case has tool and input");
                let (input, cwd) = rest.rsplit_once(" in ").unwrap_or((rest, "/p"));
                let call = call(tool, json::parse(input.as_bytes()).expect(line), cwd);
                let (want, line) = (want.to_string(), format!("{}: {line}", path.display()));
                cases.push(Case { rules: rules.clone(), call, want, line });
            }
        }
    }
    assert!(cases.len() >= 200, "only {} cases were found", cases.len());
    cases
}

#[test]
fn verdicts_are_those_of_the_case_files() {
    let mut wrong = Vec::new();
    for Case { rules, call, want, line } in cases() {
        let verdict = evaluate(&policies(&rules), &call, &PLACE);
        let got = format!("{} {}", verdict.action.word(), verdict.rule.as_deref().unwrap_or("-"));
        if got != want {
            wrong.push(format!("{line}, not {got}: {}", verdict.reason));
        }
        assert!(!verdict.reason.trim().is_empty(), "{line}");
        assert_eq!(verdict.rule.is_some(), verdict.policy.is_some(), "{line}");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_order_of_rules_and_policies_changes_no_action() {
    let mut dice = Dice::new(1);
    for Case { rules, call, want, line } in cases() {
        let mut rules = rules;
        for _ in 0..4 {
            dice.shuffle(&mut rules);
            let (one, two) = rules.split_at(dice.roll(rules.len() + 1));
            let policy = |name: &str, priority, rules: &[Rule]| Policy {
                name: name.to_string(),
                priority,
                version: None,
                rules: rules.to_vec(),
            };
            let (one, two) = (policy("a", 5, one), policy("b", -5, two));
            for list in [vec![one.clone(), two.clone()], vec![two, one]] {
                let verdict = evaluate(
                    &Policies { list, tighten: Vec::new(), default: Action::Ask },
                    &call,
                    &PLACE,
                );
                assert!(want.starts_with(verdict.action.word()), "{line}: {rules:?}");
            }
        }
    }
}

#[test]
fn a_deny_more_never_loosens_and_the_same_question_has_the_same_answer() {
    let denies = rules(json!([
        {"action": "deny", "command": ["git *", "cat *"]}, {"action": "deny", "tool": "R*"},
        {"action": "deny", "read": "src/**"}, {"action": "deny", "write": "**/*.md"},
        {"action": "deny", "cwd": "/srv/**"}, {"action": "deny", "tool": "*"},
    ]));
    for Case { rules, call, line, .. } in cases() {
        let before = evaluate(&policies(&rules), &call, &PLACE);
        assert_eq!(evaluate(&policies(&rules), &call, &PLACE), before, "{line}");
        for deny in &denies {
            let more: Vec<Rule> = rules.iter().chain([deny]).cloned().collect();
            let after = evaluate(&policies(&more), &call, &PLACE);
            let strict = judge::strictness;
            assert!(strict(after.action) >= strict(before.action), "{line} with {deny:?}");
        }
        let everything = [rules.as_slice(), &denies[5..]].concat();
        assert_eq!(evaluate(&policies(&everything), &call, &PLACE).action, Action::Deny, "{line}");
    }
}

#[test]
fn where_nobody_can_answer_what_is_not_allowed_is_denied() {
    for Case { rules, call, want, line } in cases() {
        let policies = Policies { default: Action::Deny, ..policies(&rules) };
        let action = evaluate(&policies, &call, &PLACE).action;
        match want.as_str() {
            "ask -" => assert_eq!(action, Action::Deny, "{line}"),
            _ if want.starts_with("allow") => assert_eq!(action, Action::Allow, "{line}"),
            _ => assert_ne!(action, Action::Allow, "{line}"),
        }
    }
}

#[test]
fn the_reason_names_the_piece_the_policy_and_the_rule() {
    let rules = rules(json!([
        {"action": "deny", "tool": "A", "reason": "never"},
        {"action": "allow", "tool": ["B", "Read"]},
        {"action": "deny", "command": "rm *"},
        {"action": "allow", "command": ["ls *", "pwd"]},
        {"id": "keys", "action": "ask", "read": "**/*.pem"},
    ]));
    let reason = |call: ToolCall| evaluate(&policies(&rules), &call, &PLACE).reason;
    let read = |path: &str| reason(call("Read", json!({"file_path": path}), "/p"));
    assert_eq!(reason(call("A", Value::Null, "/p")), "never");
    assert_eq!(reason(call("B", Value::Null, "/p")), "B is allowed by mine (rule 2)");
    assert_eq!(reason(call("C", Value::Null, "/p")), "no rule covers C");
    assert_eq!(reason(bash("ls; rm -rf x")), "`rm -rf x` is denied by mine (rule 3)");
    assert_eq!(reason(bash("ls a")), "`ls a` is allowed by mine (rule 4)");
    assert_eq!(reason(bash("ls && pwd")), "all 2 commands are allowed, `ls` by mine (rule 4)");
    assert_eq!(reason(bash("ls | touch x")), "no rule covers `touch x`");
    assert_eq!(
        reason(bash("echo $x")),
        "this call of Bash is not understood, because it has a variable or a substitution; no \
         rule can allow it"
    );
    assert_eq!(read("a.pem"), "reading /p/a.pem is to be asked by mine (keys)");
    assert_eq!(read("/x"), "reading /x is outside of the project, and no rule names it");
    assert_eq!(read(".env"), "reading /p/.env is a name that secrets have, and no rule names it");
    let long = reason(bash(&format!("rm {}", "ä".repeat(2000))));
    assert!(long.ends_with("…` is denied by mine (rule 3)"), "{long}");
    assert!(long.chars().count() <= limits::gate::REASON_CHARS);
    let hidden = reason(call("C\u{202e}\n", Value::Null, "/p"));
    assert_eq!(hidden, "no rule covers CU+202E⏎");
}

#[test]
fn of_rules_that_say_the_same_the_first_of_the_highest_priority_is_named() {
    let policy = |name: &str, priority, action: &str| {
        let one = json!({"action": action, "tool": "A"});
        Policy { name: name.to_string(), priority, version: None, rules: rules(json!([one, one])) }
    };
    let list = vec![
        policy("low", 1, "deny"),
        policy("high", 9, "allow"),
        policy("first", 5, "deny"),
        policy("second", 5, "deny"),
    ];
    let verdict = evaluate(
        &Policies { list, tighten: Vec::new(), default: Action::Ask },
        &call("A", Value::Null, "/p"),
        &PLACE,
    );
    assert_eq!(verdict.action, Action::Deny, "a priority allows nothing");
    assert_eq!(
        (verdict.policy.as_deref(), verdict.rule.as_deref()),
        (Some("first"), Some("rule 1"))
    );
}

#[test]
fn links_are_followed_before_anything_is_allowed() {
    let resolve = |path: &str| normal(path).replace("/p/out", "/etc").replace("/p/ssh", "/h/.ssh");
    let place = Place { resolve: &resolve, ..PLACE };
    let rules = rules(json!([
        {"action": "allow", "tool": ["Read", "Write"]}, {"action": "allow", "command": "cat *"},
        {"action": "allow", "read": "docs/**"}, {"action": "deny", "read": "~/.ssh/**"},
    ]));
    let ask = |call: ToolCall| evaluate(&policies(&rules), &call, &place).action;
    let file = |tool: &str, path: &str| ask(call(tool, json!({"file_path": path}), "/p"));
    assert_eq!(file("Read", "a"), Action::Allow);
    assert_eq!(file("Read", "out/passwd"), Action::Ask);
    assert_eq!(file("Write", "out/new"), Action::Ask);
    assert_eq!(file("Read", "ssh/id"), Action::Deny);
    assert_eq!(ask(bash("cat a")), Action::Allow);
    assert_eq!(ask(bash("cat out/passwd")), Action::Ask);
    assert_eq!(ask(bash("cat ssh/id")), Action::Deny);
    assert_eq!(ask(bash("cd out && cat x")), Action::Ask);
}

#[test]
fn built_in_sets_are_rules_like_any_other() {
    let sets = built_in::sets();
    for set in &sets {
        let policies = &set.policies;
        assert!(!policies.is_empty() && !set.name.is_empty() && !set.description.is_empty());
        for policy in policies {
            assert_eq!(rule::parse(&rule::to_json(&policy.rules)).unwrap(), policy.rules);
            let all = policy.rules.iter();
            assert!(all.clone().all(|r| r.id.is_some()), "verdicts name the rules of {}", set.id);
            let ids: std::collections::HashSet<_> = all.clone().map(|r| &r.id).collect();
            assert_eq!(ids.len(), all.len());
        }
    }
    assert_eq!(sets[0].id, "standard");
}
