//! `tail`: a session's output, from its log; with `-f` what comes after it as well.

use crate::base::error::{Error, Result};
use crate::cli::Invocation;
use crate::cli::client::session_path;
use crate::cli::command::Command;
use crate::cli::command::Group;
use crate::cli::command::Words;
use crate::cli::command::switch;
use crate::cli::command::value;
use crate::cli::describe::{is_live, word};
use crate::cli::follow;
use crate::cli::log::Log;
use crate::cli::out::Out;
use crate::term::escape::Visible;
use serde_json::json;

/// Lines shown when nobody says how many.
const LINES: u64 = 20;

/// The command of this file.
pub const COMMANDS: &[Command] = &[Command {
    name: "tail",
    aliases: &[],
    group: Group::Terminal,
    usage: "[-f] [-n N|all] [--raw] ID",
    about: "Print the end of a session's output",
    options: &[
        switch(&["-f", "--follow"], "go on with what the session prints, until it ends"),
        value(&["-n", "--lines"], "N", "so many lines, or all; default 20"),
        switch(&["--raw"], "bytes as they are, also to a terminal"),
    ],
    words: Words::Count(1, 1),
    details: "On a terminal control bytes are shown, not obeyed: what a program prints could\n\
              otherwise type for you. Into a file or a pipe go the bytes as they are.",
    examples: &["codepiper tail -f build", "codepiper tail -n all 3f2a91c0 > build.log"],
    run: tail,
}];

/// Where output goes: raw, or with its control bytes shown.
struct Sink {
    out: Out,
    escaper: Option<Visible>,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.escaper {
            None => self.out.bytes(bytes),
            Some(escaper) => {
                let mut shown = String::new();
                escaper.push(bytes, &mut shown);
                self.out.bytes(shown.as_bytes())
            }
        }
    }
}

fn tail(call: &Invocation<'_>) -> Result<i32> {
    let lines = match call.args.value("--lines").unwrap_or("") {
        "" => Some(LINES),
        "all" => None,
        number => Some(number.parse().map_err(|_| {
            Error::invalid(format!("--lines takes a number or all, not {number:?}"))
        })?),
    };
    let body = call.client.get(&session_path(&call.args.words[0], ""))?;
    let session = &body["session"];
    let id = word(session, "id");
    let log = Log::new(&call.client, id);
    let (from, end) = match lines {
        Some(lines) => log.last_lines(lines)?,
        None => (0, u64::MAX),
    };
    if call.out.json {
        return as_json(call, &log, from, end);
    }
    let escapes = call.out.terminal && !call.args.has("--raw");
    let mut sink = Sink { out: call.out, escaper: escapes.then(Visible::default) };
    let at = log.read(from, end, |_, bytes| sink.take(bytes))?;
    if call.args.has("--follow") && is_live(session) {
        follow::follow(&call.client, id, at, |bytes| sink.take(bytes))?;
    }
    Ok(0)
}

/// The log is no JSON in the API; here it is text with its place.
fn as_json(call: &Invocation<'_>, log: &Log<'_>, from: u64, end: u64) -> Result<i32> {
    if call.args.has("--follow") {
        return Err(Error::invalid("--json does not go with -f; leave one out"));
    }
    let mut all = Vec::new();
    let end = log.read(from, end, |_, bytes| {
        all.extend_from_slice(bytes);
        Ok(())
    })?;
    let output = String::from_utf8_lossy(&all);
    call.out.body(&json!({"from": from, "end": end, "output": output}))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use crate::cli::fake::invocation;

    #[test]
    fn lines_are_a_number_or_all() {
        let fake = Fake::api(|_, _| (200, "{}".into()));
        let error = tail(&invocation(&fake, &["tail", "x", "-n", "few"])).unwrap_err();
        assert!(error.message.contains("number or all"), "{error}");
        assert!(fake.lines().is_empty(), "nothing is asked for a wrong line");
    }

    #[test]
    fn an_ended_session_is_not_followed() {
        let fake = Fake::serve(|stream| {
            let request = Fake::read_request(stream);
            if request.contains("/log?") {
                return crate::cli::log::tests::answer(stream, &request, 0, b"");
            }
            let body = r#"{"session":{"id":"full-id","status":"STOPPED"}}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = std::io::Write::write_all(stream, (head + body).as_bytes());
        });
        assert_eq!(tail(&invocation(&fake, &["tail", "-f", "x"])).unwrap(), 0);
        let lines = fake.lines();
        assert_eq!(lines[..2], ["GET /sessions/x", "GET /sessions/full-id/log?from=0&len=1"]);
    }
}
