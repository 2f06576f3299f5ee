//! `hook-forward`: carries one hook call of an agent to the daemon, and the answer back. Started
//! by the agent for every tool call, so it does nothing else.
//!
//! 1. At PreToolUse everything but a whole, well-formed answer MUST end with exit 2 and a reason on
//!    stderr ([`table`]). That includes a withdrawn question: any other exit without output lets
//!    the tool run, and a program in the session could send the signal.
//! 2. Input of which not even the event can be told MUST count as PreToolUse.
//! 3. Other events MUST end with exit 0 and silence: a hook that only tells never stops the agent.
//! 4. Stdout MUST carry the answer alone, in one write: with a word before it the tool would run.
//! 5. The secret MUST NOT be part of a reason.
//! 6. No variable MUST make it wait longer, or take less for an answer.
//! 7. Told to hold, it MUST ask again with the same request, and never past its longest deadline:
//!    the agent would take the call for unobjected then.

mod answer;
pub mod event;
pub mod table;
mod wire;

use crate::base::id;
use crate::base::time;
use crate::limits;
use crate::provider::env;
use crate::sys::file;
use crate::sys::proc;
use crate::sys::signal::Signals;
use answer::Said;
use event::Kind;
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
use table::Failed;
use table::Failure;
use table::Result;
use wire::Patience;

/// What a script must know: `codepiper help hook-forward`.
pub const HELP: &str = include_str!("hook/help.txt").trim_ascii_end();

/// Runs the verb with the process's own stdin, environment and clock; returns the exit code.
pub fn run() -> i32 {
    // The default would print source lines to the model; carry() has the words.
    std::panic::set_hook(Box::new(|_| {}));
    let parent = proc::parent();
    // For good: a signal with a deadly default would end us with a code that lets the tool run.
    let withdrawn = Signals::block_all();
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let outcome = match (withdrawn, stdin) {
        (Ok(withdrawn), Ok(stdin)) => carry(Call {
            stdin: stdin.into(),
            env: &|name| std::env::var(name).ok(),
            waits: Waits {
                gate: limits::gate::HOOK_DEADLINE,
                tell: limits::gate::HOOK_TELL,
                gate_hold: limits::gate::HOLD_GATE + limits::gate::HOLD_SPARE,
                dialog_hold: limits::gate::HOLD_DIALOG + limits::gate::HOLD_SPARE,
            },
            withdrawn: withdrawn.as_fd(),
            orphaned: &|| proc::parent() != parent,
        }),
        _ => Outcome::failed(Kind::Gate, &Failure::Broken.because("no stdin or no signals")),
    };
    outcome.print()
}

/// All that a run depends on.
struct Call<'a> {
    stdin: File,
    env: &'a dyn Fn(&str) -> Option<String>,
    waits: Waits,
    withdrawn: BorrowedFd<'a>,
    orphaned: &'a dyn Fn() -> bool,
}

/// How long it goes on at most, from its start.
#[derive(Clone, Copy)]
struct Waits {
    /// Where it asks, until the daemon has said a word.
    gate: Duration,
    /// Where it only tells.
    tell: Duration,
    /// Where it asks, once a person has been asked.
    gate_hold: Duration,
    /// At the dialog, once a person has been asked.
    dialog_hold: Duration,
}

/// All that a run leaves behind.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Outcome {
    /// An answer; none is silence.
    fn said(stdout: Vec<u8>) -> Outcome {
        Outcome { code: 0, stdout, stderr: String::new() }
    }

    fn failed(kind: Kind, Failed { failure, why }: &Failed) -> Outcome {
        let end = table::end(kind, *failure);
        let stderr = match end.says_why {
            true => format!("codepiper: not run, the gate cannot decide: {why}\n"),
            false => String::new(),
        };
        Outcome { code: end.code, stdout: Vec::new(), stderr }
    }

    fn print(mut self) -> i32 {
        if !self.stdout.is_empty() {
            let mut stdout = std::io::stdout().lock();
            // A stdout that was closed before us is the null device by now: the answer, a no among
            // them, would be lost.
            let lost = file::is_null_device(&stdout)
                || stdout.write_all(&self.stdout).and_then(|()| stdout.flush()).is_err();
            if lost {
                let unread = Failure::Unread.because("nobody reads the answer on stdout");
                self = Outcome::failed(Kind::Gate, &unread);
            }
        }
        // Where nobody reads stderr the exit code still blocks.
        let _ = std::io::stderr().write_all(self.stderr.as_bytes());
        self.code
    }
}

/// The whole verb, panics included.
fn carry(call: Call<'_>) -> Outcome {
    let kind = Cell::new(Kind::Gate);
    match catch_unwind(AssertUnwindSafe(|| forward(call, &kind))) {
        Ok(Ok(stdout)) => Outcome::said(stdout),
        Ok(Err(failed)) => Outcome::failed(kind.get(), &failed),
        Err(_) => {
            let inside = Failure::Broken.because("hook-forward failed inside; please report it");
            Outcome::failed(kind.get(), &inside)
        }
    }
}

/// What to print. `kind` is set as soon as the input shows it; until then it is the gate's.
fn forward(mut call: Call<'_>, kind: &Cell<Kind>) -> Result<Vec<u8>> {
    let start = time::now();
    let (withdrawn, orphaned) = (call.withdrawn, call.orphaned);
    let waits = call.waits;
    let wait = |most| start + shortened(most, (call.env)(env::HOOK_DEADLINE));
    let mut patience = Patience { deadline: wait(waits.gate), withdrawn, orphaned };
    let mut data = Vec::new();
    let whole = read(&mut call.stdin, &mut data, &patience);
    let name = event::name(&data);
    let known = name.and_then(event::kind);
    kind.set(known.unwrap_or(Kind::Gate));
    if kind.get() == Kind::Tells {
        patience.deadline = wait(waits.tell);
    }
    whole?;
    let event = match (name, known) {
        (Some(name), Some(_)) => name,
        (Some(name), None) => return Err(Failure::Input.because(unknown(name))),
        (None, _) if data.is_empty() => return Err(Failure::Input.because("stdin is empty")),
        (None, _) => return Err(Failure::Input.because("stdin names no hook_event_name")),
    };
    // Whether it is whole and JSON the daemon finds out, which has to read it anyway.
    let (socket, session, secret) = place(call.env)?;
    let request = request(&session, &secret, event, &data)?;
    let mut told_to_hold = false;
    loop {
        let reply = wire::ask(Path::new(&socket), &request, &patience)?;
        let said = match kind.get() {
            Kind::Gate => answer::at_gate(&reply)?,
            Kind::Dialog => answer::at_dialog(&reply)?,
            Kind::Tells => return Ok(Vec::new()),
        };
        match said {
            Said::Print(bytes) => return Ok(bytes),
            Said::Hold if kind.get() == Kind::Gate => patience.deadline = wait(waits.gate_hold),
            Said::Hold => patience.deadline = wait(waits.dialog_hold),
        }
        // Once is how it begins; a daemon that never gets on to waiting must not be hammered.
        if std::mem::replace(&mut told_to_hold, true) {
            patience.pause()?;
        }
    }
}

fn unknown(event: &str) -> String {
    let shown: String = event.chars().take(limits::gate::HOOK_EVENT_SHOWN).collect();
    format!("neither Claude Code nor Codex has an event {shown:?}")
}

/// `most`, or the milliseconds that a variable asks for if they are fewer.
fn shortened(most: Duration, asked: Option<String>) -> Duration {
    let asked = asked.and_then(|text| text.parse().ok()).map(Duration::from_millis);
    asked.map_or(most, |asked| asked.min(most))
}

/// Hook socket, session and secret, from the session's environment.
fn place(env: &dyn Fn(&str) -> Option<String>) -> Result<(String, String, String)> {
    let missing = |name: &str| {
        Failure::Place.because(format!("{name} is missing or odd; run it inside a session"))
    };
    let need = |name: &str, fits: &dyn Fn(&str) -> bool| {
        env(name).filter(|text| fits(text)).ok_or_else(|| missing(name))
    };
    // The secret goes into a header as it is.
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let secret = need(env::SECRET, &is_plain)?;
    let session = need(env::SESSION, &id::is_uuid)?;
    let socket = need(env::HOOK_SOCKET, &|path| path.starts_with('/'))?;
    Ok((socket, session, secret))
}

/// Reads all of stdin, into `data` as far as it comes.
fn read(stdin: &mut File, data: &mut Vec<u8>, patience: &Patience<'_>) -> Result<()> {
    loop {
        patience.wait(stdin, false).map_err(|failed| match failed.failure {
            Failure::Away => Failure::Input.because("stdin did not end in time"),
            _ => failed,
        })?;
        let had = data.len();
        // Grows with the input: most calls fit the first piece.
        let more = had.clamp(*limits::gate::HOOK_READ.start(), *limits::gate::HOOK_READ.end());
        data.try_reserve(more).map_err(|_| no_memory())?;
        data.resize(had + more, 0);
        let got = stdin.read(&mut data[had..]);
        data.truncate(had + *got.as_ref().unwrap_or(&0));
        match got {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(Failure::Input.because(format!("cannot read stdin: {e}"))),
        }
        if data.len() > limits::gate::HOOK_STDIN_BYTES {
            let most = limits::gate::HOOK_STDIN_BYTES;
            return Err(Failure::Input.because(format!("more than {most} bytes on stdin")));
        }
    }
}

/// Head and body in one buffer, so that they leave in one write. The daemon takes these four
/// fields and each of them once, so `data` is one value or the whole is refused; the others need no
/// escaping. The request id makes a second try the same question.
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
    let mut request = Vec::new();
    request.try_reserve_exact(head.len() + length).map_err(|_| no_memory())?;
    for part in [head.as_bytes(), body.as_bytes(), data, b"}"] {
        request.extend_from_slice(part);
    }
    Ok(request)
}

/// Running out of memory elsewhere ends the process by a signal, and Codex then runs the call; the
/// input is what can be large.
fn no_memory() -> Failed {
    Failure::Broken.because("no memory for the input")
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
