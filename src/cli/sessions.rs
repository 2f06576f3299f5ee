//! Commands about sessions as a whole: list, show, stop, kill, rm, prune, rename, resize.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::cli;
use crate::cli::Invocation;
use crate::cli::client;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::value;
use crate::cli::describe;
use crate::cli::describe::{how_it_ended, label, short, word};
use crate::cli::out::Color;
use crate::cli::out::cell;
use crate::cli::out::state_cell;
use crate::cli::out::warned_cell;
use crate::cli::text;
use crate::limits;
use crate::model::session::State;
use serde_json::Value;
use serde_json::json;

const NONE: &[crate::cli::command::Opt] = &[];
const MANY: Words = Words::Count(1, usize::MAX);

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sessions",
        aliases: &["ls"],
        group: Group::Sessions,
        usage: "[--status S] [--provider P]",
        about: "List sessions",
        options: &[
            value(&["--status"], "S", "only these: running, needs_permission, crashed, ..."),
            value(&["--provider"], "P", "only those of one provider"),
        ],
        words: Words::Count(0, 0),
        details: "States: STARTING RUNNING NEEDS_PERMISSION NEEDS_INPUT STOPPED CRASHED",
        examples: &["codepiper sessions", "codepiper ls --status running --json"],
        run: list,
    },
    Command {
        name: "show",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID",
        about: "Show everything about a session",
        options: NONE,
        words: Words::Count(1, 1),
        details: "",
        examples: &["codepiper show 3f2a91c0", "codepiper show build --json"],
        run: show,
    },
    Command {
        name: "stop",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID...",
        about: "Ask sessions to end, and end them if they do not",
        options: NONE,
        words: MANY,
        details: "The program gets SIGHUP and SIGTERM, and after five seconds SIGKILL. Returns\n\
                  when it has ended. Its output stays until rm.",
        examples: &["codepiper stop 3f2a91c0", "codepiper stop build tests"],
        run: |call| each(call, "POST", "/stop", ended_line),
    },
    Command {
        name: "kill",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID...",
        about: "End sessions at once",
        options: NONE,
        words: MANY,
        details: "SIGKILL to the program and everything it started.",
        examples: &["codepiper kill 3f2a91c0"],
        run: |call| each(call, "POST", "/kill", ended_line),
    },
    Command {
        name: "rm",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID...",
        about: "Remove ended sessions with their output",
        options: NONE,
        words: MANY,
        details: "A live session is refused; stop it first.",
        examples: &["codepiper rm 3f2a91c0 build"],
        run: |call| each(call, "DELETE", "", |id, _| format!("removed {id}")),
    },
    Command {
        name: "prune",
        aliases: &[],
        group: Group::Sessions,
        usage: "--older-than D",
        about: "Remove sessions that ended some time ago",
        options: &[value(&["--older-than"], "D", "ended so long ago: 45s, 30m, 12h, 7d")],
        words: Words::Count(0, 0),
        details: "",
        examples: &["codepiper prune --older-than 7d"],
        run: prune,
    },
    Command {
        name: "rename",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID [NAME]",
        about: "Name a session, or take its name away",
        options: NONE,
        words: Words::Count(1, 2),
        details: "",
        examples: &["codepiper rename 3f2a91c0 build", "codepiper rename build"],
        run: rename,
    },
    Command {
        name: "resize",
        aliases: &[],
        group: Group::Terminal,
        usage: "ID COLS ROWS",
        about: "Set the size of a session's terminal",
        options: NONE,
        words: Words::Count(3, 3),
        details: "attach does this by itself.",
        examples: &["codepiper resize 3f2a91c0 120 40"],
        run: resize,
    },
];

fn list(call: &Invocation<'_>) -> Result<i32> {
    let mut target = String::from("/sessions");
    if let Some(status) = call.args.value("--status") {
        let state = State::from_word(&status.replace('-', "_")).ok_or_else(|| {
            let known = State::ALL.map(State::word).join(", ");
            Error::invalid(format!("no such status {status:?}; known are {known}"))
        })?;
        target.push_str(&format!("?status={}", state.word()));
    }
    if let Some(provider) = call.args.value("--provider") {
        let mark = if target.contains('?') { '&' } else { '?' };
        target.push_str(&format!("{mark}provider={}", client::encode(provider)));
    }
    let body = call.client.get(&target)?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let sessions = body["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if sessions.is_empty() {
        let hint = if target == "/sessions" {
            "no sessions; start one with: codepiper start -p command -- bash"
        } else {
            "no such sessions"
        };
        call.out.line(hint)?;
        return Ok(0);
    }
    let now = time::unix_ms();
    let rows: Vec<_> = sessions.iter().map(|s| row(s, now)).collect();
    call.out.table(&["ID", "NAME", "STATUS", "PROVIDER", "AGE", "DIRECTORY"], &rows, 5)?;
    Ok(0)
}

fn row(session: &Value, now: i64) -> Vec<crate::cli::out::Cell> {
    let created = time::parse_rfc3339(word(session, "createdAt"));
    vec![
        cell(short(word(session, "id"))),
        cell(text::keep_start(&text::clean(word(session, "name")), 24)),
        match describe::notes(session).as_slice() {
            [] => state_cell(word(session, "status")),
            notes => warned_cell(word(session, "status"), notes),
        },
        cell(word(session, "provider")),
        cell(created.map(|at| text::age(now - at)).unwrap_or_default()),
        cell(word(session, "cwd")),
    ]
}

fn show(call: &Invocation<'_>) -> Result<i32> {
    let body = call.client.get(&session_path(&call.args.words[0], ""))?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    for (name, value) in describe::facts(&body["session"]) {
        let name = call.out.paint(Color::Dim, &format!("{name:<10}"));
        let value = match State::from_word(&value) {
            Some(_) => call.out.state(&value),
            None => value,
        };
        call.out.line(&format!("{name} {value}"))?;
    }
    Ok(0)
}

/// The same request for every id; each failure is told, the first decides the exit code.
fn each(
    call: &Invocation<'_>,
    method: &str,
    rest: &str,
    line: fn(&str, &Value) -> String,
) -> Result<i32> {
    // Stopping takes its grace, and then the kill its own.
    let wait = limits::gate::CLIENT_WAIT + limits::STOP_GRACE + limits::KILL_GRACE;
    let mut code = 0;
    for id in &call.args.words {
        let body = (method == "POST").then(|| json!({}));
        match call.client.json(method, &session_path(id, rest), body.as_ref(), wait) {
            Ok(answer) if call.out.json => call.out.body(&answer)?,
            Ok(answer) => call.out.line(&line(&text::clean(id), &answer["session"]))?,
            Err(error) => {
                cli::report(&error, call.out.json);
                code = if code == 0 { cli::exit_code(error.code) } else { code };
            }
        }
    }
    Ok(code)
}

fn ended_line(_: &str, session: &Value) -> String {
    format!("{} ended: {}", label(session), how_it_ended(session))
}

fn prune(call: &Invocation<'_>) -> Result<i32> {
    let age = call.args.duration("--older-than")?;
    let Some(age) = age else {
        return Err(Error::invalid("say how old: codepiper prune --older-than 7d"));
    };
    let body = call.client.post("/sessions/prune", &json!({"olderThanSeconds": age.as_secs()}))?;
    if call.out.json {
        call.out.body(&body)?;
        return Ok(0);
    }
    let removed = body["removed"].as_array().map(Vec::as_slice).unwrap_or_default();
    for id in removed.iter().filter_map(Value::as_str) {
        call.out.line(&format!("removed {}", text::clean(id)))?;
    }
    if removed.is_empty() {
        call.out.line("nothing to remove")?;
    }
    Ok(0)
}

fn rename(call: &Invocation<'_>) -> Result<i32> {
    let words = &call.args.words;
    let body = json!({"name": words.get(1)});
    let target = session_path(&words[0], "/name");
    let answer = call.client.json("PUT", &target, Some(&body), limits::gate::CLIENT_WAIT)?;
    call.out.told(&answer, &format!("it is called {} now", label(&answer["session"])))
}

fn resize(call: &Invocation<'_>) -> Result<i32> {
    let words = &call.args.words;
    let size = |word: &str, what: &str, most: u16| match word.parse::<u16>() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        _ => Err(Error::invalid(format!("{what} go from 1 to {most}, not {word:?}"))),
    };
    let cols = size(&words[1], "columns", limits::COLS_MAX)?;
    let rows = size(&words[2], "rows", limits::ROWS_MAX)?;
    let body = json!({"cols": cols, "rows": rows});
    let answer = call.client.post(&session_path(&words[0], "/resize"), &body)?;
    call.out.told(&answer, &format!("{}x{} now", answer["cols"], answer["rows"]))
}
