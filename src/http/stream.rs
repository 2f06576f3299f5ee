//! The kinds of socket behind a connection, Unix and TCP, and who is at the other end: all that
//! the rest of this room knows of the difference.

use crate::base::error::Result;
use crate::sys::sock;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;

/// One connection.
#[derive(Debug)]
pub enum Stream {
    /// From a program of this machine, which the kernel names. A hang-up means that it is gone in
    /// both directions; one that only stopped sending still gets its reply.
    Unix(UnixStream),
    /// From wherever our address can be reached.
    Tcp(TcpStream),
}

/// Where connections come from, non-blocking.
pub enum Listener {
    /// As [`sock::listen`] makes it.
    Unix(UnixListener),
    /// As [`crate::sys::tcp::listen`] makes it.
    Tcp(TcpListener),
}

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A process, as the kernel said then.
    Process(sock::Peer),
    /// An address.
    Address(SocketAddr),
}

/// What connections of one peer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A process id.
    Process(i32),
    /// An address without its port.
    Address(IpAddr),
}

impl Who {
    /// Its share of everything is counted under this.
    pub fn key(self) -> Key {
        match self {
            Who::Process(peer) => Key::Process(peer.pid),
            // Of IPv6 one client has a whole network of 64 bits.
            Who::Address(address) => Key::Address(match address.ip() {
                IpAddr::V6(ip) if !ip.is_loopback() => {
                    IpAddr::V6(Ipv6Addr::from(u128::from(ip) >> 64 << 64))
                }
                ip => ip,
            }),
        }
    }
}

impl Key {
    /// It came over TCP.
    pub fn is_web(self) -> bool {
        matches!(self, Key::Address(_))
    }

    /// Behind a loopback address can be anybody: tunnels and proxies end there.
    pub fn is_one_peer(self) -> bool {
        match self {
            Key::Process(_) => true,
            Key::Address(ip) => !ip.is_loopback(),
        }
    }
}

impl Stream {
    /// Pid and uid of the client, or its address.
    pub fn who(&self) -> Result<Who> {
        match self {
            Stream::Unix(stream) => Ok(Who::Process(sock::peer(stream)?)),
            Stream::Tcp(stream) => Ok(Who::Address(crate::sys::tcp::peer(stream)?)),
        }
    }

    /// A lasting handle on the client's process, where the kernel has one.
    pub fn pidfd(&self) -> Option<OwnedFd> {
        match self {
            Stream::Unix(stream) => sock::peer_pidfd(stream),
            Stream::Tcp(_) => None,
        }
    }

    /// Tells the client that no more bytes will come, while its own may still arrive.
    pub fn end_output(&self) {
        // Fails only when the client is gone, which the next read tells.
        let _ = match self {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
        };
    }

    /// The client will send no more. Over TCP nothing else tells that it has gone, for the kernel
    /// calls it a hang-up only once both sides are closed.
    pub fn is_finished(&self) -> bool {
        match self {
            Stream::Unix(_) => false,
            Stream::Tcp(stream) => matches!(stream.peek(&mut [0]), Ok(0)),
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&mut &*stream).read(into),
            Stream::Tcp(stream) => (&mut &*stream).read(into),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&mut &*stream).write(bytes),
            Stream::Tcp(stream) => (&mut &*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        (&mut &*self).read(into)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (&mut &*self).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Unix(stream) => stream.as_fd(),
            Stream::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Listener {
    /// The next connection, non-blocking.
    pub fn accept(&self) -> std::io::Result<Stream> {
        match self {
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Stream::Unix(stream))
            }
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                // A key's echo must not wait for the acknowledgement of the one before.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Unix(listener) => listener.as_fd(),
            Listener::Tcp(listener) => listener.as_fd(),
        }
    }
}
