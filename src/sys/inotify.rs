//! Says when something changes in a directory.

use crate::base::error::{Context, Result};
use nix::errno::Errno;
use nix::sys::inotify::AddWatchFlags;
use nix::sys::inotify::InitFlags;
use nix::sys::inotify::Inotify;
use nix::sys::inotify::WatchDescriptor;
use std::ffi::OsString;
use std::path::Path;

/// One watched directory. A directory that is watched twice has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(WatchDescriptor);

/// Something was written, replaced, moved, removed or got other rights.
#[derive(Debug)]
pub struct Changed {
    /// Where.
    pub place: Place,
    /// The name in the directory; `None` for the directory itself.
    pub name: Option<OsString>,
    /// The kernel had more to tell than fits: anything may have changed anywhere.
    pub overflow: bool,
}

/// Watched directories.
pub struct Watcher(Inotify);

impl Watcher {
    /// Watches nothing yet. Fails where the user has too many (fs.inotify.max_user_instances).
    pub fn new() -> Result<Watcher> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC);
        inotify.map(Watcher).internal(|| "cannot watch files (see fs.inotify)".into())
    }

    /// Watches `dir` from now on, until it is removed.
    pub fn add(&self, dir: &Path) -> Result<Place> {
        let what = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let added = self.0.add_watch(dir, what);
        added.map(Place).internal(|| format!("cannot watch {}", dir.display()))
    }

    /// Does not watch it any more.
    pub fn remove(&self, place: Place) {
        // One whose directory has gone is gone already.
        let _ = self.0.rm_watch(place.0);
    }

    /// Waits for changes.
    pub fn wait(&self) -> Result<Vec<Changed>> {
        loop {
            match self.0.read_events() {
                Ok(events) => {
                    let changed = events.into_iter().map(|event| Changed {
                        place: Place(event.wd),
                        name: event.name,
                        overflow: event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW),
                    });
                    return Ok(changed.collect());
                }
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e).internal(|| "cannot read changes of files".into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_its_place_and_name() {
        let dir = std::env::temp_dir().join(format!("cp-inotify-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        let watcher = Watcher::new().unwrap();
        let place = watcher.add(&dir).unwrap();
        assert_eq!(watcher.add(&dir).unwrap(), place);
        std::fs::write(dir.join("a"), "x").unwrap();
        let changed = watcher.wait().unwrap();
        assert!(changed.iter().all(|c| c.place == place && !c.overflow), "{changed:?}");
        assert_eq!(changed[0].name.as_deref(), Some("a".as_ref()));
        watcher.remove(place);
        std::fs::remove_dir_all(dir).unwrap();
        assert!(watcher.add(Path::new("/nonexistent")).is_err());
    }
}
