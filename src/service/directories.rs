//! Directories for a person who is typing where to start: what begins like that, and whether a
//! session can work there. Runs nothing, and reads no more than names and the head of a repository.
//!
//! 1. A file system that does not answer MUST NOT hold up more than [`limits::LOOKS`] threads.
//! 2. Nothing in a repository MUST be followed or run: of `.git`, regular files alone are read.

use crate::base::error::{Code, Error, Result};
use crate::base::thread;
use crate::limits;
use crate::service::Service;
use crate::service::program;
use crate::service::tighten;
use crate::sys::file;
use std::fs;
use std::io::ErrorKind;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Directories that begin with what was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where they are, absolute, with a slash at its end.
    pub base: String,
    /// Those that are not hidden first, each part by name.
    pub directories: Vec<Directory>,
    /// There are more than are listed.
    pub more: bool,
    /// Why there is nothing to list, where that is so.
    pub problem: Option<String>,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Directory {
    /// Absolute, as typed: a link is not replaced by where it leads.
    pub path: String,
    /// Its last part.
    pub name: String,
    /// It has a `.git` of its own.
    pub is_git: bool,
    /// Its name begins with a dot.
    pub is_hidden: bool,
    /// It is a link to a directory.
    pub is_link: bool,
}

/// Whether a session can work in a directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The directory, absolute.
    pub cwd: String,
    /// It is there.
    pub exists: bool,
    /// The repository that it lies in, and its branch; a detached head has none.
    pub git: Option<(PathBuf, Option<String>)>,
    /// Why no session can start there.
    pub errors: Vec<String>,
    /// What a person may want to know before.
    pub warnings: Vec<String>,
}

/// How many look at the moment.
#[derive(Debug, Default)]
pub struct Looks(Arc<AtomicUsize>);

struct Look(Arc<AtomicUsize>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Looks {
    /// Runs `look` on a thread of its own and waits for it no longer than `wait`. `Busy` where too
    /// many are still at it, `Timeout` where this one is.
    fn run<T: Send + 'static>(
        &self,
        wait: Duration,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let free = |open: usize| (open < limits::LOOKS).then_some(open + 1);
        let slow = "the file system does not answer";
        if self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).is_err() {
            return Err(Error::busy(format!("{slow}; try again later")));
        }
        let held = Look(self.0.clone());
        let (tell, told) = crossbeam_channel::bounded(1);
        thread::spawn("look", move || {
            let _held = held;
            let _ = tell.send(look());
        })?;
        let late = |_| Error::new(Code::Timeout, format!("{slow} in time"));
        told.recv_timeout(wait).map_err(late)
    }
}

impl Service {
    /// Directories that begin with `typed`, an absolute path or one that begins with `~`.
    pub fn complete_directory(&self, typed: &str) -> Result<Completion> {
        let full = match absolute(typed, &self.user_home) {
            Ok(full) => full,
            Err(error) => {
                return Ok(Completion { problem: Some(error.message), ..Completion::default() });
            }
        };
        self.looks.run(limits::LOOK_WAIT, move || complete(&full))
    }

    /// Whether a session can work in `typed`.
    pub fn check_directory(&self, typed: &str) -> Result<Place> {
        let full = match absolute(typed, &self.user_home) {
            Ok(full) => full,
            Err(error) => {
                let cwd = typed.to_string();
                return Ok(Place { cwd, errors: vec![error.message], ..Place::default() });
            }
        };
        let (own, home) = (self.paths.home().to_path_buf(), self.user_home.clone());
        self.looks.run(limits::LOOK_WAIT, move || check(&full, &own, &home))
    }
}

/// What was typed, with the home in place of `~`.
fn absolute(typed: &str, home: &str) -> Result<String> {
    let full = match typed.strip_prefix('~') {
        Some("") => format!("{home}/"),
        Some(rest) if rest.starts_with('/') => format!("{home}{rest}"),
        Some(_) => {
            return Err(Error::invalid("other people's homes are written from the /"));
        }
        None => typed.to_string(),
    };
    let dots = full.split('/').any(|part| part == "." || part == "..");
    match full.starts_with('/') {
        _ if full.contains('\0') || full.len() > limits::CWD_BYTES => {
            let most = limits::CWD_BYTES;
            Err(Error::invalid(format!(
                "a directory's path has up to {most} bytes, none of them 0"
            )))
        }
        true if dots => Err(Error::invalid("write the path without `.` and `..`")),
        true => Ok(full),
        false => Err(Error::invalid("a directory's path begins with / or ~/")),
    }
}

fn complete(full: &str) -> Completion {
    let (base, begin) = full.split_at(full.rfind('/').map_or(0, |slash| slash + 1));
    let mut found = Completion { base: base.to_string(), ..Completion::default() };
    let list = match fs::read_dir(base) {
        Ok(list) => list,
        Err(e) => {
            found.problem = Some(match e.kind() {
                ErrorKind::NotFound => format!("{base} is not there"),
                ErrorKind::NotADirectory => format!("{base} is not a directory"),
                _ => format!("cannot read {base}: {e}"),
            });
            return found;
        }
    };
    let mut names = Vec::new();
    for (count, entry) in list.enumerate() {
        if count == limits::LOOK_ENTRIES {
            found.more = true;
            break;
        }
        let Ok(entry) = entry else { continue };
        // A name that is no text cannot be told, nor typed.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        if name.starts_with(begin) && (kind.is_dir() || kind.is_symlink()) {
            names.push((name.starts_with('.'), name, kind.is_symlink()));
        }
    }
    names.sort_unstable();
    for (is_hidden, name, is_link) in names {
        let path = format!("{base}{name}");
        if is_link && !fs::metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            continue;
        }
        if found.directories.len() == limits::LOOK_SHOWN {
            found.more = true;
            break;
        }
        let is_git = Path::new(&path).join(".git").symlink_metadata().is_ok();
        found.directories.push(Directory { path, name, is_git, is_hidden, is_link });
    }
    found
}

fn check(full: &str, own: &Path, home: &str) -> Place {
    let cwd = full.trim_end_matches('/');
    let cwd = if cwd.is_empty() { "/" } else { cwd };
    let mut place = Place { cwd: cwd.to_string(), ..Place::default() };
    let path = match program::check_cwd(cwd) {
        Ok(path) => path,
        Err(error) => {
            place.errors.push(error.message);
            return place;
        }
    };
    place.exists = true;
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    if let Err(e) = fs::read_dir(&path) {
        place.errors.push(format!("cannot read {cwd}: {e}"));
    }
    if real.starts_with(own) {
        place.errors.push(format!("{cwd} lies in codepiper's own directory; work elsewhere"));
    }
    if Path::new(home).starts_with(&real) {
        let what = "your home lies in it: an agent sees and may change all that a session may";
        place.warnings.push(format!("{cwd} is no project of its own: {what}"));
    }
    if let Some(brought) = tighten::brought(cwd) {
        let (name, rules) = (tighten::NAME, brought.policy.rules.len() - brought.ignored());
        place.warnings.push(match &brought.problem {
            Some(problem) => format!("{name} cannot be understood, so all is asked: {problem}"),
            None => format!("{name} makes sessions here stricter: {rules} rules"),
        });
    }
    place.git = real.ancestors().find_map(|dir| Some((dir.to_path_buf(), branch(dir)?)));
    place
}

/// The branch of the repository whose root `dir` is: `None` where it is none, `Some(None)` where
/// its head is detached or cannot be read.
fn branch(dir: &Path) -> Option<Option<String>> {
    let meta = dir.join(".git").symlink_metadata().ok()?;
    let head = match meta.is_dir() {
        true => read(dir, &[".git", "HEAD"]),
        // Of a worktree or a submodule: a line that says where the rest is.
        false => read(dir, &[".git"]).and_then(|text| {
            let git = dir.join(text.trim().strip_prefix("gitdir: ")?);
            read(&git, &["HEAD"])
        }),
    };
    let named =
        head.and_then(|head| Some(head.trim().strip_prefix("ref: refs/heads/")?.to_string()));
    Some(named.filter(|name| !name.chars().any(char::is_control)))
}

fn read(dir: &Path, names: &[&str]) -> Option<String> {
    let (file, _) = file::open_beneath(dir, names).ok()??;
    let mut text = String::new();
    file.take(limits::CWD_BYTES as u64).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;
