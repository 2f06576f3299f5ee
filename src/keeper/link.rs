//! One end of the wire between keeper and daemon: frames in, frames out, never waiting.

use crate::base::error::{Error, Result};
use crate::keeper::proto::Frame;
use crate::keeper::proto::Inbox;
use crate::limits;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

/// A connected, checked, non-blocking socket that speaks frames. Every error means that the other
/// side is gone or broken: drop the link.
pub struct Link {
    stream: UnixStream,
    inbox: Inbox,
    out: Vec<u8>,
    /// Bytes of `out` that are sent already.
    sent: usize,
}

impl Link {
    /// Takes over a connection whose peer has been checked.
    pub fn new(stream: UnixStream) -> Result<Link> {
        crate::sys::poll::set_nonblocking(&stream, true)?;
        Ok(Link { stream, inbox: Inbox::default(), out: Vec::new(), sent: 0 })
    }

    /// Bytes that wait for room in the socket.
    pub fn backlog(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Frames that have arrived; the end of the stream is an error once they are taken.
    pub fn receive(&mut self) -> Result<Vec<Frame>> {
        let mut buffer = [0; 16 * 1024];
        let mut frames = Vec::new();
        // Bounded, so that a peer that never stops sending cannot keep us here.
        for _ in 0..32 {
            match self.stream.read(&mut buffer) {
                Ok(0) if frames.is_empty() => return Err(gone()),
                Ok(0) => return Ok(frames),
                Ok(count) => self.inbox.add(&buffer[..count]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) if frames.is_empty() => return Err(gone()),
                Err(_) => return Ok(frames),
            }
            while let Some(frame) = self.inbox.take()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    /// Queues a frame and sends what fits. A peer that leaves too much unread is an error.
    pub fn send(&mut self, frame: &Frame) -> Result<()> {
        if self.backlog() > limits::RELAY_QUEUE + limits::FRAME_BYTES {
            return Err(Error::busy("the other side does not read"));
        }
        self.out.extend(frame.encode());
        self.flush()
    }

    /// Sends what fits.
    pub fn flush(&mut self) -> Result<()> {
        while self.backlog() > 0 {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(gone()),
            }
        }
        self.out = Vec::new();
        self.sent = 0;
        Ok(())
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn gone() -> Error {
    Error::internal("the other side is gone")
}
