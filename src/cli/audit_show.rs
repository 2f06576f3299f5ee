//! How rows of the audit log and the result of a check are shown.

use crate::base::error::Result;
use crate::base::id;
use crate::cli::describe::short;
use crate::cli::describe::word;
use crate::cli::out::Cell;
use crate::cli::out::Color;
use crate::cli::out::Out;
use crate::cli::out::cell;
use crate::cli::text;
use crate::model::audit::Asked;
use crate::model::audit::Report;
use serde_json::Value;
use serde_json::json;

/// The columns of the table; the one of the call gives way where it is too wide.
const HEADINGS: [&str; 7] = [
    "Row",
    "Timestamp",
    "Session ID",
    "Tool name and arguments",
    "Matched policy and rule",
    "Decision",
    "Reason",
];
const CALL: usize = 3;
/// Columns of a call and of a reason in the table; `audit show` has the whole.
const SHOWN: usize = 80;

/// The fields of an entry, in the order of an export.
const FIELDS: [&str; 24] = [
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

/// The rows under their headings.
pub fn table(out: &Out, entries: &[Value]) -> Result<()> {
    let rows: Vec<Vec<Cell>> = entries.iter().map(row).collect();
    out.table(&HEADINGS, &rows, CALL)
}

fn row(entry: &Value) -> Vec<Cell> {
    let at = word(entry, "timestamp");
    // Whole seconds: `2026-11-24T06:50:47Z`.
    let at = at.split_once('.').map_or(at.to_string(), |(seconds, _)| format!("{seconds}Z"));
    let rule = match (word(entry, "policyName"), word(entry, "ruleId")) {
        ("", "") => word(entry, "decider").to_string(),
        (policy, "") => policy.to_string(),
        ("", rule) => rule.to_string(),
        (policy, rule) => format!("{policy}: {rule}"),
    };
    // What is no decision says what it is.
    let said = match word(entry, "decision") {
        "" => word(entry, "kind"),
        decision => decision,
    };
    vec![
        cell(text_of(&entry["seq"])),
        cell(at),
        cell(short(word(entry, "sessionId"))),
        cell(text::keep_start(&call(entry), SHOWN)),
        cell(rule),
        cell(said),
        cell(text::keep_start(word(entry, "reason"), SHOWN)),
    ]
}

/// The tool, and what it was called with in its shortest form.
pub fn call(entry: &Value) -> String {
    let tool = word(entry, "toolName");
    if tool.is_empty() {
        return String::new();
    }
    let args = &entry["args"];
    let known = ["command", "file_path", "path", "url", "pattern", "query"];
    let main = known.iter().find_map(|name| args[*name].as_str()).map(str::to_string);
    format!("{tool} {}", main.unwrap_or_else(|| text_of(args)))
}

/// Everything that a row holds, a field a line.
pub fn whole(out: &Out, entry: &Value) -> Result<()> {
    for field in FIELDS {
        let value = text_of(&entry[field]);
        if !value.is_empty() {
            let name = out.paint(Color::Dim, &format!("{field:<13}"));
            out.line(&format!("{name}  {}", text::clean(&value)))?;
        }
    }
    Ok(())
}

fn text_of(value: &Value) -> String {
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
        let text = text::clean(&text);
        let text = if formula { format!("'{text}") } else { text };
        match text.contains([',', '"', '\'', ' ', '\\']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text,
        }
    });
    cells.collect::<Vec<_>>().join(",")
}

/// `{ok, rows, head?, key?, keyed?: {from, to}, findings: [{row, what, text}]}`.
pub fn report_json(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|found| json!({"row": found.seq, "what": found.what, "text": found.text}))
        .collect();
    json!({
        "ok": findings.is_empty(),
        "rows": report.rows,
        "head": report.head.map(|head| head.to_string()),
        "hash": report.head.map(|head| id::hex(&head.hash)),
        "key": report.key,
        "keyed": report.keyed.map(|(from, to)| json!({"from": from, "to": to})),
        "findings": findings,
    })
}

/// What a check shows and what it cannot, in lines.
pub fn limits(report: &Report, asked: &Asked) -> Vec<String> {
    let mut lines = Vec::new();
    match (report.keyed, &report.key, &asked.secret) {
        (Some((from, to)), ..) => {
            lines.push(format!("the key marks rows {from} to {to}, and fixes all before them"));
            if report.rows > to {
                lines.push(format!("rows from {} on have another key", to + 1));
            }
        }
        (None, _, Some(_)) => {}
        (None, Some(name), None) => lines.push(format!(
            "checked without the key {name}: whoever can write your files can have made all rows \
             anew; add --key-file F"
        )),
        (None, None, None) => lines.push(
            "the log has no key: whoever can write your files can make all rows anew; begin one: \
             codepiper audit key"
                .to_string(),
        ),
    }
    if asked.head.is_none() {
        lines.push(
            "an older copy of the whole directory would not show; add --head with a head that was \
             noted elsewhere"
                .to_string(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_check_without_a_key_or_a_head_says_what_it_cannot_show() {
        let asked = Asked::default();
        let report = Report { rows: 5, ..Report::default() };
        let lines = limits(&report, &asked).join("\n");
        assert!(lines.contains("codepiper audit key") && lines.contains("--head"), "{lines}");
        let report = Report { key: Some("abc".into()), ..report };
        assert!(limits(&report, &asked)[0].contains("without the key abc"));
        assert_eq!(report_json(&report)["ok"], true);
    }
}
