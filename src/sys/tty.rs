//! The terminal of a client: raw mode that is always undone, and its size.

use crate::base::error::{Context, Result};
use nix::sys::termios;
use nix::sys::termios::SetArg;
use nix::sys::termios::Termios;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub cols: u16,
    /// Lines.
    pub rows: u16,
}

mod ioctl {
    #![allow(missing_docs)]
    nix::ioctl_read_bad!(get_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);
    nix::ioctl_write_ptr_bad!(put_size, nix::libc::TIOCSWINSZ, nix::libc::winsize);
}

/// The size of the terminal behind `fd`; `None` where it is no terminal or has no size.
pub fn size(fd: &impl AsFd) -> Option<Size> {
    use std::os::fd::AsRawFd;
    let mut raw = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel fills one winsize, which outlives the call.
    unsafe { ioctl::get_size(fd.as_fd().as_raw_fd(), &mut raw) }.ok()?;
    (raw.ws_col > 0 && raw.ws_row > 0).then_some(Size { cols: raw.ws_col, rows: raw.ws_row })
}

/// Sets the size of the terminal behind `fd`; its foreground programs get SIGWINCH.
pub fn set_size(fd: &impl AsFd, size: Size) -> Result<()> {
    use std::os::fd::AsRawFd;
    let raw =
        nix::libc::winsize { ws_row: size.rows, ws_col: size.cols, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one winsize, which outlives the call.
    unsafe { ioctl::put_size(fd.as_fd().as_raw_fd(), &raw) }
        .internal(|| "cannot set the terminal's size".into())?;
    Ok(())
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Raw mode for as long as this lives; dropping it (also while a panic unwinds) restores the mode
/// found at the start.
pub struct Raw {
    fd: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Switches the terminal behind `fd` to raw mode: every byte reaches us, none is echoed.
    pub fn enter(fd: &impl AsFd) -> Result<Raw> {
        let fd = fd.as_fd().try_clone_to_owned().internal(|| "cannot keep the terminal".into())?;
        let before = termios::tcgetattr(&fd).internal(|| "not a terminal".into())?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&fd, SetArg::TCSADRAIN, &raw)
            .internal(|| "cannot switch the terminal to raw mode".into())?;
        Ok(Raw { fd, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Flush: half-read input (a mouse report) must not reach the shell as commands.
        let _ = termios::tcsetattr(&self.fd, SetArg::TCSAFLUSH, &self.before);
    }
}
