//! How a session's thread deals with ends: asked for, reported, or found out.

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::keeper::client;
use crate::keeper::proto::Frame;
use crate::limits;
use crate::model::session::Change;
use crate::model::session::Exit;
use crate::output::index;
use crate::output::index::Mark;
use crate::service::actor::Actor;
use crate::service::freezing;
use crate::service::live::Command;
use crate::sys::clock;
use crate::sys::proc;
use crate::sys::signal::Name;
use serde_json::json;
use std::time::Duration;
use std::time::Instant;

impl Actor {
    /// The keeper has stopped everything in a cage that lost a mask: a person is to look at it.
    pub(super) fn cage_lost(&self, mask: &str) {
        let (records, live) = (&self.start.records, &self.start.live);
        records.alarm(live, &format!("its cage no longer covers {mask}; it is frozen"));
        if let Err(error) = freezing::set(records, live, true) {
            log::error!("session {}: {}", live.id, error.chain());
        }
    }

    /// Asks the program to end, or ends it; asked in vain it is ended after a while.
    pub(super) fn stop(&mut self, now: bool) -> Result<()> {
        self.start.records.stop_wanted(&self.start.live);
        let signals: &[(Name, bool)] = if now {
            &[(Name::SIGKILL, true)]
        } else {
            // A shell ignores SIGTERM and a daemon may ignore SIGHUP; a stopped one must wake up.
            // One that is frozen is asked first and then continued whole, so that it does no more.
            let frozen = self.start.live.row().frozen;
            &[(Name::SIGHUP, false), (Name::SIGTERM, false), (Name::SIGCONT, frozen)]
        };
        for (name, all) in signals {
            self.start.link.send(&Frame::Signal { number: *name as i32, all: *all })?;
        }
        if self.start.live.row().frozen {
            let (records, live) = (&self.start.records, &self.start.live);
            records.change_or_log(live, "thawed", json!({"by": "stop"}), |row| row.frozen = false);
        }
        let grace = if now { limits::KILL_GRACE } else { limits::STOP_GRACE };
        self.kill_at = Some(time::now() + grace);
        Ok(())
    }

    /// When dangerous mode is over.
    pub(super) fn dangerous_until(&self) -> Option<Instant> {
        let left = self.start.live.row().dangerous?.until_boot_ms - clock::boot_ms();
        Some(time::now() + Duration::from_millis(left.max(0) as u64))
    }

    /// Stores the end once all output is read; the keeper goes only after that.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Some(exited) = self.exited.filter(|e| self.at >= e.log_end) else { return Ok(()) };
        self.publish();
        let exit = match exited.by_signal {
            true => Exit::Signal(exited.value),
            false => Exit::Code(exited.value),
        };
        match self.start.records.ended(&self.start.live, exit, exited.at_ms, self.at) {
            Ok(()) => {
                self.checkpoint();
                self.done = true;
                self.start.link.send(&Frame::ExitStored)
            }
            Err(error) => {
                self.end_is_owed(&error);
                Ok(())
            }
        }
    }

    /// The end cannot be stored (full disk, damaged database). Everybody may know it; the keeper
    /// keeps it until a daemon has stored it.
    fn end_is_owed(&mut self, error: &Error) {
        let live = &self.start.live;
        if !live.view().end_owed {
            log::error!("the end of {} is not stored yet: {}", live.id, error.chain());
            live.set_view(|view| view.end_owed = true);
            self.start.records.waits.notify(&live.id);
        }
        self.store_again = Some(time::now() + limits::END_RETRY);
    }

    /// The connection is gone: connect again while the keeper lives, else tell the truth.
    pub(super) fn lost(&mut self, error: &Error) {
        if self.done {
            return;
        }
        let row = self.start.live.row();
        let alive = row.keeper.is_some_and(|(pid, start)| proc::is_alive(pid, start));
        if alive {
            log::warn!("session {}: {}; connecting again", row.id, error.chain());
            let deadline = time::now() + limits::KEEPER_READY;
            if let Ok(connected) = client::connect(&self.start.socket, crate::BUILD, deadline) {
                self.start.link = connected.link;
                self.input.reconnected();
                self.exited = connected.hello.exited;
                self.behind = Some(connected.hello.log_end);
                connected.reports.into_iter().for_each(|frame| self.hear(frame));
                return;
            }
            std::thread::sleep(limits::gate::RECONNECT);
            return;
        }
        self.keeper_gone();
    }

    /// Waits until the keeper is gone, and its socket with it: whoever learns of the end may start
    /// the session again at once. One that hangs in the kernel is not waited for.
    pub(super) fn await_keeper(&mut self, (pid, start): (i32, u64)) {
        let deadline = time::now() + limits::KILL_GRACE;
        while time::now() < deadline {
            let gone = match &mut self.start.child {
                Some(child) => child.try_wait().is_ok_and(|status| status.is_some()),
                None => !proc::is_alive(pid, start),
            };
            if gone {
                return;
            }
            std::thread::sleep(limits::KEEPER_GONE);
        }
    }

    /// Nobody finds the session any more: whoever typed into it until now is told.
    pub(super) fn give_up(&mut self) {
        while let Ok(command) = self.start.commands.try_recv() {
            match command {
                Command::Input(input) => self.input.push(input),
                Command::Typing(typing) => self.driving.held.push(typing, time::now()),
                _ => {}
            }
        }
        self.input.close();
        let why = "the session has ended, and nothing was typed";
        self.driving.held.close(Code::Conflict, why);
    }

    fn keeper_gone(&mut self) {
        let records = index::read(&self.start.log_dir).unwrap_or_default();
        let (_, end) = self.log.bounds().unwrap_or((0, self.at));
        let stored = match index::last_end(&records).map(|r| (r.mark, r.unix_ms)) {
            Some((Mark::EndCode(code), ms)) => {
                self.start.records.ended(&self.start.live, Exit::Code(code), ms, end)
            }
            Some((Mark::EndSignal(number), ms)) => {
                self.start.records.ended(&self.start.live, Exit::Signal(number), ms, end)
            }
            _ => {
                let gone = Change::KeeperGone { rebooted: false };
                self.start.records.keeper_gone(&self.start.live, gone, end)
            }
        };
        if let Err(error) = stored {
            log::error!("the end of {} is not stored: {}", self.start.live.id, error.chain());
        }
        let _ = std::fs::remove_file(&self.start.socket);
        self.done = true;
    }
}
