//! The audit log: its rows, its head, its key.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::http::handlers::Api;
use crate::http::handlers::client;
use crate::http::handlers::number;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape;
use crate::limits;
use crate::model::audit::Filter;
use crate::model::audit::Kind;
use crate::model::call::Action;
use serde_json::Value;
use serde_json::json;

/// `{entries: [entry]}`, newest last, selected by `?sessionId=&decision=&kind=&from=TIME&limit=`.
/// With `since=SEQ` the oldest behind that row that fit, for who reads page by page; `before=SEQ`
/// goes the other way.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let found = api.audit(&filter(api, request)?)?;
    let shown: Vec<Value> = found.iter().map(shape::entry).collect();
    Ok(Reply::json(200, &json!({"entries": shown})))
}

fn filter(api: &Api, request: &Request) -> Result<Filter> {
    let kind = request.query("kind").map(|word| {
        let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        let unknown = || format!("unknown kind {word:?}; known are {}", words.join(", "));
        Kind::from_word(word).ok_or_else(|| Error::invalid(unknown()))
    });
    let from = request.query("from").map(|text| {
        let wrong = || format!("from is a time like 2026-11-24T06:50:47Z, not {text:?}");
        time::parse_rfc3339(text).ok_or_else(|| Error::invalid(wrong()))
    });
    let seq = |name| {
        let number = request.query(name).map(|_| number(request, name, 0)).transpose()?;
        Ok(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
    };
    Ok(Filter {
        session: session(api, request),
        decision: decision(request)?,
        kind: kind.transpose()?,
        since_ms: from.transpose()?,
        after: seq("since")?,
        before: seq("before")?,
        limit: number(request, "limit", 100)?.clamp(1, limits::PAGE) as usize,
    })
}

/// The session that is asked about. Rows outlive their session: an id that is not there any more
/// is looked up as it is.
pub fn session(api: &Api, request: &Request) -> Option<String> {
    let known = |id: &str| api.resolve(id).map_or_else(|_| id.to_string(), |row| row.id);
    request.query("sessionId").map(known)
}

/// The decision that is asked about.
pub fn decision(request: &Request) -> Result<Option<Action>> {
    let Some(word) = request.query("decision") else { return Ok(None) };
    let wrong = || Error::invalid(format!("decision is allow, deny or ask, not {word:?}"));
    Action::from_word(word).ok_or_else(wrong).map(Some)
}

/// `{entry}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    let wrong = || Error::invalid("a row of the audit log has a whole number");
    let row = api.audit_row(params.get("seq").parse().map_err(|_| wrong())?)?;
    Ok(Reply::json(200, &json!({"entry": shape::entry(&row)})))
}

/// `{seq, hash, head: "SEQ:HASH"}`.
pub fn head(api: &Api, _: &Request, _: &Params) -> Result<Reply> {
    let head = api.audit_head()?;
    let hash = crate::base::id::hex(&head.hash);
    Ok(Reply::json(200, &json!({"seq": head.seq, "hash": hash, "head": head.to_string()})))
}

/// Begins a key; answers `{key, name, seq}`. This is the only time that the key is told.
pub fn key(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let (secret, seq) = api.begin_audit_key(&client(request))?;
    let body = json!({"key": secret.text(), "name": secret.name(), "seq": seq});
    Ok(Reply::json(201, &body))
}
