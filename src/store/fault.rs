//! What SQLite's errors mean for a person: a full disk, a lock, a damaged file; and the one place
//! that remembers damage.

use crate::base::error::{Code, Context, Error, Result};
use rusqlite::ErrorCode;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The state of one database file. It can only get worse while the daemon runs.
pub(super) struct Health {
    path: PathBuf,
    damage: OnceLock<String>,
}

impl Health {
    pub fn new(path: &Path) -> Health {
        Health { path: path.to_path_buf(), damage: OnceLock::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with the file and the way out, where something is.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Remembers that the file is damaged; from now on nothing is written to it. The first finding
    /// stays, later ones follow from it.
    pub fn mark(&self, what: &str) {
        let text = describe(&self.path, what);
        if self.damage.set(text.clone()).is_ok() {
            log::error!("{text}");
        }
    }

    /// `Denied` with the damage, where there is any.
    pub fn refuse(&self) -> Result<()> {
        match self.damage() {
            Some(damage) => Err(Error::denied(damage)),
            None => Ok(()),
        }
    }

    /// Gives an error that came from SQLite the code and the words a user can act on; others go
    /// through unchanged. Damage that shows here is remembered.
    pub fn explain(&self, error: Error) -> Error {
        let Some(sqlite) = error.source.as_ref().and_then(|s| s.downcast_ref()) else {
            return error;
        };
        let sqlite: &rusqlite::Error = sqlite;
        let kind = sqlite.sqlite_error_code();
        if matches!(kind, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
            self.mark(&sqlite.to_string());
        }
        if error.code == Code::Internal
            && let Some(damage) = self.damage()
        {
            return Error { code: Code::Denied, message: damage.to_string(), ..error };
        }
        let (path, directory) = (self.path.display(), self.directory().display());
        let words = match kind {
            Some(ErrorCode::DiskFull) => {
                format!("the disk is full; free space in {directory}, then try again")
            }
            Some(ErrorCode::SystemIoFailure) => format!(
                "the disk is full, over quota or failing ({sqlite}); look after {directory}, then \
                 try again"
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("{path} is locked by another program; let it finish, then try again")
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                let message = format!("{}: {path} cannot be used: {sqlite}", error.message);
                return Error { code: Code::Denied, message, ..error };
            }
            _ => return error,
        };
        let message = format!("{}: {words}", error.message);
        Error { code: Code::Busy, message, ..error }
    }

    /// A bare SQLite error with the sentence that says what was being done.
    pub fn wrap<T>(&self, result: rusqlite::Result<T>, doing: &str) -> Result<T> {
        result.internal(|| doing.to_string()).map_err(|e| self.explain(e))
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }
}

/// `path` with something behind its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn describe(path: &Path, what: &str) -> String {
    let shown = path.display();
    let aside = format!("move {shown}, {shown}-wal and {shown}-shm aside");
    let then = match newest_backup(path) {
        Some(backup) => format!(
            "{aside} and copy the backup {} to {shown}, or start with an empty one",
            backup.display()
        ),
        None => format!("{aside} and start with an empty one (there is no backup)"),
    };
    format!(
        "{shown} is damaged ({what}): running sessions go on and what can be read is shown, but \
         nothing new is saved; stop the daemon, {then}"
    )
}

/// The backup that the latest migration left behind.
fn newest_backup(path: &Path) -> Option<PathBuf> {
    let prefix = format!("{}.v", path.file_name()?.to_str()?);
    let names = fs::read_dir(path.parent()?).ok()?.flatten();
    let versions = names.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix(&prefix)?.strip_suffix(".bak")?.parse::<u32>().ok()
    });
    versions.max().map(|version| beside(path, &format!(".v{version}.bak")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: i32) -> Error {
        let failure = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        Err::<(), _>(failure).internal(|| "cannot save the event \"x\"".into()).unwrap_err()
    }

    #[test]
    fn a_full_disk_says_so_and_what_was_not_saved() {
        let health = Health::new(Path::new("/nowhere/codepiper.db"));
        for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR] {
            let error = health.explain(sqlite(code));
            assert_eq!(error.code, Code::Busy);
            assert!(error.message.starts_with("cannot save the event \"x\": the disk is full"));
            assert!(error.message.contains("/nowhere"), "{error}");
        }
        assert_eq!(health.damage(), None);
    }

    #[test]
    fn damage_is_remembered_and_names_the_way_out() {
        let health = Health::new(Path::new("/nowhere/codepiper.db"));
        let error = health.explain(sqlite(rusqlite::ffi::SQLITE_CORRUPT));
        assert_eq!(error.code, Code::Denied);
        for part in ["/nowhere/codepiper.db", "sessions go on", "aside", "no backup"] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
        assert_eq!(health.refuse().unwrap_err().message, error.message);
        let later = health.explain(sqlite(rusqlite::ffi::SQLITE_FULL));
        assert_eq!(later.message, error.message, "one cause, one message");
    }

    #[test]
    fn errors_of_other_making_go_through() {
        let health = Health::new(Path::new("/nowhere/codepiper.db"));
        let error = health.explain(Error::not_found("no session x"));
        assert_eq!((error.code, error.message.as_str()), (Code::NotFound, "no session x"));
    }
}
