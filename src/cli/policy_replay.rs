//! `policy replay`: what a file of rules would have said of the calls in the audit log. The daemon
//! judges them; nothing is written.

use crate::base::error::Result;
use crate::cli::Invocation;
use crate::cli::audit;
use crate::cli::command::Opt;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::Cell;
use crate::cli::out::cell;
use crate::cli::policy_words::items;
use crate::cli::rules;
use crate::cli::text;
use crate::cli::verb::Verb;
use crate::limits;
use crate::policy::source;
use serde_json::Value;
use serde_json::json;

/// Columns of a call in the table.
const SHOWN: usize = 80;

const OPTIONS: &[Opt] = &[
    value(&["--since"], "T", "only from then on: 30m, 7d, 2026-11-24T06:50:00Z"),
    value(&["--session"], "ID", "only calls of this session"),
    value(&["--limit"], "N", "only the newest N calls; default 10000"),
    switch(&["--with-standard"], "by the set standard, too"),
];

/// The verb of this file.
pub const REPLAY: Verb = Verb {
    name: "replay",
    aliases: &[],
    usage: "FILE|- [OPTIONS]",
    about: "Show which past calls the rules in a file would decide differently",
    options: OPTIONS,
    words: (1, 1),
    run,
};

fn run(call: &Invocation<'_>) -> Result<i32> {
    let (shown, bytes) = rules::read_named(&call.args.words[0])?;
    // What is wrong with the file is told without a daemon.
    source::rules(shown, &bytes)?;
    let mut asked = json!({
        "text": String::from_utf8_lossy(&bytes), "name": shown,
        "withStandard": call.args.has("--with-standard"),
    });
    if let Some(limit) = call.args.number::<u64>("--limit")? {
        asked["limit"] = json!(limit);
    }
    if let Some(since) = audit::since(call)? {
        asked["since"] = json!(since);
    }
    if let Some(session) = call.args.value("--session") {
        asked["sessionId"] = json!(session);
    }
    let wait = limits::gate::REPLAY_WAIT;
    let said = call.client.json("POST", "/policies/replay", Some(&asked), wait)?;
    match call.out.json {
        true => call.out.body(&flat(&said))?,
        false => print(call, &said, shown)?,
    }
    Ok(0)
}

/// All in one object: `{changed, counts, inexact, leftOut, rows}`.
fn flat(said: &Value) -> Value {
    let mut all = said["summary"].clone();
    all["changed"] = said["changed"].clone();
    all
}

fn print(call: &Invocation<'_>, said: &Value, shown: &str) -> Result<()> {
    let (out, summary) = (&call.out, &said["summary"]);
    let count = |name: &str| summary[name].as_u64().unwrap_or(0);
    let changed = items(said, "changed");
    if !changed.is_empty() {
        let rows: Vec<_> = changed.iter().map(row).collect();
        let headings = ["ROW", "TIMES", "WAS", "WOULD BE", "CALL", "BY", ""];
        out.table(&headings, &rows, 4)?;
    }
    if count("leftOut") > 0 {
        out.line(&format!("{} older rows would change, too", count("leftOut")))?;
    }
    for (was, row) in summary["counts"].as_object().into_iter().flatten() {
        for (would, count) in row.as_object().into_iter().flatten() {
            out.line(&format!("{:<5} -> {:<5}  {count}", text::clean(was), text::clean(would)))?;
        }
    }
    out.line(&format!("{} calls judged again by {}", count("rows"), text::clean(shown)))?;
    if count("inexact") > 0 {
        out.line(&format!(
            "{} of them inexact: their input is not on record as it was, or their session \
             is gone",
            count("inexact")
        ))?;
    }
    Ok(())
}

fn row(change: &Value) -> Vec<Cell> {
    vec![
        cell(change["seq"].to_string()),
        cell(change["times"].to_string()),
        cell(word(change, "was")),
        cell(word(change, "would")),
        cell(text::keep_start(word(change, "call"), SHOWN)),
        cell(change["by"].as_str().unwrap_or("no rule")),
        cell(if change["inexact"] == json!(true) { "inexact" } else { "" }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn a_file_is_sent_as_it_is_and_a_broken_one_is_not() {
        let path = std::env::temp_dir().join(format!("cp-replay-{}.rules", std::process::id()));
        std::fs::write(&path, "# mine\ndeny shell git push\n").unwrap();
        let file = path.to_str().unwrap().to_string();
        let said = json!({"summary": {"rows": 0, "counts": {}, "inexact": 0, "leftOut": 0},
            "changed": []});
        let name = file.clone();
        let fake = Fake::api(move |line, body| {
            assert_eq!(line, "POST /policies/replay");
            let body: Value = serde_json::from_str(body).unwrap();
            let want = json!({"text": "# mine\ndeny shell git push\n", "name": name, "limit": 1500,
                "withStandard": false, "sessionId": "s1", "since": "2026-11-24T00:00:00.000Z"});
            assert_eq!(body, want);
            (200, said.to_string())
        });
        let line = [
            "policy",
            "replay",
            &file,
            "--session",
            "s1",
            "--limit",
            "1500",
            "--since",
            "2026-11-24",
        ];
        assert_eq!(run(&invocation(&fake, &line)).unwrap(), 0);
        assert_eq!(fake.lines().len(), 1);
        std::fs::write(&path, "deny shell\n").unwrap();
        let fake = Fake::api(|_, _| (200, "{}".into()));
        let error = run(&invocation(&fake, &["policy", "replay", &file])).unwrap_err();
        assert_eq!(error.code, Code::Invalid);
        assert!(error.message.starts_with(&file) && fake.lines().is_empty(), "{error}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn json_is_one_object() {
        let said = json!({"summary": {"rows": 1, "counts": {}, "inexact": 0, "leftOut": 0},
            "changed": [{"seq": 4}]});
        let want = json!({"rows": 1, "counts": {}, "inexact": 0, "leftOut": 0,
            "changed": [{"seq": 4}]});
        assert_eq!(flat(&said), want);
    }
}
