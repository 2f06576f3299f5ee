//! The listeners: lets clients in, and stays open whatever accepting brings.
//!
//! 1. Only our own user MUST get in by a Unix socket, and root of a session of root's by that of
//!    hooks; who comes over TCP is for the guard.
//! 2. Accepting MUST survive every error, without spinning on it.

use crate::base::error::{Context, Result};
use crate::cage::shift;
use crate::http::message::Door;
use crate::http::stream::Listener;
use crate::http::stream::Stream;
use crate::http::stream::Who;
use crate::limits;
use crate::sys::epoll::Poller;
use crate::sys::sock;
use std::fs::File;
use std::io::ErrorKind;
use std::time::Instant;

/// The first listener's number in the poller; the others follow.
pub const FIRST: u64 = 1;

/// A door and where its connections come from.
pub struct Listen {
    /// Non-blocking.
    pub listener: Listener,
    /// What its requests are marked with.
    pub door: Door,
}

/// What one accept brought.
pub enum Came {
    /// A client: of our own user on a Unix socket, any over TCP.
    Somebody(Stream, Door, Who),
    /// Another user, or one that had gone again; closed.
    Stranger,
    /// No descriptor is left for a client, if one waits.
    NoDescriptors,
    /// Nobody waits, or accepting has to pause.
    Nobody,
}

/// All listeners.
pub struct Doors {
    listens: Vec<Listen>,
    uid: u32,
    /// The listeners are not watched until then.
    paused: Option<Instant>,
    /// Given up for a moment when descriptors run out, so that a connection can be taken and
    /// closed instead of leaving the listener ready for ever.
    spare: Option<File>,
    warned: Option<Instant>,
}

impl Doors {
    /// Not watched yet.
    pub fn new(listens: Vec<Listen>) -> Result<Doors> {
        let spare = File::open("/dev/null").internal(|| "cannot open /dev/null".into())?;
        let uid = sock::own_uid();
        Ok(Doors { listens, uid, paused: None, spare: Some(spare), warned: None })
    }

    /// Watches every listener.
    pub fn open(&self, poller: &Poller) -> Result<()> {
        let mut numbered = (FIRST..).zip(&self.listens);
        numbered.try_for_each(|(token, listen)| poller.add(&listen.listener, token, true, false))
    }

    /// Closes every listener. The socket files stay where they are.
    pub fn close(&mut self, poller: &Poller) {
        self.paused = None;
        self.listens.drain(..).for_each(|listen| poller.remove(&listen.listener));
    }

    /// Whether a program of this user may speak at this door. Root in a session of root's is
    /// another user outside, and has hooks to forward.
    fn lets_in(&self, uid: u32, door: Door) -> bool {
        uid == self.uid || self.uid == 0 && door == Door::Hook && uid == shift::OUTER.outside
    }

    /// The next client of one listener.
    pub fn accept(&mut self, index: usize, now: Instant, poller: &Poller) -> Came {
        let Some(listen) = self.listens.get(index) else { return Came::Nobody };
        let door = listen.door;
        match listen.listener.accept() {
            Ok(stream) => match stream.who() {
                Ok(Who::Process(peer)) if !self.lets_in(peer.uid, door) => {
                    self.warn(now, &format!("refused a connection of uid {}", peer.uid));
                    Came::Stranger
                }
                Ok(who) => Came::Somebody(stream, door, who),
                // One that has gone again, as a flood of them does.
                Err(_) if door.is_web() => Came::Stranger,
                Err(error) => {
                    self.warn(now, &error.chain());
                    Came::Stranger
                }
            },
            Err(e) if e.kind() == ErrorKind::WouldBlock => Came::Nobody,
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {
                Came::Stranger
            }
            Err(e) if sock::is_out_of_descriptors(&e) => {
                self.warn(now, "out of file descriptors, connections are dropped; raise ulimit -n");
                Came::NoDescriptors
            }
            Err(e) => {
                self.warn(now, &format!("cannot accept connections: {e}"));
                self.pause(now, poller);
                Came::Nobody
            }
        }
    }

    /// Drops the client that there is no descriptor for.
    pub fn shed(&mut self, index: usize, now: Instant, poller: &Poller) {
        self.spare = None;
        let shed = self.listens.get(index).map(|listen| listen.listener.accept());
        let done = matches!(&shed, Some(Ok(_)));
        drop(shed);
        self.spare = File::open("/dev/null").ok();
        if !done {
            // The whole machine is out of them, or another thread was faster.
            self.pause(now, poller);
        }
    }

    /// When [`Doors::resume`] is due.
    pub fn paused(&self) -> Option<Instant> {
        self.paused
    }

    /// Watches the listeners again, once their pause is over.
    pub fn resume(&mut self, now: Instant, poller: &Poller) {
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            self.watch(true, poller);
        }
    }

    fn pause(&mut self, now: Instant, poller: &Poller) {
        self.paused = Some(now + limits::ACCEPT_RETRY);
        self.watch(false, poller);
    }

    fn watch(&self, on: bool, poller: &Poller) {
        for (token, listen) in (FIRST..).zip(&self.listens) {
            if let Err(error) = poller.change(&listen.listener, token, on, false) {
                log::error!("cannot watch a listener: {}", error.chain());
            }
        }
    }

    /// A flood must not fill the log either.
    fn warn(&mut self, now: Instant, text: &str) {
        if self.warned.is_none_or(|last| now - last >= limits::WARN_AGAIN) {
            self.warned = Some(now);
            log::warn!("{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time;
    use std::os::unix::net::UnixStream;

    #[test]
    fn only_our_own_user_gets_in() {
        let path = std::env::temp_dir().join(format!("cp-doors-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = Listener::Unix(sock::listen(&path).unwrap());
        let mut doors = Doors::new(vec![Listen { listener, door: Door::Hook }]).unwrap();
        let poller = Poller::new().unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let came = doors.accept(0, time::now(), &poller);
        assert!(matches!(came, Came::Somebody(_, Door::Hook, _)));
        doors.uid += 1;
        let _client = UnixStream::connect(&path).unwrap();
        assert!(matches!(doors.accept(0, time::now(), &poller), Came::Stranger));
        assert!(matches!(doors.accept(0, time::now(), &poller), Came::Nobody));
        std::fs::remove_file(&path).unwrap();
    }
}
