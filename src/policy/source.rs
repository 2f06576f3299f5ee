//! A text of rules in either of its two forms: a JSON list, or lines. Reads no file itself.

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::policy::example;
use crate::policy::lines;
use crate::policy::rule;
use crate::policy::rule::Rule;
use serde_json::Value;

/// Whether the text is meant as JSON: no line of rules begins with a bracket.
pub fn is_json(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    first.is_none_or(|byte| matches!(byte, b'[' | b'{'))
}

/// The rules of a text that is called `file`, their examples checked. JSON may be a list of rules
/// or an object with one under `rules`.
pub fn rules(file: &str, bytes: &[u8]) -> Result<Vec<Rule>> {
    let rules = rules_only(file, bytes)?;
    if is_json(bytes) {
        example::check(&rules).map_err(|error| named(file, error))?;
        return Ok(rules);
    }
    lines::parse(file, text(file, bytes)?)
}

/// The same without a look at the examples.
pub fn rules_only(file: &str, bytes: &[u8]) -> Result<Vec<Rule>> {
    if is_json(bytes) {
        return json::parse(bytes)
            .and_then(|value| match value {
                Value::Object(mut map) => rule::parse(&map.remove("rules").unwrap_or_default()),
                list => rule::parse(&list),
            })
            .map_err(|error| named(file, error));
    }
    match lines::parse_only(file, text(file, bytes)?)?.0 {
        none if none.is_empty() => {
            Err(Error::invalid(format!("{file}: no rules; `[]` is a policy without any")))
        }
        rules => Ok(rules),
    }
}

fn text<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::invalid(format!("{file}:{line}:1: not valid UTF-8"))
    })
}

fn named(file: &str, error: Error) -> Error {
    Error { message: format!("{file}: {}", error.message), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_told_apart_and_mean_the_same() {
        let lines = "# mine\nallow shell ls *\n  match: ls\n";
        let list = r#" [{"action": "allow", "command": "ls *", "match": "ls"}]"#;
        let object =
            r#"{"name": "x", "rules": [{"action": "allow", "command": "ls *", "match": "ls"}]}"#;
        let all = [lines, list, object].map(|text| rules("f", text.as_bytes()).unwrap());
        assert!(all[0] == all[1] && all[1] == all[2]);
        for (text, want) in [
            ("", "f: not valid JSON"),
            ("# nothing", "f: no rules"),
            ("{}", "f: rules must be a JSON list"),
            (
                r#"[{"action":"deny","tool":"x","noMatch":"x"},
                {"action":"deny","tool":"*","noMatch":"x"}]"#,
                "f: rule 2: ",
            ),
            ("allow tool \u{1b}", "f:1:12: field \"tool\" may not"),
        ] {
            let error = rules("f", text.as_bytes()).unwrap_err();
            assert!(error.message.starts_with(want), "{error}");
        }
        assert!(rules("f", b"allow tool x\n\xff").unwrap_err().message.starts_with("f:2:1: not"));
    }
}
