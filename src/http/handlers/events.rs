//! What happened: events of a session, and decisions.

use crate::base::error::{Error, Result};
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::audit;
use crate::http::handlers::number;
use crate::http::handlers::waiting;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::http::shape;
use crate::limits;
use crate::model::audit::Filter;
use crate::model::audit::Kind;
use crate::model::event::Page;
use crate::model::event::Source;
use crate::service::waits::Check;
use serde_json::Value;
use serde_json::json;

/// `{events: [event], hasMore}` selected by `?since=&before=&limit=&source=&type=&order=asc|desc`.
/// Without `since` the newest, in ascending order. With `wait=SECONDS` it answers as soon as there
/// is one, or empty when the time is over.
pub fn list(api: &Api, request: Request, params: &Params, answer: Answer) {
    let asked = page(api, &request, params).and_then(|p| Ok((p, number(&request, "wait", 0)?)));
    let (page, seconds) = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    if seconds == 0 {
        return answer.send(read(api, &page).unwrap_or_else(|error| Reply::error(&error)));
    }
    let (service, look) = (api.clone(), page.clone());
    let check: Check =
        Box::new(move || service.events(&look).is_ok_and(|found| !found.events.is_empty()));
    let (service, session) = (api.clone(), page.session.clone());
    waiting::park(api, &session, seconds, check, answer, move |_| {
        read(&service, &page).unwrap_or_else(|error| Reply::error(&error))
    });
}

fn read(api: &Api, page: &Page) -> Result<Reply> {
    let found = api.events(page)?;
    let shown: Vec<Value> = found.events.iter().map(shape::event).collect();
    Ok(Reply::json(200, &json!({"events": shown, "hasMore": found.has_more})))
}

fn page(api: &Api, request: &Request, params: &Params) -> Result<Page> {
    let row = api.resolve(params.get("id"))?;
    let optional = |name| request.query(name).map(|_| number(request, name, 0)).transpose();
    let source = match request.query("source") {
        None => None,
        Some(word) => Some(Source::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = Source::ALL.iter().map(|s| s.word()).collect();
            Error::invalid(format!("unknown source {word:?}; known are {}", words.join(", ")))
        })?),
    };
    let newest_first = match request.query("order") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => {
            return Err(Error::invalid(format!("order is asc or desc, not {other:?}")));
        }
    };
    let as_id = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
    Ok(Page {
        session: row.id,
        since: optional("since")?.map(as_id),
        before: optional("before")?.map(as_id),
        limit: number(request, "limit", 100)?.clamp(1, limits::PAGE) as usize,
        source,
        kind: request.query("type").map(str::to_string),
        newest_first,
    })
}

/// `{decisions: [decision]}`, newest last; `?sessionId=&decision=&limit=` select.
pub fn decisions(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let (session, decision) = (audit::session(api, request), audit::decision(request)?);
    let limit = number(request, "limit", 100)?.clamp(1, limits::PAGE) as usize;
    let found = api.audit(&Filter {
        session,
        decision,
        kind: Some(Kind::Decision),
        limit,
        ..Filter::default()
    })?;
    let shown: Vec<Value> = found.iter().map(shape::decision).collect();
    Ok(Reply::json(200, &json!({"decisions": shown})))
}
