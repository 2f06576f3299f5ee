//! Unix sockets: closed from their first instant, and with a known process at the other end.
//!
//! 1. A socket file MUST have mode 0600 before it can be connected to.
//! 2. A client MUST know that the server has its own uid before it sends a byte.

use crate::base::error::{Code, Context, Error, Result};
use crate::limits;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::Backlog;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::UnixAddr;
use nix::sys::socket::getsockopt;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;
use nix::sys::stat::Mode;
use nix::sys::time::TimeVal;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest path of a Unix socket, without the closing NUL (`sockaddr_un`).
pub const PATH_BYTES: usize = 107;

/// Listens at `path`, which must not exist. Non-blocking, close-on-exec.
pub fn listen(path: &Path) -> Result<UnixListener> {
    let shown = path.display();
    let length = path.as_os_str().len();
    if length > PATH_BYTES {
        return Err(Error::invalid(format!(
            "{shown} is {length} bytes, a socket's path may have {PATH_BYTES}; \
             set CODEPIPER_HOME to a shorter directory"
        )));
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let cannot = || format!("cannot listen at {shown}");
    let fd = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .internal(cannot)?;
    // Before bind: the file is born with this mode, so there is no wider instant.
    nix::sys::stat::fchmod(&fd, Mode::from_bits_truncate(0o600)).internal(cannot)?;
    let address = UnixAddr::new(path).internal(cannot)?;
    nix::sys::socket::bind(fd.as_raw_fd(), &address).internal(cannot)?;
    nix::sys::socket::listen(&fd, Backlog::MAXCONN).internal(cannot)?;
    Ok(UnixListener::from(fd))
}

/// What the kernel says of a user who has no number in our user namespace (`overflowuid`).
const UNKNOWN: u32 = 65534;

/// Whether the socket's file is ours: who has no number here may still have made it in our name, as
/// a daemon of root's outside of its session has.
fn is_ours(path: &Path, me: u32) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() == me)
}

/// Connects to `path` and checks that the listener is our user's. One whose queue is full, as
/// that of a stopped process is, is given up after [`limits::gate::CONNECT_WAIT`].
pub fn connect(path: &Path) -> Result<UnixStream> {
    let shown = path.display();
    let stream = connect_within(path, limits::gate::CONNECT_WAIT)
        .code(Code::Unreachable, || format!("cannot connect to {shown}"))?;
    let me = own_uid();
    let owner = peer(&stream)?.uid;
    if owner != me && !(owner == UNKNOWN && is_ours(path, me)) {
        return Err(Error::denied(format!(
            "the server at {shown} belongs to uid {owner}, not to you (uid {me}); use --socket"
        )));
    }
    Ok(stream)
}

fn connect_within(path: &Path, wait: Duration) -> std::io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let address = UnixAddr::new(path)?;
    // For a Unix socket the kernel's send time-out is also that of connect(2).
    let (seconds, micros) = (wait.as_secs() as i64, i64::from(wait.subsec_micros()));
    let limit = TimeVal::from(nix::libc::timeval { tv_sec: seconds, tv_usec: micros });
    setsockopt(&fd, sockopt::SendTimeout, &limit)?;
    nix::sys::socket::connect(fd.as_raw_fd(), &address)?;
    let stream = UnixStream::from(fd);
    stream.set_write_timeout(None)?;
    Ok(stream)
}

/// The process at the other end of a connection, as it was when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its process id in our namespace; 0 when it is not visible there.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
}

/// Asks the kernel who connected (SO_PEERCRED).
pub fn peer(stream: &UnixStream) -> Result<Peer> {
    let cred = getsockopt(stream, sockopt::PeerCredentials)
        .internal(|| "the kernel does not say who connected".into())?;
    Ok(Peer { pid: cred.pid(), uid: cred.uid() })
}

/// A handle on the peer that says whether the pid still means the same process (SO_PEERPIDFD,
/// Linux 6.5). `None` where the kernel has no such thing or the peer has ended.
pub fn peer_pidfd(stream: &UnixStream) -> Option<OwnedFd> {
    getsockopt(stream, sockopt::PeerPidfd).ok()
}

/// The user whose peers are welcome.
pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Whether an accept failed because this process, or the machine, has no descriptors left.
pub fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    let number = error.raw_os_error();
    number == Some(nix::libc::EMFILE) || number == Some(nix::libc::ENFILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_socket_is_closed_to_others_and_knows_its_peer() {
        let path = std::env::temp_dir().join(format!("cp-sock-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = listen(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let _client = connect(&path).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(peer(&server).unwrap().pid, std::process::id() as i32);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_listener_that_never_accepts_does_not_hold_a_client_for_ever() {
        let path = std::env::temp_dir().join(format!("cp-full-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None);
        let fd = fd.unwrap();
        nix::sys::socket::bind(fd.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        nix::sys::socket::listen(&fd, Backlog::new(1).unwrap()).unwrap();
        let mut waiting = Vec::new();
        let refused = loop {
            match connect_within(&path, Duration::from_millis(50)) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
            assert!(waiting.len() < 10, "the queue never fills");
        };
        assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_path_too_long_for_a_socket_names_the_way_out() {
        let error = listen(Path::new(&format!("/tmp/{}", "x".repeat(120)))).unwrap_err();
        assert!(error.message.contains("CODEPIPER_HOME"), "{error}");
    }
}
