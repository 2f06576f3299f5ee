//! Requests that wait: for a state, for the end, for the next event. Each is a parked value.

use crate::base::error::{Code, Error, Result};
use crate::http::answer::Answer;
use crate::http::handlers::Api;
use crate::http::handlers::number;
use crate::http::handlers::session_reply;
use crate::http::message::Reply;
use crate::http::message::Request;
use crate::http::router::Params;
use crate::limits;
use crate::model::session::Session;
use crate::service::live::View;
use crate::service::waits::Check;
use crate::service::waits::Finish;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// Parks `answer` until `check` is true after a change in `session`, or `seconds` are over;
/// `reply` then makes the reply. A client that hangs up is forgotten.
pub fn park(
    api: &Api,
    session: &str,
    seconds: u64,
    check: Check,
    answer: Answer,
    reply: impl FnOnce(bool) -> Reply + Send + 'static,
) {
    park_with(api, session, seconds, check, answer, || {}, reply);
}

/// [`park`], which also calls `gone` when the client hangs up; it must not wait.
pub fn park_with(
    api: &Api,
    session: &str,
    seconds: u64,
    check: Check,
    answer: Answer,
    gone: impl FnOnce() + Send + 'static,
    reply: impl FnOnce(bool) -> Reply + Send + 'static,
) {
    let ticket = Arc::new(Mutex::new(None));
    let (waits, known) = (api.records.waits.clone(), ticket.clone());
    answer.on_gone(move || {
        gone();
        if let Some(ticket) = *known.lock().unwrap_or_else(|e| e.into_inner()) {
            waits.cancel(ticket);
        }
    });
    let then = |met, answer: Answer| answer.send(reply(met));
    let parked = park_for(api, session, seconds, check, answer, then);
    *ticket.lock().unwrap_or_else(|e| e.into_inner()) = parked;
}

/// [`park`] for what is not answered at once then, and goes on also when the client has hung up.
/// Returns the ticket.
fn park_for(
    api: &Api,
    session: &str,
    seconds: u64,
    check: Check,
    answer: Answer,
    then: impl FnOnce(bool, Answer) + Send + 'static,
) -> Option<u64> {
    let place = Arc::new(Mutex::new(Some(answer)));
    let later = place.clone();
    let take =
        |place: &Mutex<Option<Answer>>| place.lock().unwrap_or_else(|e| e.into_inner()).take();
    let finish: Finish = Box::new(move |met| {
        if let Some(answer) = take(&later) {
            then(met, answer);
        }
    });
    match api.records.waits.park(session, Duration::from_secs(seconds), check, finish) {
        Ok(ticket) => Some(ticket),
        Err(error) => {
            if let Some(answer) = take(&place) {
                answer.send(Reply::error(&error));
            }
            None
        }
    }
}

/// `?for=idle|blocked|ended&timeout=SECONDS`: `{session}` once it is so, else 408. `idle` with
/// `turn=` waits until the agent has finished more turns than that.
pub fn wait(api: &Api, request: Request, params: &Params, answer: Answer) {
    let asked =
        api.resolve(params.get("id")).and_then(|row| Ok((condition(api, &request, &row)?, row)));
    let (check, row) = match asked {
        Ok(asked) => asked,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let seconds = match number(&request, "timeout", limits::PARK_WAIT.as_secs()) {
        Ok(seconds) => seconds,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    let (service, id) = (api.clone(), row.id.clone());
    park(api, &row.id, seconds, check, answer, move |met| match service.find(&id) {
        Ok(row) if met => session_reply(&service, 200, &row),
        Ok(row) => {
            let state = row.state.word();
            let message = format!("the time is over; the session is {state}");
            Reply::error(&Error::new(Code::Timeout, message))
        }
        Err(error) => Reply::error(&error),
    });
}

fn condition(api: &Api, request: &Request, row: &Session) -> Result<Check> {
    match request.query("for").unwrap_or("ended") {
        "ended" => {
            let (service, id) = (api.clone(), row.id.clone());
            Ok(Box::new(move || service.has_ended(&id)))
        }
        "idle" => at_rest(api, row, number(request, "turn", 0)?),
        "blocked" => {
            let wanted = |view: &View| view.agent.is_some_and(|agent| agent.is_blocked());
            agent_check(api, row, "blocked", wanted)
        }
        other => {
            Err(Error::invalid(format!("cannot wait for {other:?}; for is idle, blocked or ended")))
        }
    }
}

/// True once the agent rests and has finished more than `turns` turns.
pub fn at_rest(api: &Api, row: &Session, turns: u64) -> Result<Check> {
    let rests = move |view: &View| view.is_at_rest() && view.turns > turns;
    agent_check(api, row, "idle", rests)
}

fn agent_check(
    api: &Api,
    row: &Session,
    what: &str,
    wanted: impl Fn(&View) -> bool + Send + 'static,
) -> Result<Check> {
    if !api.tells_state(row) {
        let provider = &row.provider;
        return Err(Error::invalid(format!(
            "a {provider} session does not tell when it is {what}; wait for ended"
        )));
    }
    let (service, id) = (api.clone(), row.id.clone());
    // An ended session will not change any more: the reply shows that it ended.
    Ok(Box::new(move || match service.records.live(&id) {
        Some(live) => wanted(&live.view()),
        None => service.has_ended(&id),
    }))
}

/// Ends a session nicely; answers `{session}` once it has ended.
pub fn stop(api: &Api, request: Request, params: &Params, answer: Answer) {
    end(api, request, params, answer, false);
}

/// Ends a session at once; answers `{session}` once it has ended.
pub fn kill(api: &Api, request: Request, params: &Params, answer: Answer) {
    end(api, request, params, answer, true);
}

fn end(api: &Api, _: Request, params: &Params, answer: Answer, now: bool) {
    let asked = api.resolve(params.get("id")).and_then(|row| {
        api.stop(&row, now)?;
        Ok(row)
    });
    let row = match asked {
        Ok(row) => row,
        Err(error) => return answer.send(Reply::error(&error)),
    };
    once_ended(api, &row, answer, |api, id, answer| {
        answer.send(match api.find(id) {
            Ok(row) => session_reply(api, 200, &row),
            Err(error) => Reply::error(&error),
        });
    });
}

/// Goes on with `then` once a session that was asked to end has ended, whether or not the client
/// still waits.
pub fn once_ended(
    api: &Api,
    row: &Session,
    answer: Answer,
    then: impl FnOnce(&Api, &str, Answer) + Send + 'static,
) {
    let (service, id) = (api.clone(), row.id.clone());
    let check: Check = Box::new(move || service.has_ended(&id));
    let seconds = (limits::STOP_GRACE + limits::KILL_GRACE + limits::KILL_GRACE).as_secs();
    let (service, id) = (api.clone(), row.id.clone());
    park_for(api, &row.id, seconds, check, answer, move |met, answer| match met {
        true => then(&service, &id, answer),
        false => answer.send(Reply::error(&Error::new(
            Code::Timeout,
            "the program does not end; it may hang in the kernel (see ps)",
        ))),
    });
}
