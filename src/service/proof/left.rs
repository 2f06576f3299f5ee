//! What a daemon that was killed in the middle of a proof has left: found and removed by the next.

use crate::base::error::Result;
use crate::base::id;
use crate::base::time;
use crate::keeper::client::Connected;
use crate::keeper::proto::Frame;
use crate::limits;
use crate::service::Service;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::signal::Name;

impl Service {
    /// The sessions of rehearsals that an earlier daemon left, with a row or without.
    pub fn left_proofs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.paths.sessions()) else { return Vec::new() };
        let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
        // A session could make such a directory in its own; its row tells.
        let is_left = |id: &String| {
            self.paths.proof(id).is_dir()
                && self.find(id).map_or(true, |row| self.is_proof(&row.id, &row.cwd))
        };
        names.filter(|id| id::is_uuid(id)).filter(is_left).collect()
    }

    /// Ends a rehearsal whose keeper has outlived its daemon, and removes what is left of it.
    pub fn end_proof(&self, id: &str, connected: Connected) -> Result<()> {
        let Connected { mut link, hello, reports } = connected;
        let deadline = time::now() + limits::KILL_GRACE;
        let is_end = |frame: &Frame| matches!(frame, Frame::Exited(_));
        let mut ended = hello.exited.is_some() || reports.iter().any(is_end);
        if !ended {
            link.send(&Frame::Signal { number: Name::SIGKILL as i32, all: true })?;
        }
        while !ended && time::now() < deadline {
            poll::wait(&mut [Watch::new(&link, true, false)], Some(time::until(deadline)))?;
            ended = link.receive()?.iter().any(is_end);
        }
        link.send(&Frame::ExitStored)?;
        self.clear_proof(id);
        Ok(())
    }

    /// Removes what is left of a rehearsal without a keeper.
    pub fn clear_proof(&self, id: &str) {
        log::info!("what was left of a proof that was cut short is removed");
        self.remove_traces(id);
    }
}
