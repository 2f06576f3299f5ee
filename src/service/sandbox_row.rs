//! What `doctor` says of the cage: what this host has had since it was started, and, where that is
//! less than a whole one, what keeps it from more.

use crate::cage;
use crate::cage::Level;
use crate::cage::refused;
use crate::model::session::Session;
use crate::service::Service;
use crate::service::doctor::Row;
use crate::service::doctor::bad;
use crate::service::doctor::good;
use crate::service::sandbox::AUTO;
use crate::service::sandbox::SANDBOX;
use crate::sys::proc;
use std::path::Path;

const NAME: &str = "sandbox";
const CHECK: &str = "to try it: codepiper sandbox check";

impl Service {
    pub(super) fn sandbox_row(&self) -> Row {
        let setting = self.word(SANDBOX);
        if setting == Level::Off.word() {
            let detail = "the setting is off: sessions can answer their own questions".to_string();
            return bad(NAME, detail, "codepiper settings sandbox auto");
        }
        match self.list() {
            Ok(sessions) => judge(&newest(&sessions, &self.boot_id), &setting),
            Err(error) => bad(NAME, error.chain(), "follow the message"),
        }
    }
}

/// The newest session of this boot that named no level.
pub fn newest(sessions: &[Session], boot_id: &str) -> Option<Session> {
    let since = sessions.iter().filter(|row| row.boot_id == boot_id && row.sandbox.asked == AUTO);
    since.filter(|row| !row.sandbox.held.is_empty()).max_by_key(|row| row.created_ms).cloned()
}

fn judge(newest: &Option<Session>, setting: &str) -> Row {
    let Some(row) = newest else {
        return good(NAME, format!("{setting}, not used since this host was started; {CHECK}"));
    };
    let (held, id) = (&row.sandbox.held, row.id.get(..8).unwrap_or(&row.id));
    let lacks = row.sandbox.lacks();
    if row.sandbox.level() == Level::Guard.word() && lacks.is_empty() {
        return good(NAME, format!("{held}, tried in session {id}; {CHECK}"));
    }
    bad(NAME, format!("{held} is all that session {id} got"), &way_out(row.sandbox.level(), &lacks))
}

/// What would make it whole.
fn way_out(level: &str, lacks: &[&str]) -> String {
    if level != Level::Guard.word() {
        let unknown = "this host refuses user namespaces, as containers do; daemon.log says how";
        return refused::way_out(Path::new("/proc"), proc::uid()).unwrap_or(unknown).to_string();
    }
    let ways = lacks.iter().map(|lack| match *lack {
        cage::NO_PIDNS => {
            "/proc is covered in part, as in containers: start the container with an unmasked \
             /proc, or take it for the cage"
        }
        cage::ABSTRACT_OPEN => "Linux 6.12 or later closes abstract sockets",
        cage::ROOT => {
            "the file system of the project or of your home cannot show its files with other \
             owners: run codepiper as a user of its own"
        }
        _ => "see SECURITY.md",
    });
    ways.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::session::Sandbox;
    use crate::service::login::stand::Stand;

    #[test]
    fn the_newest_session_since_the_boot_says_what_the_host_has() {
        let stand = Stand::new("sandbox-row");
        let row = |boot: &str, at: i64, held: &str| Session {
            boot_id: boot.into(),
            created_ms: at,
            sandbox: Sandbox { asked: AUTO.into(), held: held.into(), ..Sandbox::default() },
            ..stand.service.blank("0123456789")
        };
        let told = |sessions: &[Session]| judge(&newest(sessions, "now"), AUTO);
        let none = told(&[row("before", 1, "keys-only")]);
        assert!(none.ok && none.detail.contains("sandbox check"), "{}", none.detail);
        let whole = told(&[row("now", 2, "guard"), row("now", 1, "keys-only")]);
        assert!(whole.ok && whole.detail.contains("session 01234567"), "{}", whole.detail);
        for (held, wanted) in [
            ("guard no-pidns abstract-open", "6.12"),
            ("guard root-not-a-boundary", "a user of its own"),
            ("keys-only", "user namespaces"),
        ] {
            let less = told(&[row("now", 1, held)]);
            assert!(!less.ok && less.fix.clone().unwrap().contains(wanted), "{:?}", less.fix);
        }
    }
}
