//! A client of the daemon: one HTTP/1.1 request per connection over its control socket.
//!
//! 1. The server's uid MUST be known to be ours before the first byte is sent (`sys::sock`).
//! 2. Nothing that a server sends may take more memory than [`limits::gate::ANSWER_BYTES`] or
//!    more time than the deadline, whatever it is.

use crate::base::error::{Code, Context, Error, Result};
use crate::base::time;
use crate::config::paths::Paths;
use crate::limits;
use serde_json::Value;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// A request was sent, and what became of it is not known.
pub const LOST: &str = "the daemon closed the connection in the middle of its answer";

/// Where the daemon listens.
#[derive(Debug, Clone)]
pub struct Client {
    /// The control socket.
    pub path: PathBuf,
}

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body; JSON but for `/log` and `/index`.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Client {
    /// The socket named by `--socket`, by `CODEPIPER_SOCKET`, or the one in the state directory.
    pub fn find(socket: Option<&str>) -> Result<Client> {
        let paths = Paths::from_env(socket.map(PathBuf::from))?;
        Ok(Client { path: paths.control().to_path_buf() })
    }

    /// A connection to the daemon, or the error that says how to start it.
    pub fn connect(&self) -> Result<UnixStream> {
        crate::sys::sock::connect(&self.path).map_err(|e| match e.code {
            Code::Unreachable => unreachable(&self.path, e),
            _ => e,
        })
    }

    /// GET, with the body as JSON.
    pub fn get(&self, target: &str) -> Result<Value> {
        self.json("GET", target, None, limits::gate::CLIENT_WAIT)
    }

    /// POST, with the answer's body as JSON.
    pub fn post(&self, target: &str, body: &Value) -> Result<Value> {
        self.json("POST", target, Some(body), limits::gate::CLIENT_WAIT)
    }

    /// PUT, with the answer's body as JSON.
    pub fn put(&self, target: &str, body: &Value) -> Result<Value> {
        self.json("PUT", target, Some(body), limits::gate::CLIENT_WAIT)
    }

    /// DELETE, with the answer's body as JSON.
    pub fn delete(&self, target: &str) -> Result<Value> {
        self.json("DELETE", target, None, limits::gate::CLIENT_WAIT)
    }

    /// Any request; errors of the API come back as errors, a good answer as JSON.
    pub fn json(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        wait: Duration,
    ) -> Result<Value> {
        let reply = self.request(method, target, body, wait)?.good()?;
        serde_json::from_slice(&reply.body).code(Code::Unreachable, || {
            format!("the answer from {} is not JSON; is that a codepiper?", self.path.display())
        })
    }

    /// GET for a body that is not JSON.
    pub fn raw(&self, target: &str) -> Result<Reply> {
        self.request("GET", target, None, limits::gate::CLIENT_WAIT)?.good()
    }

    /// One request and its whole answer within `wait`, whatever its status.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        wait: Duration,
    ) -> Result<Reply> {
        let deadline = time::now() + wait;
        let mut stream = self.connect()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        request.push_str(&body);
        let set = stream.set_write_timeout(Some(wait));
        set.internal(|| "cannot set a time-out".into())?;
        // A server that refuses early (a body too large) answers and closes: its answer counts,
        // not our failed write.
        let sent = stream.write_all(request.as_bytes());
        match (read_reply(&mut stream, deadline), sent) {
            (Ok(reply), _) => Ok(reply),
            (Err(_), Err(e)) => Err(self.lost(e)),
            (Err(e), Ok(())) => Err(e),
        }
    }

    fn lost(&self, error: std::io::Error) -> Error {
        let shown = self.path.display();
        let message = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("the daemon at {shown} does not take our request; see daemon.log")
            }
            _ => format!("the daemon at {shown} closed the connection; see daemon.log"),
        };
        Error { code: Code::Unreachable, message, source: Some(Box::new(error)) }
    }
}

fn unreachable(path: &Path, error: Error) -> Error {
    let shown = path.display();
    let message = match std::env::var_os("CODEPIPER_SESSION") {
        None => format!(
            "the daemon is not running at {shown}; start it with: codepiper daemon --detach"
        ),
        Some(_) => format!(
            "{shown} is not there: this is inside a session, whose sandbox hides the daemon; \
             use a terminal of your own"
        ),
    };
    // Why is plain: no such file, or nobody behind it.
    Error { message, source: None, ..error }
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// A header's value as a number.
    pub fn number(&self, name: &str) -> Result<u64> {
        let number = self.header(name).and_then(|v| v.parse().ok());
        number.ok_or_else(|| Error::internal(format!("the daemon's answer has no header {name}")))
    }

    /// The answer, or the error that it carries.
    pub fn good(self) -> Result<Reply> {
        match self.status {
            200..300 => Ok(self),
            _ => Err(self.error()),
        }
    }

    /// The error in the body, with its `code`; without one, the status decides.
    pub fn error(&self) -> Error {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        let status = self.status;
        let code = match body["code"].as_str() {
            Some(word) => Code::from_word(word),
            None => from_status(status),
        };
        match body["error"].as_str() {
            Some(message) => Error::new(code, message),
            None => Error::new(code, format!("the daemon answered with status {status}")),
        }
    }
}

fn from_status(status: u16) -> Code {
    match status {
        401 => Code::Unauthorized,
        403 => Code::Denied,
        404 => Code::NotFound,
        408 => Code::Timeout,
        409 => Code::Conflict,
        429 | 503 => Code::Busy,
        400..500 => Code::Invalid,
        _ => Code::Internal,
    }
}

fn read_reply(stream: &mut UnixStream, deadline: Instant) -> Result<Reply> {
    let mut bytes = Vec::new();
    let (mut reply, head, length) = loop {
        if let Some(parsed) = parse_head(&bytes)? {
            break parsed;
        }
        if bytes.len() > limits::HEAD_BYTES {
            return Err(strange("a head that does not end"));
        }
        read_more(stream, &mut bytes, deadline)?;
    };
    if length > limits::gate::ANSWER_BYTES {
        return Err(strange(&format!("a body of {length} bytes")));
    }
    while bytes.len() < head + length {
        read_more(stream, &mut bytes, deadline)?;
    }
    bytes.truncate(head + length);
    bytes.drain(..head);
    reply.body = bytes;
    Ok(reply)
}

/// The head, its length and the body's length; `None` while the head is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Reply, usize, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; limits::HEAD_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(strange(&format!("no HTTP ({e})"))),
    };
    let headers = head.headers.iter().map(|h| {
        let value = String::from_utf8_lossy(h.value).into_owned();
        (h.name.to_string(), value)
    });
    let status = head.code.ok_or_else(|| strange("no HTTP status"))?;
    let reply = Reply { status, body: Vec::new(), headers: headers.collect() };
    if reply.header("transfer-encoding").is_some() {
        return Err(strange("a transfer encoding"));
    }
    let body = match reply.header("content-length").map(str::parse) {
        Some(Ok(body)) => body,
        Some(Err(_)) => return Err(strange("a length that is no number")),
        // Without a length a cut answer would look like a whole one.
        None if status == 204 => 0,
        None => return Err(strange("no length")),
    };
    Ok(Some((reply, length, body)))
}

fn strange(what: &str) -> Error {
    let message = format!("the daemon's socket answered with {what}; is that a codepiper?");
    Error::new(Code::Unreachable, message)
}

fn read_more(stream: &mut UnixStream, bytes: &mut Vec<u8>, deadline: Instant) -> Result<()> {
    let slow = "the daemon did not answer in time; see daemon.log";
    let mut chunk = [0; 16 * 1024];
    loop {
        let left = time::until(deadline);
        if left.is_zero() {
            return Err(Error::new(Code::Unreachable, slow));
        }
        stream.set_read_timeout(Some(left)).internal(|| "cannot set a time-out".into())?;
        match stream.read(&mut chunk) {
            Ok(0) => {
                return Err(Error::new(Code::Unreachable, LOST));
            }
            Ok(count) => {
                bytes.extend_from_slice(&chunk[..count]);
                return Ok(());
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(e) => return Err(e).code(Code::Unreachable, || LOST.into()),
        }
    }
}

/// `/sessions/ID` + `rest`, with the id (or name) encoded as one path segment.
pub fn session_path(id: &str, rest: &str) -> String {
    format!("/sessions/{}{rest}", encode(id))
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte as char);
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;

    fn client(reply: &'static [u8]) -> (Client, Fake) {
        let fake = Fake::serve(move |stream| {
            Fake::read_request(stream);
            let _ = stream.write_all(reply);
        });
        (Client { path: fake.path.clone() }, fake)
    }

    fn check(reply: &'static [u8], code: Code, part: &str) {
        let (client, _fake) = client(reply);
        let error = client.get("/x").unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }

    #[test]
    fn a_good_answer_is_read_to_its_length_and_no_further() {
        let (client, fake) =
            client(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-N: 12\r\n\r\n{\"a\":1}junk");
        let reply = client.raw(&session_path("my name/é", "/log?from=1")).unwrap();
        assert_eq!((reply.body.as_slice(), reply.number("x-n").unwrap()), (&b"{\"a\":1}"[..], 12));
        assert!(reply.number("x-m").unwrap_err().message.contains("x-m"));
        let request = fake.request();
        assert!(request.starts_with("GET /sessions/my%20name%2F%C3%A9/log?from=1 HTTP/1.1\r\n"));
        assert!(request.contains("\r\nHost: localhost\r\n"), "{request}");
    }

    #[test]
    fn errors_of_the_api_keep_their_code_and_words() {
        let reply = b"HTTP/1.1 404 Not Found\r\nContent-Length: 49\r\n\r\n\
              {\"error\":\"no session \\\"x\\\"\",\"code\":\"not_found\"}   ";
        check(reply, Code::NotFound, "no session \"x\"");
        check(b"HTTP/1.1 409 C\r\nContent-Length: 0\r\n\r\n", Code::Conflict, "status 409");
        check(b"HTTP/1.1 599 C\r\nContent-Length: 0\r\n\r\n", Code::Internal, "status 599");
    }

    #[test]
    fn garbage_and_cut_answers_are_no_answers() {
        check(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Code::Unreachable, "no HTTP");
        check(b"", Code::Unreachable, "closed the connection");
        check(b"HTTP/1.1 200 OK\r\nContent-Le", Code::Unreachable, "in the middle");
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", Code::Unreachable, "middle");
        check(b"HTTP/1.1 200 OK\r\n\r\n{}", Code::Unreachable, "no length");
        check(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Code::Unreachable, "no number");
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", Code::Unreachable, "body");
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        check(chunked, Code::Unreachable, "transfer encoding");
        check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Code::Unreachable, "not JSON");
        static ENDLESS: [u8; 40_000] = [b'a'; 40_000];
        check(&ENDLESS, Code::Unreachable, "no HTTP");
    }

    #[test]
    fn a_server_that_says_nothing_is_left_at_the_deadline() {
        let fake = Fake::serve(|stream| {
            Fake::read_request(stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            let _ = stream.read(&mut [0; 1]);
        });
        let client = Client { path: fake.path.clone() };
        let start = time::now();
        let error = client.request("GET", "/x", None, Duration::from_millis(80)).unwrap_err();
        assert!(error.message.contains("did not answer in time"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn an_early_refusal_of_a_large_body_is_heard() {
        let fake = Fake::serve(|stream| {
            let _ = stream.read(&mut [0; 100]);
            let _ = stream.write_all(b"HTTP/1.1 413 L\r\nContent-Length: 0\r\n\r\n");
        });
        let client = Client { path: fake.path.clone() };
        let body = Value::String("x".repeat(4 << 20));
        let error = client.post("/x", &body).unwrap_err();
        // The kernel may throw the answer away with the unread request; then the loss is told.
        assert!(error.message.contains("413") || error.message.contains("closed"), "{error}");
    }

    #[test]
    fn nobody_there_says_how_to_start_the_daemon() {
        let client = Client::find(Some("/nonexistent/control.sock")).unwrap();
        let error = client.get("/health").unwrap_err();
        assert_eq!(error.code, Code::Unreachable);
        assert_eq!(
            error.message,
            "the daemon is not running at /nonexistent/control.sock; \
             start it with: codepiper daemon --detach"
        );
    }
}
