//! The panic button and its opposite: `freeze` and `thaw` stop and continue sessions, `dangerous`
//! lets one do what nobody denied.

use crate::base::error::{Error, Result};
use crate::cli;
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Opt;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{label, word};
use crate::cli::text;
use crate::limits;
use serde_json::Value;
use serde_json::json;

const ALL: &[Opt] = &[switch(&["--all"], "every running session")];
/// Says yes beforehand.
pub const YES: Opt = switch(&["--yes"], "do not ask whether it is meant");

/// The commands of this file.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "freeze",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID...|--all",
        about: "Stop all processes of sessions at once, until thaw",
        options: ALL,
        words: Words::Count(0, usize::MAX),
        details: "The panic button. Everything that the session has started stands still, to the\n\
                  last process; its output so far stays readable. Nothing can be typed into it.\n\
                  stop and kill work. A restart of the daemon changes nothing.\n\
                  A tool call that waits for its verdict meanwhile may be blocked after thaw.\n\
                  Exit code 1 when a part runs on; the message says which.",
        examples: &["codepiper freeze 3f2a91c0", "codepiper freeze --all"],
        run: |call| each(call, "freeze", "frozen"),
    },
    Command {
        name: "thaw",
        aliases: &[],
        group: Group::Sessions,
        usage: "ID...|--all",
        about: "Let frozen sessions go on",
        options: ALL,
        words: Words::Count(0, usize::MAX),
        details: "Also a job goes on that was stopped by Ctrl-Z before.",
        examples: &["codepiper thaw 3f2a91c0", "codepiper thaw --all"],
        run: |call| each(call, "thaw", "runs"),
    },
    Command {
        name: "dangerous",
        aliases: &[],
        group: Group::Policies,
        usage: "ID [--for D | --off]",
        about: "Allow for a while what policy does not deny",
        options: &[
            value(&["--for"], "D", "so long: 45s, 30m (default), at most 24h"),
            switch(&["--off"], "end it now"),
            YES,
        ],
        words: Words::Count(1, 1),
        details: "What would be asked, or denied by default, is allowed in this session. What a\n\
                  rule of yours denies stays denied, and so does what protects codepiper itself.\n\
                  What cannot be understood is allowed too, whatever your rules say of a part\n\
                  of it. It ends in time, or with the session's program. Each decision that it\n\
                  made is on record with what it would have been.",
        examples: &["codepiper dangerous build --for 10m", "codepiper dangerous build --off"],
        run: dangerous,
    },
];

fn each(call: &Invocation<'_>, verb: &str, done: &str) -> Result<i32> {
    let words = &call.args.words;
    match (call.args.has("--all"), words.is_empty()) {
        (true, true) => return all(call, verb, done),
        (false, false) => {}
        _ => return Err(Error::invalid(format!("say which: codepiper {verb} ID... or --all"))),
    }
    let mut code = 0;
    for id in words {
        match call.client.post(&session_path(id, &format!("/{verb}")), &json!({})) {
            Ok(answer) if call.out.json => call.out.body(&answer)?,
            Ok(answer) => call.out.line(&line(&answer["session"], done))?,
            Err(error) => {
                cli::report(&error, call.out.json);
                code = if code == 0 { cli::exit_code(error.code) } else { code };
            }
        }
    }
    Ok(code)
}

fn all(call: &Invocation<'_>, verb: &str, done: &str) -> Result<i32> {
    let body = call.client.post(&format!("/sessions/{verb}"), &json!({}))?;
    let sessions = body["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = sessions.iter().filter(|one| one["error"].is_string()).count();
    let code = i32::from(failed > 0);
    if call.out.json {
        call.out.body(&body)?;
        return Ok(code);
    }
    for one in sessions {
        match word(one, "error") {
            "" => call.out.line(&line(&one["session"], done))?,
            error => eprintln!("codepiper: {}: {}", label(&one["session"]), text::clean(error)),
        }
    }
    if sessions.is_empty() {
        call.out.line("no session runs")?;
    }
    Ok(code)
}

fn line(session: &Value, done: &str) -> String {
    format!("{} {done}", label(session))
}

fn dangerous(call: &Invocation<'_>) -> Result<i32> {
    let target = session_path(&call.args.words[0], "/dangerous");
    let wait = call.args.duration("--for")?;
    let answer = match (call.args.has("--off"), wait) {
        (true, Some(_)) => return Err(Error::invalid("--for and --off: say one of them")),
        (true, None) => call.client.delete(&target)?,
        (false, wait) => {
            let shown = call.client.get(&session_path(&call.args.words[0], ""))?;
            confirm(call, &label(&shown["session"]))?;
            let wait = wait.unwrap_or(limits::DANGEROUS_FOR);
            call.client.put(&target, &json!({"seconds": wait.as_secs()}))?
        }
    };
    let session = &answer["session"];
    match (call.out.json, word(session, "dangerousUntil")) {
        (true, _) => call.out.body(&answer)?,
        (false, "") => call.out.line(&format!("{} is behind its policy again", label(session)))?,
        (false, at) => call.out.line(&format!("{} is dangerous until {at}", label(session)))?,
    }
    Ok(0)
}

/// Lets a person type `name` to show that dangerous mode is meant.
pub fn confirm(call: &Invocation<'_>, name: &str) -> Result<()> {
    if call.args.has("--yes") {
        return Ok(());
    }
    if !crate::sys::tty::stdin_is_terminal() {
        return Err(Error::invalid("dangerous mode needs a yes: run it on a terminal, or --yes"));
    }
    eprintln!("Everything that no rule denies will run, unasked. Type {name} to go on:");
    let mut typed = String::new();
    let read = std::io::stdin().read_line(&mut typed);
    match read.is_ok() && typed.trim() == name {
        true => Ok(()),
        false => Err(Error::invalid("not confirmed, nothing was changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    fn run(line: &[&str]) -> (Result<i32>, Vec<String>) {
        let fake = Fake::api(|_, _| (200, r#"{"session":{"id":"x","name":"x"}}"#.into()));
        let call = invocation(&fake, line);
        let command = cli::command::find(cli::TABLES, line[0]).unwrap();
        let done = (command.run)(&call);
        (done, fake.lines())
    }

    #[test]
    fn one_several_or_all_but_never_all_by_accident() {
        assert_eq!(
            run(&["freeze", "a", "b"]).1,
            ["POST /sessions/a/freeze", "POST /sessions/b/freeze"]
        );
        assert_eq!(run(&["thaw", "--all"]).1, ["POST /sessions/thaw"]);
        for wrong in [&["freeze"][..], &["freeze", "a", "--all"], &["thaw"]] {
            let (done, asked) = run(wrong);
            assert!(done.is_err() && asked.is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn dangerous_mode_takes_a_yes_and_its_end_takes_none() {
        let lines = ["GET /sessions/a", "PUT /sessions/a/dangerous"];
        assert_eq!(run(&["dangerous", "a", "--for", "10m", "--yes"]).1, lines);
        assert_eq!(run(&["dangerous", "a", "--off"]).1, ["DELETE /sessions/a/dangerous"]);
        for wrong in [&["--for", "1m", "--off"][..], &["--for", "soon", "--yes"]] {
            let (done, asked) = run(&[&["dangerous", "a"], wrong].concat());
            assert!(done.is_err() && asked.is_empty(), "{wrong:?}");
        }
    }
}
