//! One WebSocket that never blocks: what is said on it is the business of [`crate::http::viewer`]
//! and [`crate::http::socket`].
//!
//! 1. A peer MUST NOT make us hold more than [`limits::socket::WAITING`] bytes for it, or one
//!    message of [`limits::WS_MESSAGE`].
//! 2. A message MUST NOT come in more than [`limits::socket::FRAGMENTS`] frames: empty ones cost
//!    time and no bytes.

mod frames;

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::http::stream::Stream;
use crate::http::wire::frames::Frames;
use crate::limits;
use crate::sys::poll;
use crate::sys::poll::Watch;
use serde_json::Value;
use serde_json::json;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::time::Instant;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::error::CapacityError;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::Role;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::coding::CloseCode;

/// See the file's head.
pub struct Wire {
    socket: WebSocket<Counted>,
    /// The socket takes no more at the moment.
    full: bool,
    /// Bytes that were sent all the same.
    behind: usize,
    end: Option<End>,
    heard: Instant,
    pinged: bool,
}

/// How a connection ends: what the peer is told, if it still listens.
type End = Option<(CloseCode, &'static str)>;

impl Wire {
    /// On a stream whose upgrade is done; `leftover` came behind the request.
    pub fn new(stream: Stream, leftover: Vec<u8>) -> Wire {
        let config = WebSocketConfig::default()
            .read_buffer_size(8 * 1024)
            .write_buffer_size(limits::WS_CHUNK)
            .max_write_buffer_size(limits::socket::WAITING)
            .max_message_size(Some(limits::WS_MESSAGE))
            .max_frame_size(Some(limits::WS_MESSAGE));
        let stream = Counted { stream, leftover, frames: Frames::default() };
        let socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
        let (heard, pinged) = (time::now(), false);
        Wire { socket, full: false, behind: 0, end: None, heard, pinged }
    }

    /// What to poll: for input, and for room while [`Wire::is_full`].
    pub fn stream(&self) -> &Stream {
        &self.socket.get_ref().stream
    }

    /// Nothing that can wait should be sent now.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The connection is at its end; [`Wire::close`] it.
    pub fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Ends the connection with these words, unless it is at its end already.
    pub fn end(&mut self, code: CloseCode, why: &'static str) {
        self.end.get_or_insert(Some((code, why)));
    }

    /// Ends the connection without a complaint.
    pub fn finish(&mut self) {
        self.end.get_or_insert(None);
    }

    /// Sends a message; it is out after [`Wire::flush`]. A peer that is asked much and does not
    /// read the answers is dropped.
    pub fn send(&mut self, message: Message) {
        if self.is_over() {
            return;
        }
        if self.full {
            self.behind += message.len();
            if self.behind > limits::WS_WRITE_BUFFER {
                return self.end(CloseCode::Again, "you do not read");
            }
        }
        match self.socket.write(message) {
            Err(error) if would_block(&error) => self.full = true,
            Err(error) => self.broke(error),
            Ok(()) => {}
        }
    }

    /// Sends JSON.
    pub fn say(&mut self, body: &Value) {
        self.send(Message::text(body.to_string()));
    }

    /// Moves what waits into the socket.
    pub fn flush(&mut self) {
        if self.is_over() {
            return;
        }
        match self.socket.flush() {
            Ok(()) => (self.full, self.behind) = (false, 0),
            Err(error) if would_block(&error) => self.full = true,
            Err(error) => self.broke(error),
        }
    }

    /// The next message of the peer; `None` where there is none now, or never again.
    pub fn hear(&mut self) -> Option<Message> {
        if self.is_over() {
            return None;
        }
        match self.socket.read() {
            Ok(message) => {
                (self.heard, self.pinged) = (time::now(), false);
                if message.is_close() {
                    self.finish();
                }
                Some(message).filter(|message| !message.is_close())
            }
            Err(error) if would_block(&error) => None,
            Err(error) => {
                self.broke(error);
                None
            }
        }
    }

    /// Pings a silent peer, and drops one that does not answer.
    pub fn keep_alive(&mut self) {
        let silent = time::now().duration_since(self.heard);
        if silent >= 2 * limits::WS_PING {
            self.finish();
        } else if silent >= limits::WS_PING && !self.pinged {
            self.pinged = true;
            self.send(Message::Ping(Vec::new().into()));
        }
    }

    /// When [`Wire::keep_alive`] has something to do.
    pub fn alarm(&self) -> Instant {
        self.heard + if self.pinged { 2 * limits::WS_PING } else { limits::WS_PING }
    }

    fn broke(&mut self, error: tungstenite::Error) {
        use tungstenite::Error;
        self.end.get_or_insert(match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Some((CloseCode::Size, "the message is too long"))
            }
            Error::Utf8(_) => Some((CloseCode::Invalid, "the text is not UTF-8")),
            Error::Protocol(_) => Some((CloseCode::Protocol, "this is not RFC 6455")),
            Error::Io(error) if error.kind() == ErrorKind::QuotaExceeded => {
                Some((CloseCode::Policy, "the message has too many pieces"))
            }
            _ => None,
        });
    }

    /// Says goodbye. A peer that reads gets its last words and [`limits::LINGER_WAIT`] to take
    /// them; what it still sends is thrown away, for unread bytes would make the kernel take back
    /// ours.
    pub fn close(mut self) {
        let frame = self.end.flatten().map(|(code, why)| CloseFrame { code, reason: why.into() });
        let until = time::now() + limits::LINGER_WAIT;
        let mut sent = self.socket.close(frame);
        while !self.full && sent.as_ref().is_err_and(would_block) && time::now() < until {
            let _ =
                poll::wait(&mut [Watch::new(self.stream(), false, true)], Some(time::until(until)));
            sent = self.socket.flush();
        }
        self.stream().end_output();
        let (mut room, mut taken) = (vec![0; 8 * 1024], 0);
        while !self.full && taken < limits::LINGER_BYTES && time::now() < until {
            match (&mut self.stream()).read(&mut room) {
                Ok(0) => return,
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut watch = [Watch::new(self.stream(), true, false)];
                    let _ = poll::wait(&mut watch, Some(time::until(until)));
                }
                Err(_) => return,
            }
        }
    }
}

fn would_block(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(e) if e.kind() == ErrorKind::WouldBlock)
}

/// `{op: "error", error, code}`. What is internal goes to the log and stays there.
pub fn error(error: &Error) -> Value {
    json!({"op": "error", "error": words(error), "code": error.code.word()})
}

/// What a peer may read of an error.
pub fn words(error: &Error) -> &str {
    match error.code {
        Code::Internal => {
            log::error!("internal error: {}", error.chain());
            "internal error"
        }
        _ => &error.message,
    }
}

/// Waits for the first message, until `deadline` whatever else the peer sends.
pub fn first(wire: &mut Wire, deadline: Instant) -> Result<tungstenite::Utf8Bytes> {
    loop {
        match wire.hear() {
            Some(Message::Text(text)) => return Ok(text),
            Some(Message::Binary(_)) => {
                return Err(Error::invalid("the first message is not text"));
            }
            _ if wire.is_over() => return Err(Error::invalid("the connection broke")),
            _ if time::now() >= deadline => {
                return Err(Error::new(Code::Timeout, "no first message came"));
            }
            Some(_) => {}
            None => {
                let mut watch = [Watch::new(wire.stream(), true, false)];
                poll::wait(&mut watch, Some(time::until(deadline)))?;
            }
        }
    }
}

/// A stream that counts what comes in.
struct Counted {
    stream: Stream,
    /// Read before anything else.
    leftover: Vec<u8>,
    frames: Frames,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = match self.leftover.is_empty() {
            true => self.stream.read(into)?,
            false => {
                let count = into.len().min(self.leftover.len());
                into[..count].copy_from_slice(&self.leftover[..count]);
                self.leftover.drain(..count);
                count
            }
        };
        match self.frames.see(&into[..count]) {
            true => Ok(count),
            false => Err(ErrorKind::QuotaExceeded.into()),
        }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}
