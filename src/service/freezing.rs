//! The panic button: all processes of a session stand still at once, and go on when a person says
//! so. Knows nothing of how the kernel does that.
//!
//! 1. A session that is shown as frozen MUST be, by the kernel's word; where a part runs on,
//!    whoever asked is told which.
//! 2. A full disk or a damaged database MUST NOT keep anybody from freezing.

use crate::base::error::{Code, Error, Result};
use crate::limits;
use crate::model::session::Session;
use crate::service::Service;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::records::Records;
use crate::sys::proc::Stat;
use crate::sys::tree;
use crossbeam_channel::Receiver;
use crossbeam_channel::bounded;
use serde_json::json;
use std::sync::Arc;

/// What came of one session of several.
pub type Each = (Session, Result<()>);

/// What a thread tells whoever asked for it.
pub type Told = Receiver<Result<()>>;

impl Service {
    /// Stops all processes of a session, or lets them go on; what stands or runs already is fine.
    /// `Failed` names what did not obey.
    pub fn set_frozen(&self, row: &Session, frozen: bool) -> Result<()> {
        told(&ask(&*self.need_live(row)?, frozen)?)
    }

    /// The same for every running session, all at once.
    pub fn set_all_frozen(&self, frozen: bool) -> Vec<Each> {
        let running = |live: &Arc<Live>| {
            let row = live.row();
            !self.is_proof(&row.id, &row.cwd)
        };
        let all: Vec<Arc<Live>> = self.records.all_live().into_iter().filter(running).collect();
        let asked: Vec<_> = all.iter().map(|live| ask(live, frozen)).collect();
        let results = asked.into_iter().map(|asked| asked.and_then(|asked| told(&asked)));
        let results: Vec<Result<()>> = results.collect();
        all.iter().map(|live| live.row()).zip(results).collect()
    }

    /// After a restart: a freeze that the old daemon's end cut short is finished; one that somebody
    /// else undid is none.
    pub(super) fn see_frozen(&self, live: &Live) {
        let row = live.row();
        let Some((keeper, _)) = row.keeper.filter(|_| row.frozen) else { return };
        if !tree::any_still(keeper) {
            let payload = json!({"by": "somebody outside of codepiper"});
            self.records.change_or_log(live, "thawed", payload, |row| row.frozen = false);
        } else if let Err(error) = ask(live, true) {
            log::warn!("session {} is not frozen again: {}", live.id, error.chain());
        }
    }
}

fn ask(live: &Live, frozen: bool) -> Result<Told> {
    let (tell, told) = bounded(1);
    live.ask(Command::Freeze { frozen, tell })?;
    Ok(told)
}

fn told(told: &Told) -> Result<()> {
    let late = |_| Error::new(Code::Busy, "the session's thread is busy; look at it with: show");
    told.recv_timeout(limits::FREEZE_ANSWER).map_err(late)?
}

/// What is typed into a frozen session would wait in its terminal, and run when nobody expects it.
pub fn refuse_input(row: &Session) -> Result<()> {
    let id = &row.id;
    let way_out = || Error::conflict(format!("session {id} is frozen; codepiper thaw {id} first"));
    if row.frozen { Err(way_out()) } else { Ok(()) }
}

/// Does it, in the session's own thread: one after the other with stop, kill and input.
pub fn set(records: &Records, live: &Live, frozen: bool) -> Result<()> {
    let row = live.row();
    let Some((keeper, _)) = row.keeper else {
        return Err(Error::conflict("the session has ended"));
    };
    if frozen { freeze(records, live, keeper) } else { thaw(records, live, keeper) }
}

fn freeze(records: &Records, live: &Live, keeper: i32) -> Result<()> {
    let was = live.row().frozen;
    // Known before it is done: a daemon that dies in between leaves nothing stopped unmarked.
    live.change(|row| row.frozen = true);
    let stopped = tree::stop(keeper);
    let running = names(&stopped.running);
    let payload = json!({
        "processes": stopped.count,
        "inKernel": names(&stopped.in_kernel),
        "running": running,
    });
    if !was || !running.is_empty() || !stopped.is_whole {
        log::warn!("session {} is frozen: {payload}", live.id);
        records.change_or_log(live, "frozen", payload, |row| row.frozen = true);
    }
    if running.is_empty() && stopped.is_whole {
        return Ok(());
    }
    let others = match running.is_empty() {
        true => "others that are born and end too fast".to_string(),
        false => running.join(", "),
    };
    let (count, id) = (stopped.count, &live.id);
    Err(Error::new(
        Code::Failed,
        format!("{count} processes stand still, but not {others}; end all: codepiper kill {id}"),
    ))
}

fn thaw(records: &Records, live: &Live, keeper: i32) -> Result<()> {
    if !live.row().frozen {
        return Ok(());
    }
    let refused = names(&tree::resume(keeper));
    if !refused.is_empty() {
        let all = refused.join(", ");
        return Err(Error::new(Code::Failed, format!("these do not go on: {all}")));
    }
    records.change_or_log(live, "thawed", json!({}), |row| row.frozen = false);
    Ok(())
}

fn names(all: &[Stat]) -> Vec<String> {
    all.iter().map(|s| format!("process {} ({})", s.pid, s.comm)).collect()
}
