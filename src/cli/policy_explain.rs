//! `policy explain`: why a call would be allowed, asked or denied. With a file of rules it needs no
//! daemon.

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::cli::Invocation;
use crate::cli::command::Opt;
use crate::cli::command::value;
use crate::cli::out::Color;
use crate::cli::policy_words::items;
use crate::cli::rules;
use crate::cli::text;
use crate::cli::verb::Verb;
use crate::config::paths::user_home;
use crate::model::call::Action;
use crate::policy::Place;
use crate::policy::Policies;
use crate::policy::Policy;
use crate::policy::example;
use crate::policy::explain;
use crate::policy::path;
use crate::policy::source;
use serde_json::Value;
use serde_json::json;

const OPTIONS: &[Opt] = &[
    value(&["--session"], "ID", "as it would be judged in this session"),
    value(&["--file"], "FILE", "by the rules in this file alone, without a daemon"),
    value(&["--tool"], "TOOL", "a call of this tool; its input is JSON"),
];

/// The verb of this file.
pub const EXPLAIN: Verb = Verb {
    name: "explain",
    aliases: &["why"],
    usage: "[OPTIONS] [--] COMMAND...|JSON",
    about: "Say what a call does, and what each rule has to do with it",
    options: OPTIONS,
    words: (1, usize::MAX),
    run,
};

fn run(call: &Invocation<'_>) -> Result<i32> {
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

fn by_file(file: &str, tool: &str, input: Value, cwd: &str) -> Result<Value> {
    let bytes = rules::read_bytes(file, std::io::stdin().lock())?;
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
