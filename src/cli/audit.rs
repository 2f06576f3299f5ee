//! `audit`: what was decided and by whom, and whether that record is what it was.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::audit_show;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::cli::prompt;
use crate::cli::text;
use crate::config::paths::Paths;
use crate::model::audit::Asked;
use crate::model::audit::Head;
use crate::model::audit::Report;
use crate::model::audit_table;
use crate::model::chain::Secret;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::Read;

/// Rows shown without `--limit`.
const ROWS: u64 = 20;
/// Rows of one page of an export.
const PAGE: u64 = 1000;
/// Bytes of a key file.
const KEY_BYTES: u64 = 1024;

const DETAILS: &str = "\
  audit                 the newest rows, newest last
  audit show N          everything that one row holds
  audit export          all rows, as JSON lines or CSV, oldest first
  audit head            where the log ends, to be noted elsewhere
  audit key             begin a key: it is shown once and not kept
  audit verify          read all rows and say what was changed; needs no daemon

Every row holds a hash over itself and the row before it, so a change shows.
Whoever can write your files can make all hashes anew: from a key on, each row
also has a mark that only that key can check. Keep the key elsewhere, on paper
or in a password manager. An older copy of the whole directory is told only by
a head that was noted elsewhere; the daemon's log (the journal, under systemd)
has one for each hour.

Verify takes the key from --key-file, from standard input with --key -, or asks
for it with --key ask; a key in the command line itself can be seen by others.
It ends with 0 when the log is whole and with 1 when it was tampered with. Kinds
are decision, answer, alarm, policy, grant, setting, session, login and chain.";

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "audit",
    aliases: &[],
    group: Group::Policies,
    usage: "[show N|export|head|key|verify] [OPTIONS]",
    about: "Show what was decided, and check that nobody rewrote it",
    options: &[
        value(&["-n", "--limit"], "N", "the newest N rows; default 20"),
        value(&["--session"], "ID", "only of this session"),
        value(&["--decision"], "D", "only allow, deny or ask"),
        value(&["--kind"], "K", "only one kind of row"),
        value(&["--since"], "T", "only from then on: 30m, 7d, 2026-11-24T06:50:00Z"),
        value(&["--format"], "F", "of an export: jsonl (default) or csv"),
        value(&["--key"], "K", "verify with a key: -, ask, or the key itself"),
        value(&["--key-file"], "F", "verify with the key in a file"),
        value(&["--head"], "SEQ:HASH", "verify against a head that was noted"),
        switch(&["--yes"], "begin a key also where no person looks"),
    ],
    words: Words::Count(0, 2),
    details: DETAILS,
    examples: &[
        "codepiper audit --limit 5",
        "codepiper audit --decision deny --since 7d",
        "codepiper audit export --format csv",
        "codepiper audit verify --key-file key.txt",
    ],
    run: audit,
}];

fn audit(call: &Invocation<'_>) -> Result<i32> {
    let words: Vec<&str> = call.args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => list(call),
        ["show", row] => show(call, row),
        ["export"] => export(call),
        ["head"] => head(call),
        ["key"] => key(call),
        ["verify"] => verify(call),
        _ => Err(Error::invalid(format!(
            "audit takes show N, export, head, key, verify or nothing, not {:?}; \
             see: codepiper help audit",
            words.join(" ")
        ))),
    }
}

/// The options that select rows, as the API's query.
fn filter(call: &Invocation<'_>) -> Result<String> {
    let mut query = String::new();
    for (option, name) in
        [("--session", "sessionId"), ("--decision", "decision"), ("--kind", "kind")]
    {
        if let Some(value) = call.args.value(option) {
            query.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    if let Some(from) = since(call)? {
        query.push_str(&format!("&from={}", encode(&from)));
    }
    Ok(query)
}

/// The time that `--since` stands for.
pub fn since(call: &Invocation<'_>) -> Result<Option<String>> {
    let Some(text) = call.args.value("--since") else { return Ok(None) };
    let wrong =
        || Error::invalid(format!("--since takes 30m, 7d or 2026-11-24T06:50:00Z, not {text:?}"));
    let ago = time::parse_duration(text).map(|ago| time::unix_ms() - ago.as_millis() as i64);
    let from = ago.or_else(|| time::parse_rfc3339(text)).ok_or_else(wrong)?;
    Ok(Some(time::rfc3339(from)))
}

fn list(call: &Invocation<'_>) -> Result<i32> {
    let limit = call.args.number::<u64>("--limit")?.unwrap_or(ROWS);
    let body = call.client.get(&format!("/audit?limit={limit}{}", filter(call)?))?;
    match call.out.json {
        true => call.out.body(&body)?,
        false => audit_show::table(&call.out, entries(&body))?,
    }
    Ok(0)
}

fn entries(body: &Value) -> &[Value] {
    body["entries"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn show(call: &Invocation<'_>, row: &str) -> Result<i32> {
    let body = call.client.get(&format!("/audit/{}", encode(row)))?;
    match call.out.json {
        true => call.out.body(&body)?,
        false => audit_show::whole(&call.out, &body["entry"])?,
    }
    Ok(0)
}

fn export(call: &Invocation<'_>) -> Result<i32> {
    let csv = match call.args.value("--format") {
        None | Some("jsonl") => false,
        Some("csv") => true,
        Some(other) => {
            return Err(Error::invalid(format!("--format is jsonl or csv, not {other:?}")));
        }
    };
    if call.args.has("--limit") {
        return Err(Error::invalid("an export has all rows; select them with --since and others"));
    }
    if csv {
        call.out.line(&audit_table::csv_head())?;
    }
    let (filter, mut last) = (filter(call)?, 0);
    loop {
        let body = call.client.get(&format!("/audit?since={last}&limit={PAGE}{filter}"))?;
        let Some(newest) = entries(&body).last().and_then(|entry| entry["seq"].as_i64()) else {
            return Ok(0);
        };
        for entry in entries(&body) {
            match csv {
                true => call.out.line(&audit_table::csv(entry))?,
                false => call.out.body(entry)?,
            }
        }
        last = newest;
    }
}

fn head(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/audit/head")?;
    match call.out.json {
        true => call.out.body(&body)?,
        false => call.out.line(&text::clean(word(&body, "head")))?,
    }
    Ok(0)
}

fn key(call: &Invocation<'_>) -> Result<i32> {
    if !call.out.terminal && !call.args.has("--yes") {
        return Err(Error::new(
            Code::Denied,
            "a key is shown once, to a person: run this in a terminal, or add --yes",
        ));
    }
    let body = call.client.post("/audit/key", &json!({}))?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let (key, name) = (word(&body, "key"), word(&body, "name"));
    call.out.line(&call.out.paint(Color::Bold, &text::clean(key)))?;
    call.out.line(&format!(
        "\nThis is the key {} of the audit log, from row {} on. It is not kept and never\n\
         shown again. Write it down where nobody who can write your files can read it.\n\
         To check the log with it: codepiper audit verify --key ask",
        text::clean(name),
        body["seq"]
    ))?;
    Ok(0)
}

fn verify(call: &Invocation<'_>) -> Result<i32> {
    let head = call.args.value("--head").map(|text| {
        let wrong = || {
            Error::invalid(format!("--head takes SEQ:HASH as audit head prints it, not {text:?}"))
        };
        Head::parse(text).ok_or_else(wrong)
    });
    let asked = Asked { secret: secret(call)?, head: head.transpose()? };
    let report = (call.outside.verify)(&Paths::from_env(None)?.database(), &asked)?;
    match call.out.json {
        true => call.out.body(&report.to_json())?,
        false => said(call, &report, &asked)?,
    }
    Ok(i32::from(!report.findings.is_empty()))
}

/// The key that a person gives, from where it was not seen on the way.
fn secret(call: &Invocation<'_>) -> Result<Option<Secret>> {
    let mut content = String::new();
    match (call.args.value("--key"), call.args.value("--key-file")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(Error::invalid("give --key or --key-file, not both"));
        }
        (None, Some(path)) => {
            let cannot = || format!("cannot read {path}");
            let file = std::fs::File::open(path).code(Code::Invalid, cannot)?;
            file.take(KEY_BYTES).read_to_string(&mut content).code(Code::Invalid, cannot)?;
        }
        (Some("ask"), None) => content = prompt::secret("key: ")?.expose().to_string(),
        (Some("-"), None) => {
            let cannot = || "cannot read the key from standard input".to_string();
            let mut input = std::io::stdin().lock().take(KEY_BYTES);
            input.read_line(&mut content).code(Code::Invalid, cannot)?;
        }
        (Some(typed), None) => {
            eprintln!(
                "codepiper: a key in the command line can be seen by every program of yours and \
                 stays in the shell's history; --key-file or --key - are safer"
            );
            content = typed.to_string();
        }
    }
    Secret::parse(&content).map(Some)
}

fn said(call: &Invocation<'_>, report: &Report, asked: &Asked) -> Result<()> {
    for finding in &report.findings {
        let what = call.out.paint(Color::Red, "TAMPERED");
        let text = text::clean(&finding.text);
        call.out.line(&format!("{what}  {} at row {}: {text}", finding.what, finding.seq))?;
    }
    let head = report.head.map(|head| head.to_string()).unwrap_or_default();
    call.out.line(&format!("{} rows, the newest is {head}", report.rows))?;
    if report.findings.is_empty() {
        call.out.line(&call.out.paint(Color::Green, "every row fits the one before it"))?;
    }
    for line in audit_show::limits(report, asked) {
        call.out.line(&line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn asked(line: &[&str]) -> Result<Vec<String>> {
        let fake = Fake::api(|target, _| match target {
            t if t.contains("since=0") => (200, r#"{"entries":[{"seq":1},{"seq":5}]}"#.into()),
            _ => (200, r#"{"entries":[]}"#.into()),
        });
        audit(&invocation(&fake, line)).map(|_| fake.lines())
    }

    #[test]
    fn options_become_the_question_and_an_export_reads_page_by_page() {
        let lines = asked(&["audit", "--session", "a b", "--decision", "deny", "-n", "5"]).unwrap();
        assert!(lines[0].contains("/audit?limit=5&sessionId=a%20b&decision=deny"), "{lines:?}");
        let lines = asked(&["audit", "--since", "2026-11-24"]).unwrap();
        assert!(lines[0].contains("&from=2026-11-24T00%3A00%3A00.000Z"), "{lines:?}");
        let lines = asked(&["audit", "export", "--kind", "alarm"]).unwrap();
        assert!(lines[0].contains("since=0&limit=1000&kind=alarm"), "{lines:?}");
        assert!(lines[1].contains("since=5&"), "{lines:?}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_is_asked() {
        for line in [
            &["audit", "nonsense"][..],
            &["audit", "show"],
            &["audit", "--since", "soon"],
            &["audit", "export", "--format", "xml"],
            &["audit", "export", "-n", "3"],
            &["audit", "verify", "--head", "x"],
            &["audit", "verify", "--key", "AAAA"],
            &["audit", "verify", "--key-file", "/nonexistent"],
            &["audit", "verify", "--key-file", "/x", "--key", "-"],
        ] {
            assert_eq!(asked(line).unwrap_err().code, Code::Invalid, "{line:?}");
        }
        let error = asked(&["audit", "key"]).unwrap_err();
        assert_eq!(error.code, Code::Denied, "no person looks at a test");
    }
}
