//! `attach`: a session on the user's own terminal. One loop over keyboard, socket, terminal and
//! signals; nothing in it blocks, so that the detach keys always work.

use crate::base::error::{Code, Context, Error, Result};
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{how_it_ended, is_live, label, short, word};
use crate::cli::keyboard;
use crate::cli::keyboard::Keyboard;
use crate::cli::keyboard::Keys;
use crate::cli::screen::Screen;
use crate::cli::text;
use crate::cli::visit::End;
use crate::cli::visit::Visit;
use crate::sys::signal::Name as Signal;
use crate::sys::signal::Signals;
use serde_json::Value;
use serde_json::json;
use std::fs::File;
use std::os::fd::AsFd;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "attach",
    aliases: &["a"],
    group: Group::Terminal,
    usage: "[-r] [--detach-keys KEYS] [ID]",
    about: "Bring a session to this terminal",
    options: &[
        switch(&["-r", "--readonly"], "only watch: no keys, no say about the size"),
        value(&["--detach-keys"], "KEYS", "like 'ctrl-\\,d' (default), or none"),
    ],
    words: Words::Count(0, 1),
    details: "Ctrl-\\ then d detaches; the session goes on. Every other key goes to the\n\
              program, Ctrl-C too. Ctrl-\\ twice sends one Ctrl-\\. Other keys: --detach-keys\n\
              or CODEPIPER_DETACH.\n\
              Without an id: the one session that lives.\n\
              When the daemon restarts, the picture stays and goes on by itself. Keys typed\n\
              while it is away for more than two seconds are not sent.",
    examples: &["codepiper attach 3f2a91c0", "codepiper attach -r build"],
    run: attach,
}];

fn attach(call: &Invocation<'_>) -> Result<i32> {
    needs_terminal()?;
    match call.args.words.first() {
        Some(id) => to(call, id),
        None => to(call, &the_only_one(&call.client.get("/sessions")?)?),
    }
}

/// Refuses where there is no terminal to bring a session to.
pub fn needs_terminal() -> Result<()> {
    if crate::sys::tty::stdin_is_terminal() && crate::sys::tty::stdout_is_terminal() {
        return Ok(());
    }
    Err(Error::invalid(
        "attach needs a terminal on standard input and output; without one, use \
         codepiper tail -f to read and codepiper send to type",
    ))
}

fn the_only_one(body: &Value) -> Result<String> {
    let all = body["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let live: Vec<&Value> = all.iter().filter(|s| is_live(s)).collect();
    match live.as_slice() {
        [one] => Ok(word(one, "id").to_string()),
        [] => Err(Error::invalid(
            "no session lives; start one with: codepiper start -p command --attach -- bash",
        )),
        many => {
            let names: Vec<String> = many.iter().map(|s| label(s)).collect();
            Err(Error::invalid(format!("say which: codepiper attach {}", names.join("|"))))
        }
    }
}

fn detach_keys(call: &Invocation<'_>) -> Result<Option<Keys>> {
    let from_env = std::env::var("CODEPIPER_DETACH").ok().filter(|keys| !keys.is_empty());
    match call.args.value("--detach-keys").map(str::to_string).or(from_env) {
        Some(keys) => keyboard::parse(&keys),
        None => Ok(Some(keyboard::DEFAULT)),
    }
}

/// Brings session `id` (or prefix, or name) to the terminal, until it ends or the user detaches.
pub fn to(call: &Invocation<'_>, id: &str) -> Result<i32> {
    let keys = detach_keys(call)?;
    let body = call.client.get(&session_path(id, ""))?;
    let session = &body["session"];
    let name = label(session);
    if !is_live(session) {
        let how = how_it_ended(session);
        return Err(Error::new(
            Code::Conflict,
            format!(
                "{name} has ended: {how}; see its output with: codepiper tail {name}, \
                 start it again with: codepiper resume {name}"
            ),
        ));
    }
    let id = word(session, "id").to_string();
    let names = [Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT];
    let signals = Signals::block(&[&names[..], &[Signal::SIGQUIT]].concat())?;
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let stdin = File::from(stdin.internal(|| "cannot keep the terminal".into())?);
    let end = {
        let screen = Screen::enter()?;
        let keyboard = Keyboard::new(keys);
        let readonly = call.args.has("--readonly");
        let mut visit =
            Visit::new(call.client.clone(), id.clone(), name.clone(), screen, keyboard, readonly);
        visit.run(&stdin, &signals)
        // The terminal is the user's again from here on.
    };
    tell(call, &name, &id, end)
}

fn tell(call: &Invocation<'_>, name: &str, id: &str, end: Result<End>) -> Result<i32> {
    match end? {
        End::Ended(session) => {
            eprintln!("[session {name} ended: {}]", how_it_ended(&session));
            if call.out.json {
                call.out.body(&json!({ "session": session }))?;
            }
            Ok(0)
        }
        End::Detached => {
            let id = text::clean(short(id));
            eprintln!("[detached from {name}; come back with: codepiper attach {id}]");
            if call.out.json {
                call.out.body(&json!({"detached": true}))?;
            }
            Ok(0)
        }
        // As a shell reports a program that a signal ended.
        End::Signal(number) => Ok(128 + number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn without_an_id_there_must_be_exactly_one_live_session() {
        let session = |id: &str, status: &str| json!({"id": id, "status": status});
        let check = |sessions: &[Value]| the_only_one(&json!({ "sessions": sessions }));
        let (live, dead) = (session("aaaaaaaa-1", "NEEDS_INPUT"), session("b", "STOPPED"));
        assert_eq!(check(&[dead.clone(), live.clone()]).unwrap(), "aaaaaaaa-1");
        assert!(check(&[dead]).unwrap_err().message.contains("no session lives"));
        let two = check(&[live, session("cccccccc-1", "RUNNING")]).unwrap_err();
        assert!(two.message.contains("aaaaaaaa|cccccccc"), "{two}");
    }

    #[test]
    fn an_ended_session_is_refused_with_the_way_out() {
        let fake = Fake::api(|_, _| {
            (200, r#"{"session":{"id":"x","status":"CRASHED","exitCode":3}}"#.into())
        });
        let error = to(&invocation(&fake, &["attach", "x"]), "x").unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        assert!(error.message.contains("exit code 3") && error.message.contains("resume"));
        let call = invocation(&fake, &["attach", "x", "--detach-keys", "d"]);
        assert_eq!(to(&call, "x").unwrap_err().code, Code::Invalid);
    }
}
