//! `policy explain`: why a call would be allowed, asked or denied. With a file of rules it needs no
//! daemon.

use crate::base::error::{Code, Error, Result};
use crate::base::id;
use crate::base::json;
use crate::cli::Invocation;
use crate::cli::audit_show;
use crate::cli::client::encode;
use crate::cli::command::Opt;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::cli::policy_words::items;
use crate::cli::rules;
use crate::cli::text;
use crate::cli::verb::Verb;
use crate::config::paths::user_home;
use crate::model::audit::Kind;
use crate::model::call::Action;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::example;
use crate::policy::explain;
use crate::policy::path;
use crate::policy::source;
use crate::provider::canonical;
use serde_json::Value;
use serde_json::json;

const OPTIONS: &[Opt] = &[
    value(&["--session"], "ID", "as it would be judged in this session"),
    value(&["--file"], "FILE", "by the rules in this file alone, without a daemon"),
    value(&["--tool"], "TOOL", "a call of this tool; its input is JSON"),
    value(&["--decision"], "N", "the call in this row of the audit log, then and now"),
];

/// The verb of this file.
pub const EXPLAIN: Verb = Verb {
    name: "explain",
    aliases: &["why"],
    usage: "[OPTIONS] [--] COMMAND...|JSON",
    about: "Say what a call does, and what each rule has to do with it",
    options: OPTIONS,
    words: (0, usize::MAX),
    run,
};

fn run(call: &Invocation<'_>) -> Result<i32> {
    if let Some(row) = call.args.value("--decision") {
        return decision(call, row);
    }
    if call.args.words.is_empty() {
        return Err(Error::invalid("say which call: a command, or --decision N"));
    }
    let words = call.args.words.join(" ");
    let (tool, input) = match call.args.value("--tool") {
        None => ("Bash", json!({"command": words})),
        Some(tool) => {
            let input = json::parse(words.as_bytes())
                .map_err(|error| Error::invalid(format!("the input of {tool}: {error}")))?;
            (tool, input)
        }
    };
    let cwd = std::env::current_dir().map_err(|e| Error::invalid(format!("no directory: {e}")))?;
    let cwd = cwd.to_string_lossy().into_owned();
    let session = call.args.value("--session");
    let said = match (call.args.value("--file"), session) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("--file needs no daemon, and --session asks it: say one"));
        }
        (Some(file), None) => by_file(file, tool, input, &cwd)?,
        (None, session) => {
            let mut body = json!({"tool": tool, "input": input});
            match session {
                Some(session) => body["sessionId"] = json!(session),
                None => body["cwd"] = json!(cwd),
            }
            call.client.post("/policies/explain", &body)?
        }
    };
    match call.out.json {
        true => call.out.body(&said)?,
        false => print(call, &said["explanation"])?,
    }
    Ok(0)
}

/// What was decided in a row of the audit log, and what would be today.
fn decision(call: &Invocation<'_>, row: &str) -> Result<i32> {
    let others = ["--session", "--file", "--tool"].iter().any(|name| call.args.has(name));
    if others || !call.args.words.is_empty() {
        return Err(Error::invalid("--decision names the call: it takes no other and no option"));
    }
    let entry = call.client.get(&format!("/audit/{}", encode(row)))?["entry"].take();
    if word(&entry, "kind") != Kind::Decision.word() {
        let kind = word(&entry, "kind");
        return Err(Error::invalid(format!(
            "row {row} is no decision but of the kind {kind:?}; see: codepiper audit show {row}"
        )));
    }
    let mut body = json!({
        "tool": entry["toolName"], "input": entry["args"], "cwd": entry["cwd"],
        "sessionId": entry["sessionId"],
    });
    let (said, gone) = match call.client.post("/policies/explain", &body) {
        Err(error) if error.code == Code::NotFound => {
            body["sessionId"] = Value::Null;
            (call.client.post("/policies/explain", &body)?, true)
        }
        said => (said?, false),
    };
    let (today, inexact) = (&said["explanation"], !is_exact(&entry));
    if call.out.json {
        let all = json!({
            "entry": entry, "inexact": inexact, "sessionGone": gone, "today": today,
        });
        return call.out.body(&all).map(|()| 0);
    }
    print_decision(call, &entry)?;
    if inexact {
        call.out.line("inexact: its input is not on record as it was, so today is a guess")?;
    }
    let how = if gone { ", in a new session, as its own is gone" } else { "" };
    call.out.line(&call.out.paint(Color::Bold, &format!("today{how}:")))?;
    print(call, today).map(|()| 0)
}

/// Whether the input on record is the one that was judged: nothing in it was replaced or left off.
fn is_exact(entry: &Value) -> bool {
    word(entry, "argsSha256") == id::hex(&canonical::sha256(&entry["args"]))
}

/// What a row of the audit log says of its call.
fn print_decision(call: &Invocation<'_>, entry: &Value) -> Result<()> {
    let plain = |name: &str| text::clean(word(entry, name));
    let mut by = plain("decider");
    if entry["policyName"].is_string() {
        by.push_str(&format!(", {}: {}", plain("policyName"), plain("ruleId")));
    }
    if entry["policyVersion"].is_number() {
        by.push_str(&format!(", version {}", entry["policyVersion"]));
    }
    let out = &call.out;
    out.line(&text::clean(&audit_show::call(entry)))?;
    out.line(&format!("row {} at {} in {}", entry["seq"], plain("timestamp"), plain("cwd")))?;
    out.line(&format!("{}: {}  ({by})", plain("decision"), plain("reason")))
}

fn by_file(file: &str, tool: &str, input: Value, cwd: &str) -> Result<Value> {
    let (file, bytes) = rules::read_named(file)?;
    let rules = source::rules(file, &bytes)?;
    let policy = Policy { name: file.to_string(), priority: 0, version: None, rules };
    let policies = Policies { list: vec![policy], tighten: Vec::new(), default: Action::Ask };
    let home = user_home().to_string_lossy().into_owned();
    let place = Place { project: cwd, home: &home, own: &[], resolve: &path::normal };
    let said = explain::explain(&policies, &example::of(tool, input, cwd), &place);
    Ok(json!({"explanation": said.to_json()}))
}

/// An explanation in lines; also for one of a decision of the past.
pub fn print(call: &Invocation<'_>, said: &Value) -> Result<()> {
    let plain = |value: &Value| text::clean(value.as_str().unwrap_or_default());
    let out = &call.out;
    out.line(&format!("{}: {}", plain(&said["decision"]), plain(&said["reason"])))?;
    if said["notUnderstood"].is_string() {
        return out.line("no rule that allows is about a call that is not understood");
    }
    for part in items(said, "parts") {
        out.line(&format!("part   {}", plain(&part["name"])))?;
        for effect in items(part, "effects") {
            out.line(&format!("         {}", plain(effect)))?;
        }
    }
    for rule in items(said, "rules") {
        let mark = if rule["decides"] == json!(true) { ">" } else { " " };
        let (policy, name) = (plain(&rule["policy"]), plain(&rule["rule"]));
        let action = plain(&rule["action"]);
        let line = match items(rule, "about") {
            [] => out.paint(
                Color::Dim,
                &format!("{mark} {action:<5} {policy} ({name})  no: {}", plain(&rule["whyNot"])),
            ),
            about => {
                let about: Vec<String> = about.iter().map(plain).collect();
                format!("{mark} {action:<5} {policy} ({name})  about {}", about.join(", "))
            }
        };
        out.line(&line)?;
    }
    let (left_out, default) = (said["leftOut"].as_u64().unwrap_or(0), plain(&said["default"]));
    if left_out > 0 {
        out.line(&format!("  {left_out} more rules are about nothing in it"))?;
    }
    out.line(&format!("  what no rule is about: {default}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn asked(kind: &str, line: &[&str]) -> (Result<i32>, Vec<String>) {
        let entry = json!({"entry": {"seq": 7, "kind": kind, "sessionId": "s1",
            "toolName": "Bash", "args": {"command": "ls"}, "cwd": "/p", "decision": "deny"}});
        let fake = Fake::api(move |line, body| match line.starts_with("GET") {
            true => (200, entry.to_string()),
            false if body.contains("\"s1\"") => {
                (404, json!({"error": "no session", "code": "not_found"}).to_string())
            }
            false => (200, json!({"explanation": {"decision": "ask"}}).to_string()),
        });
        let line = [&["policy", "explain"], line].concat();
        (run(&invocation(&fake, &line)), fake.lines())
    }

    #[test]
    fn a_decision_of_a_session_that_is_gone_is_explained_for_a_new_one() {
        let (code, lines) = asked("decision", &["--decision", "7"]);
        assert_eq!(code.unwrap(), 0);
        let explain = "POST /policies/explain";
        assert_eq!(lines, ["GET /audit/7", explain, explain]);
    }

    #[test]
    fn what_is_no_decision_or_names_two_calls_is_refused() {
        for (line, words) in [
            (&["--decision", "7"][..], "no decision but of the kind \"policy\""),
            (&["--decision", "7", "ls"], "names the call"),
            (&["--decision", "7", "--session", "s1"], "names the call"),
            (&[], "say which call"),
        ] {
            let error = asked("policy", line).0.unwrap_err();
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(words), "{line:?}: {error}");
        }
    }
}
