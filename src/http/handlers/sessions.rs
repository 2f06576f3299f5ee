//! Sessions: list, start, show, rename, resume, remove.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::session_reply;
use crate::http::handlers::success;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::message::status;
use crate::http::router::Params;
use crate::http::shape;
use crate::limits;
use crate::model::session::Session;
use crate::model::session::State;
use crate::service::program;
use crate::service::start::StartRequest;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// `{sessions: [session]}`, newest first; `?status=` and `?provider=` select.
pub fn list(api: &Api, request: &Request, _: &Params) -> Result<Reply> {
    let state = match request.query("status") {
        None => None,
        Some(word) => Some(State::from_word(word).ok_or_else(|| {
            let words: Vec<&str> = State::ALL.iter().map(|s| s.word()).collect();
            Error::invalid(format!("unknown status {word:?}; known are {}", words.join(", ")))
        })?),
    };
    let provider = request.query("provider");
    let wanted = |row: &&Session| {
        state.is_none_or(|s| s == row.state) && provider.is_none_or(|p| p == row.provider)
    };
    let rows = api.list()?;
    let shown: Vec<Value> =
        rows.iter().filter(wanted).map(|row| shape::session(api, row)).collect();
    Ok(Reply::json(200, &json!({"sessions": shown})))
}

/// `{session}`.
pub fn show(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    Ok(session_reply(api, 200, &api.resolve(params.get("id"))?))
}

/// Takes `{provider, cwd, args?, name?, env?, cols?, rows?}`; answers 201 `{session}` once the
/// program runs. A failed start is 422 `{error, code, output}` with what the program had printed,
/// and leaves nothing behind. The first start of an agent's program waits for the proof of its
/// gate, and is 403 where the gate does not hold.
pub fn start(api: &Api, request: Request, _: &Params, answer: Answer) {
    let asked = match parse_start(&request) {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (provider, cwd, env) = (asked.provider.clone(), asked.cwd.clone(), asked.env.clone());
    let starting = api.clone();
    let then = move |proven: Result<()>| {
        let started = proven.and_then(|()| starting.start(&asked));
        settle(&starting, started, 201, answer);
    };
    api.prove_first(&provider, &cwd, &env, Box::new(then));
}

/// Starts an ended session again; answers like [`start`] with 200.
pub fn resume(api: &Api, _: Request, params: &Params, answer: Answer) {
    let row = match api.resolve(params.get("id")) {
        Ok(row) => row,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (provider, cwd) = (row.provider.clone(), row.cwd.clone());
    let resuming = api.clone();
    let then = move |proven: Result<()>| {
        let resumed = proven.and_then(|()| resuming.resume(&row.id));
        settle(&resuming, resumed, 200, answer);
    };
    api.prove_first(&provider, &cwd, &BTreeMap::new(), Box::new(then));
}

fn settle(api: &Api, started: Result<Session>, good: u16, answer: Answer) {
    let row = match started {
        Ok(row) => row,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let shaper = api.clone();
    api.settle(&row.id, move |result| {
        answer.send(match result {
            Ok(row) => session_reply(&shaper, good, &row),
            Err((error, output)) => {
                let code = error.code.word();
                let known = json!({"error": error.message, "code": code, "output": output});
                Reply::json(status(error.code), &known)
            }
        });
    });
}

fn parse_start(request: &Request) -> Result<StartRequest> {
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["provider", "cwd", "args", "name", "env", "cols", "rows"])?;
    let args = fields.texts("args")?.unwrap_or_default();
    if args.len() > limits::ARGS || args.iter().any(|arg| arg.len() > limits::ARG_BYTES) {
        let (most, bytes) = (limits::ARGS, limits::ARG_BYTES);
        return Err(Error::invalid(format!("at most {most} arguments of {bytes} bytes")));
    }
    let size = match (fields.number("cols")?, fields.number("rows")?) {
        (None, None) => None,
        (cols, rows) => Some(program::size(
            cols.unwrap_or(limits::DEFAULT_COLS.into()),
            rows.unwrap_or(limits::DEFAULT_ROWS.into()),
        )?),
    };
    Ok(StartRequest {
        provider: fields.need_text("provider")?.to_string(),
        cwd: fields.need_text("cwd")?.to_string(),
        args,
        name: fields.text("name")?.map(str::to_string),
        env: variables(fields.get("env"))?,
        size,
    })
}

fn variables(value: Option<&Value>) -> Result<BTreeMap<String, String>> {
    let Some(value) = value else { return Ok(BTreeMap::new()) };
    let wrong = || Error::invalid("field \"env\" must be an object of strings");
    let map = value.as_object().ok_or_else(wrong)?;
    let pair = |(name, value): (&String, &Value)| {
        Ok((name.clone(), value.as_str().ok_or_else(wrong)?.to_string()))
    };
    map.iter().map(pair).collect()
}

/// Takes `{name: string|null}`; answers `{session}`.
pub fn rename(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["name"])?;
    let name = fields.text("name")?.unwrap_or_default();
    Ok(session_reply(api, 200, &api.rename(&row, name)?))
}

/// Removes an ended session with its log; answers `{success: true}`.
pub fn remove(api: &Api, _: &Request, params: &Params) -> Result<Reply> {
    api.remove(&api.resolve(params.get("id"))?)?;
    Ok(success())
}
