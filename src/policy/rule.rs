//! Rules as people write them, in JSON and back; knows nothing of how they are matched.

use crate::base::error::{Error, Result};
use crate::limits;
use crate::model::call::Action;
use serde_json::Map;
use serde_json::Value;
use std::collections::HashSet;

/// One rule: which calls it is about, and what becomes of them. An absent list means any; a rule
/// with neither `tool` nor `command` is about every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The name that verdicts and logs use; without one it is called by its number.
    pub id: Option<String>,
    /// What becomes of the call.
    pub action: Action,
    /// Tool names, one of which the call's must equal.
    pub tool: Vec<String>,
    /// Commands, one of which the call's must equal.
    pub command: Vec<String>,
    /// Words for the agent and the person.
    pub reason: Option<String>,
}

/// Reads `[{id?, action, tool?, command?, reason?}]`. Whatever is not understood is an error that
/// names the rule's number and the field: half a rule could allow what the whole one denies.
pub fn parse(value: &Value) -> Result<Vec<Rule>> {
    let list = value.as_array().ok_or_else(|| Error::invalid("rules must be a JSON list"))?;
    if list.len() > limits::RULES {
        let most = limits::RULES;
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

type Parsed<T> = std::result::Result<T, String>;

fn parse_one(value: &Value) -> Parsed<Rule> {
    let map = value.as_object().ok_or("must be a JSON object")?;
    let (mut id, mut action, mut reason) = (None, None, None);
    let (mut tool, mut command) = (Vec::new(), Vec::new());
    // Every member is looked at by name: a `null` is a wrong type here, not an absent restriction.
    for (key, value) in map {
        match key.as_str() {
            "id" => id = Some(line(key, value, limits::NAME_CHARS)?),
            "action" => action = Some(parse_action(value)?),
            "tool" => tool = texts(key, value)?,
            "command" => command = texts(key, value)?,
            "reason" => reason = Some(line(key, value, limits::REASON_CHARS)?),
            _ => {
                return Err(format!(
                    "unknown field {key:?}; known are id, action, tool, command, reason"
                ));
            }
        }
    }
    let action = action.ok_or("field \"action\" is missing; it is allow, deny or ask")?;
    Ok(Rule { id, action, tool, command, reason })
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

/// A string or a list of them, none empty: an empty list would read as "any" or as "none".
fn texts(name: &str, value: &Value) -> Parsed<Vec<String>> {
    let wrong = || format!("field {name:?} must be a string or a list of strings");
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.is_empty() {
        return Err(format!("field {name:?} is an empty list; leave it out to mean any"));
    }
    let mut texts = Vec::with_capacity(list.len());
    for value in list {
        let text = value.as_str().ok_or_else(wrong)?;
        if text.is_empty() {
            return Err(format!("field {name:?} has an empty string"));
        }
        if text.len() > limits::ARG_BYTES {
            return Err(format!("field {name:?} may have {} bytes a string", limits::ARG_BYTES));
        }
        texts.push(text.to_string());
    }
    Ok(texts)
}

fn one_to_json(rule: &Rule) -> Value {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_string(), value);
    put("action", rule.action.word().into());
    if let Some(id) = &rule.id {
        put("id", id.as_str().into());
    }
    if let Some(reason) = &rule.reason {
        put("reason", reason.as_str().into());
    }
    for (name, texts) in [("tool", &rule.tool), ("command", &rule.command)] {
        match texts.as_slice() {
            [] => None,
            [one] => put(name, one.as_str().into()),
            many => put(name, many.to_vec().into()),
        };
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_come_back_as_they_were_written() {
        let written = json!([
            {"action": "deny"},
            {"id": "ls", "action": "allow", "tool": "Bash", "command": ["ls", "ls -l"]},
            {"action": "ask", "tool": ["Write", "Edit"], "reason": "files are mine"},
        ]);
        let rules = parse(&written).unwrap();
        assert_eq!(to_json(&rules), written);
        assert_eq!(parse(&to_json(&rules)).unwrap(), rules);
        assert_eq!(rules[1].command, ["ls", "ls -l"]);
    }

    #[test]
    fn whatever_is_not_understood_is_refused_by_number_and_field() {
        let long = "x".repeat(limits::ARG_BYTES + 1);
        for (rule, want) in [
            (json!({"action": "allow", "tools": "Bash"}), "unknown field \"tools\""),
            (json!({"action": "Allow"}), "field \"action\" is \"Allow\""),
            (json!({"action": 1}), "field \"action\""),
            (json!({"tool": "Bash"}), "field \"action\" is missing"),
            (json!({"action": "allow", "tool": []}), "field \"tool\" is an empty list"),
            (json!({"action": "allow", "tool": null}), "field \"tool\" must be"),
            (json!({"action": "allow", "tool": ""}), "field \"tool\" has an empty string"),
            (json!({"action": "allow", "tool": ["a", 1]}), "field \"tool\" must be"),
            (json!({"action": "allow", "command": {"a": 1}}), "field \"command\" must be"),
            (json!({"action": "allow", "command": long}), "field \"command\" may have"),
            (json!({"action": "deny", "reason": " "}), "field \"reason\" is empty"),
            (json!({"action": "deny", "reason": "a\u{1b}[2J"}), "field \"reason\" may not"),
            (json!({"action": "deny", "id": true}), "field \"id\" must be a string"),
            (json!({"action": "deny", "id": "first"}), "field \"id\" is \"first\""),
            (json!("deny all"), "must be a JSON object"),
        ] {
            let error = parse(&json!([{"id": "first", "action": "ask"}, rule])).unwrap_err();
            assert!(error.message.starts_with(&format!("rule 2: {want}")), "{error} for {rule}");
        }
        assert!(parse(&json!({"rules": []})).is_err());
        assert!(parse(&vec![json!({"action": "ask"}); limits::RULES + 1].into()).is_err());
    }
}
