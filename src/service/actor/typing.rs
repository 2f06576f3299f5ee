//! How a session's thread types for programs: when the agent takes it, by the output it has read.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::session::State;
use crate::provider;
use crate::service::actor::Actor;
use crate::service::freezing;
use crate::service::held::Held;
use crate::service::held::Stance;
use crate::service::held::Typing;
use crate::service::held::What;
use crate::service::held::When;
use crate::service::input::Done;
use crate::service::input::Input;
use crate::service::live::Live;
use crate::service::records::session_event;
use crate::term::agent::AgentState;
use crate::term::keys;
use crate::term::paste;
use serde_json::json;
use std::time::Instant;

const BLOCKED: &str = "the agent has begun to wait for an answer in its terminal";

/// What the thread knows of its agent beside the screen.
pub(super) struct Driving {
    pub(super) held: Held,
    /// It tells its own state.
    tells: bool,
    /// It says hello when it starts, not only with the first prompt.
    greets: bool,
    /// It has been up.
    up: bool,
    /// Its state, and since when.
    agent: (Option<AgentState>, Instant),
    /// What was typed for it last, with Enter, as long as its turn is not over.
    prompt: Option<Prompt>,
    /// What others see: how much is held, and whether a turn is to come.
    shown: (usize, bool),
}

#[derive(Clone, Copy)]
struct Prompt {
    /// How often the agent had come to rest before.
    rests: u64,
    /// A turn that has not begun by then does not come.
    until: Instant,
    /// It is a command of the agent's own.
    command: bool,
}

impl Driving {
    pub(super) fn new(live: &Live) -> Driving {
        let provider = provider::find(&live.row().provider).ok();
        Driving {
            held: Held::new(&live.id),
            tells: provider.is_some_and(|p| p.capabilities.native_hooks),
            greets: provider.is_some_and(|p| p.capabilities.greets),
            up: false,
            agent: (None, time::now()),
            prompt: None,
            shown: (0, false),
        }
    }
}

impl Actor {
    /// Types what the agent takes now, and takes back what it must not get.
    pub(super) fn drive(&mut self) {
        let agent = self.screen.agent_state();
        if agent != self.driving.agent.0 {
            self.driving.agent = (agent, time::now());
        }
        let driving = &self.driving;
        if driving.held.is_empty() && driving.prompt.is_none() && !self.input.is_guarded() {
            return;
        }
        let mut stance = self.stance();
        if stance.blocked {
            self.input.take_back(BLOCKED);
        }
        while let Some((typing, waited)) = self.driving.held.next(&stance, time::now()) {
            self.type_now(typing, waited);
            stance = self.stance();
        }
        let (held, pending) = (self.driving.held.len(), self.driving.prompt.is_some());
        if std::mem::replace(&mut self.driving.shown, (held, pending)) != (held, pending) {
            self.start.live.set_view(|view| (view.held, view.pending) = (held, pending));
            self.start.records.waits.notify(&self.start.live.id);
        }
    }

    /// Whether a program's input may go on: the agent does not ask, as far as all output says.
    pub(super) fn may_type(&mut self) -> bool {
        let stance = self.stance();
        stance.known && !stance.blocked
    }

    fn stance(&mut self) -> Stance {
        let (row, now) = (self.start.live.row(), time::now());
        let empty = self.input.is_empty();
        let driving = &mut self.driving;
        let (agent, since) = driving.agent;
        let settled = now >= since + limits::REST_SETTLES;
        let hello = !driving.greets || row.guarded || row.alarm.is_some();
        driving.up |= !driving.tells || (agent.is_some() && hello && settled);
        if let Some(prompt) = driving.prompt.as_mut().filter(|_| !empty) {
            prompt.until = now + limits::TURN_BEGINS;
        }
        let at_rest = agent.is_some_and(AgentState::is_at_rest);
        let rests = self.screen.rests();
        // One that works after all takes its time.
        let over = |p: Prompt| rests > p.rests || (at_rest && now >= p.until) || !driving.tells;
        if driving.prompt.is_some_and(over) {
            driving.prompt = None;
        }
        let asks = agent.is_some_and(AgentState::is_blocked);
        Stance {
            known: self.behind.is_none() && !row.frozen,
            up: driving.up,
            silent: agent.is_none_or(|agent| agent == AgentState::Clear),
            blocked: asks || row.state == State::NeedsPermission,
            doubtful: row.state != State::NeedsPermission,
            at_rest,
            busy: driving.prompt.is_some_and(|prompt| prompt.command),
            settled: settled && empty && driving.prompt.is_none(),
        }
    }

    fn type_now(&mut self, typing: Typing, waited: bool) {
        let (what, when, told) = typing.take();
        let (bytes, enter) = match self.encode(&what) {
            Ok(encoded) => encoded,
            Err(error) => return told(Err(error)),
        };
        if let (When::AtDialog, What::Keys(names)) = (when, &what) {
            let pressed = session_event(&self.start.live.id, "dialog", json!({"keys": names}));
            self.start.records.event(pressed);
        }
        if enter {
            let (rests, until) = (self.screen.rests(), time::now() + limits::TURN_BEGINS);
            let command = matches!(what, What::Line(_));
            self.driving.prompt = Some(Prompt { rests, until, command });
        }
        self.input.push(Input {
            bytes,
            enter: enter.then_some(limits::PASTE_TO_ENTER),
            done: Some(Box::new(move |result| told(result.map(|()| waited)))),
            guarded: when != When::AtDialog,
        });
    }

    /// Types at once what a person pasted or pressed.
    pub(super) fn press(&mut self, what: &What, done: Done) {
        let thawed = freezing::refuse_input(&self.start.live.row());
        match thawed.and_then(|()| self.encode(what)) {
            Ok((bytes, _)) => {
                self.input.push(Input { bytes, enter: None, done: Some(done), guarded: false });
            }
            Err(error) => done(Err(error)),
        }
    }

    /// The bytes, as the terminal's modes are now, and whether Enter follows.
    fn encode(&self, what: &What) -> Result<(Vec<u8>, bool)> {
        match what {
            What::Paste { text, enter } => {
                let marked = self.screen.bracketed_paste();
                if self.driving.tells && !marked && text.contains(['\n', '\r']) {
                    let why = "the agent takes no pastes at the moment, and each line would be a \
                               prompt of its own; send one line";
                    return Err(Error::conflict(why));
                }
                Ok((paste::paste(text, marked), *enter))
            }
            What::Line(text) => Ok((text.clone().into_bytes(), true)),
            What::Keys(names) => {
                let mut bytes = Vec::new();
                for name in names {
                    bytes.extend(keys::encode(name, self.screen.application_cursor())?);
                }
                Ok((bytes, false))
            }
        }
    }

    /// When [`Actor::drive`] may have something to do although nothing has happened.
    pub(super) fn drive_at(&self) -> Option<Instant> {
        let driving = &self.driving;
        let turn = driving.prompt.map(|prompt| prompt.until).filter(|at| *at > time::now());
        let expiry = driving.held.deadline();
        let settles = expiry.map(|_| driving.agent.1 + limits::REST_SETTLES);
        let settles = settles.filter(|at| *at > time::now());
        [turn, expiry, settles].into_iter().flatten().min()
    }
}
