//! A WebSocket to the daemon that never blocks: its owner polls [`Link::stream`] and calls
//! [`Link::hear`] until there is nothing left.

use crate::base::error::{Code, Error, Result};
use crate::cli::client::Client;
use crate::cli::message;
use crate::cli::message::Heard;
use crate::limits;
use crate::sys::poll;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use tungstenite::HandshakeError;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::client::client_with_config;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::protocol::WebSocketConfig;

/// A connection, from its first byte on.
pub struct Link {
    /// The same socket as inside `state`, to be polled while that is borrowed or moved.
    stream: UnixStream,
    state: State,
    unsent: bool,
}

enum State {
    /// The upgrade is under way; the message goes out when it is done.
    Shaking(Box<MidHandshake<ClientHandshake<UnixStream>>>, Message),
    Open(Box<WebSocket<UnixStream>>),
    /// An error was returned; nothing more comes.
    Gone,
}

type Shaken = std::result::Result<
    (WebSocket<UnixStream>, tungstenite::handshake::client::Response),
    HandshakeError<ClientHandshake<UnixStream>>,
>;

impl Link {
    /// Connects and asks for the upgrade; `first` is sent as soon as that is granted.
    pub fn open(client: &Client, first: Message) -> Result<Link> {
        let stream = client.connect()?;
        poll::set_nonblocking(&stream, true)?;
        let ours = stream.try_clone().map_err(|e| Error::internal(e.to_string()))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(limits::WS_CHUNK)
            .write_buffer_size(0)
            .max_write_buffer_size(limits::WS_WRITE_BUFFER)
            .max_message_size(Some(limits::gate::WS_REPLY))
            .max_frame_size(Some(limits::gate::WS_REPLY));
        let mut link = Link { stream: ours, state: State::Gone, unsent: false };
        // `first` is small and the socket new: should it not fit, the handshake fails and is tried
        // again by who called.
        link.shaken(client_with_config("ws://localhost/ws", stream, Some(config)), first)?;
        Ok(link)
    }

    /// What to poll: always for input, for room to write while [`Link::wants_write`].
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Whether bytes wait for room in the socket.
    pub fn wants_write(&self) -> bool {
        self.unsent
    }

    /// Whether a message may be sent now: the upgrade is done and the one before is out.
    pub fn takes_message(&self) -> bool {
        matches!(self.state, State::Open(_)) && !self.unsent
    }

    /// What the server said next; `None` when there is nothing yet. After an error the link is
    /// dead: `Unreachable` means that the daemon went away and may come back.
    pub fn hear(&mut self) -> Result<Option<Heard>> {
        if let State::Shaking(..) = self.state {
            let State::Shaking(middle, first) = std::mem::replace(&mut self.state, State::Gone)
            else {
                return Ok(None);
            };
            self.shaken(middle.handshake(), first)?;
        }
        let State::Open(socket) = &mut self.state else { return Ok(None) };
        match socket.read() {
            Ok(message) => {
                let heard = message::read(&message);
                if heard.is_err() {
                    self.state = State::Gone;
                }
                heard.map(Some)
            }
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.gone(error)),
        }
    }

    /// Sends a message; what does not fit into the socket goes out by [`Link::flush`].
    pub fn send(&mut self, message: Message) -> Result<()> {
        let State::Open(socket) = &mut self.state else { return Ok(()) };
        match socket.write(message) {
            Ok(()) => {}
            // Queued: it must not be sent again.
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(self.gone(error)),
        }
        self.flush()
    }

    /// Moves waiting bytes into the socket.
    pub fn flush(&mut self) -> Result<()> {
        let State::Open(socket) = &mut self.state else { return Ok(()) };
        match socket.flush() {
            Ok(()) => self.unsent = false,
            Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {
                self.unsent = true;
            }
            Err(error) => return Err(self.gone(error)),
        }
        Ok(())
    }

    fn shaken(&mut self, result: Shaken, first: Message) -> Result<()> {
        match result {
            Ok((socket, _)) => {
                self.state = State::Open(Box::new(socket));
                self.send(first)
            }
            Err(HandshakeError::Interrupted(middle)) => {
                self.state = State::Shaking(Box::new(middle), first);
                Ok(())
            }
            Err(HandshakeError::Failure(error)) => Err(self.gone(error)),
        }
    }

    fn gone(&mut self, error: tungstenite::Error) -> Error {
        self.state = State::Gone;
        self.unsent = false;
        if let tungstenite::Error::Http(reply) = &error {
            let status = reply.status().as_u16();
            let code = match status {
                403 => Code::Denied,
                429 | 503 => Code::Busy,
                _ => Code::Internal,
            };
            let text = format!("the daemon refused the terminal (status {status})");
            return Error::new(code, text);
        }
        let message = "the connection to the daemon broke".to_string();
        Error { code: Code::Unreachable, message, source: Some(Box::new(error)) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use std::io::Write;
    use std::time::Duration;

    /// Waits for the next message, as an owner would.
    pub fn next(link: &mut Link) -> Result<Heard> {
        loop {
            if let Some(heard) = link.hear()? {
                return Ok(heard);
            }
            let mut watch = [poll::Watch::new(link.stream(), true, link.wants_write())];
            let ready = poll::wait(&mut watch, Some(Duration::from_secs(8))).unwrap();
            assert!(ready > 0, "nothing came");
            link.flush()?;
        }
    }

    fn first() -> Message {
        Message::text("hello")
    }

    #[test]
    fn the_first_message_follows_the_upgrade_and_answers_come_back() {
        let fake = Fake::serve(|stream| {
            let Ok(stream) = stream.try_clone() else { return };
            let mut socket = tungstenite::accept(stream).unwrap();
            assert_eq!(socket.read().unwrap(), first());
            socket.send(Message::text(r#"{"op":"attached","offset":5}"#)).unwrap();
            assert_eq!(socket.read().unwrap(), message::input(b"\x03"));
            socket.send(Message::Ping(Default::default())).unwrap();
            socket.close(None).unwrap();
        });
        let mut link = Link::open(&Client { path: fake.path.clone() }, first()).unwrap();
        assert!(matches!(next(&mut link).unwrap(), Heard::Attached { .. }));
        assert!(link.takes_message());
        link.send(message::input(b"\x03")).unwrap();
        assert!(matches!(next(&mut link).unwrap(), Heard::Other), "a ping is no news");
        assert_eq!(next(&mut link).unwrap_err().code, Code::Unreachable);
        assert!(!link.takes_message());
    }

    fn check(reply: &'static [u8], code: Code) {
        let fake = Fake::serve(move |stream| {
            Fake::read_request(stream);
            let _ = stream.write_all(reply);
        });
        // The answer may be there before the first look at it.
        let link = Link::open(&Client { path: fake.path.clone() }, first());
        let error = link.and_then(|mut link| next(&mut link)).unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }

    #[test]
    fn refusals_and_garbage_instead_of_an_upgrade_are_told_apart() {
        check(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", Code::Busy);
        check(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Code::Denied);
        check(b"220 mail.example ESMTP\r\n\r\n", Code::Unreachable);
        check(b"", Code::Unreachable);
    }

    #[test]
    fn a_server_that_never_reads_leaves_the_client_free() {
        let (held, hold) = crossbeam_channel::bounded::<()>(0);
        let fake = Fake::serve(move |stream| {
            let _socket = tungstenite::accept(stream.try_clone().unwrap()).unwrap();
            let _ = hold.recv();
        });
        let mut link = Link::open(&Client { path: fake.path.clone() }, first()).unwrap();
        while !link.takes_message() && !link.wants_write() {
            let mut watch = [poll::Watch::new(link.stream(), true, false)];
            poll::wait(&mut watch, Some(Duration::from_secs(8))).unwrap();
            assert!(link.hear().unwrap().is_none());
        }
        let mut sent = 0;
        while link.takes_message() {
            link.send(message::input(&[b'x'; 16 * 1024])).unwrap();
            sent += 1;
            assert!(sent < 1000, "a socket has no room for so much");
        }
        assert!(link.wants_write() && link.hear().unwrap().is_none());
        drop(held);
    }
}
