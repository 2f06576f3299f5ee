//! `approvals`, `approve`, `deny`: what agents ask their person, and the answers. Shows a call as
//! the daemon read it, whole; decides nothing.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::short;
use crate::cli::describe::word;
use crate::cli::out::Color;
use crate::cli::text;
use crate::limits;
use crate::policy::visible;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "approvals",
        aliases: &["inbox"],
        group: Group::Approvals,
        usage: "[ID] [--watch] [--all] [--session ID]",
        about: "Show what agents ask, and wait for",
        options: &[
            switch(&["-w", "--watch"], "stay, and show what comes and what was answered"),
            switch(&["-a", "--all"], "answered ones too"),
            value(&["-s", "--session"], "ID", "only of this session"),
        ],
        words: Words::Count(0, 1),
        details: "Each is shown whole, as codepiper reads it: the command or the change, what it\n\
                  does, and which rule asks. What a terminal would hide is written out: U+202E.\n\
                  The same question may stand in the agent's own terminal; the first answer\n\
                  counts, from wherever it comes.",
        examples: &["codepiper inbox", "codepiper inbox --watch", "codepiper approvals 12"],
        run: list,
    },
    Command {
        name: "approve",
        aliases: &[],
        group: Group::Approvals,
        usage: "ID [--for D] [--times N] [--session]",
        about: "Let a call run that waits for you",
        options: &[
            value(&["--for"], "D", "and the same call again for 30m, ... (at most 24h)"),
            value(&["--times"], "N", "and the same call again so many times"),
            switch(&["--session"], "and the same call again until the session ends"),
            value(&["--reason"], "TEXT", "for the audit log"),
        ],
        words: Words::Count(1, 1),
        details: "A yes is about this one call, to the last byte. A grant (--for, --times,\n\
                  --session) also answers further calls that are the same, in this session\n\
                  only; `codepiper grants` lists them. What a rule denies stays denied.",
        examples: &["codepiper approve 12", "codepiper approve 12 --for 30m --times 3"],
        run: approve,
    },
    Command {
        name: "deny",
        aliases: &[],
        group: Group::Approvals,
        usage: "ID [--reason TEXT]",
        about: "Keep a call from running that waits for you",
        options: &[value(&["-r", "--reason"], "TEXT", "what the agent's model is told")],
        words: Words::Count(1, 1),
        details: "",
        examples: &["codepiper deny 12 --reason later"],
        run: deny,
    },
];

fn list(call: &Invocation<'_>) -> Result<i32> {
    if let Some(id) = call.args.words.first() {
        let body = call.client.get(&path(id, "")?)?;
        match call.out.json {
            true => call.out.body(&body)?,
            false => show(call, &body["approval"])?,
        }
        return Ok(0);
    }
    if call.args.has("--watch") {
        return watch(call);
    }
    let body = call.client.get(&target(call, call.args.has("--all"), ""))?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let approvals = body["approvals"].as_array().map(Vec::as_slice).unwrap_or_default();
    if approvals.is_empty() {
        call.out.line("nothing waits for you")?;
    }
    approvals.iter().try_for_each(|approval| show(call, approval))?;
    Ok(0)
}

fn target(call: &Invocation<'_>, all: bool, more: &str) -> String {
    let status = if all { "all" } else { "pending" };
    let session = call.args.value("--session").map(crate::cli::client::encode);
    let session = session.map_or(String::new(), |id| format!("&sessionId={id}"));
    format!("/approvals?status={status}{session}{more}")
}

/// Shows each question as it comes, and each answer; goes on over restarts of the daemon.
fn watch(call: &Invocation<'_>) -> Result<i32> {
    let mut known: HashMap<i64, String> = HashMap::new();
    let (mut first, mut more, mut pause) = (true, String::new(), limits::gate::RECONNECT);
    loop {
        let patience = limits::PARK_WAIT + limits::gate::CLIENT_WAIT;
        let body = match call.client.json("GET", &target(call, true, &more), None, patience) {
            Ok(body) => body,
            // The first time it is an error like any other.
            Err(error) if !first && matches!(error.code, Code::Unreachable | Code::Busy) => {
                std::thread::sleep(pause);
                (more, pause) = (String::new(), (pause * 2).min(limits::gate::RECONNECT_MAX));
                continue;
            }
            Err(error) => return Err(error),
        };
        pause = limits::gate::RECONNECT;
        for approval in body["approvals"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let (id, status) = (approval["id"].as_i64().unwrap_or(0), word(approval, "status"));
            let before = known.insert(id, status.to_string());
            let news = match &before {
                None => status == "pending",
                Some(before) => before != status,
            };
            if news {
                tell(call, approval)?;
            }
        }
        let (seconds, changes) = (limits::PARK_WAIT.as_secs(), body["changes"].as_u64());
        more = format!("&wait={seconds}&changes={}", changes.unwrap_or(0));
        first = false;
    }
}

fn tell(call: &Invocation<'_>, approval: &Value) -> Result<()> {
    if call.out.json {
        return call.out.line(&approval.to_string());
    }
    match word(approval, "status") {
        "pending" => show(call, approval),
        _ => call.out.line(&ended(approval)),
    }
}

/// How an approval ended, in one line.
fn ended(approval: &Value) -> String {
    let (id, status) = (&approval["id"], text::clean(word(approval, "status")));
    let by = match word(approval, "decider") {
        "terminal" => " in the terminal".to_string(),
        "person" => match word(approval, "client") {
            "" => String::new(),
            client => format!(" by {}", text::clean(client)),
        },
        _ => String::new(),
    };
    let reason = text::clean(word(approval, "answerReason"));
    format!("{id}  {status}{by}: {reason}")
}

/// The whole of an approval.
fn show(call: &Invocation<'_>, approval: &Value) -> Result<()> {
    let plain = |name: &str| text::clean(word(approval, name));
    let session = match word(approval, "sessionName") {
        "" => short(word(approval, "sessionId")),
        name => name,
    };
    let pending = word(approval, "status") == "pending";
    let (session, provider, tool) = (text::clean(session), plain("provider"), plain("toolName"));
    let agent = match word(approval, "agentId") {
        "" => String::new(),
        agent => format!(" (subagent {})", text::clean(agent)),
    };
    let head = format!("{}  {session} ({provider}){agent}", approval["id"]);
    let asked = time::parse_rfc3339(word(approval, "createdAt")).unwrap_or(0);
    let age = text::age(time::unix_ms() - asked);
    let head = call.out.paint(Color::Bold, &head);
    call.out.line(&match pending {
        true => format!("{head}  asks since {age}"),
        false => format!("{head}  {}", ended(approval)),
    })?;
    call.out.line(&format!("    {tool} in {}", plain("cwd")))?;
    for piece in approval["content"].as_array().map(Vec::as_slice).unwrap_or_default() {
        show_piece(call, piece)?;
    }
    if approval["argsWhole"] == json!(false) {
        let note = "as the audit log has it; what looks like a secret is left out";
        call.out.line(&format!("    {}", call.out.paint(Color::Dim, note)))?;
    }
    let effects = approval["effects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let effects: Vec<String> =
        effects.iter().filter_map(Value::as_str).flat_map(visible::lines).collect();
    if !effects.is_empty() {
        call.out.line(&format!("    does: {}", effects.join(", ")))?;
    }
    call.out.line(&format!("    why: {}", plain("reason")))?;
    if pending {
        let also = if approval["dialog"] == json!(true) { ", or in its terminal" } else { "" };
        let id = &approval["id"];
        call.out.line(&format!("    answer: codepiper approve {id} | deny {id}{also}"))?;
    }
    call.out.line("")
}

fn show_piece(call: &Invocation<'_>, piece: &Value) -> Result<()> {
    let lines = visible::lines(word(piece, "text"));
    let (first, rest) = match word(piece, "kind") {
        "command" => ("    $ ".to_string(), "    > "),
        "field" => (format!("    {}: ", text::clean(word(piece, "name"))), "      "),
        _ => ("    ".to_string(), "    "),
    };
    let diff = word(piece, "kind") == "diff";
    for (at, line) in lines.iter().enumerate() {
        let lead = if at == 0 { first.as_str() } else { rest };
        let line = match line.chars().next().filter(|_| diff) {
            Some('+') => call.out.paint(Color::Green, line),
            Some('-') => call.out.paint(Color::Red, line),
            _ => line.clone(),
        };
        call.out.line(&format!("{lead}{line}"))?;
    }
    Ok(())
}

fn path(id: &str, rest: &str) -> Result<String> {
    match id.parse::<u64>() {
        Ok(number) => Ok(format!("/approvals/{number}{rest}")),
        Err(_) => Err(Error::invalid(format!(
            "an approval is called by its number, not {id:?}; see: codepiper approvals"
        ))),
    }
}

fn approve(call: &Invocation<'_>) -> Result<i32> {
    let mut body = Map::new();
    if let Some(time) = call.args.duration("--for")? {
        body.insert("forSeconds".into(), time.as_secs().into());
    }
    if let Some(times) = call.args.number::<u64>("--times")? {
        body.insert("times".into(), times.into());
    }
    if call.args.has("--session") {
        body.insert("session".into(), true.into());
    }
    answer(call, "/approve", body)
}

fn deny(call: &Invocation<'_>) -> Result<i32> {
    answer(call, "/deny", Map::new())
}

fn answer(call: &Invocation<'_>, verb: &str, mut body: Map<String, Value>) -> Result<i32> {
    if let Some(reason) = call.args.value("--reason") {
        body.insert("reason".into(), reason.into());
    }
    let answer = call.client.post(&path(&call.args.words[0], verb)?, &body.into())?;
    call.out.told(&answer, &ended(&answer["approval"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn check(line: &[&str], request: &str, body: Value) {
        let reply = r#"{"approval":{"id":12,"status":"approved","content":[]}}"#;
        let fake = Fake::api(move |_, _| (200, reply.to_string()));
        let call = invocation(&fake, line);
        let run = COMMANDS.iter().find(|command| command.name == line[0]).unwrap().run;
        assert_eq!(run(&call).unwrap(), 0, "{line:?}");
        assert_eq!(fake.lines(), [request]);
        let sent = fake.request();
        let sent = sent.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(serde_json::from_str::<Value>(sent).unwrap_or_default(), body, "{line:?}");
    }

    #[test]
    fn answers_say_what_was_typed_and_no_more() {
        check(&["approve", "12"], "POST /approvals/12/approve", json!({}));
        let line = ["approve", "12", "--for", "30m", "--times", "3", "--session"];
        let body = json!({"forSeconds": 1800, "times": 3, "session": true});
        check(&line, "POST /approvals/12/approve", body);
        let line = ["deny", "12", "--reason", "not here"];
        check(&line, "POST /approvals/12/deny", json!({"reason": "not here"}));
        check(&["approvals", "12"], "GET /approvals/12", Value::Null);
        let target = "GET /approvals?status=all&sessionId=a%2Fb";
        check(&["approvals", "--all", "--session", "a/b"], target, Value::Null);
    }

    #[test]
    fn a_wrong_number_is_told_before_the_daemon_is_asked() {
        let fake = Fake::api(|_, _| (200, "{}".into()));
        let call = invocation(&fake, &["approve", "../x"]);
        assert!(approve(&call).unwrap_err().message.contains("by its number"));
        assert!(fake.lines().is_empty());
    }
}
