//! One question to the daemon over the hook socket: asked again with the same bytes until there is
//! an answer, a refusal or no time left. Knows HTTP, and nothing of hooks.

use crate::base::error::{Code, Error};
use crate::base::json;
use crate::base::time;
use crate::cli::hook::table::Failed;
use crate::cli::hook::table::Failure;
use crate::cli::hook::table::Result;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::sock;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

/// What ends every wait.
pub struct Patience<'a> {
    /// The last moment.
    pub deadline: Instant,
    /// Readable once the agent has withdrawn the question.
    pub withdrawn: BorrowedFd<'a>,
    /// Whether the agent has gone.
    pub orphaned: &'a dyn Fn() -> bool,
}

impl Patience<'_> {
    /// Waits until `fd` has something. An error says that there is no point in waiting on.
    pub fn wait(&self, fd: &impl AsFd, write: bool) -> Result<()> {
        self.watch(Some(Watch::new(fd, true, write)), limits::gate::HOOK_PARENT)
    }

    /// Waits a moment before the question is asked again.
    pub fn pause(&self) -> Result<()> {
        self.watch(None, limits::gate::RECONNECT)
    }

    fn watch(&self, watch: Option<Watch<'_>>, most: Duration) -> Result<()> {
        let mut watches: Vec<Watch<'_>> = vec![Watch::new(&self.withdrawn, true, false)];
        watches.extend(watch);
        poll::wait(&mut watches, Some(most.min(time::until(self.deadline))))?;
        if watches[0].readable() {
            return Err(Failure::Withdrawn.because("the agent withdrew the question"));
        }
        if (self.orphaned)() {
            return Err(Failure::Orphaned.because("the agent has gone"));
        }
        if time::until(self.deadline).is_zero() {
            return Err(Failure::Away.because("the daemon did not answer in time"));
        }
        Ok(())
    }
}

/// A whole HTTP reply.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Exactly as many bytes as its length says.
    pub body: Vec<u8>,
}

/// How one attempt ended without a reply.
enum Lost {
    /// The daemon is being restarted, or is not there: asking again may help.
    Again(String),
    /// Nothing will.
    Final(Failed),
}

impl From<Failed> for Lost {
    fn from(failed: Failed) -> Lost {
        Lost::Final(failed)
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Lost {
        match error.code {
            Code::Unreachable => Lost::Again(error.chain()),
            Code::Denied => Lost::Final(Failure::Refused.because(error.chain())),
            _ => Lost::Final(error.into()),
        }
    }
}

/// Sends `request` (a whole HTTP request) to the daemon at `socket` and returns the body of its
/// 200. A daemon that is being restarted (no socket, refused, closed without an answer, 503) is
/// asked again; every other reply is final.
pub fn ask(socket: &Path, request: &[u8], patience: &Patience<'_>) -> Result<Vec<u8>> {
    if socket.as_os_str().len() > sock::PATH_BYTES {
        return Err(Failure::Place.because("the path of the hook socket is too long"));
    }
    loop {
        let why = match once(socket, request, patience) {
            Ok(Reply { status: 200, body }) => return Ok(body),
            Ok(reply) if reply.status == 503 => format!("it is busy: {}", words(&reply)),
            Ok(reply) => {
                let why = format!("the daemon refused (HTTP {}) {}", reply.status, words(&reply));
                return Err(Failure::Refused.because(why.trim_end()));
            }
            Err(Lost::Again(why)) => why,
            Err(Lost::Final(failed)) => return Err(failed),
        };
        if let Err(mut end) = patience.pause() {
            if end.failure == Failure::Away {
                end.why = format!("{}: {why}", end.why);
            }
            return Err(end);
        }
    }
}

fn once(
    socket: &Path,
    request: &[u8],
    patience: &Patience<'_>,
) -> std::result::Result<Reply, Lost> {
    let stream = sock::connect(socket)?;
    poll::set_nonblocking(&stream, true)?;
    let (mut sent, mut got, mut chunk) = (0, Vec::new(), [0; 4096]);
    loop {
        sent += send(&stream, &request[sent..]);
        match (&stream).read(&mut chunk) {
            Ok(0) => return Err(lost("it closed the connection without an answer")),
            Ok(count) => {
                got.extend_from_slice(&chunk[..count]);
                if let Some(reply) = parse(&got)? {
                    return Ok(reply);
                }
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                patience.wait(&stream, sent < request.len())?;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(lost("the connection broke")),
        }
    }
}

fn lost(why: &str) -> Lost {
    Lost::Again(why.to_string())
}

/// Sends what fits. A peer that stopped reading may have said why: then the rest counts as sent and
/// the reading side finds out.
fn send(stream: &UnixStream, rest: &[u8]) -> usize {
    let mut sent = 0;
    while sent < rest.len() {
        match (&*stream).write(&rest[sent..]) {
            Ok(count) => sent += count,
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => return rest.len(),
        }
    }
    sent
}

/// The reply, once it is whole. Only a body with one Content-Length is understood: without it, a
/// cut-off body could pass for a whole one. Read by hand: the library for it asks the processor for
/// its features first, which takes longer than all of this where the processor is a virtual one.
pub fn parse(bytes: &[u8]) -> Result<Option<Reply>> {
    let broken = || Failure::Garbage.because("the daemon's reply is not HTTP with a length");
    if bytes.len() > limits::gate::HOOK_REPLY_BYTES {
        return Err(Failure::Garbage.because("the daemon's reply is too long"));
    }
    let begins = bytes.iter().zip(b"HTTP/1.1 ").all(|(got, want)| got == want);
    if !begins {
        return Err(broken());
    }
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| broken())?;
    let (status, length) = read_head(head).ok_or_else(broken)?;
    let body = &bytes[end + 4..];
    Ok(body.get(..length).map(|body| Reply { status, body: body.to_vec() }))
}

/// Status and length of the body.
fn read_head(head: &str) -> Option<(u16, usize)> {
    // A line break of another kind would hide a field.
    if head.split("\r\n").any(|line| line.contains(char::is_control)) {
        return None;
    }
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    let mut length = None;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") && length.replace(value.trim()).is_some() {
            return None;
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return None;
        }
    }
    let (length, digits) = (length?, |text: &str| text.bytes().all(|b| b.is_ascii_digit()));
    let number = status.len() == 3 && digits(status) && !status.starts_with('0');
    let well = number && digits(length);
    well.then(|| Some((status.parse().ok()?, length.parse().ok()?)))?
}

/// The daemon's own words where it has some.
fn words(reply: &Reply) -> String {
    let body = json::parse(&reply.body).ok();
    let said = body.as_ref().and_then(|b| b.get("error")).and_then(|e| e.as_str()).unwrap_or("");
    said.chars().filter(|c| !c.is_control()).take(limits::gate::REASON_CHARS).collect()
}
