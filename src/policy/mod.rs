//! Policy: from rules and a tool call to a verdict. Pure: no files, no clock, no threads.
//!
//! 1. The verdict MUST NOT depend on the order of rules: deny beats ask, ask beats allow.
//! 2. A call that no rule is about MUST be asked, never allowed.

pub mod rule;

use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use crate::policy::rule::Rule;

/// Judges a call. Matching is literal: a rule's `tool` holds the call's tool name, and its
/// `command` holds the `command` string of the tool's input, byte for byte. A tool whose input has
/// no such string is never matched by a rule with `command`. Of several rules that say the same,
/// the first is named.
pub fn evaluate(rules: &[Rule], call: &ToolCall) -> Verdict {
    let command = call.input.get("command").and_then(|c| c.as_str());
    let is_about = |rule: &Rule| {
        (rule.tool.is_empty() || rule.tool.contains(&call.tool))
            && (rule.command.is_empty()
                || command.is_some_and(|c| rule.command.iter().any(|r| r == c)))
    };
    for action in [Action::Deny, Action::Ask, Action::Allow] {
        let mut found = rules.iter().enumerate();
        if let Some((at, rule)) = found.find(|(_, r)| r.action == action && is_about(r)) {
            return verdict(at, rule, call);
        }
    }
    let reason = format!("no rule is about this call of {}", call.tool);
    Verdict { action: Action::Ask, rule: None, reason }
}

fn verdict(at: usize, rule: &Rule, call: &ToolCall) -> Verdict {
    let name = rule.id.clone().unwrap_or_else(|| format!("rule {}", at + 1));
    let done = match rule.action {
        Action::Allow => "allowed",
        Action::Deny => "denied",
        Action::Ask => "to be asked",
    };
    let said = || format!("{} is {done} by the policy ({name})", call.tool);
    let reason = rule.reason.clone().unwrap_or_else(said);
    Verdict { action: rule.action, rule: Some(name), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use serde_json::Value;

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
                let verdict = evaluate(&rules, &call);
                let name = verdict.rule.as_deref().unwrap_or("-");
                assert_eq!(format!("{} {name}", verdict.action.word()), want, "{file}: {line}");
                assert!(!verdict.reason.trim().is_empty(), "{file}: {line}");
                assert_eq!(evaluate(&backwards, &call).action, verdict.action, "{file}: {line}");
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
        let reason = |tool: &str| evaluate(&rules, &call(tool, Value::Null)).reason;
        assert_eq!(reason("A"), "never");
        assert_eq!(reason("B"), "B is allowed by the policy (rule 2)");
        assert_eq!(reason("C"), "no rule is about this call of C");
    }
}
