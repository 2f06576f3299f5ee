//! The keeper's view of an attached daemon: relaying that stops rather than wait.

use crate::base::error::Result;
use crate::keeper::link::Link;
use crate::keeper::proto::Frame;
use crate::limits;
use std::os::unix::net::UnixStream;

/// One attached daemon.
pub struct Conn {
    /// The wire to it.
    pub link: Link,
    /// Offset up to which output has been relayed, while relaying.
    following: Option<u64>,
}

impl Conn {
    /// Takes over an accepted, checked connection. Nothing is relayed until it asks.
    pub fn new(stream: UnixStream) -> Result<Conn> {
        Ok(Conn { link: Link::new(stream)?, following: None })
    }

    /// Starts relaying at `offset`, with `missed` sent first.
    pub fn follow(&mut self, offset: u64, missed: &[u8]) -> Result<()> {
        self.following = Some(offset);
        if missed.is_empty() { Ok(()) } else { self.relay(offset, missed) }
    }

    /// Relays output that starts at `offset`. A daemon that does not keep up is told where
    /// relaying ended, and reads the log from there.
    pub fn relay(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        if self.following != Some(offset) {
            return Ok(());
        }
        if self.link.backlog() + bytes.len() > limits::RELAY_QUEUE {
            self.following = None;
            return self.link.send(&Frame::Behind(offset));
        }
        self.following = Some(offset + bytes.len() as u64);
        self.link.send(&Frame::Output { offset, bytes: bytes.to_vec() })
    }
}
