//! The hook door's one route.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::waiting;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::limits;
use crate::service::gate::HookAnswer;
use crate::service::gate::HookCall;
use crate::service::gate::HookReply;
use crate::service::gate::Said;
use crate::service::waits::Check;
use crate::sys::proc;
use serde_json::json;

/// Takes `{sessionId, requestId?, event, data}` (an event that only tells needs no id) with the
/// session's secret in `X-CodePiper-Secret`; answers `{decision, allow, reason?, output}`, where
/// `output` is what hook-forward prints.
/// Where a person is asked it is `{decision: "hold"}` at first; the same request, sent again, is
/// answered with the person's answer, or `hold` again after an hour.
pub fn claude(api: &Api, request: Request, _: &Params, answer: Answer) {
    let reply = match ask(api, &request) {
        Ok(reply) => reply,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    match &reply.answer {
        HookAnswer::Say(said) => answer.send(shown(said)),
        HookAnswer::Hold => answer.send(hold()),
        HookAnswer::Wait { session, approval, dialog } => {
            wait(api, session, *approval, *dialog, answer);
        }
    }
    api.decided(&reply);
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
        request: fields.text("requestId")?.unwrap_or_default(),
        event: fields.need_text("event")?,
        data: fields.get("data").ok_or_else(|| Error::invalid("field \"data\" is missing"))?,
    })
}

/// Parks the hook until its approval has an answer.
fn wait(api: &Api, session: &str, approval: i64, dialog: bool, answer: Answer) {
    api.approvals.waits(approval);
    let service = api.clone();
    let gone = move || service.approvals.gone(approval);
    let service = api.clone();
    let check: Check = Box::new(move || !service.approvals.is_open(approval));
    let service = api.clone();
    let reply = move |_| match service.answered(approval, dialog) {
        Ok(Some(said)) => shown(&said),
        Ok(None) => hold(),
        Err(error) => Reply::error(&error),
    };
    let seconds = limits::PARK_WAIT.as_secs();
    waiting::park_with(api, session, seconds, check, answer, gone, reply);
}

fn hold() -> Reply {
    Reply::json(200, &json!({"decision": "hold", "allow": false}))
}

fn shown(said: &Said) -> Reply {
    let Said { word, reason, output } = said;
    Reply::json(
        200,
        &json!({"decision": word, "allow": *word == "allow", "reason": reason, "output": output}),
    )
}
