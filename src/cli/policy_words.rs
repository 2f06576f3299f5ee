//! Policies in words, from the API's JSON: lists, lines, rules. Everything here is safe to print.

use crate::base::error::Result;
use crate::base::id;
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::describe::{short, word};
use crate::cli::out::Cell;
use crate::cli::out::Color;
use crate::cli::out::cell;
use crate::cli::rules;
use crate::cli::text;
use serde_json::Value;
use serde_json::json;

/// The path of a policy that the user names.
pub fn path(words: &str) -> String {
    format!("/policies/{}", encode(words))
}

/// The list called `name` in an answer.
pub fn items<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// An id as a list shows it: short, where it is one that nobody chose.
pub fn label(id: &str) -> String {
    text::clean(if id::is_uuid(id) { short(id) } else { id })
}

/// The names of a list of sets.
pub fn names(sets: &[Value]) -> String {
    let names: Vec<String> = sets.iter().map(|set| text::clean(word(set, "name"))).collect();
    names.join(", ")
}

/// The ids of a list, as a user may type them.
pub fn labels(ids: &[Value]) -> String {
    let ids: Vec<String> = ids.iter().filter_map(Value::as_str).map(label).collect();
    ids.join(", ")
}

/// `policy history`: the changes of a policy, with the rules that came and went.
pub fn history(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get(&format!("{}/history", path(&call.args.words[0])))?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    for change in items(&body, "history") {
        let (at, by) =
            (text::clean(word(change, "timestamp")), text::clean(word(change, "client")));
        let reason = text::clean(word(change, "reason"));
        call.out.line(&format!("{at}  version {}  {reason}  ({by})", change["version"]))?;
        for (list, sign, color) in [("removed", '-', Color::Red), ("added", '+', Color::Green)] {
            for rule in items(change, list).iter().filter_map(Value::as_str) {
                let line = format!("  {sign} {}", text::clean(rule));
                call.out.line(&call.out.paint(color, &line))?;
            }
        }
    }
    Ok(0)
}

/// Policies as a table.
pub fn table(call: &Invocation<'_>, policies: &[Value]) -> Result<()> {
    let now = time::unix_ms();
    let rows: Vec<_> = policies.iter().map(|policy| row(policy, now)).collect();
    call.out.table(&["ID", "NAME", "ON", "PRI", "SCOPE", "RULES", "AGE"], &rows, 1)
}

fn row(policy: &Value, now: i64) -> Vec<Cell> {
    let made = time::parse_rfc3339(word(policy, "createdAt"));
    vec![
        cell(label(word(policy, "id"))),
        cell(word(policy, "name")),
        cell(on(policy)),
        cell(policy["priority"].to_string()),
        cell(scope(policy)),
        cell(items(policy, "rules").len().to_string()),
        cell(made.map_or("built in".into(), |at| text::age(now - at))),
    ]
}

/// Whether a policy decides anything.
pub fn on(policy: &Value) -> &'static str {
    match (policy["problem"].is_string(), policy["enabled"] == json!(true)) {
        (_, false) => "off",
        (true, true) => "BROKEN",
        (false, true) => "on",
    }
}

/// Which sessions a policy holds for.
pub fn scope(policy: &Value) -> String {
    match word(policy, "sessionId") {
        "" => text::clean(word(policy, "scope")),
        session => format!("session {}", label(session)),
    }
}

/// A policy's rules, numbered, one a line.
pub fn print_rules(call: &Invocation<'_>, policy: &Value) -> Result<()> {
    for (at, rule) in items(policy, "rules").iter().enumerate() {
        let number = call.out.paint(Color::Dim, &format!("{:>4}", at + 1));
        call.out.line(&format!("{number}  {}", rules::line(rule)))?;
    }
    Ok(())
}

/// A policy in one line: `policy mine (3f2a91c0): 2 rules, version 3, on, global`.
pub fn summary(policy: &Value) -> String {
    let rules = match items(policy, "rules").len() {
        1 => "1 rule".to_string(),
        count => format!("{count} rules"),
    };
    let (name, id) = (text::clean(word(policy, "name")), label(word(policy, "id")));
    let (version, on, scope) = (&policy["version"], on(policy), scope(policy));
    format!("policy {name} ({id}): {rules}, version {version}, {on}, {scope}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_in_a_line_says_how_it_stands_and_nothing_raw() {
        let session = "0b7e4c1e-0000-4000-8000-000000000000";
        let mut policy = json!({"id": session, "name": "mine\u{1b}", "enabled": true, "version": 3,
            "scope": "session", "sessionId": session, "rules": [{"action": "ask"}]});
        let line = "policy mine\\x1b (0b7e4c1e): 1 rule, version 3, on, session 0b7e4c1e";
        assert_eq!(summary(&policy), line);
        policy["problem"] = json!("rule 1: what");
        assert_eq!(on(&policy), "BROKEN");
        policy["enabled"] = json!(false);
        assert_eq!(on(&policy), "off");
        assert_eq!(labels(&[json!("chosen-by-hand"), json!(session)]), "chosen-by-hand, 0b7e4c1e");
    }
}
