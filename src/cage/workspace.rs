//! The part of a plan that keeps writes to the project, temporary files and the agent's own state:
//! `workspace`, and what stands on it.
//!
//! 1. Everything MUST be read-only before anything is made writable again.
//! 2. What runs later outside, unasked, MUST stay read-only also in what is writable, also where it
//!    is yet to be made, and MUST NOT be moved away with what it lies in.

use crate::base::error::{Error, Result};
use crate::cage::Level;
use crate::cage::placeholder;
use crate::cage::plan::Facts;
use crate::cage::plan::expand;
use crate::cage::plan::lines;
use crate::cage::plan::real;
use crate::cage::step::Step;
use crate::cage::strict;
use crate::cage::view::View;
use crate::sys::file;
use crate::sys::place;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const AGENTS: &str = include_str!("agents.txt");
const PROJECT: &str = include_str!("project.txt");

/// Makes the directories of the session's agent that are missing, as it would itself: one that is
/// made later could neither be written at `workspace` nor be covered. Gives those to be covered.
pub fn prepare(facts: &Facts<'_>) -> Vec<PathBuf> {
    let covered = agent(facts, "make");
    for path in agent(facts, "free").iter().chain(&covered) {
        if !path.exists() {
            // One that cannot be made cannot be made by the agent either.
            let _ = file::private_dir(path);
        }
    }
    covered.iter().filter_map(|path| real(path)).collect()
}

/// Covers what is written elsewhere, and opens what may be written.
pub fn open(facts: &Facts<'_>, view: &mut View) -> Result<()> {
    let home = real(facts.home).unwrap_or_else(|| facts.home.to_path_buf());
    if home.starts_with(facts.cwd) {
        return Err(Error::invalid(format!(
            "{} is no project to keep writes to: it holds your home; start it in a directory \
             below, or with --sandbox {}",
            facts.cwd.display(),
            Level::Guard.word()
        )));
    }
    view.add(Step::Seal);
    if facts.level == Level::Strict {
        strict::cover(facts, view)?;
    }
    for dir in ["/tmp", "/var/tmp"].map(Path::new).into_iter().filter_map(real) {
        view.show(&dir);
        view.own(&dir, 0o1777);
    }
    view.show(&home);
    view.own(&home, 0o700);
    // The program finds both by these names.
    for link in place::links(facts.home).into_iter().chain(place::links(facts.state)) {
        view.show(&link);
    }
    match facts.level {
        Level::Strict => strict::show(facts, view),
        _ => open_home(facts, &home, view)?,
    }
    for path in agent(facts, "copy").into_iter().filter(|path| path.is_file()) {
        view.add(Step::Copy(path));
    }
    let state = agent(facts, "free").into_iter().filter_map(|path| real(&path));
    let granted = facts.granted.paths.iter().cloned();
    for path in state.chain(granted).chain([facts.cwd.to_path_buf()]).chain(common_dir(facts.cwd)) {
        view.show(&path);
        // What was read-only before stays so: the kernel refuses more than there is outside.
        if !file::is_read_only(&path) {
            view.add(Step::Free(path));
        }
    }
    if !facts.processes {
        view.add(Step::Free(PathBuf::from("/proc")));
    }
    Ok(())
}

/// A home of the session's own, with what is in the person's: what is new in it, as the lock and
/// the new copy with which an agent replaces its own settings, is gone with the session.
fn open_home(facts: &Facts<'_>, home: &Path, view: &mut View) -> Result<()> {
    let copies = agent(facts, "copy");
    let state = real(facts.state);
    let cannot = |e| Error::invalid(format!("cannot read {}: {e}", home.display()));
    let entries = fs::read_dir(home).map_err(cannot)?.flatten().map(|entry| entry.path());
    for path in entries.filter(|path| Some(path) != state.as_ref()) {
        if !copies.contains(&path) {
            view.add(Step::Show(path));
        }
    }
    for cache in [".cache", ".npm"].map(|name| home.join(name)) {
        if cache.is_dir() && !cache.is_symlink() {
            view.own(&cache, 0o700);
        }
    }
    Ok(())
}

/// Makes what runs later, outside, read-only. Gives the placeholders that it needs for that.
pub fn protect(facts: &Facts<'_>, view: &mut View) -> Vec<PathBuf> {
    let mut made = Vec::new();
    let mut names: Vec<PathBuf> =
        agent(facts, "fix").into_iter().filter_map(|path| real(&path)).collect();
    for line in lines(PROJECT) {
        let (how, word) = line.split_once(' ').unwrap_or_default();
        let path = facts.cwd.join(word);
        if facts.granted.shows(&path) {
            continue;
        }
        if how == "bar" && placeholder::stands_at(&path) {
            made.push(path.clone());
        }
        names.extend(real(&path));
    }
    let common = common_dir(facts.cwd);
    names.extend(common.iter().flat_map(|dir| ["hooks", "config"].map(|name| dir.join(name))));
    names.extend(submodules(&facts.cwd.join(".git/modules")));
    names.retain(|path| path.exists() && view.is_visible(path));
    for path in &names {
        view.pin_below(path, facts.cwd);
    }
    names.into_iter().for_each(|path| view.add(Step::Fix(path)));
    made
}

/// What a submodule runs stands in the repository around it, under a name that may have slashes,
/// and that of one inside it below that.
fn submodules(modules: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(modules).into_iter().flatten().flatten().map(|entry| entry.path());
    let dirs = entries.filter(|path| path.is_dir() && !path.is_symlink());
    let each = |dir: PathBuf| match dir.join("HEAD").exists() {
        true => {
            [submodules(&dir.join("modules")), vec![dir.join("hooks"), dir.join("config")]].concat()
        }
        false => submodules(&dir),
    };
    dirs.flat_map(each).collect()
}

/// Of a worktree of git's: the directory that its commits go to.
fn common_dir(project: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(project.join(".git")).ok()?;
    let named = project.join(text.trim().strip_prefix("gitdir: ")?);
    let common = fs::read_to_string(named.join("commondir")).ok();
    let common = common.map_or(named.clone(), |text| named.join(text.trim()));
    real(&common)
}

/// The paths of the session's agent that are treated so.
fn agent(facts: &Facts<'_>, how: &str) -> Vec<PathBuf> {
    let words = lines(AGENTS).filter_map(|line| {
        let (agent, rest) = line.split_once(' ')?;
        let (known, word) = rest.split_once(' ')?;
        (agent == facts.agent && known == how).then_some(word)
    });
    let paths = words.filter_map(|word| match word.strip_prefix('$') {
        Some(rest) => {
            let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
            Some(vec![Path::new(facts.vars.get(name)?).join(below)])
        }
        None => Some(expand(word, facts.home, facts.uid)),
    });
    paths.flatten().collect()
}
