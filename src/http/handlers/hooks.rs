//! The hook door's one route.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::service::gate;
use crate::service::gate::HookCall;
use crate::service::gate::HookReply;
use crate::sys::proc;
use serde_json::json;

/// Takes `{sessionId, requestId, event, data}` with the session's secret in `X-CodePiper-Secret`;
/// answers `{decision, allow, reason?, output}`, where `output` is what hook-forward prints.
pub fn claude(api: &Api, request: Request, _: &Params, answer: Answer) {
    match ask(api, &request) {
        Ok(reply) => {
            answer.send(shown(&reply));
            api.decided(&reply);
        }
        Err(error) => answer.send(Reply::error(&error)),
    }
}

fn ask(api: &Api, request: &Request) -> Result<HookReply> {
    if request.peer.pidfd.as_ref().is_some_and(proc::has_ended) {
        return Err(Error::denied("the process that connected has ended"));
    }
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["sessionId", "requestId", "event", "data"])?;
    api.hook(&HookCall {
        peer: request.peer.pid,
        session: fields.need_text("sessionId")?,
        secret: request.header("x-codepiper-secret").unwrap_or_default(),
        request: fields.need_text("requestId")?,
        event: fields.need_text("event")?,
        data: fields.get("data").ok_or_else(|| Error::invalid("field \"data\" is missing"))?,
    })
}

fn shown(reply: &HookReply) -> Reply {
    let decision = gate::word(reply.verdict.as_ref());
    Reply::json(
        200,
        &json!({
            "decision": decision,
            "allow": decision == "allow",
            "reason": reply.verdict.as_ref().map(|v| &v.reason),
            "output": reply.output,
        }),
    )
}
