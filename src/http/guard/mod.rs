//! Stands at every door: looks at who asks before any handler runs, and knows which checks each
//! door needs.
//!
//! 1. A process inside a session MUST NOT reach the control door: it could answer its own
//!    questions. The attempt is recorded.
//! 2. A peer that has ended or cannot be traced MUST be refused there: its children may hold the
//!    socket.
//! 3. A request that a page made MUST NOT be served there.
//! 4. Over the web nothing but the open rows of the table and the dashboard's own files MUST be
//!    served without the cookie and the proof of one login; what is not in the table neither.

pub mod site;
pub mod visitor;
pub mod web;

use crate::base::error::{Error, Result};
use crate::http::answer::Answer;
use crate::http::guard::web::WebGuard;
use crate::http::handlers::Api;
use crate::http::message::Caller;
use crate::http::message::Door;
use crate::http::message::Peer;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router;
use crate::http::router::Route;
use crate::service::Service;
use crate::sys::proc;

/// The guard of all doors.
pub struct Guard {
    /// Every route.
    pub rows: &'static [Route<Api>],
    /// What handlers get.
    pub api: Api,
    /// That of the web doors, where there are some.
    pub web: Option<WebGuard>,
}

impl Guard {
    /// Lets a request pass to its handler, or answers why not.
    pub fn serve(&self, mut request: Request, answer: Answer) {
        match (request.door, &self.web) {
            // The hook door's own check needs the session and its secret; see the gate.
            (Door::Hook, _) => router::serve(self.rows, &self.api, request, answer),
            (Door::Control, _) => {
                match no_browser(&request).and_then(|()| outside(&self.api, &request.peer)) {
                    Ok(()) => {
                        request.caller = Caller::Local;
                        router::serve(self.rows, &self.api, request, answer);
                    }
                    Err(error) => answer.send(Reply::error(&error)),
                }
            }
            (Door::Web | Door::Socket, Some(web)) => web.serve(self, request, answer),
            (Door::Web | Door::Socket, None) => {
                answer.send(Reply::error(&Error::internal("a web door without its guard")));
            }
        }
    }
}

/// What a page made a browser or a bridge send never belongs here.
fn no_browser(request: &Request) -> Result<()> {
    let of_a_page = |name: &str| name == "origin" || name.starts_with("sec-fetch-");
    match request.headers.iter().any(|(name, _)| of_a_page(name)) {
        true => Err(Error::denied("the control socket takes no requests of web pages")),
        false => Ok(()),
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
