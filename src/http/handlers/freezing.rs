//! Freezing, and dangerous mode.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::session_reply;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape;
use crate::limits;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// Stops all processes of a session; answers `{session}` once they stand still.
pub fn freeze(api: &Api, _: Request, params: &Params, answer: Answer) {
    answer.send(one(api, params, true));
}

/// Lets a frozen session go on; answers `{session}`.
pub fn thaw(api: &Api, _: Request, params: &Params, answer: Answer) {
    answer.send(one(api, params, false));
}

fn one(api: &Api, params: &Params, frozen: bool) -> Reply {
    let done = || {
        let row = api.resolve(params.get("id"))?;
        api.set_frozen(&row, frozen)?;
        Ok(session_reply(api, 200, &api.find(&row.id)?))
    };
    done().unwrap_or_else(|error: Error| Reply::error(&error))
}

/// [`freeze`] for every running session: `{sessions: [{session, error?, code?}]}`.
pub fn freeze_all(api: &Api, _: Request, _: &Params, answer: Answer) {
    answer.send(all(api, true));
}

/// [`thaw`] for every running session; answers like [`freeze_all`].
pub fn thaw_all(api: &Api, _: Request, _: &Params, answer: Answer) {
    answer.send(all(api, false));
}

fn all(api: &Api, frozen: bool) -> Reply {
    let each = api.set_all_frozen(frozen).into_iter().map(|(row, done)| {
        let mut shown = json!({"session": shape::session(api, &row)});
        if let Err(error) = done {
            shown["error"] = json!(error.message);
            shown["code"] = json!(error.code.word());
        }
        shown
    });
    Reply::json(200, &json!({"sessions": each.collect::<Vec<Value>>()}))
}

/// Takes `{seconds?}`: what policy does not deny is allowed for so long, 30 minutes unless said;
/// answers `{session}`.
pub fn danger(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let body = if request.body.is_empty() { json!({}) } else { request.json()? };
    let fields = Fields::of(&body)?;
    fields.only(&["seconds"])?;
    let wait = fields.number("seconds")?.map_or(limits::DANGEROUS_FOR, Duration::from_secs);
    api.set_dangerous(&row, wait)?;
    Ok(session_reply(api, 200, &api.find(&row.id)?))
}

/// Ends dangerous mode; answers `{session}`.
pub fn no_danger(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    api.end_dangerous(&row)?;
    Ok(session_reply(api, 200, &api.find(&row.id)?))
}
