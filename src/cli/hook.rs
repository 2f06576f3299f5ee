//! `hook-forward`: carries one hook call of an agent to the daemon, and the answer back. Started
//! by the agent for every tool call, so it does nothing else.
//!
//! 1. At PreToolUse everything but a whole, well-formed answer MUST end with exit 2 and a reason on
//!    stderr. That includes a withdrawn question: any other exit without output lets the tool run,
//!    and a program in the session could send the signal.
//! 2. Input of which not even the event can be told MUST count as PreToolUse.
//! 3. Other events MUST end with exit 0 and silence: a hook that only tells never stops the agent.
//! 4. Stdout MUST carry the answer alone, in one write: with a word before it the tool would run.
//! 5. The secret MUST NOT be part of a reason.

mod wire;

use crate::base::error::{Context, Error, Result};
use crate::base::id;
use crate::base::json;
use crate::base::time;
use crate::limits;
use crate::model::call::Action;
use crate::provider::env;
use crate::provider::hook::GATE;
use crate::sys::proc;
use crate::sys::signal;
use crate::sys::signal::Signals;
use std::cell::Cell;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Duration;
use wire::Patience;

/// Exit code by which an agent blocks the call and shows stderr to the model.
const BLOCK: i32 = 2;

/// Runs the verb with the process's own stdin, environment and clock; returns the exit code.
pub fn run() -> i32 {
    // The default would print source lines to the model; carry() has the words.
    std::panic::set_hook(Box::new(|_| {}));
    let parent = proc::parent();
    let prepared = Signals::block(&[signal::Name::SIGTERM, signal::Name::SIGINT]);
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let outcome = match (prepared, stdin) {
        (Ok(withdrawn), Ok(stdin)) => carry(Call {
            stdin: stdin.into(),
            env: &|name| std::env::var(name).ok(),
            gate_wait: limits::HOOK_DEADLINE,
            tell_wait: limits::HOOK_TELL,
            withdrawn: withdrawn.as_fd(),
            orphaned: &|| proc::parent() != parent,
        }),
        _ => Outcome::blocked("no stdin or no signals"),
    };
    outcome.print()
}

/// All that a run depends on.
struct Call<'a> {
    stdin: File,
    env: &'a dyn Fn(&str) -> Option<String>,
    gate_wait: Duration,
    tell_wait: Duration,
    withdrawn: BorrowedFd<'a>,
    orphaned: &'a dyn Fn() -> bool,
}

/// All that a run leaves behind.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Outcome {
    fn blocked(reason: &str) -> Outcome {
        let stderr = format!("codepiper: not run, the gate cannot decide: {reason}\n");
        Outcome { code: BLOCK, stdout: Vec::new(), stderr }
    }

    fn silent() -> Outcome {
        Outcome { code: 0, stdout: Vec::new(), stderr: String::new() }
    }

    fn print(mut self) -> i32 {
        if !self.stdout.is_empty() {
            let mut stdout = std::io::stdout().lock();
            if stdout.write_all(&self.stdout).and_then(|()| stdout.flush()).is_err() {
                self = Outcome::blocked("the agent does not take the answer");
            }
        }
        // Where nobody reads stderr the exit code still blocks.
        let _ = std::io::stderr().write_all(self.stderr.as_bytes());
        self.code
    }
}

/// The whole verb, panics included.
fn carry(call: Call<'_>) -> Outcome {
    let only_tells = Cell::new(false);
    match catch_unwind(AssertUnwindSafe(|| forward(call, &only_tells))) {
        Ok(Ok(stdout)) => Outcome { stdout, ..Outcome::silent() },
        _ if only_tells.get() => Outcome::silent(),
        Ok(Err(error)) => Outcome::blocked(&error.chain()),
        Err(_) => Outcome::blocked("hook-forward failed inside; please report it"),
    }
}

/// What to print. `only_tells` is set as soon as the input shows that nothing is asked.
fn forward(mut call: Call<'_>, only_tells: &Cell<bool>) -> Result<Vec<u8>> {
    let start = time::now();
    let (withdrawn, orphaned) = (call.withdrawn, call.orphaned);
    let mut patience = Patience { deadline: start + call.gate_wait, withdrawn, orphaned };
    let mut data = Vec::with_capacity(16 * 1024);
    let whole = read(&mut call.stdin, &mut data, &patience);
    let event = event_name(&data);
    only_tells.set(event.is_some_and(|event| event != GATE));
    if only_tells.get() {
        patience.deadline = start + call.tell_wait;
    }
    whole?;
    json::parse(&data)?;
    let event = event.ok_or_else(|| Error::invalid("stdin names no event"))?;
    let need = |name: &str| {
        let plain = |text: &String| text.bytes().all(|b| b.is_ascii_graphic());
        let value = (call.env)(name).filter(|text| !text.is_empty() && plain(text));
        value.ok_or_else(|| Error::invalid(format!("{name} is missing; start it by codepiper")))
    };
    let secret = need(env::SECRET)?;
    let session = need(env::SESSION).and_then(|session| match id::is_uuid(&session) {
        true => Ok(session),
        false => Err(Error::invalid(format!("{} is no session", env::SESSION))),
    })?;
    let socket = (call.env)(env::HOOK_SOCKET).filter(|path| path.starts_with('/'));
    let no_socket = || Error::invalid(format!("{} is missing or relative", env::HOOK_SOCKET));
    let socket = socket.ok_or_else(no_socket)?;
    let request = request(&session, &secret, event, &data)?;
    let reply = wire::ask(Path::new(&socket), &request, &patience)?;
    if only_tells.get() {
        return Ok(Vec::new());
    }
    checked_answer(&reply)
}

/// Reads all of stdin, into `data` as far as it comes.
fn read(stdin: &mut File, data: &mut Vec<u8>, patience: &Patience<'_>) -> Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        patience.wait(stdin, false)?;
        match stdin.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => data.extend_from_slice(&chunk[..count]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e).internal(|| "cannot read stdin".into()),
        }
        if data.len() > limits::HOOK_STDIN_BYTES {
            let most = limits::HOOK_STDIN_BYTES;
            return Err(Error::invalid(format!("more than {most} bytes on stdin")));
        }
    }
}

/// The `hook_event_name` of the outer object, also where the text is cut off or too long to be
/// parsed: it decides how a failure ends. An escaped, repeated or odd name is none.
fn event_name(data: &[u8]) -> Option<&str> {
    let (mut depth, mut at) = (0_usize, 0);
    let (mut key, mut found): (Option<&[u8]>, Option<&[u8]>) = (None, None);
    if !data.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    while at < data.len() {
        match data[at] {
            b'{' | b'[' => (depth, key) = (depth + 1, None),
            b'}' | b']' => (depth, key) = (depth.checked_sub(1)?, None),
            b',' => key = None,
            b'"' => {
                let Some(end) = string_end(data, at) else { break };
                let text = &data[at + 1..end];
                match key {
                    None => key = Some(text),
                    Some(b"hook_event_name") if depth == 1 && found.is_some() => return None,
                    Some(b"hook_event_name") if depth == 1 => found = Some(text),
                    Some(_) => {}
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    let is_plain = |name: &&[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_alphabetic);
    std::str::from_utf8(found.filter(is_plain)?).ok()
}

/// Index of the quote that closes the string which opens at `at`.
fn string_end(data: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    while *data.get(end)? != b'"' {
        end += if data[end] == b'\\' { 2 } else { 1 };
    }
    Some(end)
}

/// Head and body in one buffer, so that they leave in one write. `data` is valid JSON and the other
/// values need no escaping. The request id makes a second try the same question.
fn request(session: &str, secret: &str, event: &str, data: &[u8]) -> Result<Vec<u8>> {
    let id = id::uuid()?;
    let body = format!(
        "{{\"sessionId\":\"{session}\",\"requestId\":\"{id}\",\"event\":\"{event}\",\"data\":"
    );
    let length = body.len() + data.len() + 1;
    let head = format!(
        "POST /hooks/claude HTTP/1.1\r\nHost: codepiper\r\nConnection: close\r\n\
         X-CodePiper-Secret: {secret}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    Ok([head.as_bytes(), body.as_bytes(), data, b"}"].concat())
}

/// The `output` of the daemon's reply, if an agent will take it for the verdict that it is. An
/// agent that takes a yes only as silence gets no output, and only with a plain yes.
fn checked_answer(reply: &[u8]) -> Result<Vec<u8>> {
    let reply = json::parse(reply)?;
    let no_verdict = || Error::invalid("the daemon's reply holds no verdict");
    let decision = reply.get("decision").and_then(|word| word.as_str());
    let decision = decision.and_then(Action::from_word).ok_or_else(no_verdict)?;
    let output = reply.get("output").ok_or_else(no_verdict)?;
    if output.is_null() && decision == Action::Allow {
        return Ok(Vec::new());
    }
    let inner = output.get("hookSpecificOutput").ok_or_else(no_verdict)?;
    let said = |name: &str| inner.get(name).and_then(|value| value.as_str());
    let told = said("permissionDecision").and_then(Action::from_word);
    match said("hookEventName") == Some(GATE) && told == Some(decision) {
        true => Ok(output.to_string().into_bytes()),
        false => Err(no_verdict()),
    }
}

#[cfg(test)]
mod tests;
