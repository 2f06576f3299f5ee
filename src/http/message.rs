//! Requests and replies as values, the one mapping from error codes to statuses, and the writing
//! of replies.
//!
//! 1. A header value with a control character MUST NOT reach the wire: it would split the reply.
//! 2. The text of an internal error MUST NOT reach a client.

use crate::base::error::{Code, Error, Result};
use crate::base::json;
use crate::http::conn::Whole;
use crate::http::stream::Who;
use crate::limits;
use crate::model::login::Visitor;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tiny_http::Header;
use tiny_http::Method;
use tiny_http::Response;
use tiny_http::StatusCode;
use zeroize::Zeroizing;

/// What a browser may do with a reply: nothing. Pages of the dashboard have a policy of their own.
const CONTENT_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
                              frame-ancestors 'none'";

/// Which listener a request came through; routes name the doors they are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The control socket: the person's own programs.
    Control,
    /// The hook socket: programs inside sessions.
    Hook,
    /// The HTTP port: the dashboard, its API under `/api`, and its WebSocket.
    Web,
    /// The WebSocket port.
    Socket,
}

impl Door {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Door::Control => "control",
            Door::Hook => "hook",
            Door::Web => "web",
            Door::Socket => "ws",
        }
    }

    /// It can be reached from a browser, and from wherever the port can.
    pub fn is_web(self) -> bool {
        matches!(self, Door::Web | Door::Socket)
    }

    /// Most bytes of a request body.
    pub fn body_bytes(self) -> usize {
        match self {
            Door::Control => limits::BODY_BYTES,
            Door::Hook => limits::HOOK_BODY_BYTES,
            Door::Web | Door::Socket => limits::WEB_BODY_BYTES,
        }
    }
}

/// What made the connection. Who holds the connection now may be somebody else.
#[derive(Debug, Default)]
pub struct Peer {
    /// On a Unix socket its process id in our namespace; 0 when it is not visible there.
    pub pid: i32,
    /// There its user; always our own, the front lets nobody else in.
    pub uid: u32,
    /// Says whether `pid` still means that process, where the kernel can.
    pub pidfd: Option<OwnedFd>,
    /// Over TCP its address; `None` on a Unix socket.
    pub address: Option<SocketAddr>,
}

impl Peer {
    /// Puts together what the front knows.
    pub fn new(who: Who, pidfd: Option<OwnedFd>) -> Peer {
        match who {
            Who::Process(peer) => Peer { pid: peer.pid, uid: peer.uid, pidfd, address: None },
            Who::Address(address) => Peer { address: Some(address), ..Peer::default() },
        }
    }
}

/// Who asks, as the guard found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// A program of our user, through a Unix socket.
    Local,
    /// A web session, by the id of its row.
    Web(String),
    /// Somebody who has not logged in; only open routes are served to them.
    #[default]
    Nobody,
}

/// A whole request.
#[derive(Debug)]
pub struct Request {
    /// Where it came in.
    pub door: Door,
    /// What sent it.
    pub peer: Arc<Peer>,
    /// Who asks; the guard fills it in.
    pub caller: Caller,
    /// Where it came from, at a web door; the guard fills it in.
    pub visitor: Visitor,
    /// Also one that is unknown.
    pub method: Method,
    /// The path as it came, strictly checked; for messages and logs.
    pub path: String,
    /// The path between its slashes, decoded.
    pub segments: Vec<String>,
    /// Decoded, each name once.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As sent; it may hold a secret, and is overwritten when the request is let go.
    pub body: Zeroizing<Vec<u8>>,
    /// It asks for a WebSocket: answer with [`crate::http::answer::Answer::upgrade`].
    pub upgrade: bool,
}

impl Request {
    /// Puts the parts together.
    pub fn new(door: Door, peer: Arc<Peer>, whole: Whole) -> Request {
        let Whole { head, body } = whole;
        Request {
            door,
            peer,
            caller: Caller::default(),
            visitor: Visitor::default(),
            method: head.method,
            path: head.target.path,
            segments: head.target.segments,
            query: head.target.query,
            headers: head.headers,
            body: Zeroizing::new(body),
            upgrade: head.upgrade,
        }
    }

    /// One that a test makes up.
    #[cfg(test)]
    pub fn sample(door: Door, method: Method, path: &str, body: &str) -> Request {
        Request {
            door,
            peer: Arc::new(Peer::default()),
            caller: Caller::default(),
            visitor: Visitor { address: "127.0.0.1".into(), ..Visitor::default() },
            method,
            path: path.to_string(),
            segments: path.split('/').skip(1).map(str::to_string).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            upgrade: false,
        }
    }

    /// A header's value; `name` in lower case. A field that came twice counts as absent, so that
    /// nobody has to choose.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// A query parameter's value.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON. A Content-Type is not needed, but a wrong one is refused.
    pub fn json(&self) -> Result<Value> {
        match self.header("content-type") {
            Some(kind) if kind != "application/json" => {
                Err(Error::invalid(format!("the body is {kind:?}, expected application/json")))
            }
            _ => json::parse(&self.body),
        }
    }
}

/// A request that the front answers itself: the status and the words for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// For people.
    pub text: String,
}

impl Refusal {
    /// With any status.
    pub fn new(status: u16, text: impl Into<String>) -> Refusal {
        Refusal { status, text: text.into() }
    }

    /// 400.
    pub fn invalid(text: impl Into<String>) -> Refusal {
        Refusal::new(400, text)
    }

    /// The reply that says so.
    pub fn reply(&self) -> Reply {
        let code = match self.status {
            408 => Code::Timeout,
            503 => Code::Busy,
            _ => Code::Invalid,
        };
        Reply::json(self.status, &json!({"error": self.text, "code": code.word()}))
    }
}

/// A reply before it is written.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply::bytes(status, "application/json", body.to_string().into_bytes())
    }

    /// Any body with its Content-Type.
    pub fn bytes(status: u16, kind: &str, body: Vec<u8>) -> Reply {
        Reply { status, headers: Vec::new(), body }.header("Content-Type", kind)
    }

    /// An error body `{"error","code"}`. What is internal goes to the log and stays there.
    pub fn error(error: &Error) -> Reply {
        let message = match error.code {
            Code::Internal => {
                log::error!("internal error: {}", error.chain());
                "internal error"
            }
            _ => error.message.as_str(),
        };
        let body = json!({"error": message, "code": error.code.word()});
        let reply = Reply::json(status(error.code), &body);
        match error.code {
            Code::Wait(seconds) => reply.header("Retry-After", seconds.to_string()),
            _ => reply,
        }
    }

    /// Adds a header. Length, connection and transfer headers are the front's own.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    /// The reply as it goes over the wire. Without `keep` it tells the client that the connection
    /// ends; with `head_only` the body stays behind, as HEAD wants it.
    pub fn render(&self, keep: bool, head_only: bool) -> Vec<u8> {
        match self.write(keep, head_only) {
            Ok(bytes) => bytes,
            // Its own header is one of ours, so this ends here.
            Err(error) => Reply::error(&error).render(keep, head_only),
        }
    }

    /// The head of a reply whose body is made while it is sent, in chunks; the connection ends
    /// with it.
    pub fn streamed(&self) -> Result<Vec<u8>> {
        self.head(None, false)
    }

    fn write(&self, keep: bool, head_only: bool) -> Result<Vec<u8>> {
        let mut out = self.head(Some(self.body.len()), keep)?;
        if !head_only {
            out.extend_from_slice(&self.body);
        }
        Ok(out)
    }

    fn head(&self, length: Option<usize>, keep: bool) -> Result<Vec<u8>> {
        let mut headers = vec![
            header("Server", "codepiper")?,
            header("X-Content-Type-Options", "nosniff")?,
            header("Cache-Control", "no-store")?,
            header("Content-Security-Policy", CONTENT_POLICY)?,
            header("Referrer-Policy", "no-referrer")?,
            header("X-Frame-Options", "DENY")?,
            header("Cross-Origin-Resource-Policy", "same-origin")?,
            header("Cross-Origin-Opener-Policy", "same-origin")?,
        ];
        for (name, value) in &self.headers {
            // Each cookie is a field of its own.
            if name != "Set-Cookie" {
                headers.retain(|known| !known.field.as_str().as_str().eq_ignore_ascii_case(name));
            }
            headers.push(header(name, value)?);
        }
        let mut out = Vec::with_capacity(512 + length.unwrap_or(0));
        let status = StatusCode(self.status);
        let head = Response::new(status, headers, std::io::empty(), length, None);
        let head = head.with_chunked_threshold(usize::MAX);
        head.raw_print(&mut out, (1, 1).into(), &[], true, None)
            .map_err(|e| Error::internal(format!("cannot write a reply: {e}")))?;
        if !keep {
            // tiny_http leaves Connection to its own server; ours goes before the blank line.
            out.truncate(out.len() - 2);
            out.extend_from_slice(b"Connection: close\r\n\r\n");
        }
        Ok(out)
    }
}

fn header(name: &str, value: &str) -> Result<Header> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let fine = !name.is_empty()
        && name.bytes().all(token)
        && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let header = Header::from_bytes(name, value).ok().filter(|_| fine);
    header.ok_or_else(|| Error::internal(format!("a reply header {name:?} that cannot be sent")))
}

/// The one translation of codes into statuses.
pub fn status(code: Code) -> u16 {
    match code {
        Code::Invalid => 400,
        Code::Unauthorized => 401,
        Code::Denied => 403,
        Code::NotFound => 404,
        Code::Conflict => 409,
        Code::Failed => 422,
        Code::Busy => 503,
        Code::Wait(_) => 429,
        Code::Timeout => 408,
        Code::Unreachable => 502,
        Code::Internal => 500,
    }
}

#[cfg(test)]
mod tests;
