//! What a dashboard says, read strictly: an unknown field is an error, not a wish that is ignored.

use crate::base::error::{Error, Result};
use crate::base::json;
use crate::base::json::Fields;
use crate::http::socket::rate::Class;
use crate::http::socket::topic::Topic;
use crate::limits::socket::KEY_CHARS;
use crate::limits::socket::PASTE_PIECES;
use crate::limits::socket::REQUEST_CHARS;
use crate::service::program;
use crate::sys::tty::Size;
use serde_json::Value;

/// One message.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// A sign of life.
    Nothing,
    /// Begin a subscription.
    Subscribe {
        /// To what.
        topic: Topic,
        /// From where on.
        start: Start,
    },
    /// End one.
    Unsubscribe {
        /// Which.
        topic: Topic,
    },
    /// Which session is on the person's screen now.
    Looking {
        /// Its id.
        session: Option<String>,
    },
    /// Something for a session's terminal.
    Input(Input),
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Now; for a terminal, with its screen.
    Now,
    /// Behind this event.
    Event(i64),
    /// At this offset of the log.
    Offset(u64),
    /// With the screen as it was at this offset of the log or a little before.
    Near(u64),
}

/// Input for one session.
#[derive(Debug, PartialEq)]
pub struct Input {
    /// Session id.
    pub session: String,
    /// What the answer is to be called.
    pub request: Option<String>,
    /// What to do.
    pub act: Act,
}

/// Kinds of input.
#[derive(Debug, PartialEq)]
pub enum Act {
    /// Text as a terminal sent it.
    Text(String),
    /// A key by its name.
    Key(String),
    /// A piece of a paste.
    Piece {
        /// Its place, from 0.
        index: u64,
        /// How many there are.
        count: u64,
        /// The text.
        data: String,
    },
    /// The client's size.
    Resize(Size),
}

impl Act {
    /// Its `op`.
    pub fn op(&self) -> &'static str {
        match self {
            Act::Text(_) => "pty_input",
            Act::Key(_) => "pty_key",
            Act::Piece { .. } => "pty_paste",
            Act::Resize(_) => "resize",
        }
    }
}

impl Said {
    /// Reads a text message.
    pub fn parse(bytes: &[u8]) -> Result<Said> {
        let body = json::parse(bytes)?;
        let fields = Fields::of(&body)?;
        Ok(match fields.need_text("op")? {
            "subscribe" => subscribe(&fields)?,
            "unsubscribe" => {
                fields.only(&["op", "topic"])?;
                Said::Unsubscribe { topic: Topic::parse(fields.need_text("topic")?)? }
            }
            "looking" => {
                fields.only(&["op", "sessionId"])?;
                Said::Looking { session: fields.text("sessionId")?.map(str::to_string) }
            }
            "pty_input" => {
                fields.only(&["op", "sessionId", "requestId", "data"])?;
                input(&fields, Act::Text(fields.need_text("data")?.to_string()))?
            }
            "pty_key" => {
                fields.only(&["op", "sessionId", "requestId", "key"])?;
                let key = fields.need_text("key")?;
                if key.chars().count() > KEY_CHARS {
                    return Err(Error::invalid(format!("a key's name has up to {KEY_CHARS}")));
                }
                input(&fields, Act::Key(key.to_string()))?
            }
            "pty_paste" => piece(&fields)?,
            "resize" => {
                fields.only(&["op", "sessionId", "requestId", "cols", "rows"])?;
                let size = program::size(need(&fields, "cols")?, need(&fields, "rows")?)?;
                input(&fields, Act::Resize(size))?
            }
            "hello" => return Err(Error::invalid("hello was said already")),
            _ => {
                let known = "subscribe, unsubscribe, looking, pty_input, pty_key, pty_paste";
                return Err(Error::invalid(format!("unknown op; known are {known} and resize")));
            }
        })
    }

    /// Which limit it counts for.
    pub fn class(&self) -> Class {
        match self {
            Said::Input(Input { act: Act::Text(_), .. }) => Class::Input,
            Said::Input(Input { act: Act::Piece { .. }, .. }) => Class::Paste,
            Said::Input(_) => Class::Key,
            _ => Class::Control,
        }
    }
}

fn subscribe(fields: &Fields<'_>) -> Result<Said> {
    fields.only(&["op", "topic", "sinceSeq", "from"])?;
    let topic = Topic::parse(fields.need_text("topic")?)?;
    let (since, from) = (fields.number("sinceSeq")?, fields.get("from"));
    let start = match (&topic, since, from) {
        (_, None, None) => Start::Now,
        (Topic::Events(_), Some(seq), None) => Start::Event(i64::try_from(seq).unwrap_or(i64::MAX)),
        (Topic::Terminal(_), None, Some(from)) if from == "screen" => Start::Now,
        (Topic::Terminal(_), None, Some(from)) => place(from)?,
        _ => return Err(Error::invalid("sinceSeq is for events, from is for a pty")),
    };
    Ok(Said::Subscribe { topic, start })
}

fn place(from: &Value) -> Result<Start> {
    let wrong =
        || Error::invalid("field \"from\" must be \"screen\", an offset, or {\"near\": an offset}");
    if let Some(offset) = from.as_u64() {
        return Ok(Start::Offset(offset));
    }
    let fields = Fields::of(from).map_err(|_| wrong())?;
    fields.only(&["near"])?;
    fields.number("near")?.map(Start::Near).ok_or_else(wrong)
}

fn piece(fields: &Fields<'_>) -> Result<Said> {
    fields.only(&["op", "sessionId", "requestId", "chunkIndex", "chunkCount", "data"])?;
    fields.need_text("requestId")?;
    let (index, count) = (need(fields, "chunkIndex")?, need(fields, "chunkCount")?);
    if !(1..=PASTE_PIECES).contains(&count) || index >= count {
        return Err(Error::invalid(format!(
            "a paste has 1 to {PASTE_PIECES} chunks, and chunkIndex is below chunkCount"
        )));
    }
    input(fields, Act::Piece { index, count, data: fields.need_text("data")?.to_string() })
}

fn input(fields: &Fields<'_>, act: Act) -> Result<Said> {
    let request = fields.text("requestId")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let fine = |id: &str| (1..=REQUEST_CHARS).contains(&id.len()) && id.bytes().all(plain);
    if !request.is_none_or(fine) {
        return Err(Error::invalid(format!(
            "field \"requestId\" must be 1 to {REQUEST_CHARS} letters, digits, _ or -"
        )));
    }
    let session = fields.need_text("sessionId")?.to_string();
    Ok(Said::Input(Input { session, request: request.map(str::to_string), act }))
}

fn need(fields: &Fields<'_>, name: &str) -> Result<u64> {
    let missing = || Error::invalid(format!("field {name:?} is missing"));
    fields.number(name)?.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(text: &str) -> Result<Said> {
        Said::parse(text.as_bytes())
    }

    #[test]
    fn each_message_is_read_as_documented() {
        let topic = Topic::Terminal("a".into());
        let from = |text: &str| match parse(text) {
            Ok(Said::Subscribe { topic: found, start }) if found == topic => start,
            other => panic!("{other:?}"),
        };
        assert_eq!(from(r#"{"op":"subscribe","topic":"session:a:pty"}"#), Start::Now);
        let at = r#"{"op":"subscribe","topic":"session:a:pty","from":7}"#;
        assert_eq!(from(at), Start::Offset(7));
        let near = r#"{"op":"subscribe","topic":"session:a:pty","from":{"near":7}}"#;
        assert_eq!(from(near), Start::Near(7));
        let since = r#"{"op":"subscribe","topic":"session:a:events","sinceSeq":5}"#;
        let topic = Topic::Events("a".into());
        assert_eq!(parse(since).unwrap(), Said::Subscribe { topic, start: Start::Event(5) });
        let said = parse(r#"{"op":"pty_input","sessionId":"a","data":"é","requestId":"r_-1"}"#);
        let Ok(Said::Input(input)) = said else { panic!("{said:?}") };
        assert_eq!((input.act, input.request), (Act::Text("é".into()), Some("r_-1".into())));
        let session = Some("a".to_string());
        let looking = parse(r#"{"op":"looking","sessionId":"a"}"#).unwrap();
        assert_eq!(looking, Said::Looking { session });
        let away = parse(r#"{"op":"looking","sessionId":null}"#).unwrap();
        assert_eq!((away.class(), away), (Class::Control, Said::Looking { session: None }));
        let said = parse(r#"{"op":"resize","sessionId":"a","cols":80,"rows":24}"#).unwrap();
        assert_eq!(said.class(), Class::Key);
    }

    #[test]
    fn what_is_not_a_message_is_an_error() {
        let deep = "[".repeat(60_000);
        for bad in [
            "",
            "{",
            "[]",
            "null",
            "1",
            &deep,
            r#"{"op":"eval","data":"1"}"#,
            r#"{"op":{}}"#,
            r#"{"op":"\u0000"}"#,
            r#"{"op":"hello","version":1}"#,
            r#"{"op":"subscribe"}"#,
            r#"{"op":"subscribe","sinceSeq":1e308}"#,
            r#"{"op":"subscribe","topic":"sessions","from":1}"#,
            r#"{"op":"subscribe","topic":"session:a:pty","from":-1}"#,
            r#"{"op":"subscribe","topic":"session:a:pty","from":"end"}"#,
            r#"{"op":"subscribe","topic":"session:a:pty","from":{}}"#,
            r#"{"op":"subscribe","topic":"session:a:pty","from":{"near":-1}}"#,
            r#"{"op":"subscribe","topic":"session:a:pty","from":{"near":1,"to":2}}"#,
            r#"{"op":"subscribe","topic":"session:a:events","from":{"near":1}}"#,
            r#"{"op":"subscribe","topic":"session:a:pty","sinceSeq":1}"#,
            r#"{"op":"subscribe","topic":"session:a:events","sinceSeq":1e308}"#,
            r#"{"op":"looking","sessionId":1}"#,
            r#"{"op":"looking","session":"a"}"#,
            r#"{"op":"pty_input","sessionId":"a"}"#,
            r#"{"op":"pty_input","sessionId":"a","data":"x","requestId":"a b"}"#,
            r#"{"op":"pty_input","sessionId":"a","data":"x","requestId":""}"#,
            r#"{"op":"pty_input","sessionId":"a","data":"x","more":1}"#,
            r#"{"op":"pty_paste","sessionId":"a","data":"x","chunkIndex":0,"chunkCount":1}"#,
            r#"{"op":"resize","sessionId":"a","cols":0,"rows":5}"#,
            r#"{"op":"resize","sessionId":"a","cols":80}"#,
            r#"{"op":"subscribe","topic":"sessions","topic":"approvals"}"#,
        ] {
            assert!(parse(bad).is_err(), "{:.80}", bad);
        }
        for (index, count) in [(1, 1), (0, 0), (0, 513)] {
            let piece = json!({"op": "pty_paste", "sessionId": "a", "requestId": "r", "data": "",
                "chunkIndex": index, "chunkCount": count});
            assert!(parse(&piece.to_string()).is_err(), "{piece}");
        }
        let key = format!(r#"{{"op":"pty_key","sessionId":"a","key":"{}"}}"#, "x".repeat(129));
        assert!(parse(&key).is_err());
    }
}
