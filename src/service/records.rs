//! The one place where sessions change: in memory, in the store, in the event list, and for those
//! who wait.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::audit::NewEntry;
use crate::model::event::NewEvent;
use crate::model::event::Source;
use crate::model::notice::Kind as Notice;
use crate::model::session::Change;
use crate::model::session::Exit;
use crate::model::session::Session;
use crate::model::session::transition;
use crate::provider;
use crate::service::live::Live;
use crate::service::notices;
use crate::service::notices::Notices;
use crate::service::notices::raise;
use crate::service::recorded;
use crate::service::waits::Waits;
use crate::store::Store;
use crate::store::audit;
use crate::store::events;
use crate::store::sessions;
use crate::store::tx::Tx;
use crate::term::agent::AgentState;
use crate::term::agent::Kind;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

/// Why a session is stuck.
const NOT_LOGGED_IN: &str = "the agent is not logged in: attach, then /login";
/// See [`NOT_LOGGED_IN`].
const ASKS_FIRST: &str = "the agent asks something before it begins: attach to answer";
/// See [`NOT_LOGGED_IN`].
pub const SILENT: &str = "the agent's hooks have not reported: attach to see why";

/// Live sessions by id, and the way to the store for everything that happens to them.
pub struct Records {
    /// The database.
    pub store: Store,
    /// Who waits.
    pub waits: Arc<Waits>,
    /// Who hears of what a person should hear of.
    pub notices: Notices,
    live: Mutex<HashMap<String, Arc<Live>>>,
    /// Rings when a running session is added.
    added: Condvar,
    refusals: Mutex<HashMap<(String, &'static str), Refusals>>,
}

/// Attempts at one door of one session in the current window.
struct Refusals {
    since: Instant,
    count: usize,
}

impl Records {
    /// Empty, over an open store.
    pub fn new(store: Store, waits: Arc<Waits>) -> Records {
        let (notices, live, added, refusals) = Default::default();
        Records { store, waits, notices, live, added, refusals }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.live.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The running session with this id.
    pub fn live(&self, id: &str) -> Option<Arc<Live>> {
        self.lock().get(id).cloned()
    }

    /// All running sessions.
    pub fn all_live(&self) -> Vec<Arc<Live>> {
        self.lock().values().cloned().collect()
    }

    /// Adds a running session; an id that runs already is a conflict.
    pub fn add(&self, live: Arc<Live>) -> Result<()> {
        let mut all = self.lock();
        if all.contains_key(&live.id) {
            return Err(Error::conflict("the session runs already"));
        }
        let id = live.id.clone();
        all.insert(id.clone(), live);
        self.added.notify_all();
        drop(all);
        self.waits.notify(&id);
        Ok(())
    }

    /// Waits until some session is added, at most for `wait`; not at all if `id` is there.
    pub fn await_added(&self, id: &str, wait: Duration) {
        let all = self.lock();
        if !all.contains_key(id) {
            drop(self.added.wait_timeout(all, wait));
        }
    }

    /// Takes an ended session out; who waits for its end is answered.
    pub fn forget(&self, id: &str) {
        self.lock().remove(id);
        self.waits.notify(id);
    }

    /// Makes a change to a running session and stores it with an event, in one transaction.
    pub(super) fn change(
        &self,
        live: &Live,
        kind: &str,
        payload: Value,
        change: impl FnOnce(&mut Session),
    ) -> Result<()> {
        self.change_and(live, kind, payload, change, |_, _| Ok(()))
    }

    /// The same, with what else belongs into that transaction: a notice that it raises or ends.
    fn change_and(
        &self,
        live: &Live,
        kind: &str,
        payload: Value,
        change: impl FnOnce(&mut Session),
        also: impl FnOnce(&Tx<'_>, &Session) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let row = live.change(|row| {
            change(row);
            row.updated_ms = time::unix_ms();
        });
        let on_record = recorded::session(&row.id, kind, &payload);
        let event = session_event(&row.id, kind, payload);
        let stored = self.store.write(move |tx| {
            sessions::update(tx, &row)?;
            if let Some(row) = &on_record {
                audit::append(tx, row)?;
            }
            also(tx, &row)?;
            events::append(tx, &event).map(drop)
        });
        self.waits.notify(&live.id);
        stored
    }

    /// A change that must not stop the session when it cannot be stored.
    pub(super) fn change_or_log(
        &self,
        live: &Live,
        kind: &str,
        payload: Value,
        change: impl FnOnce(&mut Session),
    ) {
        log_unstored(live, kind, self.change(live, kind, payload, change));
    }

    /// Applies a change of state; nothing happens where it means nothing.
    pub fn transition(&self, live: &Live, what: Change) {
        let row = live.row();
        match what {
            Change::Works => live.works(),
            Change::Stuck(_) => drop(live.set_view(|view| view.stuck = Some(time::now()))),
            Change::Rests if row.reason.is_some() && live.view().is_newly_stuck() => return,
            _ => {}
        }
        let from = row.state;
        let Some((to, reason)) = transition(from, what) else { return };
        if (to, &reason) == (from, &row.reason) {
            return;
        }
        let payload = json!({"from": from.word(), "to": to.word(), "reason": reason});
        let worked = what == Change::Rests && live.rests();
        if to != from {
            live.set_view(|view| view.since_ms = Some(time::unix_ms()));
        }
        let set = |row: &mut Session| {
            row.state = to;
            row.reason = reason;
        };
        let also = move |tx: &Tx<'_>, row: &Session| raise::moved(tx, row, from, what, worked);
        log_unstored(live, "state", self.change_and(live, "state", payload, set, also));
        self.told();
        // What a fast agent said before it had settled meant nothing then.
        if let Some(agent) = live.view().agent.filter(|_| what == Change::Settled) {
            self.agent_said(live, agent);
        }
    }

    /// Notes something about a session's log.
    pub fn note(&self, live: &Live, kind: &str, change: impl FnOnce(&mut Session)) {
        self.change_or_log(live, kind, json!({}), change);
    }

    /// The terminal has a new size. Not an event: a person dragging a window makes hundreds.
    pub fn resized(&self, live: &Live, cols: u16, rows: u16) {
        live.change(|row| {
            row.cols = cols;
            row.rows = rows;
        });
        self.waits.notify(&live.id);
    }

    /// The user asked for the end.
    pub fn stop_wanted(&self, live: &Live) {
        if !live.row().stop_wanted {
            self.change_or_log(live, "stop wanted", json!({}), |row| row.stop_wanted = true);
        }
    }

    /// The agent tells its own state. A hint for people, never a ground for a decision.
    pub fn agent_said(&self, live: &Live, agent: AgentState) {
        let change = match agent {
            AgentState::Working => Change::Works,
            AgentState::Blocked(Kind::Auth) => Change::Stuck(NOT_LOGGED_IN),
            // No tool call of it has come to the gate: it asks whether to trust the directory, …
            AgentState::Blocked(_) if is_unheard(&live.row()) => Change::Stuck(ASKS_FIRST),
            AgentState::Blocked(Kind::Question) => Change::AsksInput,
            AgentState::Blocked(_) => Change::AsksPermission,
            AgentState::Idle | AgentState::Done | AgentState::Clear => Change::Rests,
        };
        self.transition(live, change);
        self.waits.notify(&live.id);
    }

    /// The program ended. An error means that the end is not stored: try again.
    pub fn ended(&self, live: &Live, exit: Exit, at_ms: i64, log_end: u64) -> Result<()> {
        let wanted = live.row().stop_wanted;
        self.end(live, Change::Ended { exit, wanted }, Some(exit), at_ms, log_end)
    }

    /// The keeper is gone, and nobody knows how the program ended.
    pub fn keeper_gone(&self, live: &Live, gone: Change, log_end: u64) -> Result<()> {
        self.end(live, gone, None, time::unix_ms(), log_end)
    }

    fn end(
        &self,
        live: &Live,
        change: Change,
        exit: Option<Exit>,
        at_ms: i64,
        log_end: u64,
    ) -> Result<()> {
        let row = live.row();
        // Told a second time, after a store that refused: it is what it was.
        let (state, reason) = transition(row.state, change).unwrap_or((row.state, row.reason));
        let payload = json!({"to": state.word(), "reason": reason, "exit": exit.map(exit_json)});
        let from = row.state;
        let also = move |tx: &Tx<'_>, row: &Session| raise::moved(tx, row, from, change, true);
        let set = |row: &mut Session| {
            row.state = state;
            row.reason = reason;
            row.exit = exit;
            row.ended_ms = Some(at_ms);
            row.log_end = log_end;
            row.pid = None;
            row.keeper = None;
            row.secret_sha256 = None;
            row.frozen = false;
            row.dangerous = None;
        };
        let stored = self.change_and(live, "ended", payload, set, also);
        self.told();
        stored
    }

    /// What may have become of notices: those who follow them look, and their thread.
    pub(super) fn told(&self) {
        self.waits.notify(notices::ANY);
        self.notices.ring();
    }

    /// A peer was turned away at one of a session's doors. Of a storm of attempts only the first
    /// [`limits::REFUSALS`] are kept, the last of them with a note: a program inside must not be
    /// able to fill the database.
    pub fn refused(&self, session: &str, door: &'static str, pid: i32, name: &str) {
        let number = self.refusal(session, door);
        if number > limits::REFUSALS {
            return;
        }
        log::warn!("session {session}: process {pid} ({name}) refused at the {door} door");
        let mut payload = json!({"door": door, "pid": pid, "name": name});
        if number == limits::REFUSALS {
            payload["more"] = json!("further attempts of this minute are not recorded");
        }
        let text = format!("process {pid} ({name}) refused at the {door} door");
        let mut row = recorded::alarm(session, &text);
        row.client = Some(format!("{door} pid {pid} ({name})"));
        row.details = Some(payload.clone());
        self.record(row);
        self.event(session_event(session, "refused", payload));
    }

    /// A program of a session was found where it could pose as the dashboard.
    pub fn posed(&self, session: &str, pid: i32, text: &str) {
        log::error!("session {session}: ALARM: {text}");
        let mut row = recorded::alarm(session, text);
        row.details = Some(json!({"pid": pid}));
        self.record(row);
        self.event(session_event(session, "alarm", json!({"alarm": text, "pid": pid})));
    }

    /// Adds a row to the audit log; one that cannot be stored is logged.
    pub fn record(&self, row: NewEntry) {
        let text = row.reason.clone();
        if let Err(error) = self.store.write(move |tx| audit::append(tx, &row)) {
            log::error!("not in the audit log: {text}: {}", error.chain());
        }
    }

    /// Which attempt of its window this is, counted from 1.
    fn refusal(&self, session: &str, door: &'static str) -> usize {
        let now = time::now();
        let mut all = self.refusals.lock().unwrap_or_else(|e| e.into_inner());
        all.retain(|_, known| now.duration_since(known.since) < limits::REFUSALS_AGAIN);
        let fresh = Refusals { since: now, count: 0 };
        let known = all.entry((session.to_string(), door)).or_insert(fresh);
        known.count += 1;
        known.count
    }

    /// Something shows that the gate does not hold for a session: said in the row until it is
    /// started anew, and as an event. Of a storm of alarms only the first [`limits::REFUSALS`] are
    /// kept.
    pub fn alarm(&self, live: &Live, text: &str) {
        self.alarm_as(live, raise::GATE_ALARM, text);
    }

    /// [`Records::alarm`] over a call that has run.
    pub fn ungated(&self, live: &Live, text: &str) {
        self.alarm_as(live, Notice::Ungated.title(), text);
    }

    fn alarm_as(&self, live: &Live, title: &'static str, text: &str) {
        if self.refusal(&live.id, "alarm") > limits::REFUSALS {
            return;
        }
        log::error!("session {}: ALARM: {text}", live.id);
        self.record(recorded::alarm(&live.id, text));
        let set = |row: &mut Session| {
            row.alarm = Some(text.to_string());
            row.guarded = false;
        };
        let words = text.to_string();
        let also = move |tx: &Tx<'_>, row: &Session| raise::alarmed(tx, row, title, &words);
        let stored = self.change_and(live, "alarm", json!({"alarm": text}), set, also);
        log_unstored(live, "alarm", stored);
        self.told();
    }

    /// Stores an event; one that cannot be stored is logged.
    pub fn event(&self, event: NewEvent) {
        let session = event.session.clone();
        let kind = event.kind.clone();
        if let Err(error) = self.store.write(move |tx| events::append(tx, &event)) {
            log::warn!("event {kind} of session {session} is not stored: {}", error.chain());
        }
        self.waits.notify(&session);
    }
}

fn log_unstored(live: &Live, kind: &str, stored: Result<()>) {
    if let Err(error) = stored {
        log::warn!("{kind} of session {} is not stored: {}", live.id, error.chain());
    }
}

/// Whether an agent should have said hello through its hooks by the time that it asks something,
/// and has not. One with an alarm did: its mark was taken away.
pub fn is_unheard(row: &Session) -> bool {
    let hooked = provider::find(&row.provider).is_ok_and(|p| p.capabilities.native_hooks);
    hooked && !row.guarded && row.alarm.is_none()
}

/// An event of the daemon's own.
pub fn session_event(session: &str, kind: &str, payload: Value) -> NewEvent {
    NewEvent {
        session: session.to_string(),
        at_ms: time::unix_ms(),
        source: Source::Session,
        kind: kind.to_string(),
        payload,
    }
}

fn exit_json(exit: Exit) -> Value {
    match exit {
        Exit::Code(code) => json!({"code": code}),
        Exit::Signal(number) => json!({"signal": number}),
    }
}
