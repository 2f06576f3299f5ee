//! A dashboard's WebSocket on the control socket: what is said is JSON or raw bytes, what is heard
//! is JSON, a terminal's frame or the end.

use crate::support::space::Space;
use crate::support::wait::SOON;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
use std::os::unix::net::UnixStream;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::client::client;

/// What a frame carries; see `codepiper::http::socket`.
pub const OUTPUT: u8 = 1;
pub const SNAPSHOT: u8 = 2;
pub const GAP: u8 = 3;
pub const RESIZE: u8 = 4;

/// A binary frame, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub kind: u8,
    pub id: u16,
    pub offset: u64,
    pub body: Vec<u8>,
}

/// What came.
#[derive(Debug)]
pub enum Heard {
    Json(Value),
    Frame(Frame),
    /// The end, with the close code, where there was one.
    End(Option<u16>),
}

/// A connection; nothing on it waits longer than [`SOON`].
pub struct Socket {
    ws: WebSocket<UnixStream>,
}

impl Socket {
    /// After the upgrade, before the first message.
    #[track_caller]
    pub fn open(space: &Space) -> Socket {
        let stream = UnixStream::connect(space.control()).expect("the control socket");
        stream.set_read_timeout(Some(SOON)).expect("a time-out");
        stream.set_write_timeout(Some(SOON)).expect("a time-out");
        let (ws, _) = client("ws://localhost/ws", stream).expect("the upgrade");
        Socket { ws }
    }

    /// After `hello_ack`.
    #[track_caller]
    pub fn hello(space: &Space) -> Socket {
        let mut socket = Socket::open(space);
        socket.say(json!({"op": "hello", "version": 1}));
        assert_eq!(socket.json()["op"], "hello_ack");
        socket
    }

    /// The same connection once more, for who sends beside who listens.
    pub fn second(&self) -> UnixStream {
        self.ws.get_ref().try_clone().expect("a second descriptor")
    }

    /// Sends JSON.
    #[track_caller]
    pub fn say(&mut self, body: Value) {
        self.ws.send(Message::text(body.to_string())).expect("a message sent");
    }

    /// Sends bytes that may be no WebSocket at all. A server that has closed already takes less.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.ws.get_mut().write_all(bytes);
    }

    /// The next thing.
    #[track_caller]
    pub fn hear(&mut self) -> Heard {
        loop {
            return match self.ws.read() {
                Ok(Message::Text(text)) => {
                    Heard::Json(serde_json::from_str(&text).expect("JSON from the daemon"))
                }
                Ok(Message::Binary(bytes)) => {
                    assert_eq!(bytes[0], 1, "version");
                    Heard::Frame(Frame {
                        kind: bytes[1],
                        id: u16::from_le_bytes(bytes[2..4].try_into().unwrap()),
                        offset: u64::from_le_bytes(bytes[4..12].try_into().unwrap()),
                        body: bytes[12..].to_vec(),
                    })
                }
                Ok(Message::Close(frame)) => Heard::End(frame.map(|frame| frame.code.into())),
                Ok(_) => continue,
                Err(tungstenite::Error::Io(e)) if e.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("waited {SOON:?} in vain for a message")
                }
                Err(_) => Heard::End(None),
            };
        }
    }

    /// The next JSON; frames of terminals before it are passed over.
    #[track_caller]
    pub fn json(&mut self) -> Value {
        loop {
            match self.hear() {
                Heard::Json(body) => return body,
                Heard::Frame(_) => {}
                Heard::End(code) => panic!("the connection ended with {code:?}"),
            }
        }
    }

    /// The first JSON for which `wanted` is so.
    #[track_caller]
    pub fn json_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let body = self.json();
            if wanted(&body) {
                return body;
            }
        }
    }

    /// The next frame; JSON before it is passed over.
    #[track_caller]
    pub fn frame(&mut self) -> Frame {
        loop {
            match self.hear() {
                Heard::Frame(frame) => return frame,
                Heard::Json(_) => {}
                Heard::End(code) => panic!("the connection ended with {code:?}"),
            }
        }
    }

    /// The close code, once the connection is at its end.
    #[track_caller]
    pub fn end(&mut self) -> Option<u16> {
        loop {
            if let Heard::End(code) = self.hear() {
                return code;
            }
        }
    }

    /// Subscribes; returns the number.
    #[track_caller]
    pub fn subscribe(&mut self, topic: &str) -> u16 {
        self.subscribe_with(json!({"topic": topic}))
    }

    /// Subscribes with more than a topic.
    #[track_caller]
    pub fn subscribe_with(&mut self, mut body: Value) -> u16 {
        body["op"] = json!("subscribe");
        let topic = body["topic"].clone();
        self.say(body);
        let answer = self.json_where(|said| said.get("op").is_some());
        assert_eq!((&answer["op"], &answer["topic"]), (&json!("subscribed"), &topic), "{answer}");
        u16::try_from(answer["id"].as_u64().expect("a number")).expect("16 bits")
    }

    /// Reads a terminal's output, repaints included, until `text` has come.
    #[track_caller]
    pub fn wait_text(&mut self, text: &str) -> String {
        let mut shown = String::new();
        while !shown.contains(text) {
            let frame = self.frame();
            if matches!(frame.kind, OUTPUT | SNAPSHOT) {
                shown.push_str(&String::from_utf8_lossy(&frame.body));
            }
        }
        shown
    }

    /// Types text; returns when it is acknowledged as written.
    #[track_caller]
    pub fn type_text(&mut self, session: &str, text: &str) {
        self.say(json!({"op": "pty_input", "sessionId": session, "data": text, "requestId": "t"}));
        let answer = self.json_where(|said| said["requestId"] == "t");
        assert_eq!(answer["op"], "pty_input_ack", "{answer}");
    }
}

/// A frame as a client sends it, masked with zeros.
pub fn raw_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}
