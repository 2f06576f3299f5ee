//! What one process can do to another and to the machine, tried without harm: each try leaves
//! everything as it was, also where it succeeds. Knows nothing of why something should fail.

use crate::base::error::{Context, Error, Result};
use crate::sys::mount;
use crate::sys::namespace;
use crate::sys::namespace::Map;
use crate::sys::namespace::Side;
use crate::sys::proc;
use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;

fn done(result: i64, what: &str) -> Result<()> {
    Errno::result(result).map(drop).internal(|| what.to_string())
}

/// Sends process `pid` no signal, which is allowed where any other is.
pub fn signal(pid: i32) -> Result<()> {
    // SAFETY: kill takes plain numbers.
    done(i64::from(unsafe { libc::kill(pid, 0) }), "signal")
}

/// Sets a limit of process `pid` to what it is.
pub fn limit(pid: i32) -> Result<()> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure outlives both calls; the first fills it.
    done(
        unsafe {
            let of = libc::RLIMIT_CORE;
            let known = libc::syscall(
                libc::SYS_prlimit64,
                pid,
                of,
                std::ptr::null::<libc::rlimit64>(),
                &raw mut limit,
            );
            match known {
                0 => libc::syscall(
                    libc::SYS_prlimit64,
                    pid,
                    of,
                    &raw const limit,
                    std::ptr::null_mut::<libc::rlimit64>(),
                ),
                failed => failed,
            }
        },
        "limit",
    )
}

/// Sets the priority of process `pid` to that of this one.
pub fn slow(pid: i32) -> Result<()> {
    // SAFETY: both take plain numbers.
    let result = unsafe {
        let own = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, pid as libc::id_t, own)
    };
    done(i64::from(result), "slow down")
}

/// Traces process `pid` until this one ends; it is not stopped.
pub fn trace(pid: i32) -> Result<()> {
    // SAFETY: PTRACE_SEIZE takes no address, and no options here.
    let result = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0_usize, 0_usize) };
    done(result, "trace")
}

/// Types a blank into the terminal at standard input, as if its user had.
pub fn type_into_terminal() -> Result<()> {
    // SAFETY: TIOCSTI reads one byte, which outlives the call.
    let result = unsafe { libc::ioctl(0, libc::TIOCSTI, c" ".as_ptr()) };
    done(i64::from(result), "type")
}

/// Connects to a TCP port of this host by multipath TCP.
pub fn connect_multipath(port: u16) -> Result<()> {
    const IPPROTO_MPTCP: i32 = 262;
    let (socket, to, size) = (socket(IPPROTO_MPTCP)?, address(port), ADDRESS);
    // SAFETY: the address outlives the call; its size is told.
    done(unsafe { libc::connect(socket.as_raw_fd(), (&raw const to).cast(), size) }.into(), CONNECT)
}

/// Connects to a TCP port of this host by sending with the first packet.
pub fn send_first(port: u16) -> Result<()> {
    let (socket, to, text) = (socket(libc::IPPROTO_TCP)?, address(port), c"x".as_ptr());
    let flags = libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL;
    // SAFETY: text and address outlive the call; their sizes are told.
    let sent = unsafe {
        let to = (&raw const to).cast();
        libc::sendto(socket.as_raw_fd(), text.cast(), 1, flags, to, ADDRESS)
    };
    done(sent as i64, CONNECT)
}

const CONNECT: &str = "connect";
const ADDRESS: libc::socklen_t = std::mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn socket(protocol: i32) -> Result<OwnedFd> {
    // SAFETY: socket takes plain numbers.
    let fd =
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol) };
    let fd = Errno::result(fd).internal(|| "make a socket".into())?;
    // SAFETY: just made by the kernel, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn address(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(std::net::Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    }
}

/// Takes away what is mounted at a path; where that succeeds only this process is without it.
pub fn unmount(path: &Path) -> Result<()> {
    apart(0, || nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH).internal(String::new))
}

/// The same from namespaces of its own.
pub fn unmount_apart(path: &Path) -> Result<()> {
    apart(namespace::LOCK, || {
        nix::mount::umount2(path, nix::mount::MntFlags::MNT_DETACH).internal(String::new)
    })
}

/// Builds the beginnings of a sandbox: namespaces, and a mount in them.
pub fn nest() -> Result<()> {
    apart(namespace::LOCK, || mount::tmpfs(Path::new("/tmp"), 0o700))
}

/// Does something in a child in new namespaces, with its own ids there.
fn apart(namespaces: i32, what: impl FnOnce() -> Result<()>) -> Result<()> {
    const FAILED: i32 = 255;
    let (uid, gid) = (proc::uid(), namespace::gid());
    match namespace::fork(0)? {
        Side::Child => {
            let own = |id: u32| Map { inside: id, outside: id, count: 1 };
            let ready = || match namespaces {
                0 => Ok(()),
                all => {
                    namespace::unshare(all)?;
                    namespace::map_ids(std::process::id() as i32, own(uid), own(gid))
                }
            };
            namespace::exit(match ready().and_then(|()| what()) {
                Ok(()) => 0,
                Err(error) => errno(&error).unwrap_or(FAILED),
            })
        }
        Side::Parent(pid) => match nix::sys::wait::waitpid(Pid::from_raw(pid), None) {
            Ok(WaitStatus::Exited(_, 0)) => Ok(()),
            Ok(WaitStatus::Exited(_, code)) => Err(Errno::from_raw(code)).internal(String::new),
            other => Err(Error::internal(format!("{other:?}"))),
        },
    }
}

fn errno(error: &Error) -> Option<i32> {
    let source = error.source.as_ref()?;
    source
        .downcast_ref::<Errno>()
        .map(|errno| *errno as i32)
        .or_else(|| source.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error))
}
