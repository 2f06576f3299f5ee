//! `wait`: until a session is idle, blocked or ended, across restarts of the daemon.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::value;
use crate::cli::describe::{how_it_ended, is_live, label, word};
use crate::limits;
use serde_json::Value;
use std::time::Duration;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "wait",
    aliases: &[],
    group: Group::Sessions,
    usage: "ID [--for idle|blocked|ended] [--timeout D]",
    about: "Wait until a session is idle, blocked or ended",
    options: &[
        value(&["--for"], "WHAT", "idle, blocked or ended (default)"),
        value(&["--timeout"], "D", "give up after 45s, 30m, 12h, ... with exit code 124"),
    ],
    words: Words::Count(1, 1),
    details: "idle     the agent waits for a prompt\n\
              blocked  the agent waits for a permission or an answer\n\
              ended    the program has ended; its exit code is printed\n\
              A restart of the daemon does not end the wait.",
    examples: &["codepiper wait build", "codepiper wait 3f2a --for idle --timeout 10m"],
    run: wait,
}];

fn wait(call: &Invocation<'_>) -> Result<i32> {
    let what = call.args.value("--for").unwrap_or("ended");
    if !["idle", "blocked", "ended"].contains(&what) {
        return Err(Error::invalid(format!("--for takes idle, blocked or ended, not {what:?}")));
    }
    let patience = call.args.duration("--timeout")?;
    let deadline = patience.map(|patience| time::now() + patience);
    // Resolved once: a name may move to another session while we wait.
    let session = call.client.get(&session_path(&call.args.words[0], ""))?;
    let id = word(&session["session"], "id").to_string();
    let answer = until(call, &id, what, deadline).map_err(|error| match error.code {
        Code::Timeout => {
            let label = label(&session["session"]);
            Error::new(Code::Timeout, format!("{label} is not {what} yet; the time is over"))
        }
        _ => error,
    })?;
    if call.out.json {
        call.out.body(&answer)?;
        return Ok(0);
    }
    let session = &answer["session"];
    let label = label(session);
    match is_live(session) {
        true => {
            call.out.line(&format!("{label} is {}", call.out.state(word(session, "status"))))?
        }
        false => call.out.line(&format!("{label} ended: {}", how_it_ended(session)))?,
    }
    Ok(0)
}

fn until(
    call: &Invocation<'_>,
    id: &str,
    what: &str,
    deadline: Option<std::time::Instant>,
) -> Result<Value> {
    let mut pause = limits::gate::RECONNECT;
    loop {
        let left = deadline.map_or(limits::PARK_WAIT, time::until).min(limits::PARK_WAIT);
        // Whole seconds, rounded up: the last request may come back a moment late, never early.
        let seconds = left.as_millis().div_ceil(1000);
        let target = session_path(id, &format!("/wait?for={what}&timeout={seconds}"));
        let answer = call.client.json("GET", &target, None, left + limits::gate::CLIENT_WAIT);
        let over = deadline.is_some_and(|d| time::until(d).is_zero());
        match answer {
            Ok(answer) => return Ok(answer),
            Err(error) if error.code == Code::Timeout && !over => pause = limits::gate::RECONNECT,
            Err(error) if may_pass(error.code) && !over => {
                std::thread::sleep(pause.min(deadline.map_or(Duration::MAX, time::until)));
                pause = (pause * 2).min(limits::gate::RECONNECT_MAX);
            }
            Err(error) if may_pass(error.code) || error.code == Code::Timeout => {
                return Err(Error::new(Code::Timeout, "the time is over"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn may_pass(code: Code) -> bool {
    matches!(code, Code::Unreachable | Code::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    const TIMEOUT: &str = r#"{"error":"not yet","code":"timeout"}"#;
    const RUNNING: &str = r#"{"session":{"id":"abc-full","status":"RUNNING"}}"#;
    const ENDED: &str = r#"{"session":{"id":"abc-full","status":"STOPPED","exitCode":0}}"#;

    #[test]
    fn it_asks_again_by_full_id_until_the_answer_comes() {
        let mut asked = 0;
        let fake = Fake::api(move |line, _| {
            asked += 1;
            match (line.contains("/wait?"), asked) {
                (false, _) => (200, RUNNING.into()),
                (_, 2) => (408, TIMEOUT.into()),
                (_, 3) => (503, r#"{"error":"full","code":"busy"}"#.into()),
                _ => (200, ENDED.into()),
            }
        });
        assert_eq!(wait(&invocation(&fake, &["wait", "abc"])).unwrap(), 0);
        let lines = fake.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (4, "GET /sessions/abc"));
        assert!(lines[3].starts_with("GET /sessions/abc-full/wait?for=ended&timeout="));
    }

    #[test]
    fn the_users_deadline_ends_it_with_a_timeout() {
        let fake = Fake::api(move |line, _| match line.contains("/wait?") {
            true => (408, TIMEOUT.into()),
            false => (200, RUNNING.into()),
        });
        let call = invocation(&fake, &["wait", "abc", "--for", "idle", "--timeout", "0"]);
        assert_eq!(wait(&call).unwrap_err().code, Code::Timeout);
        let call = invocation(&fake, &["wait", "abc", "--for", "lunch"]);
        assert_eq!(wait(&call).unwrap_err().code, Code::Invalid);
    }
}
