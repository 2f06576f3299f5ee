//! Ends processes by their id, and only those: a reused id is never hit.

use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;

/// Processes that are ended when the guard goes away.
#[derive(Default)]
pub struct Pids {
    known: Vec<proc::Stat>,
}

impl Pids {
    /// Takes responsibility for a running process; one that is gone already is fine.
    pub fn add(&mut self, pid: i32) {
        self.known.extend(proc::stat(pid));
    }

    /// The same for everything below it.
    pub fn add_tree(&mut self, pid: i32) {
        self.add(pid);
        self.known.extend(proc::descendants(pid));
    }

    /// Kills what still runs and returns when it is gone.
    pub fn end(&mut self) {
        for process in &self.known {
            if proc::is_alive(process.pid, process.start) {
                let _ = proc::signal(process.pid, Name::SIGKILL);
            }
        }
        let all_gone = || !self.known.iter().any(|p| proc::is_alive(p.pid, p.start));
        wait_until("killed processes to be gone", SOON, all_gone);
        self.known.clear();
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        self.end();
    }
}
