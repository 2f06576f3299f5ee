//! Notices when a mask is lost: the kernel says when the list of a process's mounts has changed, so
//! that nobody has to look by the clock.
//!
//! A mask lives on the directory that it covers. When that is removed or moved outside of the cage,
//! the kernel takes the mask away, and what comes in its place is not covered.

use crate::cage;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// A cage's mounts, for polling: an error condition means that they have changed.
pub struct Watch {
    mounts: File,
    masks: Vec<PathBuf>,
}

impl Watch {
    /// `mounts` is an open `/proc/self/mountinfo` of a process inside.
    pub fn new(mounts: File, masks: &[PathBuf]) -> Watch {
        Watch { mounts, masks: masks.to_vec() }
    }

    /// A mask that is gone. What cannot be read counts as gone.
    pub fn lost(&mut self) -> Option<PathBuf> {
        let mut text = String::new();
        let read = self.mounts.rewind().and_then(|()| self.mounts.read_to_string(&mut text));
        match read {
            Ok(_) => cage::lost(&text, &self.masks).map(PathBuf::from),
            Err(_) => self.masks.first().cloned(),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mounts.as_fd()
    }
}
