//! Rows of the audit log as a table for other programs: its columns, and its lines of CSV.
//!
//! 1. No cell MUST begin with what a spreadsheet takes for a formula.
//! 2. A row MUST be one line, whatever is in it.

use crate::base::plain;
use serde_json::Value;

/// The fields of an entry, in the order of an export.
pub const FIELDS: [&str; 24] = [
    "seq",
    "timestamp",
    "bootMs",
    "bootId",
    "kind",
    "sessionId",
    "requestId",
    "toolName",
    "args",
    "argsSha256",
    "cwd",
    "toolUseId",
    "agentId",
    "effects",
    "policyName",
    "ruleId",
    "policyVersion",
    "decision",
    "reason",
    "decider",
    "client",
    "about",
    "hash",
    "mac",
];

/// What stands in a cell: text as it is, all else as JSON, nothing for what is not there.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first line of a CSV.
pub fn csv_head() -> String {
    FIELDS.join(",")
}

/// An entry as a line of CSV (RFC 4180). Control bytes are escaped, and a cell that a spreadsheet
/// would take for a formula begins with a quote, which makes it text.
pub fn csv(entry: &Value) -> String {
    let cells = FIELDS.iter().map(|field| {
        let text = text_of(&entry[*field]);
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = plain::clean(&text);
        let text = if formula { format!("'{text}") } else { text };
        match text.contains([',', '"', '\'', ' ', '\\']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text,
        }
    });
    cells.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_of_csv_is_neither_a_formula_nor_more_than_a_row() {
        let entry = json!({"seq": 3, "sessionId": "=1+1", "toolName": "a,\"b\"", "reason": "@x\ny",
            "decider": "-x", "args": {"command": "\u{1b}[2K"}, "policyName": "\t=1"});
        let line = csv(&entry);
        assert!(!line.contains(['\n', '\u{1b}', '\t']), "{line}");
        for part in
            ["3,", ",\"'=1+1\",", ",\"a,\"\"b\"\"\",", "\"'@x\\x0ay\"", "\"'-x\"", "'\\x09=1"]
        {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert_eq!(csv_head().split(',').count(), FIELDS.len());
    }
}
