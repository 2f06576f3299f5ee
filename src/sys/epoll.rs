//! Waiting for hundreds of file descriptors at once, each known by a number (epoll, level
//! triggered).

use crate::base::error::{Context, Result};
use nix::errno::Errno;
use nix::sys::epoll::Epoll;
use nix::sys::epoll::EpollCreateFlags;
use nix::sys::epoll::EpollEvent;
use nix::sys::epoll::EpollFlags;
use nix::sys::epoll::EpollTimeout;
use std::os::fd::AsFd;
use std::time::Duration;

/// Events taken from the kernel at once; what does not fit comes with the next wait.
const BATCH: usize = 128;

/// What came for one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number given with [`Poller::add`].
    pub token: u64,
    /// Bytes, a connection, end of file or an error are waiting.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// Both directions are closed, or the descriptor is broken. Reported without being asked for.
    pub hung_up: bool,
}

/// A set of watched descriptors. It borrows none of them: remove one before it is closed.
pub struct Poller {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Poller {
    /// An empty set.
    pub fn new() -> Result<Poller> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .internal(|| "cannot make an epoll descriptor".into())?;
        Ok(Poller { epoll, events: vec![EpollEvent::empty(); BATCH] })
    }

    /// Watches `fd` for what is asked; hang-ups are always reported.
    pub fn add(&self, fd: &impl AsFd, token: u64, read: bool, write: bool) -> Result<()> {
        let event = EpollEvent::new(flags(read, write), token);
        self.epoll.add(fd, event).internal(|| "cannot watch a descriptor".into())
    }

    /// Changes what a watched `fd` is watched for.
    pub fn change(&self, fd: &impl AsFd, token: u64, read: bool, write: bool) -> Result<()> {
        let mut event = EpollEvent::new(flags(read, write), token);
        self.epoll.modify(fd, &mut event).internal(|| "cannot watch a descriptor".into())
    }

    /// Forgets `fd`. One that is not watched is fine.
    pub fn remove(&self, fd: &impl AsFd) {
        let _ = self.epoll.delete(fd);
    }

    /// Waits until something came or `timeout` is over (`None`: for ever). A signal counts as a
    /// time-out.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Vec<Ready>> {
        // Rounded up: a deadline half a millisecond away must not become a busy loop.
        let timeout = match timeout {
            None => EpollTimeout::NONE,
            Some(t) => {
                let ms = t.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32;
                EpollTimeout::try_from(ms).unwrap_or(EpollTimeout::MAX)
            }
        };
        let count = match self.epoll.wait(&mut self.events, timeout) {
            Err(Errno::EINTR) => 0,
            other => other.internal(|| "epoll failed".into())?,
        };
        Ok(self.events[..count].iter().map(ready).collect())
    }
}

fn flags(read: bool, write: bool) -> EpollFlags {
    let mut flags = EpollFlags::empty();
    flags.set(EpollFlags::EPOLLIN, read);
    flags.set(EpollFlags::EPOLLOUT, write);
    flags
}

fn ready(event: &EpollEvent) -> Ready {
    let got = event.events();
    let hung_up = got.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
    Ready {
        token: event.data(),
        readable: got.contains(EpollFlags::EPOLLIN),
        writable: got.contains(EpollFlags::EPOLLOUT),
        hung_up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_hang_up_is_told_even_where_nothing_was_asked() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(&ours, 7, false, false).unwrap();
        theirs.write_all(b"x").unwrap();
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
        poller.change(&ours, 7, true, false).unwrap();
        let read = Ready { token: 7, readable: true, writable: false, hung_up: false };
        assert_eq!(poller.wait(None).unwrap(), [read]);
        poller.change(&ours, 7, false, false).unwrap();
        drop(theirs);
        assert!(poller.wait(None).unwrap()[0].hung_up);
        poller.remove(&ours);
        assert_eq!(poller.wait(Some(Duration::ZERO)).unwrap(), []);
    }
}
