//! Looks at what codepiper stands on, one row per check. Later rooms add theirs.

use crate::service::Service;
use crate::sys::file;
use crate::sys::memory;
use crate::sys::sock;
use std::path::Path;

/// One finding.
pub struct Row {
    /// What was looked at.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub fix: Option<String>,
}

/// A finding that is as it should be.
pub(super) fn good(name: &str, detail: String) -> Row {
    Row { name: name.to_string(), ok: true, detail, fix: None }
}

/// A finding that is not, with the way out.
pub(super) fn bad(name: &str, detail: String, fix: &str) -> Row {
    Row { name: name.to_string(), ok: false, detail, fix: Some(fix.to_string()) }
}

fn memory_of_secrets() -> Row {
    const NAME: &str = "memory of secrets";
    match memory::locked() {
        (bytes, false) => good(NAME, format!("{} KiB, never swapped out", bytes / 1024)),
        (_, true) => bad(
            NAME,
            "the limit of locked memory is used up: some may be swapped out".to_string(),
            "raise `ulimit -l` (systemd: LimitMEMLOCK=), then restart the daemon",
        ),
    }
}

impl Service {
    /// All rows.
    pub fn doctor(&self) -> Vec<Row> {
        let mut rows = vec![self.state_directory(), self.database(), self.master_key()];
        rows.push(memory_of_secrets());
        rows.push(self.socket("control socket", self.paths.control()));
        rows.push(self.socket("hook socket", &self.paths.hook_socket()));
        rows.push(self.keepers());
        rows.push(self.sandbox_row());
        rows.push(self.watches());
        rows.push(self.webhooks());
        rows.extend(self.tmp_link());
        rows.extend(self.agents());
        rows
    }

    fn state_directory(&self) -> Row {
        let shown = self.paths.home().display();
        match file::check_private(self.paths.home(), true) {
            Ok(()) => good("state directory", format!("{shown}, yours alone")),
            Err(error) => bad("state directory", error.chain(), "follow the message, then restart"),
        }
    }

    fn database(&self) -> Row {
        let shown = self.paths.database().display().to_string();
        match self.store().damage() {
            None => good("database", format!("{shown}, sound")),
            Some(damage) => {
                bad("database", damage, "stop the daemon, restore the file, start again")
            }
        }
    }

    fn master_key(&self) -> Row {
        const NAME: &str = "master key";
        const BACKUP: &str = "bring master.key back from the backup that has this database's";
        let (path, given) = self.logins.keys.source();
        let shown = path.display();
        let present = match self.logins.keys.check() {
            Ok(present) => present,
            Err(error) => return bad(NAME, error.chain(), "follow the message, then restart"),
        };
        let values = match self.sealed_values() {
            Ok(values) => values,
            Err(error) => return bad(NAME, error.message, BACKUP),
        };
        if self.logins.keys.is_unfinished() {
            let detail = format!("{shown}: a change of it is not at its end; all values open");
            return bad(NAME, detail, "codepiper key rotate");
        }
        match (present, values) {
            (false, 0) => good(NAME, "none yet: the first secret makes it".to_string()),
            (false, _) => {
                let detail = format!("{shown} is gone; only this daemon's memory still has it");
                bad(NAME, detail, "bring it back from a backup before the daemon ends")
            }
            (true, _) => {
                let whose = if given { "given by systemd" } else { "mode 0600, yours alone" };
                good(NAME, format!("{shown}, {whose}; opens all {values} sealed values"))
            }
        }
    }

    fn socket(&self, name: &str, path: &Path) -> Row {
        match sock::connect(path) {
            Ok(_) => good(name, format!("{} answers", path.display())),
            Err(error) => bad(name, error.chain(), "restart the daemon"),
        }
    }

    fn keepers(&self) -> Row {
        let mut live = self.records.all_live();
        live.retain(|l| !self.is_proof(&l.id, &l.row().cwd));
        let adopting = live.iter().filter(|l| l.view().adopting).count();
        let degraded = live.iter().filter(|l| l.row().log_degraded).count();
        let detail = format!("{} running, {adopting} being adopted", live.len());
        match degraded {
            0 => good("sessions", detail),
            _ => bad(
                "sessions",
                format!("{detail}, {degraded} cannot write their log"),
                "make room on the disk; output goes on from then",
            ),
        }
    }

    fn watches(&self) -> Row {
        let alarmed = self.records.all_live().iter().filter(|l| l.row().alarm.is_some()).count();
        match (&self.watched, alarmed) {
            (Some(_), 0) => good("gate", "no running session has an alarm".to_string()),
            (_, 1..) => bad(
                "gate",
                format!("{alarmed} running sessions have an alarm"),
                "see: codepiper sessions; what they do may not be decided by policy",
            ),
            (None, _) => bad(
                "gate",
                "files that hooks stand on are not watched".to_string(),
                "raise fs.inotify.max_user_instances, then restart the daemon",
            ),
        }
    }

    fn tmp_link(&self) -> Option<Row> {
        let link = self.paths.tmp_link()?;
        let name = "documented socket";
        let shown = link.display();
        Some(match std::fs::read_link(link) {
            Ok(target) if target == self.paths.control() => {
                good(name, format!("{shown} leads to the control socket"))
            }
            _ => bad(
                name,
                format!("{shown} is not ours"),
                "remove it if it is yours, or give clients --socket",
            ),
        })
    }
}
