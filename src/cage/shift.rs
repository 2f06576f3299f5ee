//! The file system as a session of root's sees it whose users are others outside: with root's files
//! as its own, and with neither root's rights over the kernel nor its devices. Knows nothing of
//! what is hidden there.
//!
//! 1. Nothing of the kernel's own (/proc, /sys, /dev) MUST be shown with other owners: there root's
//!    rights are rights over the machine.
//! 2. Where the files that matter cannot be shown so there MUST be no such view: a program that
//!    finds its own project closed is of no use, and one that leaves files of nobody's in it harms.

use crate::base::error::{Context, Error, Result};
use crate::cage;
use crate::sys::mount;
use crate::sys::namespace;
use crate::sys::namespace::Map;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

/// Begins the message of a host that cannot show these files with other owners, and never will.
pub const CANNOT: &str = "files keep their owners: ";

/// The ids of a shifted session outside: the last ones of the range that systemd leaves to
/// containers (<https://systemd.io/UIDS-GIDS>), as many as there are users on a system.
pub const OUTER: Map = Map { inside: 0, outside: 0x6FFF_0000, count: 0x1_0000 };
/// The same from within.
pub const INNER: Map = Map { inside: 0, outside: 0, count: OUTER.count };

/// The kernel's own.
const KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Makes it this process's, which has mounts of its own. Files at `wanted` must be in it.
pub fn view(wanted: &[PathBuf]) -> Result<()> {
    mount::make_private()?;
    let path = "/proc/self/mountinfo";
    let info = std::fs::read_to_string(path).internal(|| format!("cannot read {path}"))?;
    let users = namespace::users(OUTER, OUTER)?;
    let mut copies = Vec::new();
    for (number, path) in mounts(&info) {
        copies.extend(Copy::new(number, path, &users)?);
    }
    for path in wanted {
        check(path, &copies)?;
    }
    let Some((root, others)) = copies.split_first().filter(|(root, _)| root.path == Path::new("/"))
    else {
        return Err(Error::internal("there is no root directory to be copied"));
    };
    mount::attach(&root.tree, Path::new("/"))?;
    for copy in others {
        let below = copy.path.strip_prefix("/").unwrap_or(&copy.path);
        mount::attach_below(&copy.tree, &root.tree, below)?;
    }
    mount::change_root(&root.tree)
}

/// A mount's copy.
struct Copy {
    path: PathBuf,
    tree: OwnedFd,
    /// Its files have other owners.
    shifted: bool,
}

impl Copy {
    /// None of one that lies below another and cannot be seen.
    fn new(number: u64, path: PathBuf, users: &File) -> Result<Option<Copy>> {
        let Ok(fd) = mount::open(&path) else { return Ok(None) };
        if mount::number(&fd) != Some(number) {
            return Ok(None);
        }
        let tree = mount::copy(&fd)?;
        let is_kernels = KERNEL.iter().any(|dir| path.starts_with(dir));
        let shifted = !is_kernels && mount::shift_owners(&tree, users)?;
        Ok(Some(Copy { path, tree, shifted }))
    }
}

/// Refuses a place whose files keep their owners.
fn check(wanted: &Path, copies: &[Copy]) -> Result<()> {
    let holder = copies.iter().rev().find(|copy| wanted.starts_with(&copy.path));
    match holder {
        Some(copy) if !copy.shifted => {
            Err(Error::internal(format!("{CANNOT}the file system of {}", copy.path.display())))
        }
        _ => Ok(()),
    }
}

/// The numbers and places of all mounts, each behind the one that it lies in.
fn mounts(info: &str) -> Vec<(u64, PathBuf)> {
    let fields = info.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut all: Vec<(u64, PathBuf)> = fields
        .filter_map(|fields| Some((fields.first()?.parse().ok()?, cage::unescape(fields.get(4)?))))
        .collect();
    all.sort_by(|one, other| {
        (one.1.components().count(), &one.1).cmp(&(other.1.components().count(), &other.1))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_come_behind_what_they_lie_in() {
        let info = "40 22 0:5 / /home/ann rw - ext4 /dev/b rw\n\
                    22 1 98:0 / / rw - ext4 /dev/a rw\n\
                    23 22 0:21 / /home\\040two rw - tmpfs tmpfs rw\n\
                    24 22 0:22 / /home rw - tmpfs tmpfs rw\nnonsense\n";
        let places: Vec<(u64, PathBuf)> = mounts(info);
        let all: Vec<String> =
            places.iter().map(|(number, path)| format!("{number} {}", path.display())).collect();
        assert_eq!(all, ["22 /", "24 /home", "23 /home two", "40 /home/ann"]);
    }
}
