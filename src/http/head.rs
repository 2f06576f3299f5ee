//! Request heads: found in a stream of bytes and read under limits, refusing whatever two readers
//! could understand differently.
//!
//! 1. Framing MUST be unambiguous: one all-digit Content-Length or none, no Transfer-Encoding,
//!    lines that end in CR LF, HTTP/1.1 only.
//! 2. A head MUST be refused at its first bad byte, before more of it is stored.

use crate::http::message::Refusal;
use crate::http::target;
use crate::limits;
use tiny_http::Method;

/// A request without its body.
#[derive(Debug)]
pub struct Head {
    /// Also one we do not know; the router refuses it.
    pub method: Method,
    /// Path and query.
    pub target: target::Target,
    /// Names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body that follows.
    pub length: usize,
    /// The connection may be used again.
    pub keep: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect: bool,
    /// A GET that asks for a WebSocket.
    pub upgrade: bool,
}

/// Looks for the blank line that ends a head. `scanned` says how far earlier calls came, so that a
/// head that arrives byte by byte is looked at once.
pub fn end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, Refusal> {
    let bytes = &bytes[..bytes.len().min(limits::HEAD_BYTES)];
    while let Some(b) = bytes.get(*scanned) {
        let at = *scanned;
        match b {
            b'\r' if at == 0 => return Err(Refusal::invalid("an empty line before the request")),
            b'\r' => match bytes.get(at + 1) {
                None => break,
                Some(b'\n') if bytes[..at].ends_with(b"\r\n") => return Ok(Some(at + 2)),
                Some(b'\n') => *scanned += 1,
                Some(_) => return Err(Refusal::invalid("a bare CR in the head")),
            },
            b'\n' => return Err(Refusal::invalid("a bare LF in the head")),
            b'\t' => {}
            0..=0x1f | 0x7f => return Err(Refusal::invalid("a control character in the head")),
            _ => {}
        }
        *scanned += 1;
    }
    if bytes.len() == limits::HEAD_BYTES {
        let most = limits::HEAD_BYTES;
        return Err(Refusal::new(431, format!("a request head may have {most} bytes")));
    }
    Ok(None)
}

/// Reads a whole head, as far as [`end`] says.
pub fn parse(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut fields = [httparse::EMPTY_HEADER; limits::HEAD_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::invalid("a head without its end")),
        Err(e) => return Err(refusal(e)),
    }
    if request.version != Some(1) {
        return Err(Refusal::new(505, "only HTTP/1.1 is spoken here"));
    }
    let raw = request.path.unwrap_or("");
    if raw.len() > limits::TARGET_BYTES {
        let most = limits::TARGET_BYTES;
        return Err(Refusal::new(414, format!("a request target may have {most} bytes")));
    }
    let method: Method = request.method.unwrap_or("").parse().map_err(|()| token())?;
    let fields = Fields(request.headers.iter().map(field).collect());
    fields.check_host()?;
    let length = fields.body_length()?;
    let expect = fields.expects_continue()?;
    let websocket = fields.has_token("upgrade", "websocket");
    let upgrades = fields.has_token("connection", "upgrade") && websocket;
    Ok(Head {
        upgrade: upgrades && length == 0 && method == Method::Get,
        keep: !fields.has_token("connection", "close"),
        target: target::parse(raw)?,
        headers: fields.0,
        method,
        length,
        expect,
    })
}

fn token() -> Refusal {
    Refusal::invalid("not an HTTP request")
}

fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => {
            Refusal::new(431, format!("a request may have {} header fields", limits::HEAD_FIELDS))
        }
        httparse::Error::Version => Refusal::new(505, "only HTTP/1.1 is spoken here"),
        httparse::Error::Token => token(),
        other => Refusal::invalid(format!("malformed request head: {other}")),
    }
}

/// Values may hold any bytes from 0x80 up (a cookie of another program, say); those that are not
/// UTF-8 are replaced, never the reason for a refusal.
fn field(field: &httparse::Header<'_>) -> (String, String) {
    let value = String::from_utf8_lossy(field.value);
    (field.name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_string())
}

struct Fields(Vec<(String, String)>);

impl Fields {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        let mut tokens = self.all(name).flat_map(|value| value.split(','));
        tokens.any(|found| found.trim_matches([' ', '\t']).eq_ignore_ascii_case(token))
    }

    fn check_host(&self) -> Result<(), Refusal> {
        let hosts: Vec<&str> = self.all("host").collect();
        match hosts[..] {
            [host] if !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic()) => Ok(()),
            [_] => Err(Refusal::invalid("a malformed Host field")),
            _ => Err(Refusal::invalid("a request needs exactly one Host field")),
        }
    }

    fn body_length(&self) -> Result<usize, Refusal> {
        if self.all("transfer-encoding").next().is_some() {
            return Err(Refusal::new(501, "send a Content-Length, not a Transfer-Encoding"));
        }
        if self.all("content-encoding").any(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Err(Refusal::new(415, "send the body without a Content-Encoding"));
        }
        let lengths: Vec<&str> = self.all("content-length").collect();
        match lengths[..] {
            [] => Ok(0),
            [text] if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                // A number that does not fit is too large like any other that is too large.
                Ok(text.parse().unwrap_or(usize::MAX))
            }
            _ => Err(Refusal::invalid("a request may have one Content-Length, of digits alone")),
        }
    }

    fn expects_continue(&self) -> Result<bool, Refusal> {
        let mut expectations = self.all("expect");
        match (expectations.next(), expectations.next()) {
            (None, _) => Ok(false),
            (Some(what), None) if what.eq_ignore_ascii_case("100-continue") => Ok(true),
            _ => Err(Refusal::new(417, "only 100-continue can be expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Head, u16> {
        let mut scanned = 0;
        match end(text.as_bytes(), &mut scanned) {
            Ok(Some(end)) => parse(&text.as_bytes()[..end]).map_err(|r| r.status),
            Ok(None) => Err(0),
            Err(refusal) => Err(refusal.status),
        }
    }

    /// A head with one more line behind the obligatory ones.
    fn with(line: &str) -> Result<Head, u16> {
        read(&format!("POST /a HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n"))
    }

    #[test]
    fn a_plain_head_is_read() {
        let head = with("Content-Length: 5\r\nX-Thing:  caf\u{e9}\t").unwrap();
        assert_eq!((head.method, head.length, head.keep), (Method::Post, 5, true));
        assert_eq!(head.headers[2], ("x-thing".to_string(), "caf\u{e9}".to_string()));
        assert!(!with("Connection: keep-alive, Close").unwrap().keep);
        assert!(with("Expect: 100-Continue").unwrap().expect);
        let upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        assert!(read(&format!("GET /ws HTTP/1.1\r\n{upgrade}")).unwrap().upgrade);
        assert!(!read(&format!("POST /ws HTTP/1.1\r\n{upgrade}")).unwrap().upgrade);
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for bad in ["+5", "-1", "5,5", "5, 5", "0x5", "5 5", "", "\u{0665}"] {
            assert_eq!(with(&format!("Content-Length: {bad}")).err(), Some(400), "{bad}");
        }
        assert_eq!(with("Content-Length: 5\r\nContent-Length: 5").err(), Some(400));
        let huge = with("Content-Length: 99999999999999999999999").unwrap();
        assert_eq!(huge.length, usize::MAX, "left to the body limit");
        for coding in ["chunked", "identity", "gzip, chunked"] {
            assert_eq!(with(&format!("Transfer-Encoding: {coding}")).err(), Some(501));
        }
        assert_eq!(with("Content-Length: 3\r\nTransfer-Encoding: chunked").err(), Some(501));
        assert_eq!(with("Content-Encoding: gzip").err(), Some(415));
        assert_eq!(with("Expect: tea").err(), Some(417));
    }

    #[test]
    fn sloppy_heads_are_refused() {
        let bad = [
            (400, "GET / HTTP/1.1\nHost: x\n\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nX: a\nb\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
            (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
            (400, "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (505, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
            (400, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"),
            (400, "GET /\r\n\r\n"),
            (505, "GET / HTTP/1.0\r\nHost: x\r\n\r\n"),
            (505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
            (505, "PRI * HTTP/2.0\r\n\r\n"),
        ];
        for (status, text) in bad {
            assert_eq!(read(text).err(), Some(status), "{text:?}");
        }
    }

    #[test]
    fn oversize_heads_are_refused_at_the_limit() {
        let long = "a".repeat(limits::TARGET_BYTES);
        assert_eq!(read(&format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n")).err(), Some(414));
        let many = "X: y\r\n".repeat(limits::HEAD_FIELDS);
        assert_eq!(with(many.trim_end()).err(), Some(431));
        let text = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "y".repeat(limits::HEAD_BYTES));
        let (shorter, mut scanned) = (&text.as_bytes()[..limits::HEAD_BYTES - 1], 0);
        assert_eq!(end(shorter, &mut scanned).map_err(|r| r.status), Ok(None));
        assert_eq!(end(text.as_bytes(), &mut scanned).map_err(|r| r.status), Err(431));
    }
}
