//! One file per resource: parse, call the service, shape the answer.

pub mod approvals;
pub mod audit;
pub mod auth;
pub mod channels;
pub mod directories;
pub mod drafts;
pub mod env_sets;
pub mod events;
pub mod freezing;
pub mod hooks;
pub mod input;
pub mod notices;
pub mod output;
pub mod policies;
pub mod sandbox;
pub mod sessions;
pub mod sets;
pub mod system;
pub mod waiting;

use crate::base::error::{Error, Result};
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::shape;
use crate::model::session::Session;
use crate::service::Service;
use crate::sys::proc;
use serde_json::json;
use std::sync::Arc;

/// What every handler gets.
pub type Api = Arc<Service>;

/// `{session}` with any status. It has `repositoryPolicy` where its repository brings one, and
/// `droppedVars: [{name, envSet}]` where its billing keeps variables of its env sets away.
fn session_reply(api: &Api, status: u16, row: &Session) -> Reply {
    let mut session = shape::session(api, row);
    if let Some(brought) = api.brought(row) {
        session["repositoryPolicy"] = shape::brought(row, &brought);
    }
    let dropped = api.dropped(row);
    if !dropped.is_empty() {
        let one = |(name, set): &(String, String)| json!({"name": name, "envSet": set});
        session["droppedVars"] = dropped.iter().map(one).collect();
    }
    Reply::json(status, &json!({ "session": session }))
}

/// Through which door and process a request came, for the audit log.
fn client(request: &Request) -> String {
    if request.door.is_web() {
        return request.visitor.shown();
    }
    let door = request.door.word();
    let name = proc::stat(request.peer.pid).map(|stat| stat.comm).unwrap_or_default();
    format!("{door} pid {} ({name})", request.peer.pid)
}

/// `{success: true}`.
fn success() -> Reply {
    Reply::json(200, &json!({"success": true}))
}

/// A query parameter that is a whole number, or what it is without.
fn number(request: &Request, name: &str, default: u64) -> Result<u64> {
    match request.query(name) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| Error::invalid(format!("{name} must be a whole number, not {text:?}"))),
    }
}
