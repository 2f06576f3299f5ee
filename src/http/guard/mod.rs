//! Looks at who asks before any handler runs.
//!
//! 1. A process inside a session MUST NOT reach the control door: it could answer its own
//!    questions. The attempt is recorded.
//! 2. A peer that has ended or cannot be traced MUST be refused: its children may hold the socket.

pub mod site;
pub mod visitor;

use crate::base::error::{Error, Result};
use crate::http::message::Door;
use crate::http::message::Peer;
use crate::service::Service;
use crate::sys::proc;

/// Lets a request pass, or says why not.
pub fn check(service: &Service, door: Door, peer: &Peer) -> Result<()> {
    match door {
        // The hook door's own check needs the session and its secret; see the gate.
        Door::Hook => Ok(()),
        Door::Control => outside(service, peer),
        Door::Web | Door::Socket => Err(Error::denied("no web login is set up")),
    }
}

fn outside(service: &Service, peer: &Peer) -> Result<()> {
    let session = service.session_of(peer.pid);
    let session = match peer.pidfd.as_ref().is_some_and(proc::has_ended) {
        true => Err(Error::denied("the process that connected has ended")),
        false => session,
    };
    // Whose session it was cannot be known any more; the log is all that is left.
    let untraced = |e: &Error| log::warn!("a peer refused at the control door: {}", e.message);
    let Some(session) = session.inspect_err(untraced)? else { return Ok(()) };
    let name = proc::stat(peer.pid).map(|s| s.comm).unwrap_or_default();
    service.records.refused(&session, "control", peer.pid, &name);
    Err(Error::denied("programs inside a session cannot control codepiper; use your own terminal"))
}
