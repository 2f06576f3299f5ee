//! Whether the gate still holds for a session: what has run is compared with what was decided, and
//! the files that its hooks stand on are watched. Decides nothing; it raises alarms.
//!
//! 1. A call that ran without its decision, against it, without the yes that it was held for, or
//!    with another input than was judged MUST raise an alarm.
//! 2. A change of the settings overlay or of the pinned hook program MUST raise an alarm, also one
//!    that was made while no daemon ran.
//! 3. A session with an alarm MUST NOT be shown as guarded until it is started anew.

use crate::base::error::{Error, Result};
use crate::base::thread;
use crate::model::approval::Status;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::provider;
use crate::provider::canonical;
use crate::provider::hook;
use crate::service::Service;
use crate::service::live::Live;
use crate::store::approvals;
use crate::store::audit;
use crate::sys::inotify::Changed;
use crate::sys::inotify::Place;
use crate::sys::inotify::Watcher;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

/// The directories whose files hooks stand on.
pub struct Watched {
    watcher: Watcher,
    hooks: Place,
    sessions: Mutex<HashMap<Place, String>>,
}

impl Watched {
    /// Watches the directory of the pinned programs.
    pub fn new(hook_dir: &Path) -> Result<Watched> {
        let watcher = Watcher::new()?;
        let hooks = watcher.add(hook_dir)?;
        Ok(Watched { watcher, hooks, sessions: Mutex::default() })
    }

    fn add(&self, dir: &Path, session: &str) -> Result<()> {
        let place = self.watcher.add(dir)?;
        self.sessions().insert(place, session.to_string());
        Ok(())
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<Place, String>> {
        self.sessions.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Service {
    /// Looks at the files of a session with hooks, now and whenever they change.
    pub fn watch(&self, live: &Live) {
        if !self.tells_state(&live.row()) {
            return;
        }
        if let Some(watched) = &self.watched
            && let Err(error) = watched.add(&self.paths.session(&live.id), &live.id)
        {
            log::warn!("session {}: {}", live.id, error.chain());
        }
        self.look(live);
    }

    /// Starts the thread that hears of changes. Without inotify files are only looked at when a
    /// session starts or is adopted; `doctor` says so.
    pub fn watch_files(self: &Arc<Service>) -> Result<()> {
        if self.watched.is_none() {
            return Ok(());
        }
        let service = self.clone();
        thread::spawn("watch", move || {
            let Some(watched) = &service.watched else { return };
            loop {
                match watched.watcher.wait() {
                    Ok(changes) => changes.iter().for_each(|change| service.heed(watched, change)),
                    Err(error) => return log::error!("{}", error.chain()),
                }
            }
        })
        .map(drop)
    }

    fn heed(&self, watched: &Watched, change: &Changed) {
        let is_program = change.name.as_ref().and_then(|name| name.to_str());
        let is_program = is_program.is_some_and(|name| name.starts_with("codepiper-"));
        if change.overflow || (change.place == watched.hooks && is_program) {
            self.records.all_live().iter().for_each(|live| self.look(live));
            return;
        }
        let session = watched.sessions().get(&change.place).cloned();
        match session.as_ref().and_then(|id| self.records.live(id)) {
            Some(live) => self.look(&live),
            None if session.is_some() => {
                watched.sessions().remove(&change.place);
                watched.watcher.remove(change.place);
            }
            None => {}
        }
    }

    /// Compares a session's files with what they were when it started.
    fn look(&self, live: &Live) {
        let row = live.row();
        let (Some(build), Some(known)) = (&row.hook_build, row.hook_sha256) else { return };
        let program = self.paths.hook_program(build);
        match self.digests.of(&program) {
            Ok(digest) if digest == known => {}
            Ok(_) => self.alarm(live, "the program that its hooks run was changed"),
            Err(_) => self.alarm(live, "the program that its hooks run is gone"),
        }
        let Ok(provider) = provider::find(&row.provider) else { return };
        let (dir, socket) = (self.paths.session(&live.id), self.paths.hook_socket());
        let (program, socket) = (program.to_string_lossy(), socket.to_string_lossy());
        for name in provider.files {
            let kept = std::fs::read_to_string(dir.join(name)).map_err(|_| Error::internal("gone"));
            if kept.and_then(|text| provider.check_file(&text, &program, &socket)).is_err() {
                self.alarm(live, &format!("its {name} was changed"));
            }
        }
    }

    /// A tool has run: it must be a call that was decided, as it was judged, and not refused. One
    /// that was held for a person's answer must have got a yes.
    pub fn ran(&self, live: &Live, call: &ToolCall) -> Result<()> {
        let (session, id) = (live.id.clone(), call.call_id.clone().unwrap_or_default());
        let (decided, held) = self.store().read(|conn| {
            let decided = audit::of_call(conn, &session, &id)?;
            // Of a dialog the answer is its own: there another request than the one that was
            // decided holds the approval.
            let holder = decided.as_ref().and_then(|row| row.entry.request.as_deref());
            let held = holder.map(|holder| approvals::of_holder(conn, &session, holder));
            Ok((decided, held.transpose()?.flatten()))
        })?;
        let unanswered = held
            .is_some_and(|held| held.answer.is_none_or(|answer| answer.status != Status::Approved));
        let what = match decided {
            None => "ran without a decision",
            Some(decided) if decided.entry.call.as_ref().is_none_or(|c| c.tool != call.tool) => {
                "ran under the decision on another"
            }
            // Its input comes back with the person's answer in it, or without the plan.
            Some(_) if hook::is_question(&call.tool) => return Ok(()),
            Some(decided) if decided.entry.input_sha256 != Some(canonical::sha256(&call.input)) => {
                "ran with another input than was judged"
            }
            Some(decided) if decided.entry.decision == Some(Action::Deny) => {
                "ran although it was denied"
            }
            Some(_) if unanswered => "ran without the approval that it was held for",
            Some(_) => return Ok(()),
        };
        self.records.ungated(live, &format!("{} {what}", call.tool));
        Ok(())
    }

    fn alarm(&self, live: &Live, text: &str) {
        self.records.alarm(live, text);
    }
}
