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
use crate::model::session::Session;
use crate::service::held::Owner;
use crate::service::held::Ticket;
use crate::service::held::Told;
use crate::service::program;
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;

/// Takes `{text, newline?=true, wait?=false, queue?=false}`; answers `{success: true, queued}` once
/// the program's terminal has taken it all, with `wait` once the agent has finished the turn that
/// it starts. `queue` waits until the agent rests; `queued` tells whether anything had to be waited
/// for. Whoever hangs up before it is typed takes it back. 409 while the agent waits for an answer.
pub fn send(api: &Api, request: Request, params: &Params, answer: Answer) {
    let asked = api.resolve(params.get("id")).and_then(|row| {
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["text", "newline", "wait", "queue"])?;
        let enter = fields.flag("newline")?.unwrap_or(true);
        let queue = fields.flag("queue")?.unwrap_or(false);
        let wait = fields.flag("wait")?.unwrap_or(false);
        if wait {
            // Refused before anything is typed where it cannot be waited for.
            waiting::at_rest(api, &row, 0).map(drop)?;
        }
        Ok((row, fields.need_text("text")?.to_string(), enter, queue, wait))
    });
    let (row, text, enter, queue, wait) = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (waiter, session) = (api.clone(), row.clone());
    type_in(
        answer,
        |owner| api.send(&row, &text, enter, queue, owner),
        move |answer, queued| match wait {
            false => answer.send(typed(queued)),
            true => wait_turn(&waiter, &session, answer, queued),
        },
    );
}

fn typed(queued: bool) -> Reply {
    Reply::json(200, &json!({"success": true, "queued": queued}))
}

/// Answers once the agent has finished the turn that begins now, or is seen to have none to begin.
fn wait_turn(api: &Api, row: &Session, answer: Answer, queued: bool) {
    let rest = match waiting::at_rest(api, row, 0) {
        Ok(rest) => rest,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let seconds = limits::PARK_WAIT.as_secs();
    waiting::park(api, &row.id, seconds, rest, answer, move |met| match met {
        true => typed(queued),
        false => {
            let late = "the text was typed, but the agent has not finished its turn";
            Reply::error(&Error::new(Code::Timeout, late))
        }
    });
}

/// Takes `{keys: [name], atDialog?=false}`; answers `{success: true}` once they are taken. While
/// the agent waits for an answer keys are refused without `atDialog`, and with it at other times.
pub fn keys(api: &Api, request: Request, params: &Params, answer: Answer) {
    let press = |owner: Owner| {
        let row = api.resolve(params.get("id"))?;
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["keys", "atDialog"])?;
        let missing = || Error::invalid("field \"keys\" is missing");
        let at_dialog = fields.flag("atDialog")?.unwrap_or(false);
        api.press(&row, fields.texts("keys")?.ok_or_else(missing)?, at_dialog, owner)
    };
    type_in(answer, press, |answer, _| answer.send(success()));
}

/// Takes `{command, args?, queue?=false}`; answers `{success: true, queued}` once the agent's own
/// command `/command args` is typed. 409 unless the agent is at rest; `queue` waits for that.
pub fn slash(api: &Api, request: Request, params: &Params, answer: Answer) {
    let give = |owner: Owner| {
        let row = api.resolve(params.get("id"))?;
        let body = request.json()?;
        let fields = Fields::of(&body)?;
        fields.only(&["command", "args", "queue"])?;
        let (command, args) = (fields.need_text("command")?, fields.text("args")?);
        let queue = fields.flag("queue")?.unwrap_or(false);
        api.slash(&row, command, args.unwrap_or_default(), queue, owner)
    };
    type_in(answer, give, |answer, queued| answer.send(typed(queued)));
}

/// Runs `act` with a callback; `taken` answers once the input was taken, an error answers at once.
/// A client that hangs up takes its input back.
pub fn type_in(
    answer: Answer,
    act: impl FnOnce(Owner) -> Result<()>,
    taken: impl FnOnce(Answer, bool) + Send + 'static,
) {
    let ticket = Arc::new(Ticket::default());
    let gone = ticket.clone();
    answer.on_gone(move || gone.withdraw());
    // Whoever comes first takes the answer: an error here, or the callback later.
    let place = Arc::new(Mutex::new(Some(answer)));
    let take =
        |place: &Mutex<Option<Answer>>| place.lock().unwrap_or_else(|e| e.into_inner()).take();
    let later = place.clone();
    let told: Told = Box::new(move |result| match (take(&later), result) {
        (None, _) => {}
        (Some(answer), Ok(queued)) => taken(answer, queued),
        (Some(answer), Err(error)) => answer.send(Reply::error(&error)),
    });
    if let Err(error) = act(Owner { told, ticket })
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
