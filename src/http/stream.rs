//! The kind of socket behind a connection: the one place that a further kind has to be added to.

use crate::base::error::Result;
use crate::sys::sock;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;

/// One connection. A hang-up reported by the kernel means that the client is gone in both
/// directions; a client that only stopped sending still gets its reply.
pub type Stream = UnixStream;

/// Where connections come from; non-blocking, as [`sock::listen`] makes it.
pub type Listener = UnixListener;

/// The next connection, non-blocking.
pub fn accept(listener: &Listener) -> std::io::Result<Stream> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Pid and uid of the client.
pub fn who(stream: &Stream) -> Result<sock::Peer> {
    sock::peer(stream)
}

/// A lasting handle on the client's process, where the kernel has one.
pub fn pidfd(stream: &Stream) -> Option<OwnedFd> {
    sock::peer_pidfd(stream)
}

/// Tells the client that no more bytes will come, while its own may still arrive.
pub fn end_output(stream: &Stream) {
    // Fails only when the client is gone, which the next read tells.
    let _ = stream.shutdown(Shutdown::Write);
}
