//! Rules on the command line: read strictly, shown one a line, compared. What they mean is the
//! daemon's to say.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::json;
use crate::cli::text;
use crate::limits;
use crate::policy::lines;
use crate::policy::review;
use crate::policy::rule;
use crate::policy::source;
use serde_json::Value;
use std::io::Read;

/// The JSON that a word stands for: a file's for `@FILE`, all of `input` for `-`, else itself.
pub fn read(word: &str, input: impl Read) -> Result<Value> {
    match word.strip_prefix('@') {
        Some(path) => read_file(path, input),
        None if word == "-" => read_file(word, input),
        None => parsed("--rules", word.as_bytes()),
    }
}

/// The JSON in a file, or in all of `input` for `-`; what is written as lines becomes JSON here.
pub fn read_file(path: &str, input: impl Read) -> Result<Value> {
    parsed(shown(path), &read_bytes(path, input)?)
}

/// What messages call a file, and all that is in it; standard input for `-`.
pub fn read_named(path: &str) -> Result<(&str, Vec<u8>)> {
    Ok((shown(path), read_bytes(path, std::io::stdin().lock())?))
}

fn shown(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

fn parsed(name: &str, bytes: &[u8]) -> Result<Value> {
    match source::is_json(bytes) {
        true => named(name, json::parse(bytes)),
        false => source::rules(name, bytes).map(|rules| rule::to_json(&rules)),
    }
}

/// All of a file, or all of `input` for `-`.
fn read_bytes(path: &str, input: impl Read) -> Result<Vec<u8>> {
    let most = limits::BODY_BYTES as u64;
    let mut bytes = Vec::new();
    let shown = shown(path);
    let cannot = || format!("cannot read {shown}");
    match path {
        "-" => input.take(most + 1).read_to_end(&mut bytes),
        _ => {
            let file = std::fs::File::open(path).code(Code::Invalid, cannot)?;
            file.take(most + 1).read_to_end(&mut bytes)
        }
    }
    .code(Code::Invalid, cannot)?;
    if bytes.len() as u64 > most {
        return Err(Error::invalid(format!("{shown} has more than {most} bytes")));
    }
    Ok(bytes)
}

fn named(what: &str, parsed: Result<Value>) -> Result<Value> {
    parsed.map_err(|error| Error { message: format!("{what}: {}", error.message), ..error })
}

/// The rules of a policy as a file of lines, which [`read_file`] takes.
pub fn lines(policy: &Value) -> Result<String> {
    rule::parse(&policy["rules"]).map(|rules| lines::print(&rules))
}

/// A rule as one harmless line: `deny   tool Bash  command git push  (pushing is mine)`.
pub fn line(rule: &Value) -> String {
    text::clean(&review::line(rule))
}

/// What became different between two lists of rules, a line for each: `+` added, `-` removed, `~`
/// changed. A rule is the same one where it has the same id, or no id and all else the same.
pub fn changes(before: &[Value], after: &[Value]) -> Vec<String> {
    let of_id = |list: &[Value], id: &Value| list.iter().find(|rule| rule["id"] == *id).cloned();
    let mut left: Vec<&Value> = before.iter().collect();
    let mut lines = Vec::new();
    for rule in after {
        if let Some(at) = left.iter().position(|old| *old == rule) {
            left.remove(at);
            continue;
        }
        let old = Some(&rule["id"]).filter(|id| id.is_string()).and_then(|id| of_id(before, id));
        match old.and_then(|old| left.iter().position(|known| **known == old)) {
            Some(at) => {
                left.remove(at);
                lines.push(format!("~ {}", line(rule)));
            }
            None => lines.push(format!("+ {}", line(rule))),
        }
    }
    lines.extend(left.into_iter().map(|rule| format!("- {}", line(rule))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_is_one_harmless_line() {
        let rule = json!({"action": "deny", "command": "b \u{1b}"});
        assert_eq!(line(&rule), "deny   command b \\x1b");
    }

    #[test]
    fn rules_are_compared_by_id_and_without_one_as_a_whole() {
        let rule = |id: Option<&str>, tool: &str| match id {
            Some(id) => json!({"action": "deny", "id": id, "tool": tool}),
            None => json!({"action": "deny", "tool": tool}),
        };
        let before = [rule(Some("a"), "A"), rule(Some("b"), "B"), rule(None, "C"), rule(None, "D")];
        let after = [rule(None, "D"), rule(Some("b"), "B2"), rule(Some("a"), "A"), rule(None, "E")];
        let lines = changes(&before, &after);
        assert_eq!(lines, ["~ deny   [b]  tool B2", "+ deny   tool E", "- deny   tool C"]);
        assert!(changes(&before, &before).is_empty());
        let twice = [rule(None, "C"), rule(None, "C")];
        assert_eq!(changes(&twice[..1], &twice), ["+ deny   tool C"]);
        assert_eq!(changes(&twice, &[]).len(), 2);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused_with_its_source() {
        let twice = r#"[{"action":"deny","action":"allow"}]"#;
        let error = read(twice, &b""[..]).unwrap_err();
        assert!(error.message.starts_with("--rules: ") && error.message.contains("twice"));
        let error = read("-", twice.as_bytes()).unwrap_err();
        assert!(error.message.starts_with("standard input: "), "{error}");
        let error = read("@/nowhere/x.json", &b""[..]).unwrap_err();
        assert!(error.message.contains("/nowhere/x.json"), "{error}");
        assert_eq!(read("-", &b"[1]"[..]).unwrap(), json!([1]));
        let large = vec![b' '; limits::BODY_BYTES + 1];
        assert!(read("-", &large[..]).unwrap_err().message.contains("more than"));
    }
}
