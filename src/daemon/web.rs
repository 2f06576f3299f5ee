//! The web doors: listens on both loopback addresses of both ports, or says who is there already.
//!
//! 1. Where a port is taken the daemon MUST NOT start on another address of it alone: the page that
//!    answers there would share our origin, its cookies and what the browser keeps for it.
//! 2. Where a program of a session is found there, all web sessions MUST end: it may have been
//!    given their cookies.
//! 3. Beyond loopback nothing MUST listen before a second factor is set up.

use crate::base::error::{Error, Result};
use crate::config::web::Web;
use crate::daemon::notify;
use crate::http::doors::Listen;
use crate::http::message::Door;
use crate::http::stream::Listener;
use crate::limits;
use crate::service::Service;
use crate::sys::proc;
use crate::sys::tcp;
use crate::sys::tcp::Listening;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

/// Listens at every address that `web` names.
pub fn open(web: &Web, service: &Service) -> Result<Vec<Listen>> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    if let Some(ip) = web.bind {
        check_bind(ip, service)?;
    }
    let mut listens = Vec::new();
    for (port, door) in [(web.port, Door::Web), (web.ws_port, Door::Socket)] {
        let addresses = match web.bind {
            // It holds the loopback address of its family too.
            Some(ip) if ip.is_unspecified() => {
                let other = loopback.into_iter().filter(|known| known.is_ipv4() != ip.is_ipv4());
                other.chain([ip]).collect::<Vec<_>>()
            }
            more => loopback.into_iter().chain(more).collect(),
        };
        for ip in addresses {
            let address = SocketAddr::new(ip, port);
            match tcp::listen(address)? {
                Listening::Here(listener) => {
                    listens.push(Listen { listener: Listener::Tcp(listener), door });
                }
                Listening::Taken => return Err(taken(address, door, service)),
                Listening::Absent if ip.is_loopback() => log::info!("this host has no {ip}"),
                Listening::Absent => {
                    let text = format!("cannot bind {address}: this host has no such address");
                    return Err(Error::invalid(text));
                }
            }
        }
    }
    Ok(listens)
}

/// Says where the dashboard is, and to who set nothing up yet with which password to begin: on
/// standard output alone, never in a log.
pub fn tell(web: Web, service: &Service, log_file: bool) -> Result<()> {
    log::info!("dashboard at {}", web.url());
    if let Some(ip) = web.bind {
        log::warn!("listening at {ip} without TLS: put a proxy with TLS in front of it");
    }
    let url = web.url();
    service.web.get_or_init(|| web);
    // Standard output is a log there as well.
    if log_file || notify::under_systemd() {
        if !service.login_status()?.password {
            log::info!("no login is set up yet; begin with: codepiper auth bootstrap");
        }
        return Ok(());
    }
    if let Some((password, _)) = service.bootstrap_if_needed()? {
        let minutes = limits::login::BOOTSTRAP.as_secs() / 60;
        let mut out = std::io::stdout().lock();
        let text = format!(
            "Open {url} and set a password. Bootstrap password, for {minutes} minutes:\n{}\n",
            password.expose()
        );
        // Nobody may be reading; `auth bootstrap` makes another.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
    Ok(())
}

fn check_bind(ip: IpAddr, service: &Service) -> Result<()> {
    if !service.login_status()?.factor {
        return Err(Error::denied(format!(
            "cannot bind {ip} yet: set up the password and the code first, over 127.0.0.1 or an \
             SSH tunnel; then start with --bind again"
        )));
    }
    Ok(())
}

/// Who holds the address, and what that means.
fn taken(address: SocketAddr, door: Door, service: &Service) -> Error {
    let option = if door == Door::Web { "--port" } else { "--ws-port" };
    let Some(pid) = tcp::holder(address) else {
        let text = format!("cannot bind {address}: another program listens there; use {option}");
        return Error::conflict(text);
    };
    let name = proc::stat(pid).map(|stat| stat.comm).unwrap_or_default();
    let session = service.session_of(pid).ok().flatten();
    let Some(session) = session else {
        return Error::conflict(format!(
            "cannot bind {address}: pid {pid} ({name}) listens there; use {option}"
        ));
    };
    let text = format!("process {pid} ({name}) listens at {address}, the dashboard's own address");
    service.records.posed(&session, pid, &text);
    if let Err(error) = service.end_web_sessions(None, "daemon") {
        log::error!("{}", error.chain());
    }
    Error::conflict(format!(
        "cannot bind {address}: pid {pid} ({name}) of session {session} listens there, where it \
         could pose as the dashboard; all web sessions were ended; end that program first"
    ))
}
