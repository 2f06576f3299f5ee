//! Waits until a started program stands or falls, and until its agent has said hello; clears away
//! what a failed start left.

use crate::base::error::{Code, Error};
use crate::config::paths;
use crate::limits;
use crate::model::session::Change;
use crate::model::session::Exit;
use crate::model::session::Session;
use crate::model::session::State;
use crate::provider;
use crate::service::Service;
use crate::service::live::Live;
use crate::service::records::SILENT;
use crate::service::records::is_unheard;
use crate::store::sessions;
use std::sync::Arc;

impl Service {
    /// Waits until a program has lived for [`limits::START_SETTLE`] (an agent for
    /// [`limits::AGENT_SETTLE`]), its agent has said hello or told its state, or it has ended. One
    /// that ended with an error by then did not start: the result is what it had printed, and
    /// nothing of it is left behind.
    pub fn settle(
        self: &Arc<Service>,
        id: &str,
        done: impl FnOnce(std::result::Result<Session, (Error, String)>) + Send + 'static,
    ) {
        let (service, session) = (self.clone(), id.to_string());
        let (look, watched) = (self.clone(), id.to_string());
        let agent = self.find(id).is_ok_and(|row| self.tells_state(&row));
        let wait = if agent { limits::AGENT_SETTLE } else { limits::START_SETTLE };
        let check = move || {
            let live = look.records.live(&watched);
            let gone = live.is_none();
            look.find(&watched).map_or(true, |row| match row.state {
                State::Starting => live.is_some_and(|live| live.view().agent.is_some()),
                state => state.is_live() || gone,
            })
        };
        let finish = move |_| done(service.settled(&session));
        if let Err(error) = self.records.waits.park(id, wait, Box::new(check), Box::new(finish)) {
            log::warn!("session {id} is started but nobody waits for it: {}", error.chain());
        }
    }

    fn settled(&self, id: &str) -> std::result::Result<Session, (Error, String)> {
        let row = self.find(id).map_err(|error| (error, String::new()))?;
        if let Some(live) = self.records.live(id).filter(|_| row.state == State::Starting) {
            self.records.transition(&live, Change::Settled);
            self.await_hello(&live);
            return Ok(live.row());
        }
        let well = row.exit == Some(Exit::Code(0)) || row.stop_wanted;
        if row.state.is_live() || well {
            return Ok(row);
        }
        let output = self.picture(&row).map(|picture| picture.text).unwrap_or_default();
        let how = row.exit.map_or("without a word".to_string(), |exit| format!("with {exit}"));
        let program = row.program.clone();
        if row.epoch == 1 {
            self.remove_traces(id);
        }
        let message = format!("{program} ended at once {how}");
        Err((Error::new(Code::Failed, message), output.trim_end().to_string()))
    }

    /// An agent that should have said hello by [`limits::AGENT_HELLO`] and has not is shown as
    /// stuck: a dialog of its first run stands in its terminal, or it runs without its hooks.
    pub fn await_hello(&self, live: &Arc<Live>) {
        let row = live.row();
        let greets = provider::find(&row.provider).is_ok_and(|p| p.capabilities.greets);
        if !greets || !is_unheard(&row) {
            return;
        }
        let (watched, late) = (live.clone(), live.clone());
        let (records, still) = (self.records.clone(), self.records.clone());
        let runs = move || still.live(&watched.id).is_some_and(|now| is_unheard(&now.row()));
        let finish = move |heard_or_gone: bool| {
            if !heard_or_gone {
                records.transition(&late, Change::Stuck(SILENT));
            }
        };
        let check = Box::new(move || !runs());
        let parked =
            self.records.waits.park(&live.id, limits::AGENT_HELLO, check, Box::new(finish));
        if let Err(error) = parked {
            log::warn!("session {}: nobody waits for its hooks: {}", live.id, error.chain());
        }
    }

    /// Clears away everything that a failed start made.
    pub fn remove_traces(&self, id: &str) {
        let row = id.to_string();
        let _ = self.store().write(move |tx| sessions::delete(tx, &row));
        if let Err(error) = paths::remove_session(&self.paths, id) {
            log::warn!("{}", error.chain());
        }
    }
}
