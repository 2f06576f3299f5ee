//! Waiting for file descriptors, and waking a thread that waits.

use crate::base::error::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::FcntlArg;
use nix::fcntl::OFlag;
use nix::fcntl::fcntl;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::sys::eventfd::EfdFlags;
use nix::sys::eventfd::EventFd;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What to wait for on one descriptor, and what came.
pub struct Watch<'fd> {
    fd: BorrowedFd<'fd>,
    want: PollFlags,
    got: PollFlags,
}

impl<'fd> Watch<'fd> {
    /// Watches `fd` for input and, where `write` is set, for room to write. Hang-ups and errors
    /// are always reported, as readable.
    pub fn new(fd: &'fd impl AsFd, read: bool, write: bool) -> Watch<'fd> {
        let mut want = PollFlags::empty();
        want.set(PollFlags::POLLIN, read);
        want.set(PollFlags::POLLOUT, write);
        Watch { fd: fd.as_fd(), want, got: PollFlags::empty() }
    }

    /// Watches for errors alone, which are always reported.
    pub fn nothing(fd: &'fd impl AsFd) -> Watch<'fd> {
        Watch::new(fd, false, false)
    }

    /// Bytes, a connection, end of file or an error are waiting.
    pub fn readable(&self) -> bool {
        let hang_up = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        self.got.intersects(PollFlags::POLLIN | hang_up)
    }

    /// There is room to write.
    pub fn writable(&self) -> bool {
        self.got.contains(PollFlags::POLLOUT)
    }

    /// The other side is gone; nothing more can be written.
    pub fn hung_up(&self) -> bool {
        self.got.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL)
    }
}

/// Waits until one of `watches` has something or `timeout` is over (`None`: for ever). Returns how
/// many have something; a signal counts as a time-out.
pub fn wait(watches: &mut [Watch<'_>], timeout: Option<Duration>) -> Result<usize> {
    let mut fds: Vec<PollFd<'_>> = watches.iter().map(|w| PollFd::new(w.fd, w.want)).collect();
    // Rounded up: a deadline half a millisecond away must not become a busy loop.
    let timeout = match timeout {
        None => PollTimeout::NONE,
        Some(t) => PollTimeout::try_from(t.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32)
            .unwrap_or(PollTimeout::MAX),
    };
    let count = match nix::poll::poll(&mut fds, timeout) {
        Err(Errno::EINTR) => 0,
        other => other.internal(|| "poll failed".into())?,
    };
    let got: Vec<PollFlags> =
        fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
    for (watch, got) in watches.iter_mut().zip(got) {
        watch.got = if count == 0 { PollFlags::empty() } else { got };
    }
    Ok(count as usize)
}

/// Wakes a polling thread from any other thread. Wakes add up to one.
pub struct Waker {
    event: EventFd,
}

impl Waker {
    /// A new waker, not yet rung.
    pub fn new() -> Result<Waker> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags).internal(|| "cannot make an eventfd".into())?;
        Ok(Waker { event })
    }

    /// Makes the descriptor readable. Cannot fail in a way that matters: a full counter is rung.
    pub fn wake(&self) {
        let _ = self.event.write(1);
    }

    /// Takes the ring back, once the waiting thread has seen it.
    pub fn clear(&self) {
        let _ = self.event.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Makes reads and writes on `fd` return instead of wait.
pub fn set_nonblocking(fd: &impl AsFd, on: bool) -> Result<()> {
    let flags = fcntl(fd, FcntlArg::F_GETFL).internal(|| "cannot read descriptor flags".into())?;
    let mut flags = OFlag::from_bits_retain(flags);
    flags.set(OFlag::O_NONBLOCK, on);
    fcntl(fd, FcntlArg::F_SETFL(flags)).internal(|| "cannot set descriptor flags".into())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waker_wakes_once_for_many_rings() {
        let waker = Waker::new().unwrap();
        waker.wake();
        waker.wake();
        let mut watch = [Watch::new(&waker, true, false)];
        assert_eq!(wait(&mut watch, Some(Duration::ZERO)).unwrap(), 1);
        assert!(watch[0].readable());
        waker.clear();
        assert_eq!(wait(&mut [Watch::new(&waker, true, false)], Some(Duration::ZERO)).unwrap(), 0);
    }
}
