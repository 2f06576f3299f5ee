//! Starting a program on a terminal of its own.
//!
//! The *child* opens the terminal and passes its master back over a socket. That is the seam for a
//! cage: a child that has entered other namespaces opens the terminal that exists there, and the
//! caller outside still holds the master.

use crate::base::error::{Code, Context, Error, Result};
use crate::sys::signal;
use crate::sys::tty;
use crate::sys::tty::Size;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::ControlMessage;
use nix::sys::socket::ControlMessageOwned;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::recvmsg;
use nix::sys::socket::sendmsg;
use nix::unistd::ForkResult;
use nix::unistd::Pid;
use std::ffi::CString;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;

/// What to run. All strings are taken as they are; nothing is looked up.
pub struct Program {
    /// Absolute path of the program.
    pub path: CString,
    /// Arguments, the program's own name first.
    pub args: Vec<CString>,
    /// The whole environment, `NAME=value`.
    pub env: Vec<CString>,
    /// Working directory.
    pub cwd: CString,
    /// Size of the terminal at the start.
    pub size: Size,
}

/// A started program.
pub struct Started {
    /// The terminal's master side, non-blocking and close-on-exec.
    pub master: OwnedFd,
    /// The program, leader of its own session.
    pub pid: i32,
}

/// Steps a child takes; a failed one is named in the error.
const STEPS: [&str; 4] = ["open a terminal for", "enter the directory of", "prepare", "run"];

/// Starts `program` on a new terminal. The caller must have one thread only: the child runs
/// ordinary code between fork and exec.
pub fn start(program: &Program) -> Result<Started> {
    let (ours, theirs) = nix::sys::socket::socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .internal(|| "cannot make a socket pair".into())?;
    // SAFETY: the caller has a single thread, so no lock can be held by a thread that the child
    // does not have.
    match unsafe { nix::unistd::fork() }.internal(|| "cannot fork".into())? {
        ForkResult::Child => {
            drop(ours);
            let (step, error) = become_program(program, &theirs);
            let mut report = vec![step as u8];
            report.extend((error as i32).to_le_bytes());
            let _ = nix::unistd::write(&theirs, &report);
            // SAFETY: _exit runs no handlers of the parent's.
            unsafe { nix::libc::_exit(127) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            finish(program, &ours, child)
        }
    }
}

/// Collects the master and the child's last words; silence means that exec worked.
fn finish(program: &Program, ours: &OwnedFd, child: Pid) -> Result<Started> {
    let mut master = None;
    loop {
        let mut bytes = [0; 8];
        let (count, fd) = receive(ours, &mut bytes)?;
        if let Some(fd) = fd {
            master = Some(fd);
            continue;
        }
        if count == 0 {
            break;
        }
        let _ = nix::sys::wait::waitpid(child, None);
        let step = STEPS.get(bytes[0] as usize).copied().unwrap_or("start");
        let errno = i32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
        let path = program.path.to_string_lossy();
        let message = format!("cannot {step} {path}: {}", Errno::from_raw(errno).desc());
        return Err(Error::new(Code::Invalid, message));
    }
    let master = master.ok_or_else(|| Error::internal("the child sent no terminal"))?;
    crate::sys::poll::set_nonblocking(&master, true)?;
    Ok(Started { master, pid: child.as_raw() })
}

/// One message with at most one descriptor.
fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(Errno::EINTR) => continue,
            other => break other.internal(|| "cannot hear from the child".into())?,
        }
    };
    let count = message.bytes;
    for control in message.cmsgs().internal(|| "cannot hear from the child".into())? {
        if let ControlMessageOwned::ScmRights(fds) = control
            && let Some(fd) = fds.first()
        {
            // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
            return Ok((count, Some(unsafe { OwnedFd::from_raw_fd(*fd) })));
        }
    }
    Ok((count, None))
}

/// The child's life until exec. Returns only on failure, with the step that failed.
fn become_program(program: &Program, report: &OwnedFd) -> (usize, Errno) {
    signal::reset();
    if let Err(e) = take_terminal(program, report) {
        return (0, e);
    }
    if let Err(e) = nix::unistd::chdir(program.cwd.as_c_str()) {
        return (1, e);
    }
    if let Err(e) = close_on_exec_from(3) {
        return (2, e);
    }
    match nix::unistd::execve(&program.path, &program.args, &program.env) {
        Err(e) => (3, e),
        Ok(never) => match never {},
    }
}

mod ioctl {
    #![allow(missing_docs)]
    nix::ioctl_write_int_bad!(set_controlling, nix::libc::TIOCSCTTY);
}

fn take_terminal(program: &Program, report: &OwnedFd) -> std::result::Result<(), Errno> {
    nix::unistd::setsid()?;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags)?;
    nix::pty::grantpt(&master)?;
    nix::pty::unlockpt(&master)?;
    // By descriptor, not by name: the name could belong to another namespace's terminal.
    // SAFETY: TIOCGPTPEER takes open flags and returns a new descriptor.
    let peer = unsafe {
        let flags = nix::libc::O_RDWR | nix::libc::O_NOCTTY | nix::libc::O_CLOEXEC;
        Errno::result(nix::libc::ioctl(master.as_raw_fd(), nix::libc::TIOCGPTPEER, flags))?
    };
    // SAFETY: just made by the kernel for us.
    let slave = unsafe { OwnedFd::from_raw_fd(peer) };
    tty::set_size(&slave, program.size).map_err(|_| Errno::EINVAL)?;
    let fds = [master.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    let note = [IoSlice::new(b"t")];
    sendmsg::<()>(report.as_raw_fd(), &note, &rights, MsgFlags::MSG_NOSIGNAL, None)?;
    // SAFETY: takes a plain number; the descriptor is a terminal without a session.
    unsafe { ioctl::set_controlling(slave.as_raw_fd(), 0) }?;
    for number in 0..3 {
        // SAFETY: 0, 1 and 2 are ours to replace in this forked child.
        Errno::result(unsafe { nix::libc::dup2(slave.as_raw_fd(), number) })?;
    }
    Ok(())
}

/// Marks every descriptor from `first` up to be closed by exec.
pub fn close_on_exec_from(first: u32) -> std::result::Result<(), Errno> {
    // SAFETY: close_range with CLOSE_RANGE_CLOEXEC only sets flags.
    let result = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_close_range,
            first,
            u32::MAX,
            nix::libc::CLOSE_RANGE_CLOEXEC as nix::libc::c_uint,
        )
    };
    Errno::result(result).map(drop)
}
