//! Approvals and grants: what is open, and a person's answers.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::number;
use crate::http::handlers::success;
use crate::http::handlers::waiting;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape::approval;
use crate::limits;
use crate::model::approval::Reach;
use crate::service::approvals::ANY;
use crate::service::approvals::settle;
use crate::service::waits::Check;
use data_encoding::HEXLOWER;
use serde_json::Value;
use serde_json::json;

/// `{approvals: [approval], changes}`, the newest last; `?status=pending|all&sessionId=` select,
/// pending ones are the default. With `wait=SECONDS&changes=N` it answers once anything has
/// changed since `changes` was N, or when the time is over.
pub fn list(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = number(&request, "wait", 0)
        .and_then(|seconds| Ok((seconds, number(&request, "changes", 0)?, page(api, &request)?)));
    let (seconds, changes, (session, open)) = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let service = api.clone();
    let read = move || {
        let changes = service.approvals.changes();
        let found = service.approvals(session.as_deref(), open)?;
        let shown: Vec<Value> = found.iter().map(approval::approval).collect();
        Ok(Reply::json(200, &json!({"approvals": shown, "changes": changes})))
    };
    let reply = move || read().unwrap_or_else(|error| Reply::error(&error));
    if seconds == 0 {
        return answer.send(reply());
    }
    let service = api.clone();
    let check: Check = Box::new(move || service.approvals.changes() != changes);
    waiting::park(api, ANY, seconds, check, answer, move |_| reply());
}

fn page(api: &Api, request: &Request) -> Result<(Option<String>, bool)> {
    let open = match request.query("status") {
        None | Some("pending") => true,
        Some("all") => false,
        Some(other) => {
            return Err(Error::invalid(format!("status is pending or all, not {other:?}")));
        }
    };
    let session = request.query("sessionId").map(|id| api.resolve(id)).transpose()?;
    Ok((session.map(|row| row.id), open))
}

/// `{approval}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let view = api.approval(id("approval", params)?)?;
    Ok(Reply::json(200, &json!({"approval": approval::approval(&view)})))
}

/// `{reason?, forSeconds?, times?, session?, boundSha256?}`: the call may run, and with one of the
/// three in the middle further ones that are the same may too. Answers `{approval}`; 409 where
/// there is an answer already, or the call is not the one that was shown.
pub fn approve(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["reason", "forSeconds", "times", "session", "boundSha256"])?;
    let reach = Reach {
        for_ms: whole(&fields, "forSeconds", limits::gate::GRANT_SECONDS)?.map(|s| s * 1000),
        times: whole(&fields, "times", limits::gate::GRANT_TIMES)?,
        session: fields.flag("session")?.unwrap_or(false),
    };
    reply(api, request, params, &fields, true, reach)
}

/// `{reason?, boundSha256?}`: the call does not run. Answers `{approval}`; 409 as with `approve`.
pub fn deny(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["reason", "boundSha256"])?;
    reply(api, request, params, &fields, false, Reach::default())
}

fn reply(
    api: &Api,
    request: &Request,
    params: &Params,
    fields: &Fields<'_>,
    yes: bool,
    reach: Reach,
) -> Result<Reply> {
    let id = id("approval", params)?;
    let seen = fields.text("boundSha256")?.map(|text| {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|b| b.try_into().ok());
        bytes.ok_or_else(|| Error::invalid("field \"boundSha256\" must be 64 hexadecimal digits"))
    });
    let reason = fields.text("reason")?.map(str::trim).filter(|text| !text.is_empty());
    if reason.is_some_and(|text| text.chars().count() > limits::gate::REASON_CHARS) {
        let most = limits::gate::REASON_CHARS;
        return Err(Error::invalid(format!("field \"reason\" may have {most} characters")));
    }
    api.reply(
        id,
        settle::Reply {
            yes,
            reason: reason.map(str::to_string),
            reach,
            seen: seen.transpose()?,
            client: client(request),
        },
    )?;
    Ok(Reply::json(200, &json!({"approval": approval::approval(&api.approval(id)?)})))
}

/// `{grants: [grant]}`, the oldest first; `?sessionId=` selects.
pub fn grants(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let session = request.query("sessionId").map(|id| api.resolve(id)).transpose()?;
    let found = api.grants(session.as_ref().map(|row| row.id.as_str()))?;
    let shown: Vec<Value> = found.iter().map(approval::grant).collect();
    Ok(Reply::json(200, &json!({"grants": shown})))
}

/// Takes a grant back.
pub fn revoke(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    api.revoke_grant(id("grant", params)?, &client(request))?;
    Ok(success())
}

fn id(what: &str, params: &Params) -> Result<i64> {
    let text = params.get("id");
    let number = text.parse().ok().filter(|id| *id > 0);
    number.ok_or_else(|| Error::invalid(format!("an {what} is called by its number, not {text:?}")))
}

fn whole(fields: &Fields<'_>, name: &str, most: i64) -> Result<Option<i64>> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let number = value.as_i64().filter(|number| (1..=most).contains(number));
    let wrong =
        || Error::invalid(format!("field {name:?} must be a whole number from 1 to {most}"));
    number.map(Some).ok_or_else(wrong)
}
