//! The dashboard's WebSocket: what changes is told, terminals are shown, keys are taken. Knows
//! nothing of cookies and origins; whoever opens a socket has looked at those.
//!
//! 1. Nothing but `hello` MUST be heard before a right proof, and nothing after a wrong one.
//! 2. A login that is taken back MUST lose its sockets at once, one whose time is over within
//!    [`limits::socket::LOGIN_CHECK`].
//! 3. A peer that does not read MUST NOT hold up a session, lose a byte of its log, or make us
//!    remember more than [`limits::socket::WAITING`] bytes.
//! 4. An acknowledgement of input MUST mean that the terminal has taken it.
//!
//! Text messages are JSON objects. What a peer says, and what it is answered:
//!
//! ```text
//! {op: "hello", version: 1, proof?, supports?}            the first message
//!     {op: "hello_ack", version: 1, features, session?: {loginId}}
//! {op: "subscribe", topic, sinceSeq?, from?}
//!     {op: "subscribed", topic, id}
//! {op: "unsubscribe", topic}
//!     {op: "unsubscribed", topic}
//! {op: "looking", sessionId | null}                       what is on a visible page now
//!     {op: "looking_ack", sessionId | null}
//! {op: "pty_input", sessionId, data, requestId?}
//!     {op: "pty_input_ack", sessionId, requestId}
//! {op: "pty_key", sessionId, key, requestId?}             a name as in `codepiper keys`
//!     {op: "pty_key_ack", sessionId, requestId}
//! {op: "pty_paste", sessionId, requestId, chunkIndex, chunkCount, data}
//!     {op: "pty_paste_ack", sessionId, requestId}         once, after the last chunk
//! {op: "resize", sessionId, cols, rows, requestId?}
//!     {op: "resize_ack", sessionId, cols, rows, applied, requestId?}
//! ```
//!
//! An acknowledgement of input means "written to the terminal", and comes where there is a
//! `requestId`. What went wrong with input is told in any case: `{op: "pty_input_error", sessionId,
//! requestId?, error, code}`. Everything else that cannot be done is answered by `{op: "error",
//! error, code, topic?}`, and the connection stays. `applied` says whether the session's terminal
//! follows this client's size: it does for whoever typed last, and for whoever is alone.
//!
//! A topic that is subscribed to again starts anew under another `id`. Topics and their messages:
//!
//! | topic | messages |
//! |---|---|
//! | `sessions` | `{topic, type: "session_created"\|"…_updated"\|"…_removed", session}` |
//! | `session:ID:events` | `{topic, data: event}`, each event after `sinceSeq`, or each new one |
//! | `session:ID:pty` | binary frames, as below |
//! | `approvals` | `{topic, type: "approval_created"\|"…_updated", approval}` |
//! | `notifications` | `{topic, type: "notification_created"\|"…_updated", notification}` |
//! | | `{topic, type: "notifications_read", sessionId?, id?, counts}` |
//!
//! Sessions, events, approvals and notifications look as in the API. What is read is told by its
//! number, by its session where that has none left, or alone where there is none at all. While a
//! socket says that it is `looking` at a session, notifications of it come up as read and go to no
//! channel; it does so until it says otherwise or ends. Of a removed session there is the `id`
//! alone.
//! Subscribe first and list then: what changes in between is told. A slow reader is told the newest
//! state, once; only events come each.
//!
//! A binary frame is `{u8 version = 1, u8 kind, u16 topic id, u64 offset}`, all little-endian, and
//! a body. `offset` is where the stream goes on behind the frame, to be given as `from` by whoever
//! comes back:
//!
//! | kind | body |
//! |---|---|
//! | 1 output | bytes for the terminal |
//! | 2 snapshot | bytes that paint the screen in an empty terminal: reset it first |
//! | 3 gap | u64: output from `offset` up to there is gone, and the stream goes on there |
//! | 4 resize | u16 columns, u16 rows |
//!
//! `from` is `"screen"` (the default: a resize, a snapshot, then the stream), an offset of the log,
//! or `{near: OFFSET}`, for whoever scrolls back beyond what a snapshot began with: a resize and a
//! snapshot of the screen as it was at OFFSET or up to about [`limits::CHECKPOINT_BYTES`] before,
//! then every byte from the snapshot's offset on, with a resize wherever the terminal's size had
//! changed. At or before the beginning of what is kept the snapshot is empty but for a reset. A
//! viewer that falls [`limits::socket::LAG`] behind gets a snapshot in place of what it missed, but
//! for the output that was there when it subscribed; `GET /sessions/ID/log` has every byte of it.
//!
//! | close code | why |
//! |---|---|
//! | 1002, 1007, 1009 | not RFC 6455, not UTF-8, longer than [`limits::WS_MESSAGE`] |
//! | 1008 | a first message that is not right, too many messages, a login that has ended |
//! | 1013 | too many answers that were not read |

pub mod feed;
pub mod frame;
#[cfg(test)]
mod fuzz;
pub mod hello;
pub mod input;
pub mod message;
pub mod news;
pub mod notices;
pub mod paste;
pub mod pty;
pub mod rate;
pub mod topic;

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::http::handlers::Api;
use crate::http::socket::feed::Feed;
use crate::http::socket::feed::Feeds;
use crate::http::socket::hello::Hello;
use crate::http::socket::input::Desk;
use crate::http::socket::message::Said;
use crate::http::socket::rate::Class;
use crate::http::socket::rate::Rates;
use crate::http::wire;
use crate::http::wire::Wire;
use crate::limits;
use crate::model::login::WebSession;
use crate::service::login::watch;
use crate::service::notices::looking::Looks;
use crate::sys::poll;
use crate::sys::poll::Waker;
use crate::sys::poll::Watch;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

/// Serves a connection whose first message was `hello`, until either side ends it.
pub fn serve(api: &Api, number: u64, wire: &mut Wire, hello: &Hello, login: Option<&WebSession>) {
    let served = Socket::new(api, number, wire, login).and_then(|mut socket| {
        if !hello.admits(login) {
            return Err(Error::denied("the proof is not the login's; log in again"));
        }
        socket.wire.say(&hello::ack(login.map(|login| login.id.as_str())));
        socket.run()
    });
    if let Err(error) = served {
        wire.say(&wire::error(&error));
        wire.end(CloseCode::Policy, "see the last message");
    }
}

struct Socket<'a> {
    api: &'a Api,
    wire: &'a mut Wire,
    waker: Arc<Waker>,
    /// The login's id and a look-out for its end, over the web.
    login: Option<(String, watch::Watch)>,
    /// The login is looked up again then.
    check_at: Instant,
    rates: Rates,
    desk: Desk,
    feeds: Feeds,
    /// The session on the person's screen.
    looks: Option<Looks>,
}

impl<'a> Socket<'a> {
    fn new(
        api: &'a Api,
        number: u64,
        wire: &'a mut Wire,
        login: Option<&WebSession>,
    ) -> Result<Socket<'a>> {
        let waker = Arc::new(Waker::new()?);
        let login = match login {
            Some(WebSession { id, .. }) => Some((id.clone(), api.watch_login(id, waker.clone())?)),
            None => None,
        };
        Ok(Socket {
            api,
            wire,
            login,
            check_at: time::now() + limits::socket::LOGIN_CHECK,
            rates: Rates::new(time::now()),
            desk: Desk::new(number, &waker),
            feeds: Feeds::new(api, &waker),
            looks: None,
            waker,
        })
    }

    fn run(&mut self) -> Result<()> {
        loop {
            self.check_login();
            let more = self.hear();
            self.desk.answer(self.wire);
            let more = self.feeds.pump(self.api, self.wire) || more;
            self.wire.flush();
            if self.wire.is_over() {
                return Ok(());
            }
            if !more {
                self.wait()?;
            }
        }
    }

    fn wait(&mut self) -> Result<()> {
        let mut watches = [
            Watch::new(self.wire.stream(), true, self.wire.is_full()),
            Watch::new(&*self.waker, true, false),
        ];
        let until = match self.login {
            Some(_) => self.wire.alarm().min(self.check_at),
            None => self.wire.alarm(),
        };
        poll::wait(&mut watches, Some(time::until(until)))?;
        if watches[1].readable() {
            self.waker.clear();
        }
        if watches[0].writable() {
            self.wire.flush();
        }
        self.wire.keep_alive();
        Ok(())
    }

    /// The look-out is told of an end at once; the store has the last word, now and then.
    fn check_login(&mut self) {
        let Some((id, watch)) = &self.login else { return };
        let mut good = !watch.is_over();
        if good && time::now() >= self.check_at {
            self.check_at = time::now() + limits::socket::LOGIN_CHECK;
            good = self.api.web_session_by_id(id).is_ok_and(|found| found.is_some());
        }
        if !good {
            self.wire.end(CloseCode::Policy, "the login has ended");
        }
    }

    /// Takes what the peer says; true when there may be more of it at once.
    fn hear(&mut self) -> bool {
        for _ in 0..limits::socket::TURN {
            // A session that stalls holds a message up; none is heard after the login's end.
            if self.login.as_ref().is_some_and(|(_, watch)| watch.is_over()) {
                return true;
            }
            let Some(message) = self.wire.hear() else { return false };
            let said = match &message {
                Message::Text(text) => Said::parse(text.as_bytes()),
                Message::Ping(_) | Message::Pong(_) => Ok(Said::Nothing),
                _ => Err(Error::invalid("binary messages mean nothing here")),
            };
            let class = match (&message, &said) {
                (Message::Text(_), Ok(said)) => said.class(),
                (Message::Ping(_) | Message::Pong(_), _) => Class::Ping,
                _ => Class::Control,
            };
            if !self.rates.count(class, time::now()) {
                self.wire.end(CloseCode::Policy, "rate limit exceeded");
                continue;
            }
            match said {
                Ok(said) => self.obey(said),
                Err(error) => self.wire.say(&wire::error(&error)),
            }
        }
        true
    }

    fn obey(&mut self, said: Said) {
        match said {
            Said::Nothing => {}
            Said::Subscribe { topic, start } => {
                let name = topic.name();
                // Before the new one is there: they watch the same output.
                self.feeds.remove(&name);
                let made = Feed::open(self.api, &topic, &start, &self.waker);
                let added = made.and_then(|feed| self.feeds.add(name.clone(), feed));
                self.wire.say(&match added {
                    Ok(id) => json!({"op": "subscribed", "topic": name, "id": id}),
                    Err(error) => feed::error(&error, &name),
                });
            }
            Said::Unsubscribe { topic } => {
                let name = topic.name();
                let missing = || Error::not_found("there is no such subscription");
                self.wire.say(&match self.feeds.remove(&name) {
                    true => json!({"op": "unsubscribed", "topic": name}),
                    false => feed::error(&missing(), &name),
                });
            }
            Said::Looking { session } => self.look_at(session),
            Said::Input(input) => self.desk.take(self.api, self.wire, input),
        }
    }

    fn look_at(&mut self, session: Option<String>) {
        let found = session.as_ref().map(|id| self.api.find(id)).transpose();
        self.wire.say(&match found {
            Ok(row) => {
                self.looks = row.map(|row| self.api.look_at(&row.id));
                json!({"op": "looking_ack", "sessionId": session})
            }
            Err(error) => wire::error(&error),
        });
    }
}
