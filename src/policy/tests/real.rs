//! Commands that agents have really run, by the rules of a careful developer: how often a person
//! would be asked needlessly, and that nothing dangerous is allowed.

use super::*;
use std::collections::BTreeMap;

struct Line {
    text: Value,
    action: Action,
    reason: String,
}

fn data(name: &str) -> String {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy");
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// Judges each line by the developer's policy.
fn run() -> Vec<Line> {
    let rules = json::parse(data("developer_policy.json").as_bytes()).unwrap();
    let policies = policies(&rules_of(&rules));
    let judge = |line: &str| {
        let text = json::parse(line.as_bytes()).expect(line);
        let field = |name: &str| text[name].as_str().expect(name);
        let place =
            Place { project: field("project"), home: field("home"), own: &[], resolve: &normal };
        let call = call("Bash", json!({"command": text["command"]}), field("cwd"));
        let verdict = evaluate(&policies, &call, &place);
        Line { action: verdict.action, reason: verdict.reason, text }
    };
    data("real_commands.jsonl").lines().map(judge).collect()
}

fn rules_of(value: &Value) -> Vec<Rule> {
    rule::parse(value).expect("the developer's policy")
}

#[test]
fn real_commands_are_seldom_asked_about_and_never_wrongly_allowed() {
    let lines = run();
    let is = |line: &Line, name: &str, value: &str| line.text[name] == value;
    let missed: Vec<String> = lines
        .iter()
        .filter(|line| is(line, "expect", "ask") || is(line, "expect", "ask|deny"))
        .filter(|line| line.action == Action::Allow)
        .map(|line| format!("{} {}", line.text["id"], line.text["command"]))
        .collect();
    assert!(missed.is_empty(), "allowed:\n{}", missed.join("\n"));
    let mut levels: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let harmless = lines.iter().filter(|l| is(l, "stratum", "random") && is(l, "expect", "allow"));
    for line in harmless {
        let needless = usize::from(line.action != Action::Allow);
        for key in [format!("level {}", line.text["parser_level"]), "all".to_string()] {
            let (asked, of) = levels.entry(key).or_default();
            (*asked, *of) = (*asked + needless, *of + 1);
        }
        if needless == 1 {
            println!("{} {} {}", line.text["id"], line.text["command"], line.reason);
        }
    }
    println!("needless prompts, of how many: {levels:?}");
    let (asked, of) = levels["all"];
    assert!(of >= 500, "the corpus is not whole");
    assert!(asked * 100 <= of * 10, "{asked} of {of}, needlessly: that has been better");
}
