//! `logs`: what happened in a session, one line for each event.

use crate::base::error::{Code, Result};
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{is_live, word};
use crate::cli::out::Color;
use crate::cli::out::Out;
use crate::cli::text;
use crate::limits;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Events shown when nobody says how many.
const EVENTS: u64 = 50;
/// Seconds that one question for news may take; then the session is looked at again.
const NEWS_SECONDS: u64 = 60;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "logs",
    aliases: &[],
    group: Group::Sessions,
    usage: "[-f] [-n N] [--source S] [--type T] ID",
    about: "Show what happened in a session: states, tool calls, decisions",
    options: &[
        switch(&["-f", "--follow"], "go on with what happens, until the session ends"),
        value(&["-n", "--lines"], "N", "the newest N events; default 50"),
        value(&["--source"], "S", "only these: session, hook, decision"),
        value(&["--type"], "T", "only one type, such as PreToolUse or deny"),
    ],
    words: Words::Count(1, 1),
    details: "Columns: time (UTC), source, what happened, tool, call, the\n\
              policy and rule that decided, and the reason.",
    examples: &["codepiper logs build", "codepiper logs -f --source decision 3f2a91c0"],
    run: logs,
}];

fn logs(call: &Invocation<'_>) -> Result<i32> {
    let lines = call.args.number::<u64>("--lines")?.unwrap_or(EVENTS);
    let body = call.client.get(&session_path(&call.args.words[0], ""))?;
    let id = word(&body["session"], "id").to_string();
    let mut filter = String::new();
    for name in ["source", "type"] {
        if let Some(value) = call.args.value(&format!("--{name}")) {
            filter.push_str(&format!("&{name}={}", encode(value)));
        }
    }
    let target = session_path(&id, &format!("/events?limit={lines}&order=asc{filter}"));
    let body = call.client.get(&target)?;
    if call.out.json && !call.args.has("--follow") {
        call.out.body(&body)?;
        return Ok(0);
    }
    let mut last = show(call, &body)?.unwrap_or(0);
    if !call.args.has("--follow") {
        return Ok(0);
    }
    let mut pause = limits::gate::RECONNECT;
    loop {
        match news(call, &id, &filter, &mut last) {
            Ok(true) => return Ok(0),
            Ok(false) => pause = limits::gate::RECONNECT,
            // The daemon is being restarted; nothing is lost, events have numbers.
            Err(e) if matches!(e.code, Code::Unreachable | Code::Busy) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(limits::gate::RECONNECT_MAX);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Asks for events behind `last` and shows them; true when the session has ended and all is shown.
fn news(call: &Invocation<'_>, id: &str, filter: &str, last: &mut i64) -> Result<bool> {
    // Looked at before the question: what happened until the end is then in the answer.
    let session = call.client.get(&session_path(id, ""))?;
    let live = is_live(&session["session"]);
    let wait = if live { NEWS_SECONDS } else { 0 };
    let query = format!("/events?since={last}&order=asc&limit=500&wait={wait}{filter}");
    let patience = Duration::from_secs(wait) + limits::gate::CLIENT_WAIT;
    let answer = call.client.json("GET", &session_path(id, &query), None, patience);
    match answer {
        Ok(body) => {
            let newest = show(call, &body)?;
            *last = newest.unwrap_or(*last);
            Ok(!live && newest.is_none())
        }
        Err(error) if error.code == Code::Timeout => Ok(false),
        Err(error) => Err(error),
    }
}

/// Prints the events of an answer and returns the number of the last.
fn show(call: &Invocation<'_>, body: &Value) -> Result<Option<i64>> {
    let events = body["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    for event in events {
        match call.out.json {
            true => call.out.body(event)?,
            false => call.out.line(&line(&call.out, event))?,
        }
    }
    Ok(events.last().and_then(|event| event["id"].as_i64()))
}

fn line(out: &Out, event: &Value) -> String {
    let at = match &event["timestamp"] {
        Value::Number(ms) => crate::base::time::rfc3339(ms.as_i64().unwrap_or(0)),
        other => other.as_str().unwrap_or("").to_string(),
    };
    // Whole seconds: `2026-11-24T06:50:47Z`.
    let at = match at.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => at,
    };
    let kind = text::clean(word(event, "type"));
    let painted = match kind.as_str() {
        "allow" => out.paint(Color::Green, &format!("{kind:<12}")),
        "deny" => out.paint(Color::Red, &format!("{kind:<12}")),
        "ask" => out.paint(Color::Yellow, &format!("{kind:<12}")),
        _ => format!("{kind:<12}"),
    };
    let source = text::clean(word(event, "source"));
    let at = out.paint(Color::Dim, &text::clean(&at));
    let line = format!("{at}  {source:<8}  {painted}  {}", details(&event["payload"]));
    line.trim_end().to_string()
}

/// Tool, call and reason, as far as the event has them.
fn details(payload: &Value) -> String {
    let pick = |names: &[&str]| -> Option<&str> {
        names.iter().find_map(|name| payload[*name].as_str()).filter(|text| !text.is_empty())
    };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(pick(&["tool", "tool_name"]).map(str::to_string));
    let input = ["input", "tool_input"].iter().filter_map(|name| call_text(&payload[*name])).next();
    parts.extend(pick(&["command"]).map(str::to_string).or(input));
    match (pick(&["from"]), pick(&["to"])) {
        (Some(from), Some(to)) => parts.push(format!("{from} -> {to}")),
        (_, to) => parts.extend(to.map(str::to_string)),
    }
    if let Some(program) = pick(&["program"]) {
        let cwd = pick(&["cwd"]).map(|cwd| format!(" in {cwd}")).unwrap_or_default();
        parts.push(format!("{program}{cwd}"));
    }
    if let Some(policy) = pick(&["policy"]) {
        let rule = pick(&["rule"]).map(|rule| format!(": {rule}")).unwrap_or_default();
        parts.push(format!("[{policy}{rule}]"));
    }
    match (parts.is_empty(), pick(&["reason", "error", "message", "prompt"])) {
        (false, Some(reason)) => parts.push(format!("({reason})")),
        (true, Some(reason)) => parts.push(reason.to_string()),
        (true, None) if payload.as_object().is_some_and(|o| !o.is_empty()) => {
            parts.push(payload.to_string());
        }
        (_, None) => {}
    }
    text::keep_start(&text::clean(&parts.join("  ")), 200)
}

/// What a tool call does, in its shortest form.
fn call_text(input: &Value) -> Option<String> {
    let known = ["command", "file_path", "path", "url", "pattern", "query"];
    if let Some(text) = known.iter().find_map(|name| input[*name].as_str()) {
        return Some(text.to_string());
    }
    let empty = input.is_null() || *input == json!({});
    (!empty).then(|| input.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn check(event: Value, expected: &str) {
        let out = Out { json: false, color: false, terminal: false };
        assert_eq!(line(&out, &event), expected);
    }

    #[test]
    fn an_event_is_one_harmless_line() {
        let payload = json!({"tool": "Bash", "input": {"command": "rm -rf /\n\u{1b}[2K"},
            "reason": "no rule allows it"});
        check(
            json!({"timestamp": "2026-11-24T06:50:47.123Z", "source": "decision", "type": "deny",
                "payload": payload}),
            "2026-11-24T06:50:47Z  decision  deny          Bash  rm -rf /\\x0a\\x1b[2K  \
             (no rule allows it)",
        );
        let payload = json!({"tool": "Bash", "command": "git push", "reason": "pushing is mine",
            "policy": "mine", "rule": "rule 2"});
        check(
            json!({"timestamp": 0, "source": "decision", "type": "deny", "payload": payload}),
            "1970-01-01T00:00:00Z  decision  deny          Bash  git push  [mine: rule 2]  \
             (pushing is mine)",
        );
        check(
            json!({"timestamp": 0, "source": "session", "type": "state",
                "payload": {"from": "STARTING", "to": "RUNNING"}}),
            "1970-01-01T00:00:00Z  session   state         STARTING -> RUNNING",
        );
        check(
            json!({"timestamp": 0, "source": "session", "type": "started", "payload": {}}),
            "1970-01-01T00:00:00Z  session   started",
        );
        let long = json!({"message": "x".repeat(5000)});
        assert!(details(&long).chars().count() <= 200);
    }

    #[test]
    fn following_asks_for_what_comes_behind_the_last_and_ends_with_the_session() {
        let mut looks = 0;
        let fake = Fake::api(move |target, _| {
            if !target.contains("/events") {
                looks += 1;
                let status = if looks < 3 { "RUNNING" } else { "STOPPED" };
                return (200, format!(r#"{{"session":{{"id":"full","status":"{status}"}}}}"#));
            }
            let event = |id: u32| format!(r#"{{"events":[{{"id":{id},"type":"x"}}]}}"#);
            match target {
                t if t.contains("since=7") => (200, event(9)),
                t if t.contains("since=9") => (200, r#"{"events":[]}"#.into()),
                _ => (200, event(7)),
            }
        });
        let call = invocation(&fake, &["logs", "-f", "x", "--source", "decision"]);
        assert_eq!(logs(&call).unwrap(), 0);
        let asked: Vec<String> =
            fake.lines().into_iter().filter(|l| l.contains("/events")).collect();
        assert!(asked.iter().all(|l| l.contains("/full/") && l.ends_with("source=decision")));
        assert!(asked[1].contains("since=7") && asked[1].contains("wait=60"), "{asked:?}");
        assert!(asked.last().unwrap().contains("since=9&"), "{asked:?}");
        assert!(asked.last().unwrap().contains("wait=0"), "{asked:?}");
    }
}
