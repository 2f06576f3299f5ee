//! The attacks of `tests/data/policy/bash_policy_corpus.jsonl`: commands that somebody has tried to
//! slip past rules, each with the rules and what must not come out; and harmless ones beside them.

use super::*;

struct Line {
    id: String,
    class: String,
    harmless: bool,
    action: Action,
}

/// Judges each line by its own rules; `swap` may change them first. Rules that are refused ask.
fn run(swap: impl Fn(&mut Value)) -> Vec<Line> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/policy/bash_policy_corpus.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let judge = |line: &str| {
        // Not by our own reader: some lines have halves of characters, as an agent may send them.
        let line: Value = serde_json::from_str(line).expect(line);
        let context =
            |name: &str, or: &str| line["context"][name].as_str().unwrap_or(or).to_string();
        let home = context("home", "/home/u");
        let project = context("project", "/home/u/proj");
        let place = Place { project: &project, home: &home, own: &[], resolve: &normal };
        let call = call("Bash", json!({"command": line["command"]}), &context("cwd", &project));
        let mut rules = line["rules"].clone();
        swap(&mut rules);
        let rules = rule::parse(&rules);
        let action =
            rules.map_or(Action::Ask, |rules| evaluate(&policies(&rules), &call, &place).action);
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_string();
        let harmless = text("must_be") == "allow";
        assert!(harmless || text("must_not_be") == "allow", "{}", text("id"));
        Line { id: text("id"), class: text("class"), harmless, action }
    };
    text.lines().map(judge).collect()
}

#[test]
fn no_attack_of_the_corpus_is_allowed() {
    let lines = run(|_| ());
    let (harmless, attacks): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|l| l.harmless);
    assert!(attacks.len() >= 600 && harmless.len() >= 100, "the corpus is not whole");
    let allowed: Vec<String> = attacks
        .iter()
        .filter(|line| line.action == Action::Allow)
        .map(|line| format!("{} ({})", line.id, line.class))
        .collect();
    assert!(allowed.is_empty(), "allowed: {}", allowed.join(", "));
    let asked = harmless.iter().filter(|line| line.action != Action::Allow).count();
    println!("{asked} of {} harmless lines are not allowed", harmless.len());
    assert!(asked <= 26, "{asked} harmless lines are not allowed: that has been better");
}

#[test]
fn what_is_protected_is_not_allowed_where_everything_is() {
    let lines = run(|rules| {
        *rules = json!([{"action": "allow", "tool": "*"},
            {"action": "allow", "read": "**", "write": "**", "host": "*"}]);
    });
    let all: Vec<&Line> = lines.iter().filter(|line| line.class == "self_protection").collect();
    let allowed: Vec<&str> =
        all.iter().filter(|l| l.action == Action::Allow).map(|l| l.id.as_str()).collect();
    assert!(all.len() >= 30 && allowed.is_empty(), "{allowed:?}");
}

#[test]
fn a_denied_program_stays_denied_where_every_command_is_allowed() {
    // The corpus says `*` for "every command", which a rule that allows may not; `Bash` it may.
    let lines = run(|rules| {
        for rule in rules.as_array_mut().unwrap() {
            if *rule == json!({"action": "allow", "command": "*"}) {
                *rule = json!({"action": "allow", "tool": "Bash"});
            }
        }
    });
    let evasions: Vec<&Line> = lines.iter().filter(|line| line.class == "deny_evasion").collect();
    let slipped: Vec<&str> = evasions
        .iter()
        .filter(|line| line.action == Action::Allow)
        .map(|line| line.id.as_str())
        .collect();
    println!("{} of {} slip past a deny: {slipped:?}", slipped.len(), evasions.len());
    // Where everything is allowed, a deny is a seat belt: an interpreter, a link or a copy under
    // another name get past it. More than these must not.
    assert!(evasions.len() >= 80 && slipped.len() <= 12, "{slipped:?}");
}
