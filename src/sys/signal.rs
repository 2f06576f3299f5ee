//! Signals as a readable descriptor, and a clean slate for children.

use crate::base::error::{Context, Result};
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SfdFlags;
use nix::sys::signalfd::SignalFd;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

pub use nix::sys::signal::Signal as Name;

/// Blocked signals, waiting to be read. Block before the first thread starts: threads inherit it.
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks `names` for this thread (and those it starts) and collects them.
    pub fn block(names: &[Signal]) -> Result<Signals> {
        let mut set = SigSet::empty();
        names.iter().for_each(|name| set.add(*name));
        set.thread_block().internal(|| "cannot block signals".into())?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let fd = SignalFd::with_flags(&set, flags).internal(|| "cannot make a signalfd".into())?;
        Ok(Signals { fd })
    }

    /// Blocks every signal that can be blocked, and collects those by which a process is asked to
    /// end. None but SIGKILL and SIGSTOP acts on this process any more.
    pub fn block_all() -> Result<Signals> {
        SigSet::all().thread_block().internal(|| "cannot block signals".into())?;
        Signals::block(&[Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM])
    }

    /// The next signal that has come, if any.
    pub fn next(&self) -> Option<Signal> {
        let info = self.fd.read_signal().ok().flatten()?;
        Signal::try_from(info.ssi_signo as i32).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Undoes what a parent may have left: every signal unblocked and at its default. An inherited
/// mask would make Ctrl-C dead in the program.
pub fn reset() {
    let _ = SigSet::empty().thread_set_mask();
    for number in 1..65 {
        // SAFETY: signal(2) with SIG_DFL touches no memory; numbers that may not be changed (KILL,
        // STOP, libc's own) fail and stay as they are.
        unsafe {
            nix::libc::signal(number, nix::libc::SIG_DFL);
        }
    }
}

/// Parses `TERM`, `SIGTERM` or `15`.
pub fn parse(text: &str) -> Option<Signal> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper.clone() } else { format!("SIG{upper}") };
    let by_name = name.parse().ok();
    by_name.or_else(|| text.parse::<i32>().ok().and_then(|n| Signal::try_from(n).ok()))
}

/// `SIGKILL` for 9; real-time signals and the like stay numbers.
pub fn name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_string(),
        Err(_) => format!("signal {number}"),
    }
}
