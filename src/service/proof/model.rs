//! The scripted model: a small HTTP server on loopback for the length of one proof. It plays
//! [`script`] and keeps what it was told.
//!
//! 1. It MUST listen on loopback only, and end with the proof.
//! 2. Who does not bring the proof's key MUST be refused and MUST NOT be listened to: any user of
//!    the host can connect.
//! 3. Connections, requests and their bytes MUST be bounded.

use crate::base::error::{Context, Error, Result};
use crate::base::json;
use crate::base::thread;
use crate::limits;
use crate::provider::proof::Heard;
use crate::provider::proof::Rehearsal;
use crate::service::proof::script;
use crate::sys::poll;
use crate::sys::poll::Waker;
use crate::sys::poll::Watch;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;
use subtle::ConstantTimeEq;

/// A model that listens; dropped it is gone.
pub struct Model {
    /// Where it listens: `http://127.0.0.1:4711`.
    pub url: String,
    heard: Arc<Mutex<Option<Heard>>>,
    stop: Arc<Waker>,
    thread: Option<JoinHandle<Option<()>>>,
}

impl Model {
    /// Starts one that answers whoever brings `key`.
    pub fn start(rehearsal: &'static Rehearsal, key: &str) -> Result<Model> {
        let cannot = || "cannot listen on 127.0.0.1 for a proof".into();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).internal(cannot)?;
        listener.set_nonblocking(true).internal(cannot)?;
        let port = listener.local_addr().internal(cannot)?.port();
        let (stop, heard) = (Arc::new(Waker::new()?), Arc::new(Mutex::new(None)));
        let mut server = Server {
            rehearsal,
            key: key.to_string(),
            listener,
            stop: stop.clone(),
            heard: heard.clone(),
            connections: Vec::new(),
            accepted: 0,
        };
        let thread = thread::spawn("proof-model", move || {
            if let Err(error) = server.run() {
                log::warn!("the model of a proof ended: {}", error.chain());
            }
        })?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Model { url, heard, stop, thread: Some(thread) })
    }

    /// What the agent has told it last; `None` where it has told nothing.
    pub fn heard(&self) -> Option<Heard> {
        self.heard.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.stop.wake();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Server {
    rehearsal: &'static Rehearsal,
    key: String,
    listener: TcpListener,
    stop: Arc<Waker>,
    heard: Arc<Mutex<Option<Heard>>>,
    connections: Vec<Connection>,
    accepted: usize,
}

/// One request and its reply; then it is closed.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    reply: Vec<u8>,
    sent: usize,
}

impl Server {
    fn run(&mut self) -> Result<()> {
        loop {
            let (stopped, called, ready) = {
                let mut watches = vec![
                    Watch::new(&*self.stop, true, false),
                    Watch::new(&self.listener, self.accepted < limits::PROOF_REQUESTS, false),
                ];
                let connections = self.connections.iter();
                watches.extend(connections.map(|c| {
                    let writes = !c.reply.is_empty();
                    Watch::new(&c.stream, !writes, writes)
                }));
                poll::wait(&mut watches, None)?;
                let ready = watches[2..].iter().map(|w| w.readable() || w.writable());
                (watches[0].readable(), watches[1].readable(), ready.collect::<Vec<_>>())
            };
            if stopped {
                return Ok(());
            }
            for (at, _) in ready.iter().enumerate().rev().filter(|(_, ready)| **ready) {
                let mut connection = self.connections.swap_remove(at);
                if self.serve(&mut connection).is_ok_and(|stays| stays) {
                    self.connections.push(connection);
                }
            }
            if called {
                self.accept();
            }
        }
    }

    fn accept(&mut self) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        self.accepted += 1;
        if self.connections.len() < limits::PROOF_CONNECTIONS
            && stream.set_nonblocking(true).is_ok()
        {
            let (received, reply) = (Vec::new(), Vec::new());
            self.connections.push(Connection { stream, received, reply, sent: 0 });
        }
    }

    /// Goes on with a connection as far as it can; whether there is more to do.
    fn serve(&self, connection: &mut Connection) -> std::io::Result<bool> {
        let mut buffer = vec![0; limits::HASH_PIECE];
        while connection.reply.is_empty() {
            match connection.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => connection.received.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
            connection.reply = match read(&connection.received) {
                Ok(None) => continue,
                Ok(Some(request)) => self.answer(&request),
                Err(_) => reply(400, "application/json", "{}"),
            };
        }
        while let Some(rest) = connection.reply.get(connection.sent..).filter(|r| !r.is_empty()) {
            match connection.stream.write(rest) {
                Ok(count) => connection.sent += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }

    fn answer(&self, request: &Request<'_>) -> Vec<u8> {
        const JSON: &str = "application/json";
        if !bool::from(request.key.as_bytes().ct_eq(self.key.as_bytes())) {
            return reply(401, JSON, "{}");
        }
        if (request.method, request.path) != ("POST", self.rehearsal.path) {
            return reply(404, JSON, "{}");
        }
        let Ok(body) = json::parse(request.body) else { return reply(400, JSON, "{}") };
        let heard = (self.rehearsal.hear)(&body);
        let say = script::next(&heard);
        // A request without tools (a title, a summary) tells nothing of the play.
        let mut last = self.heard.lock().unwrap_or_else(|e| e.into_inner());
        if heard.may_call || last.is_none() {
            *last = Some(heard);
        }
        reply(200, "text/event-stream", &(self.rehearsal.say)(&say))
    }
}

/// As much of a request as counts here.
#[derive(Debug, PartialEq, Eq)]
struct Request<'a> {
    method: &'a str,
    /// The target without its query.
    path: &'a str,
    /// What it brings in `x-api-key`, or as a bearer.
    key: &'a str,
    body: &'a [u8],
}

/// Reads a request; `None` while it is not whole.
fn read(bytes: &[u8]) -> Result<Option<Request<'_>>> {
    let wrong = |what: &str| Error::invalid(format!("a request to the model {what}"));
    if bytes.len() > limits::PROOF_REQUEST_BYTES {
        return Err(wrong("is too long"));
    }
    let mut fields = [httparse::EMPTY_HEADER; limits::HEAD_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes).map_err(|_| wrong("is no HTTP"))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let (method, target) = (head.method.unwrap_or_default(), head.path.unwrap_or_default());
    let fields: Vec<_> = fields.into_iter().take_while(|f| !f.name.is_empty()).collect();
    let field = |name: &str| {
        let found = fields.iter().find(|f| f.name.eq_ignore_ascii_case(name));
        found.and_then(|f| std::str::from_utf8(f.value).ok())
    };
    let size = field("content-length").map_or(Ok(0), str::parse::<usize>);
    let size = size.map_err(|_| wrong("has no length"))?;
    let body = &bytes[length..];
    if body.len() < size && size <= limits::PROOF_REQUEST_BYTES {
        return Ok(None);
    }
    let bearer = field("authorization").and_then(|value| value.strip_prefix("Bearer "));
    Ok(Some(Request {
        method,
        path: target.split('?').next().unwrap_or_default(),
        key: field("x-api-key").or(bearer).unwrap_or_default(),
        body: body.get(..size).ok_or_else(|| wrong("is too long"))?,
    }))
}

fn reply(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;
    use crate::service::proof::script::ALLOWED;
    use crate::service::proof::script::FORBIDDEN;
    use serde_json::Value;
    use serde_json::json;

    fn claude() -> &'static Rehearsal {
        provider::find("claude-code").unwrap().rehearsal.as_ref().unwrap()
    }

    fn ask(model: &Model, head: &str, body: &str) -> String {
        let address = model.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        write!(stream, "{head}\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut reply = String::new();
        let _ = stream.read_to_string(&mut reply);
        reply
    }

    fn body(results: &[&str]) -> String {
        let results: Vec<Value> = results
            .iter()
            .map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": "x"}))
            .collect();
        json!({"tools": [{"name": "Bash"}], "messages": [{"role": "user", "content": results}]})
            .to_string()
    }

    const HEAD: &str = "POST /v1/messages?beta=true HTTP/1.1\r\nX-Api-Key: k";

    #[test]
    fn it_plays_the_script_and_keeps_what_it_was_told() {
        let model = Model::start(claude(), "k").unwrap();
        assert_eq!(model.heard(), None);
        assert!(ask(&model, HEAD, &body(&[])).contains(FORBIDDEN.id));
        assert!(ask(&model, HEAD, &body(&[FORBIDDEN.id])).contains(ALLOWED.id));
        let end = ask(&model, HEAD, &body(&[FORBIDDEN.id, ALLOWED.id]));
        assert!(end.starts_with("HTTP/1.1 200 ") && end.contains("end_turn"), "{end}");
        let aside = ask(&model, HEAD, r#"{"messages":[]}"#);
        assert!(aside.contains("end_turn"), "a title is no part of the play");
        let heard = model.heard().unwrap();
        assert_eq!(heard.results.len(), 2, "and takes nothing of it back");
        let address = model.url.strip_prefix("http://").unwrap().to_string();
        drop(model);
        assert!(TcpStream::connect(address).is_err(), "it ends with the proof");
    }

    #[test]
    fn who_has_no_key_is_not_listened_to() {
        let model = Model::start(claude(), "k").unwrap();
        let told = body(&[FORBIDDEN.id]);
        for head in [
            "POST /v1/messages HTTP/1.1",
            "POST /v1/messages HTTP/1.1\r\nX-Api-Key: other",
            "POST /v1/messages HTTP/1.1\r\nAuthorization: k",
        ] {
            assert!(ask(&model, head, &told).starts_with("HTTP/1.1 401 "), "{head}");
        }
        assert_eq!(model.heard(), None);
        let bearer = "POST /v1/messages HTTP/1.1\r\nauthorization: Bearer k";
        assert!(ask(&model, bearer, &told).starts_with("HTTP/1.1 200 "));
        let other = "GET /v1/models HTTP/1.1\r\nX-Api-Key: k";
        assert!(ask(&model, other, "").starts_with("HTTP/1.1 404 "));
        assert!(ask(&model, HEAD, "{").starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn silent_peers_do_not_keep_the_agent_out() {
        let model = Model::start(claude(), "k").unwrap();
        let address = model.url.strip_prefix("http://").unwrap();
        let silent = (1..limits::PROOF_CONNECTIONS).map(|_| TcpStream::connect(address).unwrap());
        let silent: Vec<_> = silent.collect();
        assert!(ask(&model, HEAD, &body(&[])).contains(FORBIDDEN.id));
        drop(silent);
    }

    #[test]
    fn a_request_is_read_when_it_is_whole_and_refused_when_it_is_too_long() {
        let whole = b"POST /p?q HTTP/1.1\r\nX-API-Key: k\r\nContent-Length: 2\r\n\r\nhi";
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]).unwrap(), None, "{end} bytes");
        }
        let wanted = Request { method: "POST", path: "/p", key: "k", body: b"hi" };
        assert_eq!(read(whole).unwrap(), Some(wanted));
        let long = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", usize::MAX);
        assert!(read(long.as_bytes()).is_err());
        assert!(read(&vec![b'x'; limits::PROOF_REQUEST_BYTES + 1]).is_err());
        assert!(read(b"\0\0").is_err());
    }
}
