//! Empty directories in the place of names that a project lacks, so that a cage can cover them: the
//! first session there makes them, the last takes them away. Knows nothing of what covers them.
//!
//! 1. One that another session's cage stands on MUST stay.
//! 2. Nothing but what was made here, and is empty, MUST be taken away.

use crate::sys::file;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Tells them from directories of the person's: nobody sets the sticky bit on one of these, and it
/// changes nothing for its owner.
const MODE: u32 = 0o1755;

/// Makes one where nothing is. Whether there is one at this path now, made by whomever.
pub fn stands_at(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(meta) => {
            let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
            meta.is_dir() && meta.mode() & 0o7777 == MODE && is_empty()
        }
        Err(_) => make(path),
    }
}

fn make(path: &Path) -> bool {
    let made = DirBuilder::new().mode(0o700).create(path);
    // Not the mode alone: what the umask leaves of it.
    made.is_ok() && fs::set_permissions(path, fs::Permissions::from_mode(MODE)).is_ok()
}

/// Those that one session's cage stands on.
#[derive(Debug, Default)]
pub struct Placeholders(Vec<(PathBuf, File)>);

impl Placeholders {
    /// Makes sure that they stay until they are let go.
    pub fn hold(paths: &[PathBuf]) -> Placeholders {
        let held = paths.iter().filter_map(|path| Some((path.clone(), hold(path)?)));
        Placeholders(held.collect())
    }

    /// Takes those away that no other session stands on.
    pub fn let_go(&mut self) {
        for (path, dir) in self.0.drain(..) {
            if file::is_shared_with_nobody(&dir) && stands_at(&path) {
                let _ = fs::remove_dir(&path);
            }
        }
    }
}

/// Another session may just be taking it away: what is held is what is there, or is made anew.
fn hold(path: &Path) -> Option<File> {
    const TRIES: usize = 10;
    (0..TRIES).find_map(|_| {
        if !stands_at(path) {
            return None;
        }
        let dir = File::open(path).ok()?;
        let same = |there: fs::Metadata| dir.metadata().is_ok_and(|held| held.ino() == there.ino());
        let is_held = file::share(&dir) && fs::symlink_metadata(path).is_ok_and(same);
        is_held.then_some(dir)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_session_takes_them_away_and_what_was_put_to_use_stays() {
        let base = std::env::temp_dir().join(format!("cp-placeholder-{}", std::process::id()));
        fs::create_dir_all(base.join("own")).unwrap();
        let all = ["a", "used", "own"].map(|name| base.join(name));
        assert_eq!(all.each_ref().map(|path| stands_at(path)), [true, true, false]);
        let mut first = Placeholders::hold(&all);
        let mut second = Placeholders::hold(&all);
        fs::write(base.join("used/file"), "").unwrap();
        first.let_go();
        assert!(all.iter().all(|path| path.is_dir()));
        second.let_go();
        assert_eq!(all.each_ref().map(|path| path.is_dir()), [false, true, true]);
        // One that was left behind by a crash is taken over.
        assert!(stands_at(&all[0]) && stands_at(&all[0]));
        Placeholders::hold(&all).let_go();
        assert!(!all[0].exists());
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn one_that_is_taken_away_in_between_is_made_anew() {
        let base =
            std::env::temp_dir().join(format!("cp-placeholder-again-{}", std::process::id()));
        fs::create_dir(&base).unwrap();
        let path = [base.join("x")];
        assert!(stands_at(&path[0]));
        fs::remove_dir(&path[0]).unwrap();
        let mut held = Placeholders::hold(&path);
        assert!(path[0].is_dir());
        held.let_go();
        assert!(!path[0].exists());
        fs::remove_dir(base).unwrap();
    }
}
