//! How rows of the audit log and the result of a check are shown.

use crate::base::error::Result;
use crate::cli::describe::short;
use crate::cli::describe::word;
use crate::cli::out::Cell;
use crate::cli::out::Color;
use crate::cli::out::Out;
use crate::cli::out::cell;
use crate::cli::text;
use crate::model::audit::Asked;
use crate::model::audit::Report;
use crate::model::audit_table::FIELDS;
use crate::model::audit_table::text_of;
use crate::model::call;
use serde_json::Value;

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
    call::line(tool, &entry["args"])
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
    fn a_check_without_a_key_or_a_head_says_what_it_cannot_show() {
        let asked = Asked::default();
        let report = Report { rows: 5, ..Report::default() };
        let lines = limits(&report, &asked).join("\n");
        assert!(lines.contains("codepiper audit key") && lines.contains("--head"), "{lines}");
        let report = Report { key: Some("abc".into()), ..report };
        assert!(limits(&report, &asked)[0].contains("without the key abc"));
        assert_eq!(report.to_json()["ok"], true);
    }
}
