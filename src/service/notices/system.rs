//! Finds the system's own programs that are run outside of every cage: `curl` and `getent`.
//!
//! 1. A program that another user than root could replace, or any directory or link on the way to
//!    it, MUST NOT be taken: a session at `guard` may write to `~/.local/bin`, and the login shell
//!    looks there first.
//! 2. What is looked at MUST be what is run: no step of the way can change in between, since only
//!    root could change it.

use crate::base::error::{Code, Error, Result};
use crate::limits;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Writable by the group or by everybody.
const OTHERS_WRITE: u32 = 0o022;
/// In such a directory only its owner can replace a thing.
const STICKY: u32 = 0o1000;

/// The program called `name` on a PATH, the first that is root's alone.
pub fn find(name: &str, path: &str) -> Result<PathBuf> {
    let dirs = path.split(':').map(Path::new).filter(|dir| dir.is_absolute());
    let found: Vec<PathBuf> =
        dirs.map(|dir| dir.join(name)).filter(|full| full.is_file()).collect();
    let failed = |text: String| Error::new(Code::Failed, text);
    match (found.iter().find(|full| is_roots_alone(full)), found.first()) {
        (Some(full), _) => Ok(full.clone()),
        (None, Some(other)) => Err(failed(format!(
            "{} can be written by others than root, a session perhaps; install {name} for the \
             system",
            other.display()
        ))),
        (None, None) => Err(failed(format!("{name} is not on the login shell's PATH; install it"))),
    }
}

/// Whether only root can change what is run under this path: each directory, link and file on the
/// way is root's, and nobody else can write to it.
fn is_roots_alone(path: &Path) -> bool {
    let mut ahead: Vec<PathBuf> = vec![path.to_path_buf()];
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = ahead.pop() {
        let mut steps = part.components();
        let Some(step) = steps.next() else { continue };
        ahead.push(steps.as_path().to_path_buf());
        let next = match step {
            Component::RootDir => PathBuf::from("/"),
            Component::ParentDir => at.parent().unwrap_or(Path::new("/")).to_path_buf(),
            Component::Normal(name) => at.join(name),
            Component::CurDir | Component::Prefix(_) => continue,
        };
        let Ok(meta) = next.symlink_metadata() else { return false };
        if meta.uid() != 0 {
            return false;
        }
        if meta.is_symlink() {
            links += 1;
            let Some(target) = next.read_link().ok().filter(|_| links <= limits::notices::LINKS)
            else {
                return false;
            };
            ahead.push(target);
            continue;
        }
        let mode = meta.permissions().mode();
        if mode & OTHERS_WRITE != 0 && !(meta.is_dir() && mode & STICKY != 0) {
            return false;
        }
        at = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("cp-system-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_program_is_found_in_absolute_directories_alone() {
        assert_eq!(find("sh", "bin:/nonexistent:/bin").ok().unwrap(), Path::new("/bin/sh"));
        assert!(find("sh", "bin:.:").is_err());
    }

    #[test]
    fn what_another_than_root_could_replace_is_passed_over() {
        let dir = dir("passed");
        fs::write(dir.join("sh"), "#!/bin/sh\n").unwrap();
        mode(&dir.join("sh"), 0o775);
        let path = format!("{}:/bin", dir.display());
        assert_eq!(find("sh", &path).ok().unwrap(), Path::new("/bin/sh"), "the file");
        mode(&dir.join("sh"), 0o755);
        mode(&dir, 0o777);
        assert_eq!(find("sh", &path).ok().unwrap(), Path::new("/bin/sh"), "its directory");
        let error = find("sh", &dir.display().to_string()).err().unwrap();
        assert!(error.message.contains("others than root"), "{}", error.message);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_link_that_another_could_turn_elsewhere_is_not_followed() {
        let dir = dir("links");
        let (open, closed) = (dir.join("open"), dir.join("closed"));
        fs::create_dir_all(&open).unwrap();
        fs::create_dir_all(&closed).unwrap();
        symlink("/bin/sh", open.join("sh")).unwrap();
        // Root may have made this one; what it leads through is not root's alone all the same.
        symlink(open.join("sh"), closed.join("sh")).unwrap();
        mode(&open, 0o777);
        for from in [&open, &closed] {
            let path = format!("{}:/bin", from.display());
            assert_eq!(find("sh", &path).ok().unwrap(), Path::new("/bin/sh"), "{path}");
        }
        symlink("loop", dir.join("loop")).unwrap();
        assert!(!is_roots_alone(&dir.join("loop")));
        fs::remove_dir_all(dir).unwrap();
    }
}
