//! Policy: from rules and a tool call to a verdict. Pure: no files, no clock, no threads.
//!
//! 1. The verdict MUST NOT depend on the order of rules: deny beats ask, ask beats allow.
//! 2. A call that no rule is about MUST be asked, never allowed.

pub mod built_in;
pub mod rule;

use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::rule::Rule;

/// A named list of rules, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What verdicts and logs call it.
    pub name: String,
    /// Only picks which of several rules that say the same is named: the highest.
    pub priority: i64,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// All that decides for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// The policies in force, in any order.
    pub list: Vec<Policy>,
    /// What becomes of a call that no rule is about: `ask`, or `deny` where nobody can answer.
    pub default: Action,
}

/// Where a session works, as far as rules speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The session's directory, absolute.
    pub project: &'a str,
    /// The user's home, absolute.
    pub home: &'a str,
}

/// Judges a call. Matching is literal: a rule's `tool` holds the call's tool name, and its
/// `command` holds the `command` string of the tool's input, byte for byte. A tool whose input has
/// no such string is never matched by a rule with `command`. Of several rules that say the same,
/// the first of the highest priority is named.
pub fn evaluate(policies: &Policies, call: &ToolCall, _place: &Place<'_>) -> Verdict {
    let command = call.input.get("command").and_then(|c| c.as_str());
    let is_about = |rule: &Rule| {
        (rule.tool.is_empty() || rule.tool.contains(&call.tool))
            && (rule.command.is_empty()
                || command.is_some_and(|c| rule.command.iter().any(|r| r == c)))
    };
    let mut list: Vec<&Policy> = policies.list.iter().collect();
    list.sort_by_key(|policy| std::cmp::Reverse(policy.priority));
    for action in [Action::Deny, Action::Ask, Action::Allow] {
        for policy in &list {
            let mut found = policy.rules.iter().enumerate();
            if let Some((at, rule)) = found.find(|(_, r)| r.action == action && is_about(r)) {
                return verdict(policy, at, rule, call);
            }
        }
    }
    let reason = format!("no rule is about this call of {}", call.tool);
    Verdict { action: policies.default, policy: None, rule: None, reason }
}

fn verdict(policy: &Policy, at: usize, rule: &Rule, call: &ToolCall) -> Verdict {
    let name = rule.id.clone().unwrap_or_else(|| format!("rule {}", at + 1));
    let done = match rule.action {
        Action::Allow => "allowed",
        Action::Deny => "denied",
        Action::Ask => "to be asked",
    };
    let said = || format!("{} is {done} by the policy {} ({name})", call.tool, policy.name);
    let reason = rule.reason.clone().unwrap_or_else(said);
    let policy = Some(policy.name.clone());
    Verdict { action: rule.action, policy, rule: Some(name), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use serde_json::Value;

    const PLACE: Place<'_> = Place { project: "/p", home: "/h" };

    fn policies(rules: &[Rule]) -> Policies {
        let policy = Policy { name: "mine".into(), priority: 0, rules: rules.to_vec() };
        Policies { list: vec![policy], default: Action::Ask }
    }

    fn call(tool: &str, input: Value) -> ToolCall {
        let (cwd, call_id, agent_id) = ("/p".to_string(), None, None);
        ToolCall { tool: tool.to_string(), input, cwd, call_id, agent_id }
    }

    /// Rules as JSON, a line `---`, then lines `TOOL INPUT => ACTION RULE-OR-DASH`; any number of
    /// such blocks, parted by `===`. `#` starts a comment line.
    fn check(file: &str, text: &str) -> usize {
        let mut cases = 0;
        for block in text.split("\n===\n") {
            let (rules, lines) = block.split_once("\n---\n").expect("a block has rules and ---");
            let plain: Vec<&str> = rules.lines().filter(|l| !l.starts_with('#')).collect();
            let rules = rule::parse(&json::parse(plain.join("\n").as_bytes()).unwrap()).unwrap();
            let backwards: Vec<Rule> = rules.iter().rev().cloned().collect();
            for line in lines.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
                let (asked, want) = line.rsplit_once(" => ").expect("a case has =>");
                let (tool, input) = asked.split_once(' ').expect("a case has tool and input");
                let call = call(tool, json::parse(input.as_bytes()).unwrap());
                let verdict = evaluate(&policies(&rules), &call, &PLACE);
                let name = verdict.rule.as_deref().unwrap_or("-");
                assert_eq!(format!("{} {name}", verdict.action.word()), want, "{file}: {line}");
                assert!(!verdict.reason.trim().is_empty(), "{file}: {line}");
                assert_eq!(
                    evaluate(&policies(&backwards), &call, &PLACE).action,
                    verdict.action,
                    "{file}: {line}"
                );
                cases += 1;
            }
        }
        cases
    }

    #[test]
    fn verdicts_are_those_of_the_case_files() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy");
        let mut cases = 0;
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            cases += check(&path.display().to_string(), &text);
        }
        assert!(cases >= 20, "only {cases} cases were found");
    }

    #[test]
    fn the_verdict_carries_the_rules_words_or_its_name() {
        let rules = json::parse(
            br#"[{"action":"deny","tool":"A","reason":"never"},
            {"action":"allow","tool":"B"}]"#,
        );
        let rules = rule::parse(&rules.unwrap()).unwrap();
        let reason =
            |tool: &str| evaluate(&policies(&rules), &call(tool, Value::Null), &PLACE).reason;
        assert_eq!(reason("A"), "never");
        assert_eq!(reason("B"), "B is allowed by the policy mine (rule 2)");
        assert_eq!(reason("C"), "no rule is about this call of C");
    }
}
