//! TCP listeners, and which process holds an address.

use crate::base::error::{Context, Error, Result};
use nix::errno::Errno;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::Backlog;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;

/// What became of an attempt to listen.
pub enum Listening {
    /// Non-blocking, close-on-exec, for IPv6 addresses without their IPv4 shadows.
    Here(TcpListener),
    /// Somebody listens there already.
    Taken,
    /// This host has no such address: one without IPv6, say.
    Absent,
}

/// Listens at `address`. Port 0 takes any that is free.
pub fn listen(address: SocketAddr) -> Result<Listening> {
    let cannot = || format!("cannot listen at {address}");
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = match nix::sys::socket::socket(family, SockType::Stream, flags, None) {
        Err(Errno::EAFNOSUPPORT) => return Ok(Listening::Absent),
        other => other.internal(cannot)?,
    };
    // Connections of an earlier daemon that linger do not hold the address; a listener does.
    setsockopt(&fd, sockopt::ReuseAddr, &true).internal(cannot)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true).internal(cannot)?;
    }
    match nix::sys::socket::bind(fd.as_raw_fd(), &SockaddrStorage::from(address)) {
        Err(Errno::EADDRINUSE) => return Ok(Listening::Taken),
        Err(Errno::EADDRNOTAVAIL) => return Ok(Listening::Absent),
        Err(Errno::EACCES) => {
            let port = address.port();
            let text = format!("cannot bind {address}: port {port} is for root; use --port");
            return Err(Error::denied(text));
        }
        other => other.internal(cannot)?,
    }
    match nix::sys::socket::listen(&fd, Backlog::MAXCONN) {
        // Two that bound at once: the other was first to listen.
        Err(Errno::EADDRINUSE) => Ok(Listening::Taken),
        other => other.internal(cannot).map(|()| Listening::Here(TcpListener::from(fd))),
    }
}

/// The address of the client, an IPv4 one that came as IPv6 as what it is.
pub fn peer(stream: &TcpStream) -> Result<SocketAddr> {
    let mut address = stream.peer_addr().internal(|| "a client that is gone".into())?;
    address.set_ip(address.ip().to_canonical());
    Ok(address)
}

/// A process that listens where `address` would be answered, if it can be seen: those of other
/// users cannot.
pub fn holder(address: SocketAddr) -> Option<i32> {
    let inodes: Vec<String> = ["tcp", "tcp6"].iter().flat_map(|t| listeners(t, address)).collect();
    let held = |fd: &Path| {
        let link = std::fs::read_link(fd).unwrap_or_default();
        inodes.iter().any(|inode| link.to_str() == Some(&format!("socket:[{inode}]")))
    };
    let pids = std::fs::read_dir("/proc").ok()?.flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).find(|pid| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd"));
        fds.is_ok_and(|mut fds| fds.any(|fd| fd.is_ok_and(|fd| held(&fd.path()))))
    })
}

/// Inodes of the sockets that listen at `address`, or at its port on every address.
fn listeners(table: &str, address: SocketAddr) -> Vec<String> {
    /// TCP_LISTEN in the kernel's table (proc(5), `st`).
    const LISTEN: &str = "0A";
    let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let here = |local: &str| {
        let (ip, port) = local.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let ip = ip_of(ip)?;
        Some(port == address.port() && (ip == address.ip() || ip.is_unspecified()))
    };
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let listens = *fields.get(3)? == LISTEN && here(fields.get(1)?)?;
        listens.then(|| fields.get(9).map(ToString::to_string))?
    };
    text.lines().skip(1).filter_map(inode).collect()
}

/// An address as /proc/net writes it: 32-bit words in the machine's own order.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (part, at) in bytes.chunks_mut(4).zip([0, 8, 16, 24]) {
                part.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_said_so_and_its_holder_found() {
        for ip in ["127.0.0.1", "[::1]"] {
            let any: SocketAddr = format!("{ip}:0").parse().unwrap();
            let Listening::Here(first) = listen(any).unwrap() else { continue };
            let address = first.local_addr().unwrap();
            assert!(matches!(listen(address).unwrap(), Listening::Taken), "{address}");
            assert_eq!(holder(address), Some(std::process::id() as i32));
            let _client = TcpStream::connect(address).unwrap();
            drop(first);
            assert_eq!(holder(address), None);
            assert!(matches!(listen(address).unwrap(), Listening::Here(_)), "free again");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_absent() {
        let address: SocketAddr = "192.0.2.1:0".parse().unwrap();
        assert!(matches!(listen(address).unwrap(), Listening::Absent));
    }
}
