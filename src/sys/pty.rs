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
use zeroize::Zeroize;

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

impl Program {
    /// Overwrites the environment: whoever needed it has it.
    pub fn forget_env(&mut self) {
        self.env.drain(..).for_each(|line| line.into_bytes().zeroize());
    }
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

/// Which step failed, and the error's number.
pub type Failure = [u8; 5];

fn failure(step: u8, error: Errno) -> Failure {
    let [a, b, c, d] = (error as i32).to_le_bytes();
    [step, a, b, c, d]
}

/// The error behind what [`settle`] or [`run`] came back with.
pub fn blame(program: &Program, failure: &[u8]) -> Error {
    let step = failure.first().and_then(|step| STEPS.get(usize::from(*step)));
    let number = failure.get(1..5).and_then(|bytes| bytes.try_into().ok());
    let error = Errno::from_raw(number.map_or(0, i32::from_le_bytes)).desc();
    let (step, path) = (step.unwrap_or(&"start"), program.path.to_string_lossy());
    Error::new(Code::Invalid, format!("cannot {step} {path}: {error}"))
}

/// Two ends of a line between a process and its child, closed by exec.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
    nix::sys::socket::socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC)
        .internal(|| "cannot make a socket pair".into())
}

/// Starts `program` on a new terminal. The caller must have one thread only: the child runs
/// ordinary code between fork and exec.
pub fn start(program: &Program) -> Result<Started> {
    let (ours, theirs) = pair()?;
    // SAFETY: the caller has a single thread, so no lock can be held by a thread that the child
    // does not have.
    match unsafe { nix::unistd::fork() }.internal(|| "cannot fork".into())? {
        ForkResult::Child => {
            drop(ours);
            let failure = settle(program, &theirs).err().unwrap_or_else(|| run(program));
            let _ = send(&theirs, &failure);
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
        let message = receive(ours, &mut bytes)?;
        if let Some(fd) = message.fd {
            master = Some(fd);
            continue;
        }
        if message.count == 0 {
            break;
        }
        let _ = nix::sys::wait::waitpid(child, None);
        return Err(blame(program, &bytes[..message.count]));
    }
    let master = master.ok_or_else(|| Error::internal("the child sent no terminal"))?;
    crate::sys::poll::set_nonblocking(&master, true)?;
    Ok(Started { master, pid: child.as_raw() })
}

/// One message of a [`pair`].
pub struct Message {
    /// Its bytes; 0 once the other side is closed.
    pub count: usize,
    /// A descriptor that came along.
    pub fd: Option<OwnedFd>,
    /// Who sent it, where the socket asks for that.
    pub pid: Option<i32>,
}

/// Says something.
pub fn send(to: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let sent = nix::sys::socket::send(to.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL);
    sent.map(drop).internal(|| "the other side is gone".into())
}

/// Says something and passes a descriptor on.
pub fn pass(to: &OwnedFd, bytes: &[u8], fd: &impl AsRawFd) -> Result<()> {
    let (fds, note) = ([fd.as_raw_fd()], [IoSlice::new(bytes)]);
    let rights = [ControlMessage::ScmRights(&fds)];
    let sent = sendmsg::<()>(to.as_raw_fd(), &note, &rights, MsgFlags::MSG_NOSIGNAL, None);
    sent.map(drop).internal(|| "the other side is gone".into())
}

/// Waits for a message with at most one descriptor.
pub fn receive(socket: &OwnedFd, bytes: &mut [u8]) -> Result<Message> {
    let mut space = cmsg_space!(RawFd, nix::libc::ucred);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let received = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(Errno::EINTR) => continue,
            other => break other.internal(|| "cannot hear from the child".into())?,
        }
    };
    let mut message = Message { count: received.bytes, fd: None, pid: None };
    for control in received.cmsgs().internal(|| "cannot hear from the child".into())? {
        match control {
            ControlMessageOwned::ScmRights(fds) => {
                // SAFETY: the kernel just made these descriptors for us; nobody else owns them.
                let mut fds = fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                message.fd = fds.next();
            }
            ControlMessageOwned::ScmCredentials(who) => message.pid = Some(who.pid()),
            _ => {}
        }
    }
    Ok(message)
}

/// A message that is there already; `None` where there is none.
pub fn receive_now(socket: &OwnedFd, bytes: &mut [u8]) -> Option<usize> {
    let flags = MsgFlags::MSG_DONTWAIT;
    nix::sys::socket::recv(socket.as_raw_fd(), bytes, flags).ok().filter(|count| *count > 0)
}

/// The child's life up to its exec: a clean slate, a terminal, its directory.
pub fn settle(program: &Program, report: &OwnedFd) -> std::result::Result<(), Failure> {
    signal::reset();
    take_terminal(program, report).map_err(|e| failure(0, e))?;
    nix::unistd::chdir(program.cwd.as_c_str()).map_err(|e| failure(1, e))?;
    close_on_exec_from(3).map_err(|e| failure(2, e))
}

/// Becomes the program. Returns only on failure.
pub fn run(program: &Program) -> Failure {
    match nix::unistd::execve(&program.path, &program.args, &program.env) {
        Err(e) => failure(3, e),
        Ok(never) => match never {},
    }
}

/// Closes every descriptor above the standard ones but `kept`.
pub fn close_all_but(kept: &OwnedFd) -> Result<()> {
    let kept = kept.as_raw_fd() as u32;
    for (first, last) in [(3, kept - 1), (kept + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: whoever owned these in the parent does not run in this child.
            let closed = unsafe { nix::libc::syscall(nix::libc::SYS_close_range, first, last, 0) };
            Errno::result(closed).internal(|| "cannot close descriptors".into())?;
        }
    }
    Ok(())
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
