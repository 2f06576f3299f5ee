//! Input: text, keys, size.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::service::input::Done;
use crate::service::program;
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;

/// Takes `{text, newline?=true}`; answers `{success: true, turn}` once the program's terminal has
/// taken it all. `turn` counts the agent's finished turns before it: wait for more with
/// `wait?for=idle&turn=`.
pub fn send(api: &Api, request: Request, params: &Params, answer: Answer) {
    let id = params.get("id").to_string();
    type_in(api, answer, |api, done| {
        let row = api.resolve(&id)?;
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["text", "newline"])?;
        let enter = fields.flag("newline")?.unwrap_or(true);
        let turn = api.records.live(&row.id).map_or(0, |live| live.view().turns);
        api.send(&row, fields.need_text("text")?, enter, done)?;
        Ok(turn)
    });
}

/// Takes `{keys: [name]}`; answers `{success: true}` once they are taken.
pub fn keys(api: &Api, request: Request, params: &Params, answer: Answer) {
    let id = params.get("id").to_string();
    type_in(api, answer, |api, done| {
        let row = api.resolve(&id)?;
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["keys"])?;
        let missing = || Error::invalid("field \"keys\" is missing");
        api.press(&row, &fields.texts("keys")?.ok_or_else(missing)?, done)?;
        Ok(0)
    });
}

/// Runs `act` with a callback that answers when the input was taken; its error answers at once.
fn type_in(api: &Api, answer: Answer, act: impl FnOnce(&Api, Done) -> Result<u64>) {
    // Whoever comes first takes the answer: an error here, or the callback later.
    let answer = Arc::new(Mutex::new(Some(answer)));
    let take =
        |place: &Mutex<Option<Answer>>| place.lock().unwrap_or_else(|e| e.into_inner()).take();
    let turn = Arc::new(Mutex::new(0));
    let (later, known) = (answer.clone(), turn.clone());
    let done: Done = Box::new(move |result| {
        let Some(answer) = take(&later) else { return };
        // Waits until the turn is known, for the moment that `act` needs to return.
        let turn = *known.lock().unwrap_or_else(|e| e.into_inner());
        answer.send(match result {
            Ok(()) => Reply::json(200, &json!({"success": true, "turn": turn})),
            Err(error) => Reply::error(&error),
        });
    });
    let mut counted = turn.lock().unwrap_or_else(|e| e.into_inner());
    match act(api, done) {
        Ok(turn) => *counted = turn,
        Err(error) => {
            if let Some(answer) = take(&answer) {
                answer.send(Reply::error(&error));
            }
        }
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
