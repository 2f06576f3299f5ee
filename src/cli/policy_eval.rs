//! `policy eval`: cases on standard input, a verdict for each on standard output. Needs no daemon
//! and looks at no disk: paths are what their text says.
//!
//! 1. A case that is not understood MUST be answered with `ask`, and MUST NOT end the run.

use crate::base::error::{Context, Result};
use crate::base::json;
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::command::switch;
use crate::cli::verb::Verb;
use crate::limits;
use crate::model::call::Action;
use crate::policy;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::example;
use crate::policy::path;
use crate::policy::rule;
use crate::policy::source;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::Read;

/// The verb of this file.
pub const EVAL: Verb = Verb {
    name: "eval",
    aliases: &[],
    usage: "< CASES.jsonl",
    about: "Judge {command|tool+input, rules, context} a line; no daemon needed",
    options: &[switch(&["--time"], "say how long each took to judge, in microseconds")],
    words: (0, 0),
    run,
};

fn run(call: &Invocation<'_>) -> Result<i32> {
    let (mut input, mut rules) = (std::io::stdin().lock(), Rules::default());
    let timed = call.args.has("--time");
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = limits::gate::EVAL_LINE_BYTES as u64 + 1;
        let mut some = input.by_ref().take(most);
        if some.read_until(b'\n', &mut line).invalid_input()? == 0 {
            return Ok(0);
        }
        let long = line.len() as u64 == most && line.last() != Some(&b'\n');
        let answer = match long {
            true => {
                skip_line(&mut input)?;
                refused(None, &format!("a case may have {} bytes", limits::gate::EVAL_LINE_BYTES))
            }
            false if line.trim_ascii().is_empty() => continue,
            false => judge(&line, &mut rules, timed),
        };
        call.out.bytes(format!("{answer}\n").as_bytes())?;
    }
}

trait InvalidInput<T> {
    fn invalid_input(self) -> Result<T>;
}

impl<T> InvalidInput<T> for std::io::Result<T> {
    fn invalid_input(self) -> Result<T> {
        self.code(crate::base::error::Code::Invalid, || "cannot read standard input".to_string())
    }
}

/// Goes past the rest of a line, a piece at a time.
fn skip_line(input: &mut impl BufRead) -> Result<()> {
    loop {
        let piece = input.fill_buf().invalid_input()?;
        if piece.is_empty() {
            return Ok(());
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(piece.len(), |at| at + 1);
        input.consume(count);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// The rules of the case before: many cases have the same.
#[derive(Default)]
struct Rules {
    known: Option<(Value, std::result::Result<Policies, String>)>,
}

impl Rules {
    fn read(&mut self, value: &Value) -> &std::result::Result<Policies, String> {
        let same = self.known.as_ref().is_some_and(|(known, _)| known == value);
        if !same {
            self.known = Some((value.clone(), policies(value)));
        }
        match &self.known {
            Some((_, found)) => found,
            None => unreachable!("it was just set"),
        }
    }
}

fn policies(value: &Value) -> std::result::Result<Policies, String> {
    let rules = match value {
        Value::String(text) => source::rules("rules", text.as_bytes()),
        list => rule::parse(list).and_then(|rules| example::check(&rules).map(|()| rules)),
    };
    let rules = rules.map_err(|error| error.message)?;
    let policy = Policy { name: "rules".to_string(), priority: 0, version: None, rules };
    Ok(Policies { list: vec![policy], tighten: Vec::new(), default: Action::Ask })
}

fn judge(line: &[u8], rules: &mut Rules, timed: bool) -> Value {
    let case = match json::parse(line) {
        Ok(case) if case.is_object() => case,
        Ok(_) => return refused(None, "a case is a JSON object"),
        Err(error) => {
            let case: Value = serde_json::from_slice(line).unwrap_or_default();
            return refused(case.get("id"), &error.message);
        }
    };
    match verdict(&case, rules, timed) {
        Ok(answer) => answer,
        Err(what) => refused(case.get("id"), &what),
    }
}

fn verdict(case: &Value, rules: &mut Rules, timed: bool) -> std::result::Result<Value, String> {
    let (tool, input) = match (case.get("command"), case.get("tool")) {
        (Some(command), None) => ("Bash", json!({"command": command})),
        (None, Some(Value::String(tool))) => (tool.as_str(), case["input"].clone()),
        (None, Some(_)) => return Err("field \"tool\" must be a string".to_string()),
        (Some(_), Some(_)) => return Err("a case has \"command\" or \"tool\"".to_string()),
        (None, None) => return Err("a case has no \"command\" and no \"tool\"".to_string()),
    };
    let context = |name: &str, or: &str| match case["context"].get(name) {
        None | Some(Value::Null) => Ok(or.to_string()),
        Some(Value::String(path)) if path.starts_with('/') => Ok(path.clone()),
        Some(_) => Err(format!("context {name:?} must be an absolute path")),
    };
    let home = context("home", example::HOME)?;
    let project = context("project", &format!("{}/proj", home.trim_end_matches('/')))?;
    let call = example::of(tool, input, &context("cwd", &project)?);
    let id = case.get("id").unwrap_or(&Value::Null);
    let empty = json!([]);
    let policies = match rules.read(case.get("rules").unwrap_or(&empty)) {
        Ok(policies) => policies,
        Err(what) => {
            let reason = format!("the rules are refused: {what}");
            let ask = Action::Ask.word();
            return Ok(json!({
                "id": id, "decision": ask, "rule": null, "reason": reason, "effects": [],
            }));
        }
    };
    let place = Place { project: &project, home: &home, own: &[], resolve: &path::normal };
    let start = time::now();
    let said = policy::evaluate(policies, &call, &place);
    let took = start.elapsed();
    let mut answer = json!({
        "id": id,
        "decision": said.action.word(),
        "rule": said.rule,
        "reason": said.reason,
        "effects": said.effects,
    });
    if timed {
        answer["micros"] = json!(took.as_nanos() as f64 / 1000.0);
    }
    Ok(answer)
}

/// The answer to what is no case.
fn refused(id: Option<&Value>, what: &str) -> Value {
    json!({"id": id, "decision": Action::Ask.word(), "error": what})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Value {
        judge(line.as_bytes(), &mut Rules::default(), false)
    }

    #[test]
    fn a_case_is_answered_and_what_is_none_is_asked() {
        let said = ask(r#"{"id": 7, "command": "ls", "rules": "allow shell ls * ; id x"}"#);
        let want = json!({"id": 7, "decision": "allow", "rule": "x", "effects": ["exec ls"],
            "reason": said["reason"]});
        assert_eq!(said, want);
        let said = ask(r#"{"tool": "Write", "input": {"file_path": "a"},
            "rules": [{"action": "deny", "write": "src/**"}],
            "context": {"cwd": "/home/u/proj/src"}}"#);
        assert_eq!((&said["decision"], &said["rule"]), (&json!("deny"), &json!("rule 1")));
        assert_eq!(said["effects"], json!(["write /home/u/proj/src/a"]));
        let said =
            ask(r#"{"id": "r", "command": "ls", "rules": [{"action": "allow", "command": "*"}]}"#);
        assert_eq!(said["decision"], "ask");
        assert!(said["reason"].as_str().unwrap().contains("rule 1: field"), "{said}");
        let deep = format!(r#"{{"id": 1, "command": {}1{}}}"#, "[".repeat(70), "]".repeat(70));
        for line in [
            "",
            "[]",
            "{",
            "{}",
            r#"{"command": "ls", "tool": "x"}"#,
            r#"{"tool": 1}"#,
            &deep,
            r#"{"command": "ls", "context": {"cwd": "x"}}"#,
            r#"{"command":"a","command":"b"}"#,
        ] {
            let said = ask(line);
            assert_eq!(said["decision"], "ask", "{line}");
            assert!(said["error"].is_string(), "{line}: {said}");
        }
        assert_eq!(
            judge(b"{\"command\": \"\xff\"}", &mut Rules::default(), false)["decision"],
            "ask"
        );
        for command in [json!(1), json!(null), json!("a\0b"), json!("x".repeat(70_000))] {
            let rules = [json!({"action": "allow", "tool": "*"})];
            let case = json!({"command": command, "rules": rules});
            assert_eq!(ask(&case.to_string())["decision"], "ask");
        }
    }
}
