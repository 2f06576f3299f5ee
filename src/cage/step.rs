//! The steps by which a cage's view of the file system is made, and how each is done. Knows nothing
//! of why something is hidden or shown.

use crate::base::bytes::{Put, Take};
use crate::base::error::{Context, Error, Result};
use crate::cage;
use crate::sys::mount;
use std::fs;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Covers a directory by an empty one that is read-only, or a file by an empty one.
    Hide(PathBuf),
    /// Covers a directory by an empty one of the session's own, with this mode.
    Own(PathBuf, u32),
    /// Shows what was there before all other steps, in something that is covered by now. A link is
    /// made anew.
    Show(PathBuf),
    /// The same, as a copy: what is written to it stays inside.
    Copy(PathBuf),
    /// Makes a file or directory read-only, with all below it.
    Fix(PathBuf),
    /// Keeps a directory from being moved or replaced.
    Pin(PathBuf),
    /// Makes everything read-only.
    Seal,
    /// Makes a directory writable again.
    Free(PathBuf),
}

impl Step {
    fn fields(&self) -> (u32, u32, &Path) {
        match self {
            Step::Hide(path) => (0, 0, path),
            Step::Own(path, mode) => (1, *mode, path),
            Step::Show(path) => (2, 0, path),
            Step::Copy(path) => (3, 0, path),
            Step::Fix(path) => (4, 0, path),
            Step::Pin(path) => (5, 0, path),
            Step::Seal => (6, 0, Path::new("/")),
            Step::Free(path) => (7, 0, path),
        }
    }

    /// Bytes, for a launch description.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, mode, path) = self.fields();
        Put::new().u32(kind).u32(mode).blob(path.as_os_str().as_bytes()).done()
    }

    /// Reads what [`Step::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Step> {
        let mut take = Take::new(bytes);
        let (kind, mode, path) = (take.u32()?, take.u32()?, cage::path(take.blob()?));
        Ok(match kind {
            0 => Step::Hide(path),
            1 => Step::Own(path, mode),
            2 => Step::Show(path),
            3 => Step::Copy(path),
            4 => Step::Fix(path),
            5 => Step::Pin(path),
            6 => Step::Seal,
            7 => Step::Free(path),
            _ => return Err(Error::invalid("the launch holds a step that nobody knows")),
        })
    }
}

/// What is needed of the old view after it is covered.
enum Before {
    Nothing,
    Open(OwnedFd),
    Link(PathBuf),
    Text(Vec<u8>),
}

/// Does all steps, in their order.
pub fn take(steps: &[Step]) -> Result<()> {
    let before: Vec<Before> = steps.iter().map(look).collect::<Result<_>>()?;
    let mut hidden = Vec::new();
    for (step, before) in steps.iter().zip(before) {
        match step {
            Step::Hide(path) if path.is_dir() => {
                mount::tmpfs(path, 0o755)?;
                hidden.push(path);
            }
            Step::Hide(path) => blank(path)?,
            Step::Own(path, mode) => mount::tmpfs(path, *mode)?,
            Step::Show(path) | Step::Copy(path) => show(path, before)?,
            Step::Fix(path) => {
                bind_itself(path)?;
                mount::set_read_only(path, true, true)?;
            }
            Step::Pin(path) => bind_itself(path)?,
            Step::Seal => mount::set_read_only(Path::new("/"), true, true)?,
            Step::Free(path) => {
                bind_itself(path)?;
                mount::set_read_only(path, false, false)?;
            }
        }
    }
    // Last: what is shown inside needed a place to be mounted on.
    hidden.into_iter().try_for_each(|path| mount::set_read_only(path, true, false))
}

fn look(step: &Step) -> Result<Before> {
    let shown = |path: &Path| format!("cannot look at {}", path.display());
    match step {
        Step::Show(path) if path.is_symlink() => {
            Ok(Before::Link(fs::read_link(path).internal(|| shown(path))?))
        }
        Step::Show(path) => Ok(Before::Open(mount::open(path)?)),
        Step::Copy(path) => Ok(Before::Text(fs::read(path).internal(|| shown(path))?)),
        _ => Ok(Before::Nothing),
    }
}

fn show(path: &Path, before: Before) -> Result<()> {
    let cannot = || format!("cannot make {}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).internal(cannot)?;
    }
    match before {
        Before::Nothing => Ok(()),
        Before::Link(to) => std::os::unix::fs::symlink(to, path).internal(cannot),
        Before::Text(text) => fs::write(path, text).internal(cannot),
        Before::Open(fd) => {
            if mount::is_dir(&fd)? {
                fs::create_dir_all(path).internal(cannot)?;
            } else if !path.exists() {
                File::create(path).map(drop).internal(cannot)?;
            }
            mount::bind(&fd, path)
        }
    }
}

/// An empty file that nobody may read, over another one.
fn blank(path: &Path) -> Result<()> {
    let empty = mount::open(Path::new("/dev/null"))?;
    mount::bind(&empty, path)
}

fn bind_itself(path: &Path) -> Result<()> {
    mount::bind(&mount::open(path)?, path)
}
