//! Rules as people write them, in JSON and back; knows nothing of calls. Their patterns are those
//! of [`crate::policy::pattern`], taken apart here once and for all.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::call::Action;
use crate::policy::glob::Glob;
use crate::policy::host::Hosts;
use crate::policy::pattern::Paths;
use crate::policy::pattern::Words;
use crate::policy::visible;
use serde_json::Map;
use serde_json::Value;
use std::collections::HashSet;

/// One rule: which calls it is about, and what becomes of them. An empty list means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name that verdicts and logs use; without one it is called by its number.
    pub id: Option<String>,
    /// What becomes of the call.
    pub action: Action,
    /// The names of tools.
    pub tool: Vec<Glob>,
    /// Shell commands.
    pub command: Vec<Words>,
    /// What is read.
    pub read: Vec<Paths>,
    /// What is written.
    pub write: Vec<Paths>,
    /// Hosts that are spoken to.
    pub host: Vec<Hosts>,
    /// Fields of the tool's input, all of which must fit.
    pub args: Vec<(String, Vec<Glob>)>,
    /// Where the call stands.
    pub cwd: Vec<Paths>,
    /// Words for the agent and the person.
    pub reason: Option<String>,
    /// Calls that it must be about, or it is not loaded; see [`crate::policy::example`].
    pub matches: Vec<String>,
    /// Calls that it must not be about.
    pub no_match: Vec<String>,
}

/// The fields that a rule may have.
const FIELDS: &str =
    "id, action, tool, command, read, write, host, args, cwd, reason, match, noMatch";

/// Reads a list of rules; their grammar stands in [`crate::policy::pattern`]. Whatever is not
/// understood is an error that names the rule's number and the field: half a rule could allow what
/// the whole one denies.
pub fn parse(value: &Value) -> Result<Vec<Rule>> {
    let list = value.as_array().ok_or_else(|| Error::invalid("rules must be a JSON list"))?;
    if list.len() > limits::gate::RULES {
        let most = limits::gate::RULES;
        return Err(Error::invalid(format!("{} rules, a policy may have {most}", list.len())));
    }
    let mut ids = HashSet::new();
    let mut rules = Vec::with_capacity(list.len());
    for (at, value) in list.iter().enumerate() {
        let number = at + 1;
        let rule =
            parse_one(value).map_err(|what| Error::invalid(format!("rule {number}: {what}")))?;
        if let Some(id) = &rule.id
            && !ids.insert(id.clone())
        {
            return Err(Error::invalid(format!(
                "rule {number}: field \"id\" is {id:?}, which an earlier rule has"
            )));
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// The JSON that [`parse`] reads; absent fields stay absent.
pub fn to_json(rules: &[Rule]) -> Value {
    Value::Array(rules.iter().map(one_to_json).collect())
}

/// What a field says, or what is wrong with it.
pub type Parsed<T> = std::result::Result<T, String>;

/// Reads one rule; the error names the field.
pub fn parse_one(value: &Value) -> Parsed<Rule> {
    let map = value.as_object().ok_or("must be a JSON object")?;
    let action = map.get("action").map(parse_action).transpose()?;
    let action = action.ok_or("field \"action\" is missing; it is allow, deny or ask")?;
    let mut rule = Rule {
        id: None,
        action,
        tool: Vec::new(),
        command: Vec::new(),
        read: Vec::new(),
        write: Vec::new(),
        host: Vec::new(),
        args: Vec::new(),
        cwd: Vec::new(),
        reason: None,
        matches: Vec::new(),
        no_match: Vec::new(),
    };
    // Every member is looked at by name: a `null` is a wrong type here, not an absent restriction.
    for (key, value) in map {
        match key.as_str() {
            "action" => {}
            "id" => rule.id = Some(line(key, value, limits::NAME_CHARS)?),
            "reason" => rule.reason = Some(line(key, value, limits::gate::REASON_CHARS)?),
            "tool" => rule.tool = patterns(key, value, Glob::parse)?,
            "command" => {
                let parse = |text: &str| Words::parse(text, action == Action::Allow);
                rule.command = patterns(key, value, parse)?;
            }
            "read" => rule.read = patterns(key, value, Paths::parse)?,
            "write" => rule.write = patterns(key, value, Paths::parse)?,
            "cwd" => rule.cwd = patterns(key, value, Paths::parse)?,
            "host" => {
                let parse = |text: &str| Hosts::parse(text, action == Action::Allow);
                rule.host = patterns(key, value, parse)?;
            }
            "args" => rule.args = args(value)?,
            "match" => rule.matches = examples(key, value)?,
            "noMatch" => rule.no_match = examples(key, value)?,
            _ => return Err(format!("unknown field {key:?}; known are {FIELDS}")),
        }
    }
    let Rule { tool, command, read, write, host, args, cwd, .. } = &rule;
    let files = [read.len(), write.len(), cwd.len()];
    let names = [tool.len(), command.len(), host.len(), args.len()];
    if files.iter().chain(&names).all(|count| *count == 0) {
        let fields = "\"tool\", \"command\", \"read\", \"write\", \"host\", \"args\" and \"cwd\"";
        return Err(format!("has none of {fields}; \"tool\": \"*\" is about every call"));
    }
    Ok(rule)
}

fn parse_action(value: &Value) -> Parsed<Action> {
    let action = value.as_str().and_then(Action::from_word);
    action.ok_or_else(|| format!("field \"action\" is {value}; it must be allow, deny or ask"))
}

/// One line of words for people: not blank, no control characters.
fn line(name: &str, value: &Value, chars_max: usize) -> Parsed<String> {
    let text = value.as_str().ok_or_else(|| format!("field {name:?} must be a string"))?;
    if text.trim().is_empty() {
        return Err(format!("field {name:?} is empty; leave it out"));
    }
    if text.chars().count() > chars_max {
        return Err(format!("field {name:?} may have {chars_max} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("field {name:?} may not have control characters"));
    }
    Ok(text.to_string())
}

/// A pattern or a list of them, none empty: an empty list would read as "any" or as "none".
fn patterns<T>(
    name: &str,
    value: &Value,
    parse: impl Fn(&str) -> std::result::Result<T, String>,
) -> Parsed<Vec<T>> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.is_empty() {
        return Err(format!("field {name:?} is an empty list; leave it out to mean any"));
    }
    if list.len() > limits::gate::PATTERNS {
        return Err(format!("field {name:?} may have {} patterns", limits::gate::PATTERNS));
    }
    let mut patterns = Vec::with_capacity(list.len());
    for value in list {
        let wrong = || format!("field {name:?} must be a string or a list of strings");
        let text = value.as_str().ok_or_else(wrong)?;
        if text.len() > limits::gate::PATTERN_BYTES {
            return Err(format!(
                "field {name:?} may have {} bytes a pattern",
                limits::gate::PATTERN_BYTES
            ));
        }
        if text.chars().any(|c| c.is_control() || visible::is_hidden(c)) {
            return Err(format!("field {name:?} may not have characters that cannot be seen"));
        }
        patterns.push(parse(text).map_err(|what| format!("field {name:?} {what}"))?);
    }
    Ok(patterns)
}

/// Patterns by the name of the field that they are about.
fn args(value: &Value) -> Parsed<Vec<(String, Vec<Glob>)>> {
    let map = value.as_object().filter(|map| !map.is_empty());
    let map = map.ok_or("field \"args\" must be an object of patterns by field")?;
    if map.len() > limits::gate::RULE_ARGS {
        return Err(format!("field \"args\" may have {} fields", limits::gate::RULE_ARGS));
    }
    let mut all = Vec::with_capacity(map.len());
    for (name, value) in map {
        line("args", &Value::from(name.as_str()), limits::NAME_CHARS)?;
        let globs = patterns("args", value, Glob::parse)
            .map_err(|what| format!("{what} (for {name:?})"))?;
        all.push((name.clone(), globs));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// Calls in words; whether they fit is for [`crate::policy::example`] to say.
fn examples(name: &str, value: &Value) -> Parsed<Vec<String>> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.is_empty() || list.len() > limits::gate::RULE_EXAMPLES {
        return Err(format!("field {name:?} has one to {} examples", limits::gate::RULE_EXAMPLES));
    }
    list.iter().map(|value| line(name, value, limits::gate::PATTERN_BYTES)).collect()
}

/// The JSON of one rule.
pub fn one_to_json(rule: &Rule) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_string(), value);
    put("action", rule.action.word().into());
    if let Some(id) = &rule.id {
        put("id", id.as_str().into());
    }
    if let Some(reason) = &rule.reason {
        put("reason", reason.as_str().into());
    }
    if !rule.args.is_empty() {
        let texts = |globs: &[Glob]| several(globs.iter().map(Glob::text).collect());
        let fields = rule.args.iter().map(|(name, globs)| (name.clone(), texts(globs)));
        put("args", Value::Object(fields.collect()));
    }
    let lists: [(&str, Vec<&str>); 8] = [
        ("tool", rule.tool.iter().map(Glob::text).collect()),
        ("command", rule.command.iter().map(Words::text).collect()),
        ("read", rule.read.iter().map(Paths::text).collect()),
        ("write", rule.write.iter().map(Paths::text).collect()),
        ("host", rule.host.iter().map(Hosts::text).collect()),
        ("cwd", rule.cwd.iter().map(Paths::text).collect()),
        ("match", rule.matches.iter().map(String::as_str).collect()),
        ("noMatch", rule.no_match.iter().map(String::as_str).collect()),
    ];
    for (name, texts) in lists.into_iter().filter(|(_, texts)| !texts.is_empty()) {
        put(name, several(texts));
    }
    Value::Object(map)
}

/// One as itself, several as a list.
fn several(texts: Vec<&str>) -> Value {
    match texts.as_slice() {
        [one] => (*one).into(),
        many => many.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_come_back_as_they_were_written() {
        let written = json!([
            {"action": "deny", "tool": "*"},
            {"id": "ls", "action": "allow", "tool": "Bash", "command": ["ls", "ls  -l [a-z]* *"]},
            {"action": "ask", "tool": ["Write", "mcp__*"], "reason": "files are mine"},
            {"action": "deny", "read": ["~/.ssh/**", "**/*.pem", "/etc"], "write": "src/**/x"},
            {"action": "allow", "command": "make", "cwd": ["/srv/**", "."]},
            {"action": "deny", "command": ["*", "[ *", "[["]},
            {"action": "allow", "host": ["*.a.example", "b.example"], "tool": "WebFetch"},
            {"action": "ask", "args": {"b c": "x*", "a": ["1", "true"]}},
            {"action": "deny", "command": "ls *", "match": ["ls", "ls -l"], "noMatch": "lsx"},
        ]);
        let rules = parse(&written).unwrap();
        assert_eq!(to_json(&rules), written);
        assert_eq!(parse(&to_json(&rules)).unwrap(), rules);
    }

    #[test]
    fn whatever_is_not_understood_is_refused_by_number_and_field() {
        let long = "x".repeat(limits::gate::PATTERN_BYTES + 1);
        for (rule, want) in [
            (json!({"action": "allow", "tools": "Bash"}), "unknown field \"tools\""),
            (json!({"action": "deny", "host": ""}), "field \"host\" has an empty pattern"),
            (json!({"action": "deny", "host": "A.b"}), "field \"host\" has \"A.b\"; a host"),
            (json!({"action": "allow", "host": "*a.b"}), "field \"host\" has \"*a.b\", which"),
            (json!({"action": "deny", "args": {}}), "field \"args\" must be an object"),
            (json!({"action": "deny", "args": ["a"]}), "field \"args\" must be an object"),
            (json!({"action": "deny", "args": {"a": 1}}), "field \"args\" must be a string"),
            (json!({"action": "deny", "args": {"a": ""}}), "field \"args\" has an empty"),
            (json!({"action": "deny", "args": {"": "a"}}), "field \"args\" is empty"),
            (json!({"action": "deny", "tool": "a", "match": []}), "field \"match\" has one"),
            (json!({"action": "deny", "tool": "a", "noMatch": 1}), "field \"noMatch\" must"),
            (json!({"action": "deny", "match": "a"}), "has none of \"tool\""),
            (json!({"action": "Allow", "tool": "A"}), "field \"action\" is \"Allow\""),
            (json!({"action": 1}), "field \"action\""),
            (json!({"tool": "Bash"}), "field \"action\" is missing"),
            (json!({"action": "allow"}), "has none of \"tool\""),
            (json!({"action": "deny", "id": "x", "reason": "y"}), "has none of \"tool\""),
            (json!({"action": "allow", "tool": []}), "field \"tool\" is an empty list"),
            (json!({"action": "allow", "tool": null}), "field \"tool\" must be"),
            (json!({"action": "allow", "tool": ""}), "field \"tool\" has an empty pattern"),
            (json!({"action": "allow", "tool": ["a", 1]}), "field \"tool\" must be"),
            (json!({"action": "allow", "tool": "a[b"}), "field \"tool\" has a broken `[`"),
            (json!({"action": "allow", "command": {"a": 1}}), "field \"command\" must be"),
            (json!({"action": "deny", "command": long}), "field \"command\" may have"),
            (json!({"action": "deny", "command": " "}), "field \"command\" has an empty pattern"),
            (json!({"action": "deny", "command": "git [s"}), "field \"command\" has a broken `[`"),
            (json!({"action": "deny", "command": "ls **"}), "field \"command\" has `**`"),
            (json!({"action": "deny", "command": "ls\n"}), "field \"command\" may not have"),
            (
                json!({"action": "allow", "command": "*"}),
                "field \"command\" has \"*\", which would",
            ),
            (
                json!({"action": "allow", "command": ["ls", "g* x"]}),
                "field \"command\" has \"g* x\"",
            ),
            (json!({"action": "deny", "read": ""}), "field \"read\" has an empty pattern"),
            (json!({"action": "deny", "read": "a//b"}), "field \"read\" has an empty name"),
            (json!({"action": "deny", "read": "a/"}), "field \"read\" has an empty name"),
            (json!({"action": "deny", "write": "a/../b"}), "field \"write\" has a `..`"),
            (json!({"action": "deny", "write": "~root/x"}), "field \"write\" has \"~root/x\""),
            (json!({"action": "deny", "write": "a**/b"}), "field \"write\" has `**` within"),
            (json!({"action": "deny", "cwd": "[]"}), "field \"cwd\" has a broken `[`"),
            (json!({"action": "deny", "reason": " "}), "field \"reason\" is empty"),
            (json!({"action": "deny", "reason": "a\u{1b}[2J"}), "field \"reason\" may not"),
            (json!({"action": "deny", "id": true}), "field \"id\" must be a string"),
            (json!({"action": "deny", "tool": "A", "id": "first"}), "field \"id\" is \"first\""),
            (json!("deny all"), "must be a JSON object"),
        ] {
            let rules = json!([{"id": "first", "action": "ask", "tool": "*"}, rule]);
            let error = parse(&rules).unwrap_err();
            assert!(error.message.starts_with(&format!("rule 2: {want}")), "{error} for {rule}");
        }
        assert!(parse(&json!({"rules": []})).is_err());
        let ask = json!({"action": "ask", "tool": "*"});
        assert!(parse(&vec![ask; limits::gate::RULES + 1].into()).is_err());
        let many = vec!["x"; limits::gate::PATTERNS + 1];
        assert!(parse(&json!([{"action": "ask", "tool": many}])).is_err());
    }
}
