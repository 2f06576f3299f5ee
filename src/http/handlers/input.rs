//! Input: text, keys, size.

use crate::base::error::{Code, Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::success;
use crate::http::handlers::waiting;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::limits;
use crate::service::input::Done;
use crate::service::program;
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;

/// Takes `{text, newline?=true, wait?=false}`; answers `{success: true}` once the program's
/// terminal has taken it all, with `wait` once the agent has finished the turn that it starts.
pub fn send(api: &Api, request: Request, params: &Params, answer: Answer) {
    let id = params.get("id").to_string();
    let asked = api.resolve(&id).and_then(|row| {
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["text", "newline", "wait"])?;
        let enter = fields.flag("newline")?.unwrap_or(true);
        let turns = api.records.live(&row.id).map_or(0, |live| live.view().turns);
        let rest = match fields.flag("wait")?.unwrap_or(false) {
            true => Some(waiting::at_rest(api, &row, turns)?),
            false => None,
        };
        Ok((row, fields.need_text("text")?.to_string(), enter, rest))
    });
    let (row, text, enter, rest) = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (waiter, session) = (api.clone(), row.id.clone());
    type_in(
        answer,
        |done| api.send(&row, &text, enter, done),
        move |answer| match rest {
            None => answer.send(success()),
            Some(rest) => {
                let seconds = limits::PARK_WAIT.as_secs();
                let late = || Error::new(Code::Timeout, "the agent has not finished its turn");
                waiting::park(&waiter, &session, seconds, rest, answer, move |met| match met {
                    true => success(),
                    false => Reply::error(&late()),
                });
            }
        },
    );
}

/// Takes `{keys: [name]}`; answers `{success: true}` once they are taken.
pub fn keys(api: &Api, request: Request, params: &Params, answer: Answer) {
    let press = |done: Done| {
        let row = api.resolve(params.get("id"))?;
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["keys"])?;
        let missing = || Error::invalid("field \"keys\" is missing");
        api.press(&row, &fields.texts("keys")?.ok_or_else(missing)?, done)
    };
    type_in(answer, press, |answer| answer.send(success()));
}

/// Runs `act` with a callback; `taken` answers once the input was taken, an error answers at once.
fn type_in(
    answer: Answer,
    act: impl FnOnce(Done) -> Result<()>,
    taken: impl FnOnce(Answer) + Send + 'static,
) {
    // Whoever comes first takes the answer: an error here, or the callback later.
    let place = Arc::new(Mutex::new(Some(answer)));
    let take =
        |place: &Mutex<Option<Answer>>| place.lock().unwrap_or_else(|e| e.into_inner()).take();
    let later = place.clone();
    let done: Done = Box::new(move |result| match (take(&later), result) {
        (None, _) => {}
        (Some(answer), Ok(())) => taken(answer),
        (Some(answer), Err(error)) => answer.send(Reply::error(&error)),
    });
    if let Err(error) = act(done)
        && let Some(answer) = take(&place)
    {
        answer.send(Reply::error(&error));
    }
}

/// Takes `{cols, rows}`; answers `{success: true, cols, rows}`.
pub fn resize(api: &Api, request: &Request, params: &Params) -> Result<Reply> {
    let row = api.resolve(params.get("id"))?;
    let body = request.json()?;
    let fields = Fields::of(&body)?;
    fields.only(&["cols", "rows"])?;
    let need = |name: &str| {
        let missing = || Error::invalid(format!("field {name:?} is missing"));
        fields.number(name)?.ok_or_else(missing)
    };
    let size = program::size(need("cols")?, need("rows")?)?;
    api.resize(&row, size)?;
    Ok(Reply::json(200, &json!({"success": true, "cols": size.cols, "rows": size.rows})))
}
