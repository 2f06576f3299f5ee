//! Rules seen by their author: each in a line, and what its author may not have meant. Decides
//! nothing, and refuses nothing.

use crate::base::error::Error;
use crate::model::call::Action;
use crate::policy::effect;
use crate::policy::program::PROGRAMS;
use crate::policy::program::WRAPPERS;
use crate::policy::rule;
use crate::policy::rule::Rule;
use serde_json::Value;
use std::collections::HashMap;

/// The fields of a rule in the order in which they are shown; others come behind them.
const ORDER: [&str; 7] = ["tool", "command", "read", "write", "host", "args", "cwd"];

/// A rule as one line: `deny   tool Bash  command git push  (pushing is mine)`. What is in it is
/// the author's: harmless for a page, to be cleaned for a terminal.
pub fn line(rule: &Value) -> String {
    let Some(map) = rule.as_object() else { return rule.to_string() };
    let mut parts = vec![format!("{:<5}", one(&rule["action"]))];
    parts.extend(map.get("id").map(|id| format!("[{}]", one(id))));
    let known = ORDER.iter().filter_map(|name| map.get_key_value(*name));
    let plain = |name: &str| ["action", "id", "reason"].contains(&name) || ORDER.contains(&name);
    let others = map.iter().filter(|(name, _)| !plain(name));
    let before = parts.len();
    parts.extend(known.chain(others).map(|(name, value)| format!("{name} {}", many(value))));
    if parts.len() == before {
        parts.push("every call".to_string());
    }
    parts.extend(map.get("reason").map(|reason| format!("({})", one(reason))));
    parts.join("  ")
}

fn many(value: &Value) -> String {
    match value.as_array() {
        Some(list) => list.iter().map(one).collect::<Vec<_>>().join(" | "),
        None => one(value),
    }
}

fn one(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// What a rule is called: its id, else its number from 1.
pub fn name(rules: &[Rule], at: usize) -> String {
    let id = rules.get(at).and_then(|rule| rule.id.clone());
    id.unwrap_or_else(|| format!("rule {}", at + 1))
}

/// What the author may not have meant, a line each, with the name of the rule before it.
pub fn warnings(rules: &[Rule]) -> Vec<String> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut all = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let mut warn = |text: String| all.push(format!("{}: {text}", name(rules, at)));
        match known.get(&meaning(rule)) {
            Some(first) => warn(format!("says the same as {}", name(rules, *first))),
            None => drop(known.insert(meaning(rule), at)),
        }
        let any = rule.tool.iter().any(|glob| glob.text() == "*");
        if any
            && rule.action == Action::Allow
            && meaning(rule) == r#"{"action":"allow","tool":"*"}"#
        {
            warn("allows every call that nothing else denies or asks".to_string());
        }
        for tool in rule.tool.iter().filter(|glob| glob.is_literal()) {
            if let Some(near) = effect::near(tool.text()) {
                warn(format!("no tool is called {:?}, but one is called {near:?}", tool.text()));
            }
        }
        for command in rule.command.iter().filter(|_| rule.action == Action::Allow) {
            let text = command.text();
            let words: Vec<&str> = text.split_ascii_whitespace().collect();
            let ([program, .., "*"] | [program @ "*"]) = words[..] else { continue };
            if !PROGRAMS.knows(program) && !WRAPPERS.knows(program) {
                warn(format!(
                    "the options of {program} are not known, so the * of {text:?} stands for \
                     words that are no option"
                ));
            }
        }
    }
    all
}

/// What a rule says, whatever it is called and however that is explained.
fn meaning(rule: &Rule) -> String {
    let mut value = rule::one_to_json(rule);
    if let Some(map) = value.as_object_mut() {
        map.retain(|name, _| !["id", "reason", "match", "noMatch"].contains(&name.as_str()));
    }
    value.to_string()
}

/// Where in a text of rules an error is, as far as its message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, without the place.
    pub text: String,
    /// Line and column, in characters, from 1; known for the line form and for broken JSON.
    pub at: Option<(usize, usize)>,
    /// The number of the rule, from 1.
    pub rule: Option<usize>,
    /// Its field.
    pub field: Option<String>,
}

impl Fault {
    /// Takes apart what [`crate::policy::source::rules`] says of the text called `file`.
    pub fn of(file: &str, error: &Error) -> Fault {
        let text = error.message.strip_prefix(file).and_then(|rest| rest.strip_prefix(':'));
        let text = text.unwrap_or(&error.message);
        let mut fault = Fault::default();
        let text = match place(text) {
            Some((at, rest)) => {
                fault.at = Some(at);
                rest
            }
            None => text,
        };
        fault.text = text.trim_start().to_string();
        if let Some(rest) = fault.text.strip_prefix("rule ") {
            fault.rule = rest.split(':').next().and_then(|number| number.parse().ok());
        }
        // The syntax of JSON has a place of its own: `... at line 3 column 7`.
        if fault.text.starts_with("not valid JSON")
            && let Some((_, place)) = fault.text.rsplit_once(" at line ")
            && let Some((line, column)) = place.split_once(" column ")
        {
            fault.at = line.parse().ok().zip(column.parse().ok());
        }
        let field = fault.text.split("field \"").nth(1).and_then(|rest| rest.split('"').next());
        fault.field = field.map(str::to_string);
        fault
    }
}

/// `LINE:COLUMN: ` at the beginning, and what stands behind it.
fn place(text: &str) -> Option<((usize, usize), &str)> {
    let (line, rest) = text.split_once(':')?;
    let (column, rest) = rest.split_once(':')?;
    Some(((line.parse().ok()?, column.parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::source;
    use serde_json::json;

    #[test]
    fn a_rule_is_one_line_with_all_that_is_in_it() {
        let rule = json!({"action": "deny", "id": "p", "tool": "Bash", "command": ["a", "b c"],
            "reason": "no", "cwd": "/x", "smell": {"a": 1}});
        let shown = "deny   [p]  tool Bash  command a | b c  cwd /x  smell {\"a\":1}  (no)";
        assert_eq!(line(&rule), shown);
        assert_eq!(line(&json!({"action": "ask"})), "ask    every call");
        assert_eq!(line(&json!("what")), "\"what\"");
    }

    #[test]
    fn what_an_author_may_not_have_meant_is_told_and_nothing_else() {
        let warned = |text: &str| warnings(&source::rules("f", text.as_bytes()).unwrap());
        let text = "allow tool bash ; id lower\nallow shell frobnicate *\nallow tool *\n\
            deny shell git push\ndeny shell git push ; reason mine\n";
        assert_eq!(
            warned(text),
            [
                "lower: no tool is called \"bash\", but one is called \"Bash\"",
                "rule 2: the options of frobnicate are not known, so the * of \"frobnicate *\" \
                 stands for words that are no option",
                "rule 3: allows every call that nothing else denies or asks",
                "rule 5: says the same as rule 4",
            ]
        );
        let fine = "allow shell git log * ; shell cargo test ; shell timeout 9 *\n\
            deny tool mcp__x__y ; shell frobnicate *\nallow tool * ; read src/**\nask tool *\n";
        assert_eq!(warned(fine), Vec::<String>::new());
    }

    #[test]
    fn an_error_is_taken_apart_to_its_place() {
        let fault = |text: &str| {
            let error = source::rules("a:b", text.as_bytes()).unwrap_err();
            let Fault { text, at, rule, field } = Fault::of("a:b", &error);
            (text, at, rule, field)
        };
        let (text, at, rule, field) = fault("allow tool x\nallow tool \u{1b}\n");
        assert!(text.starts_with("field \"tool\" may not"), "{text}");
        assert_eq!((at, rule, field.as_deref()), (Some((2, 12)), None, Some("tool")));
        let (text, at, rule, field) = fault(r#"[{"action":"ask","tool":"a"},{"action":"x"}]"#);
        assert!(text.starts_with("rule 2: field \"action\" is"), "{text}");
        assert_eq!((at, rule, field.as_deref()), (None, Some(2), Some("action")));
        let (text, at, ..) = fault("[\n{]");
        assert!(text.starts_with("not valid JSON"), "{text}");
        assert_eq!(at, Some((2, 2)));
        let (text, at, ..) = fault("# nothing");
        assert_eq!((text.as_str(), at), ("no rules; `[]` is a policy without any", None));
    }
}
