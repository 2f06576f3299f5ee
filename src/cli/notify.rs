//! `notify`: channels that carry notices away, to a program or a webhook.
//!
//! 1. A URL and a token MUST NOT be taken from the command line: every user of this host can read
//!    it, and whoever has the URL of a webhook may write to it, at ntfy read it too.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::secret::Secret;
use crate::base::secret::wipe;
use crate::cli::Invocation;
use crate::cli::client::encode;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::word;
use crate::cli::out::cell;
use crate::cli::policy_words::items;
use crate::cli::prompt;
use crate::cli::text;
use crate::cli::verb;
use crate::cli::verb::Verb;
use crate::limits;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::path::Path;
use std::path::PathBuf;
use zeroize::Zeroizing;

const AFTER: Opt = value(&["--after"], "D", "questions only, and only unanswered after 5m");
const EVENTS: Opt = value(&["--events"], "A,B", "only these: permission_required, crashed");
const CALL: Opt = switch(&["--with-call"], "say what the call is, without known secrets");
const BODY: Opt = value(&["--body"], "FORM", "plain (JSON), ntfy or slack");
const URL: Opt = value(&["--url-file"], "FILE", "the URL; - is standard input");
const TOKEN: Opt = value(&["--token-file"], "FILE", "a bearer token; - is standard input");
const PRIVATE: Opt = switch(&["--allow-private"], "also this host, its network and http://");

const DETAILS: &str = "\
A notice (see: codepiper notices) goes to every channel that is on, unless you
look at its session. --after makes a channel the next step: it gets questions
that stand unanswered and unread after that time. In quiet hours (the setting
notificationQuietHours) all but crashes and alarms wait for their end.

A program gets the notice as one line of JSON on standard input, a clean
environment, and 30 seconds; exit code 0 means that it was delivered. It runs
as you, outside of every sandbox: keep it where sessions cannot write.

A webhook is called by curl. Without --url-file you are asked for its URL; on
the command line others could read it, and whoever has it can write there.
Addresses of this host and its network are refused without --allow-private,
and redirects are not followed. ntfy takes https://ntfy.sh/TOPIC.

What fails is tried again for three quarters of an hour. After a crash of the
daemon a notice may come twice, with the same id.";

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "notify",
    aliases: &[],
    group: Group::Approvals,
    usage: "VERB ...",
    about: "Have notices sent to you by programs and webhooks",
    options: &[],
    words: Words::Verbs(VERBS),
    details: DETAILS,
    examples: &[
        "codepiper notify command desktop -- notify-send codepiper news",
        "codepiper notify webhook phone --body ntfy --url-file ~/.config/ntfy-url",
        "codepiper notify webhook team --body slack --after 5m --events input_required",
        "codepiper notify test phone",
        "codepiper notify off phone",
    ],
    run: verb::run,
}];

const VERBS: &[Verb] = &[
    Verb {
        name: "list",
        aliases: &["ls"],
        usage: "",
        about: "List channels",
        options: &[],
        words: (0, 0),
        run: list,
    },
    Verb {
        name: "command",
        aliases: &[],
        usage: "NAME [OPTIONS] -- PROGRAM [ARGUMENTS]",
        about: "Make a channel that runs a program",
        options: &[AFTER, EVENTS, CALL],
        words: (2, usize::MAX),
        run: command,
    },
    Verb {
        name: "webhook",
        aliases: &[],
        usage: "NAME [--body FORM] [--url-file FILE|-] [OPTIONS]",
        about: "Make a channel that calls a URL",
        options: &[BODY, URL, TOKEN, AFTER, EVENTS, CALL, PRIVATE],
        words: (1, 1),
        run: webhook,
    },
    Verb {
        name: "on",
        aliases: &[],
        usage: "NAME",
        about: "Switch a channel on",
        options: &[],
        words: (1, 1),
        run: |call| switch_to(call, true),
    },
    Verb {
        name: "off",
        aliases: &[],
        usage: "NAME",
        about: "Switch a channel off; what is on its way to it is let be",
        options: &[],
        words: (1, 1),
        run: |call| switch_to(call, false),
    },
    Verb {
        name: "rm",
        aliases: &["delete"],
        usage: "NAME",
        about: "Remove a channel",
        options: &[],
        words: (1, 1),
        run: remove,
    },
    Verb {
        name: "test",
        aliases: &[],
        usage: "[NAME]",
        about: "Send a test now, by one channel or by all that are on",
        options: &[],
        words: (0, 1),
        run: test,
    },
];

fn path(words: &str) -> String {
    format!("/notifications/channels/{}", encode(words))
}

fn list(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get("/notifications/channels")?;
    if call.out.json {
        return call.out.body(&body).map(|()| 0);
    }
    let channels = items(&body, "channels");
    if channels.is_empty() {
        call.out.line("no channels; to make one: codepiper help notify")?;
        return Ok(0);
    }
    let rows: Vec<_> = channels.iter().map(|channel| row(channel).map(cell).into()).collect();
    let headings = ["NAME", "KIND", "ON", "AFTER", "EVENTS", "LAST", "TARGET"];
    call.out.table(&headings, &rows, 6)?;
    Ok(0)
}

fn row(channel: &Value) -> [String; 7] {
    let kind = match word(channel, "body") {
        "" => word(channel, "kind").to_string(),
        body => format!("{} {body}", word(channel, "kind")),
    };
    let minutes = channel["afterMinutes"].as_f64().unwrap_or_default();
    let after = match minutes > 0.0 {
        true => text::age((minutes * 60_000.0) as i64),
        false => String::new(),
    };
    let events = items(channel, "events");
    let short = |event: &Value| {
        let event = event.as_str().unwrap_or_default();
        event.strip_prefix("session.").unwrap_or(event).to_string()
    };
    let events = match events.len() >= crate::model::notice::Kind::ALL.len() {
        true => "all".to_string(),
        false => events.iter().map(short).collect::<Vec<_>>().join(","),
    };
    let on = if channel["enabled"] == json!(true) { "on" } else { "off" };
    let last = match (word(&channel["last"], "state"), word(&channel["last"], "detail")) {
        ("failed", why) => format!("failed: {}", why.lines().next().unwrap_or_default()),
        (state, _) => state.to_string(),
    };
    [
        word(channel, "name").into(),
        kind,
        on.into(),
        after,
        events,
        last,
        word(channel, "target").into(),
    ]
}

/// What both kinds share.
fn fields(call: &Invocation<'_>, kind: &str) -> Result<Map<String, Value>> {
    let mut body = Map::new();
    body.insert("name".into(), json!(call.args.words[0]));
    body.insert("kind".into(), json!(kind));
    if let Some(after) = call.args.duration("--after")? {
        body.insert("afterMinutes".into(), json!(after.as_millis() as f64 / 60_000.0));
    }
    let events: Vec<&str> =
        call.args.values("--events").iter().flat_map(|e| e.split(',')).collect();
    if !events.is_empty() {
        body.insert("events".into(), json!(events));
    }
    if call.args.has("--with-call") {
        body.insert("withCall".into(), json!(true));
    }
    Ok(body)
}

fn command(call: &Invocation<'_>) -> Result<i32> {
    if !call.args.dashes {
        let text = "the program stands behind --; see: codepiper help notify";
        return Err(Error::invalid(text));
    }
    let mut body = fields(call, "command")?;
    body.insert("program".into(), json!(absolute(&call.args.words[1])?));
    body.insert("args".into(), json!(call.args.words[2..]));
    make(call, body)
}

/// The program as the daemon can find it, which stands elsewhere.
fn absolute(name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return std::path::absolute(name).code(Code::Invalid, || format!("no path: {name}"));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let dirs = path.split(':').map(Path::new).filter(|dir| dir.is_absolute());
    let found = dirs.map(|dir| dir.join(name)).find(|full| full.is_file());
    found.ok_or_else(|| Error::invalid(format!("{name} is not on your PATH; give its path")))
}

fn webhook(call: &Invocation<'_>) -> Result<i32> {
    let (url, token) = (call.args.value("--url-file"), call.args.value("--token-file"));
    if token == Some("-") && matches!(url, None | Some("-")) {
        let text = "standard input is the token's; give the URL with --url-file FILE";
        return Err(Error::invalid(text));
    }
    let mut body = fields(call, "webhook")?;
    if let Some(form) = call.args.value("--body") {
        body.insert("body".into(), json!(form));
    }
    if call.args.has("--allow-private") {
        body.insert("allowPrivate".into(), json!(true));
    }
    if let Some(file) = token {
        body.insert("token".into(), json!(from_file(file)?.expose()));
    }
    let url = match url {
        Some(file) => from_file(file)?,
        None => prompt::secret("URL: ")?,
    };
    body.insert("url".into(), json!(url.expose()));
    make(call, body)
}

/// The one line of a file, or of standard input.
fn from_file(file: &str) -> Result<Secret> {
    let read = match file {
        "-" => std::io::read_to_string(std::io::stdin().lock()),
        file => std::fs::read_to_string(file),
    };
    let shown = if file == "-" { "standard input" } else { file };
    let read = read.map(Zeroizing::new).code(Code::Invalid, || format!("cannot read {shown}"))?;
    match read.trim() {
        "" => Err(Error::invalid(format!("{shown} is empty: put the URL or token on one line"))),
        line if line.contains('\n') => Err(Error::invalid(format!(
            "{shown} has more than one line: leave only the URL or token in it"
        ))),
        line => Ok(Secret::new(line)),
    }
}

/// Asks for it; what is secret in the request goes at once.
fn make(call: &Invocation<'_>, body: Map<String, Value>) -> Result<i32> {
    let mut body = Value::Object(body);
    let answer = call.client.post("/notifications/channels", &body);
    wipe(&mut body);
    let answer = answer?;
    let channel = &answer["channel"];
    let (name, target) = (text::clean(word(channel, "name")), text::clean(word(channel, "target")));
    call.out.told(&answer, &format!("made channel {name} to {target}; try: codepiper notify test"))
}

fn switch_to(call: &Invocation<'_>, on: bool) -> Result<i32> {
    let words = &call.args.words[0];
    let answer = call.client.put(&path(words), &json!({"enabled": on}))?;
    let name = text::clean(word(&answer["channel"], "name"));
    call.out.told(&answer, &format!("channel {name} is {}", if on { "on" } else { "off" }))
}

fn remove(call: &Invocation<'_>) -> Result<i32> {
    let words = &call.args.words[0];
    let answer = call.client.delete(&path(words))?;
    call.out.told(&answer, &format!("removed channel {}", text::clean(words)))
}

/// Exit code 1 where a test did not get through.
fn test(call: &Invocation<'_>) -> Result<i32> {
    let target = match call.args.words.first() {
        Some(words) => format!("{}/test", path(words)),
        None => "/notifications/test".to_string(),
    };
    let wait = limits::notices::TEST_WAIT;
    let answer = call.client.json("POST", &target, Some(&json!({})), wait)?;
    let receipts = match call.args.words.first() {
        Some(words) => {
            let mut one = answer["delivery"].clone();
            one["channelName"] = json!(words);
            vec![one]
        }
        None => items(&answer, "deliveries").to_vec(),
    };
    let lines: Vec<String> = receipts.iter().map(receipt).collect();
    let text = if lines.is_empty() { "no channel is on".to_string() } else { lines.join("\n") };
    call.out.told(&answer, &text)?;
    Ok(i32::from(receipts.iter().any(|one| word(one, "state") != "sent")))
}

fn receipt(one: &Value) -> String {
    let (name, state) = (text::clean(word(one, "channelName")), text::clean(word(one, "state")));
    let detail = text::clean_lines(word(one, "detail"));
    match detail.is_empty() {
        true => format!("{name}: {state}"),
        false => format!("{name}: {state}: {detail}"),
    }
}

#[cfg(test)]
mod tests;
