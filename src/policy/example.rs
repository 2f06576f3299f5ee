//! Examples below a rule: calls in words that it must or must not be about. They are judged where
//! a policy is written, so that a rule means what its author thought.
//!
//! An example is a shell command, or `TOOL INPUT` with the input as a JSON object:
//!
//! ```text
//! git status -s
//! Read {"file_path": "src/main.rs"}
//! ```
//!
//! Its session works in [`PROJECT`] with the home [`HOME`], on a disk without links. `match` means
//! that the rule, were it the only one, gives its answer.

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::limits;
use crate::model::call::ToolCall;
use crate::policy::Place;
use crate::policy::Policy;
use crate::policy::judge;
use crate::policy::path;
use crate::policy::rule::Rule;
use serde_json::Value;

/// The directory that examples work in.
pub const PROJECT: &str = "/home/u/proj";
/// The home of their user.
pub const HOME: &str = "/home/u";

/// Where examples stand.
pub const PLACE: Place<'_> =
    Place { project: PROJECT, home: HOME, own: &[], resolve: &path::normal };

/// How one example came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The number of the rule, from 1.
    pub rule: usize,
    /// The number of the example in its list, from 1.
    pub number: usize,
    /// It is one of `match`, or else of `noMatch`.
    pub matches: bool,
    /// As it was written.
    pub text: String,
    /// What is wrong; `None` where it came out as it should.
    pub wrong: Option<String>,
}

/// Judges every example of the rules.
pub fn run(rules: &[Rule]) -> Vec<Outcome> {
    let mut all = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let policy =
            Policy { name: String::new(), priority: 0, version: None, rules: vec![rule.clone()] };
        for (matches, list) in [(true, &rule.matches), (false, &rule.no_match)] {
            for (i, text) in list.iter().enumerate() {
                let wrong = match call(text) {
                    Err(what) => Some(what),
                    Ok(call) if judge::says(&policy, &call, &PLACE) == matches => None,
                    Ok(_) if matches => Some("the rule is not about it".to_string()),
                    Ok(_) => Some("the rule is about it".to_string()),
                };
                let text = text.clone();
                all.push(Outcome { rule: at + 1, number: i + 1, matches, text, wrong });
            }
        }
    }
    all
}

/// Refuses rules of which an example comes out wrong.
pub fn check(rules: &[Rule]) -> Result<()> {
    let count: usize = rules.iter().map(|rule| rule.matches.len() + rule.no_match.len()).sum();
    if count > limits::gate::POLICY_EXAMPLES {
        let most = limits::gate::POLICY_EXAMPLES;
        return Err(Error::invalid(format!("{count} examples, a policy may have {most}")));
    }
    let wrong = |outcome: Outcome| {
        let Outcome { rule, number, matches, text, wrong } = outcome;
        let field = if matches { "match" } else { "noMatch" };
        wrong.map(|what| format!("rule {rule}: field {field:?}, example {number} {text:?}: {what}"))
    };
    match run(rules).into_iter().find_map(wrong) {
        Some(what) => Err(Error::invalid(what)),
        None => Ok(()),
    }
}

/// The call that an example stands for.
fn call(text: &str) -> std::result::Result<ToolCall, String> {
    let (tool, input) = match text.split_once(" {") {
        Some((tool, rest)) if tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            let input = json::parse(format!("{{{rest}").as_bytes()).map_err(|e| e.message)?;
            (tool, input)
        }
        _ => ("Bash", serde_json::json!({"command": text})),
    };
    Ok(of(tool, input, PROJECT))
}

/// A call that nobody has made yet.
pub fn of(tool: &str, input: Value, cwd: &str) -> ToolCall {
    let (call_id, agent_id) = (None, None);
    ToolCall { tool: tool.to_string(), input, cwd: cwd.to_string(), call_id, agent_id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rule;
    use serde_json::json;

    fn check_one(rule: Value) -> Result<()> {
        check(&rule::parse(&json!([rule])).unwrap())
    }

    #[test]
    fn an_example_is_about_what_the_rule_alone_would_say() {
        check_one(json!({"action": "allow", "command": "git status *", "match": ["git status",
            "git status src"], "noMatch": ["git push", "git status; git push", "git status --x",
            "git status $x"]}))
        .unwrap();
        check_one(
            json!({"action": "deny", "read": "~/.ssh/**", "match": ["cat /home/u/.ssh/id_rsa",
            "Read {\"file_path\": \"/home/u/.ssh/id_rsa\"}"], "noMatch": "cat README.md"}),
        )
        .unwrap();
        // What is protected is a rule of its own.
        check_one(json!({"action": "allow", "tool": "Write", "write": "~/.bashrc",
            "match": "Write {\"file_path\": \"~/.bashrc\"}"}))
        .unwrap();
    }

    #[test]
    fn a_wrong_example_is_named() {
        for (rule, words) in [
            (
                json!({"action": "allow", "command": "ls *", "match": ["ls", "ls /etc"]}),
                "rule 1: field \"match\", example 2 \"ls /etc\": the rule is not about it",
            ),
            (
                json!({"action": "deny", "command": "ls *", "noMatch": "ls"}),
                "rule 1: field \"noMatch\", example 1 \"ls\": the rule is about it",
            ),
            (
                json!({"action": "deny", "tool": "*", "match": "Read {\"a\":"}),
                "rule 1: field \"match\", example 1 \"Read {\\\"a\\\":\": not valid JSON",
            ),
        ] {
            let error = check_one(rule).unwrap_err();
            assert!(error.message.starts_with(words), "{error}");
        }
    }
}
