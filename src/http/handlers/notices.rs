//! Notices, as notifications: lists, counts, read marks, and what was said about a session.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::handlers::Api;
use crate::http::handlers::audit;
use crate::http::handlers::number;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape::notice;
use crate::limits::notices as limits;
use crate::model::notice::Kind;
use crate::model::notice::Page;
use serde_json::Value;
use serde_json::json;

/// Where a notice was read, where nobody says more.
const SOURCE: &str = "person";

/// `{notifications: [notification]}`, the newest first, selected by
/// `?sessionId=&eventType=&unreadOnly=true&before=ID&limit=`.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let kind = request.query("eventType").map(|word| {
        let known = || Kind::ALL.map(Kind::word).join(", ");
        let unknown = || Error::invalid(format!("unknown event {word:?}; known are {}", known()));
        Kind::from_word(word).ok_or_else(unknown)
    });
    let unread = match request.query("unreadOnly") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Error::invalid(format!("unreadOnly is true or false, not {other:?}")));
        }
    };
    let before = request.query("before").map(|_| number(request, "before", 0)).transpose()?;
    let page = Page {
        session: audit::session(api, request),
        kind: kind.transpose()?,
        unread,
        before: before.map(|id| i64::try_from(id).unwrap_or(i64::MAX)),
        limit: number(request, "limit", limits::PAGE)?.clamp(1, limits::PAGE),
    };
    let shown: Vec<Value> = api.notices(&page)?.iter().map(notice::notice).collect();
    Ok(Reply::json(200, &json!({"notifications": shown})))
}

/// `{counts: {totalUnread, bySession: {id: count}}}`.
pub fn counts(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    Ok(Reply::json(200, &json!({"counts": notice::counts(&api.notice_counts()?)})))
}

/// Takes `{readSource?}`; answers `{success: true, changed}`, where changed is false of one that
/// was read before.
pub fn read(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["readSource"])?;
    let text = params.get("id");
    let wrong = || Error::invalid(format!("a notification is called by its number, not {text:?}"));
    let id = text.parse().ok().filter(|id| *id > 0).ok_or_else(wrong)?;
    let changed = api.read_notice(id, source(&fields)?)?;
    Ok(Reply::json(200, &json!({"success": true, "changed": changed})))
}

/// Takes `{sessionId?, readSource?}`: those of a session, or all, are read. Answers `{success:
/// true, updated}`.
pub fn read_all(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["sessionId", "readSource"])?;
    let session = fields.text("sessionId")?.map(|id| api.resolve(id)).transpose()?;
    let session = session.as_ref().map(|row| row.id.as_str());
    let updated = api.read_notices(session, source(&fields)?)?;
    Ok(Reply::json(200, &json!({"success": true, "updated": updated})))
}

fn source<'a>(fields: &Fields<'a>) -> Result<&'a str> {
    let text = fields.text("readSource")?.unwrap_or(SOURCE);
    let fits = !text.is_empty() && text.chars().count() <= limits::SOURCE_CHARS;
    match fits && !text.chars().any(char::is_control) {
        true => Ok(text),
        false => {
            let most = limits::SOURCE_CHARS;
            Err(Error::invalid(format!("field \"readSource\" must be 1 to {most} characters")))
        }
    }
}

/// `{prefs: {sessionId, enabled: true|false|null, updatedAt?}}`.
pub fn prefs(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    Ok(Reply::json(200, &json!({"prefs": notice::pref(&api.notice_pref(&row.id)?)})))
}

/// Takes `{enabled: true|false|null}`: null leaves it to the settings. Answers like [`prefs`].
pub fn set_prefs(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["enabled"])?;
    if body.get("enabled").is_none() {
        return Err(Error::invalid("field \"enabled\" is missing"));
    }
    let row = api.resolve(params.get("id"))?;
    let pref = api.set_notice_pref(&row.id, fields.flag("enabled")?)?;
    Ok(Reply::json(200, &json!({"prefs": notice::pref(&pref)})))
}
