//! Input of one dashboard on its way to its sessions, and the answers on their way back.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::http::handlers::Api;
use crate::http::socket::message::Act;
use crate::http::socket::message::Input;
use crate::http::socket::paste::Pastes;
use crate::http::wire;
use crate::http::wire::Wire;
use crate::limits;
use crate::service::held::What;
use crate::service::input::Done;
use crate::service::seat::Seat;
use crate::sys::poll::Waker;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;

/// The dashboard's places at its sessions' keyboards.
pub struct Desk {
    number: u64,
    seats: HashMap<String, Seat>,
    pastes: Pastes,
    /// Filled by the sessions' threads.
    answers: (Sender<Value>, Receiver<Value>),
    waker: Arc<Waker>,
}

impl Desk {
    /// For the viewer with this number; `waker` rings when there are answers.
    pub fn new(number: u64, waker: &Arc<Waker>) -> Desk {
        let answers = bounded(limits::socket::ANSWERS);
        Desk {
            number,
            seats: HashMap::new(),
            pastes: Pastes::default(),
            answers,
            waker: waker.clone(),
        }
    }

    /// Sends the answers that have come.
    pub fn answer(&self, wire: &mut Wire) {
        self.answers.1.try_iter().for_each(|answer| wire.say(&answer));
    }

    /// Passes input on. Its answer comes later, when it is written, or now, where that cannot be.
    pub fn take(&mut self, api: &Api, wire: &mut Wire, input: Input) {
        let (session, request) = (input.session.clone(), input.request.clone());
        if let Err(error) = self.pass(api, wire, input) {
            wire.say(&refusal(&session, request.as_deref(), &error));
        }
    }

    fn pass(&mut self, api: &Api, wire: &mut Wire, input: Input) -> Result<()> {
        let (now, op) = (time::now(), input.act.op());
        let done = self.done(op, &input);
        match input.act {
            Act::Text(text) => self.seat(api, &input.session)?.input(&text, done),
            Act::Key(name) => self.seat(api, &input.session)?.press(What::Keys(vec![name]), done),
            Act::Piece { index, count, data } => {
                let key = (input.session.clone(), input.request.unwrap_or_default());
                match self.pastes.add(key, (index, count), &data, now)? {
                    Some(text) => {
                        let what = What::Paste { text, enter: false };
                        self.seat(api, &input.session)?.press(what, done)
                    }
                    None => Ok(()),
                }
            }
            Act::Resize(size) => {
                let applied = self.seat(api, &input.session)?.resize(size)?;
                let mut ack = ack(op, &input.session, input.request.as_deref());
                (ack["cols"], ack["rows"]) = (size.cols.into(), size.rows.into());
                ack["applied"] = applied.into();
                wire.say(&ack);
                Ok(())
            }
        }
    }

    /// The seat in a session, which is taken at the first input for it.
    fn seat(&mut self, api: &Api, session: &str) -> Result<&mut Seat> {
        self.seats.retain(|_, seat| !seat.is_over());
        if !self.seats.contains_key(session) {
            let live = api.need_live(&api.find(session)?)?;
            self.seats.insert(session.to_string(), Seat::new(&live, self.number));
        }
        let seat = self.seats.get_mut(session);
        seat.ok_or_else(|| Error::conflict("the session has ended"))
    }

    /// What the session's thread does once the input is written, or is not.
    fn done(&self, op: &'static str, input: &Input) -> Done {
        let (tell, waker) = (self.answers.0.clone(), self.waker.clone());
        let (session, request) = (input.session.clone(), input.request.clone());
        Box::new(move |result| {
            let answer = match (result, request) {
                (Ok(()), None) => return,
                (Ok(()), Some(request)) => ack(op, &session, Some(&request)),
                (Err(error), request) => refusal(&session, request.as_deref(), &error),
            };
            // The socket may be gone.
            let _ = tell.try_send(answer);
            waker.wake();
        })
    }
}

fn ack(op: &str, session: &str, request: Option<&str>) -> Value {
    let mut body = json!({"op": format!("{op}_ack"), "sessionId": session});
    if let Some(request) = request {
        body["requestId"] = request.into();
    }
    body
}

fn refusal(session: &str, request: Option<&str>, error: &Error) -> Value {
    let mut body = json!({
        "op": "pty_input_error",
        "sessionId": session,
        "error": wire::words(error),
        "code": error.code.word(),
    });
    if let Some(request) = request {
        body["requestId"] = request.into();
    }
    body
}
