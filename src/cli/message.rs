//! The terminal's WebSocket protocol, seen from a client: what is sent, and what a message of the
//! server means.

use crate::base::error::{Code, Error, Result};
use crate::sys::tty::Size;
use serde_json::Value;
use serde_json::json;
use tungstenite::Bytes;
use tungstenite::Message;

const OUTPUT: u8 = 1;
const REPAINT: u8 = 2;
const INPUT: u8 = 1;

/// Where to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the whole screen.
    Screen,
    /// With what comes from now on.
    End,
    /// With the byte of the log at this offset.
    Offset(u64),
}

/// What a client wants to be attached as.
#[derive(Debug, Clone)]
pub struct Attach {
    /// The session.
    pub id: String,
    /// Where to start.
    pub from: From,
    /// Our terminal; `None` for a client that has none.
    pub size: Option<Size>,
    /// Whether we only watch: no input, no say about the size.
    pub readonly: bool,
}

impl Attach {
    /// The first message of a connection.
    pub fn message(&self) -> Message {
        let from = match self.from {
            From::Screen => json!("screen"),
            From::End => json!("end"),
            From::Offset(offset) => json!(offset),
        };
        let resize = !self.readonly && self.size.is_some();
        let mut body = json!({
            "op": "attach", "sessionId": self.id, "from": from,
            "readonly": self.readonly, "resize": resize,
        });
        if let Some(size) = self.size {
            body["cols"] = json!(size.cols);
            body["rows"] = json!(size.rows);
        }
        Message::text(body.to_string())
    }
}

/// Keys for the program, byte for byte.
pub fn input(bytes: &[u8]) -> Message {
    let mut body = Vec::with_capacity(bytes.len() + 1);
    body.push(INPUT);
    body.extend_from_slice(bytes);
    Message::binary(body)
}

/// Our terminal's new size.
pub fn resize(size: Size) -> Message {
    Message::text(json!({"op": "resize", "cols": size.cols, "rows": size.rows}).to_string())
}

/// What the server said.
#[derive(Debug)]
pub enum Heard {
    /// We are in.
    Attached {
        /// The session.
        session: Value,
        /// Columns and rows of its terminal.
        size: (u16, u16),
    },
    /// The session, as it is by now.
    State(Value),
    /// Its terminal has so many columns and rows by now.
    Resized((u16, u16)),
    /// Output of the program, without what would make a terminal answer.
    Output {
        /// Where the log goes on behind it.
        next: u64,
        /// What to paint.
        bytes: Bytes,
    },
    /// The whole screen.
    Repaint {
        /// Where the log goes on behind it.
        next: u64,
        /// Bytes that paint it.
        bytes: Bytes,
    },
    /// The program has ended; the session.
    Ended(Value),
    /// The server refuses, or gives up.
    Failed(Error),
    /// Something else, perhaps of a newer server.
    Other,
}

/// Reads a message. A message that cannot be understood is an error; an unknown kind is not.
pub fn read(message: &Message) -> Result<Heard> {
    match message {
        Message::Text(text) => {
            let body = crate::base::json::parse(text.as_bytes())?;
            Ok(read_text(&body))
        }
        Message::Binary(body) => {
            let Some((kind, rest)) = body.split_first() else {
                return Err(strange("an empty message"));
            };
            let Some((next, _)) = rest.split_first_chunk::<8>() else {
                return Err(strange("a message that is too short"));
            };
            let next = u64::from_le_bytes(*next);
            let bytes = body.slice(9..);
            match *kind {
                OUTPUT => Ok(Heard::Output { next, bytes }),
                REPAINT => Ok(Heard::Repaint { next, bytes }),
                _ => Ok(Heard::Other),
            }
        }
        Message::Close(_) => Err(Error::new(Code::Unreachable, "the daemon closed the connection")),
        _ => Ok(Heard::Other),
    }
}

fn read_text(body: &Value) -> Heard {
    match body["op"].as_str() {
        Some("attached") => Heard::Attached { session: body["session"].clone(), size: size(body) },
        Some("state") => Heard::State(body["session"].clone()),
        Some("resized") => Heard::Resized(size(body)),
        Some("ended") => Heard::Ended(body["session"].clone()),
        Some("error") => {
            let code = Code::from_word(body["code"].as_str().unwrap_or(""));
            Heard::Failed(Error::new(code, body["error"].as_str().unwrap_or("refused")))
        }
        _ => Heard::Other,
    }
}

fn size(body: &Value) -> (u16, u16) {
    let number = |name: &str| body[name].as_u64().and_then(|n| u16::try_from(n).ok());
    (number("cols").unwrap_or_default(), number("rows").unwrap_or_default())
}

fn strange(what: &str) -> Error {
    Error::new(Code::Internal, format!("the daemon sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_has_no_say_about_the_size() {
        let size = Some(Size { cols: 80, rows: 24 });
        let mut attach = Attach { id: "x".into(), from: From::Screen, size, readonly: true };
        let body =
            |a: &Attach| -> Value { serde_json::from_str(a.message().to_text().unwrap()).unwrap() };
        assert_eq!(
            (&body(&attach)["resize"], &body(&attach)["from"]),
            (&json!(false), &json!("screen"))
        );
        attach = Attach { from: From::Offset(1 << 40), readonly: false, ..attach };
        assert_eq!(body(&attach)["resize"], json!(true));
        assert_eq!(
            (&body(&attach)["from"], &body(&attach)["rows"]),
            (&json!(1u64 << 40), &json!(24))
        );
    }

    #[test]
    fn binary_messages_carry_an_offset_and_short_ones_are_refused() {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&7u64.to_le_bytes());
        bytes.extend_from_slice(b"\x1b[m\xff");
        let Heard::Output { next, bytes: got } = read(&Message::binary(bytes.clone())).unwrap()
        else {
            panic!("no output")
        };
        assert_eq!((next, got.as_ref()), (7, &b"\x1b[m\xff"[..]));
        bytes[0] = 99;
        assert!(matches!(read(&Message::binary(bytes)).unwrap(), Heard::Other));
        for short in [vec![], vec![1], vec![1, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(read(&Message::binary(short)).is_err());
        }
    }

    #[test]
    fn errors_keep_their_code_and_unknown_ops_are_let_be() {
        let text = |t: &str| read(&Message::text(t.to_string()));
        let failed = text(r#"{"op":"error","error":"no such session","code":"not_found"}"#);
        let Heard::Failed(error) = failed.unwrap() else { panic!("no error") };
        assert_eq!((error.code, error.message.as_str()), (Code::NotFound, "no such session"));
        assert!(matches!(text(r#"{"op":"confetti"}"#).unwrap(), Heard::Other));
        assert!(text("{").is_err());
        assert_eq!(read(&Message::Close(None)).unwrap_err().code, Code::Unreachable);
    }
}
