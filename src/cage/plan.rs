//! Plans a cage: from what this host has and what a person granted to the steps that build it.
//! Reads the file system, changes nothing but to make missing directories whose later content is
//! to be hidden.
//!
//! 1. A path MUST be resolved before it is covered: a mask on a link covers the link's place only.
//! 2. What a grant shows MUST be what the person named, and nothing beside it.

use crate::base::error::{Error, Result};
use crate::cage::Cage;
use crate::cage::Level;
use crate::cage::grants::Granted;
use crate::cage::step::Step;
use crate::cage::strict;
use crate::cage::view::View;
use crate::cage::workspace;
use crate::sys::file;
use crate::sys::landlock;
use crate::sys::landlock::Rules;
use crate::sys::seccomp::Extra;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const HIDDEN: &str = include_str!("hidden.txt");
const FIXED: &str = include_str!("fixed.txt");
const COPIED: &str = include_str!("copied.txt");

/// What a plan is made from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What it is to hold.
    pub level: Level,
    /// The host lets us have processes of our own.
    pub processes: bool,
    /// Our user.
    pub uid: u32,
    /// We may give the session users that are others outside.
    pub shifts: bool,
    /// The session's home directory.
    pub home: &'a Path,
    /// The program.
    pub program: &'a Path,
    /// Which agent it runs; none that is known: it has no state of its own.
    pub agent: &'a str,
    /// Its environment.
    pub vars: &'a BTreeMap<String, String>,
    /// Where it works.
    pub cwd: &'a Path,
    /// codepiper's own directory, which nobody sees,
    pub state: &'a Path,
    /// but for these: directories and files of this session.
    pub shown: Vec<PathBuf>,
    /// The same, for directories that it writes to.
    pub written: Vec<PathBuf>,
    /// More files that cannot be opened, and sockets that cannot be reached.
    pub closed: Vec<PathBuf>,
    /// Sockets that can be reached.
    pub open: Vec<PathBuf>,
    /// Read-only besides the usual: our own program, its unit.
    pub fixed: Vec<PathBuf>,
    /// What the person granted.
    pub granted: &'a Granted,
}

/// Plans it.
pub fn plan(facts: &Facts<'_>) -> Result<Cage> {
    let state = real(facts.state).ok_or_else(|| {
        Error::internal(format!("{} is not there to be hidden", facts.state.display()))
    })?;
    let covered = workspace::prepare(facts);
    let mut view = View::default();
    if facts.level >= Level::Workspace {
        // No level works where any of them hides: what is shown for a project's sake would be no
        // longer hidden.
        let mut masks = View::default();
        mask(facts, &covered, &state, &mut masks);
        check_project(facts, &masks)?;
        workspace::open(facts, &mut view)?;
    }
    view.pin_above(&state, Path::new("/"));
    mask(facts, &covered, &state, &mut view);
    check_project(facts, &view)?;
    for path in facts.shown.iter().filter_map(|path| real(path)) {
        view.add(Step::Show(path.clone()));
        view.add(Step::Fix(path));
    }
    for path in facts.written.iter().filter_map(|path| real(path)) {
        view.add(Step::Show(path.clone()));
        view.add(Step::Free(path));
    }
    fix(facts, &mut view);
    // Root is root inside as well.
    if facts.uid != 0 {
        lines(COPIED).filter_map(|dir| real(Path::new(dir))).for_each(|dir| copy(&dir, &mut view));
    }
    let made = match facts.level >= Level::Workspace {
        true => workspace::protect(facts, &mut view),
        false => Vec::new(),
    };
    let strict = facts.level == Level::Strict;
    let is_mask = |step: &&Step| matches!(step, Step::Hide(path) if path.is_dir());
    let masks = view.steps().iter().filter(is_mask).filter_map(covers);
    let masks = masks.filter(|path| stays(path, facts)).chain(view.cover(&state));
    let masks = masks.map(Path::to_path_buf).collect();
    let cage = Cage {
        level: facts.level.max(Level::Guard),
        processes: facts.processes,
        shifted: match facts.shifts && !facts.granted.sockets {
            true => owned(facts, &state),
            false => Vec::new(),
        },
        steps: view.into_steps(),
        rules: Rules {
            scopes: landlock::version() >= landlock::SCOPES,
            ports: strict.then(|| strict::ports(facts)).transpose()?,
            below: None,
            readable: Vec::new(),
        },
        extra: Extra { limits: !facts.processes, sockets: strict },
        closed: facts.closed.clone(),
        open: facts.open.clone(),
        masks,
        made,
    };
    if facts.level > Level::KeysOnly { Ok(cage) } else { files_alone(cage, &state) }
}

/// Where a program of root's finds files that must be its own.
fn owned(facts: &Facts<'_>, state: &Path) -> Vec<PathBuf> {
    let named = [Path::new("/tmp"), facts.home, facts.cwd, facts.program, state];
    let mut all: Vec<PathBuf> = named.into_iter().filter_map(real).collect();
    all.extend(facts.granted.paths.iter().cloned());
    all
}

/// What is left of a cage without namespaces.
fn files_alone(mut cage: Cage, state: &Path) -> Result<Cage> {
    while cage.level > Level::KeysOnly {
        cage = weaker(&cage, state).ok_or_else(|| {
            Error::invalid(
                "the sandbox keys-only needs Landlock as of Linux 6.12; --sandbox off starts it \
                 without one",
            )
        })?;
    }
    Ok(cage)
}

/// Whether a directory stays: what the system makes in /run and /tmp comes and goes with logins,
/// and not under the same name, or not in here. What was made to be hidden stays.
fn stays(path: &Path, facts: &Facts<'_>) -> bool {
    let bars = lines(HIDDEN).filter_map(|line| line.strip_prefix("bar "));
    let mut barred = bars.flat_map(|word| expand(word, facts.home, facts.uid));
    let passes = path.starts_with("/run") || path.parent() == Some(Path::new("/tmp"));
    !passes || real(facts.state).as_deref() == Some(path) || barred.any(|bar| bar == path)
}

/// The place itself, without links; `None` where nothing is.
pub fn real(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

fn covers(step: &Step) -> Option<&Path> {
    match step {
        Step::Hide(path) | Step::Own(path, _) => Some(path),
        _ => None,
    }
}

/// Directories above `path`, below `top`, that could be moved away with a mask in them, outermost
/// first. Those in a directory of root's stay where they are, unless we are root.
pub fn pins(path: &Path, top: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1).take_while(|dir| *dir != top && *dir != Path::new("/"));
    let movable = |dir: &&Path| dir.parent().is_none_or(file::is_writable);
    let mut pins: Vec<PathBuf> = above.filter(movable).map(Path::to_path_buf).collect();
    pins.reverse();
    pins
}

/// A line of a list: what comes of `~`, `{uid}` and a `*` at the end.
pub fn expand(word: &str, home: &Path, uid: u32) -> Vec<PathBuf> {
    let word = word.replace("{uid}", &uid.to_string());
    let path = match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(&word),
    };
    let Some(start) = word.strip_suffix('*') else { return vec![path] };
    let start = start.rsplit('/').next().unwrap_or_default().to_string();
    let entries = path.parent().and_then(|dir| fs::read_dir(dir).ok());
    let entries = entries.into_iter().flatten().flatten();
    let fits = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(&start);
    entries.filter(|entry| fits(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// What is listed as hidden and is there.
pub fn hidden(home: &Path, uid: u32) -> Vec<PathBuf> {
    let words = lines(HIDDEN).filter_map(|line| line.split_once(' '));
    let words = words.filter(|(how, _)| *how == "hide").map(|(_, word)| word);
    words.flat_map(|word| expand(word, home, uid)).filter(|path| path.exists()).collect()
}

/// What is listed as read-only and is there.
pub fn fixed(home: &Path, uid: u32) -> Vec<PathBuf> {
    lines(FIXED).flat_map(|word| expand(word, home, uid)).filter(|path| path.exists()).collect()
}

/// Hides what is listed, less what was granted.
fn hide(facts: &Facts<'_>, view: &mut View) {
    let (mut veils, mut files) = (Vec::new(), Vec::new());
    let mut covers: Vec<(bool, PathBuf)> = Vec::new();
    for line in lines(HIDDEN) {
        let (how, word) = line.split_once(' ').unwrap_or_default();
        for path in expand(word, facts.home, facts.uid) {
            if matches!(how, "make" | "bar") {
                // Where it cannot be made nobody else makes it in our name either.
                let _ = file::private_dir(&path);
            }
            let Some(path) = real(&path).filter(|path| !facts.granted.shows(path)) else {
                continue;
            };
            match how {
                "veil" => veils.push(path),
                "hide" | "bar" if path.is_dir() => covers.push((true, path)),
                "hide" => files.push(path),
                _ => covers.push((false, path)),
            }
        }
    }
    // Its sockets lie where this says, which need not be in /run.
    let runtime = facts.vars.get("XDG_RUNTIME_DIR").and_then(|path| real(Path::new(path)));
    let is_own = |path: &PathBuf| !facts.granted.shows(path) && !facts.home.starts_with(path);
    covers.extend(runtime.filter(is_own).map(|path| (false, path)));
    for veil in veils {
        let inside: Vec<PathBuf> =
            files.extract_if(.., |path| path.parent() == Some(veil.as_path())).collect();
        if !inside.is_empty() {
            cover_but(&veil, &inside, view);
        }
    }
    for (wholly, path) in covers {
        match wholly {
            true => view.hide(&path),
            false => view.own(&path, 0o700),
        }
    }
    files.iter().for_each(|path| view.hide(path));
    facts.granted.paths.iter().for_each(|path| view.show(path));
}

/// The lines of a list that are not about itself.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A directory without some of its files.
fn cover_but(dir: &Path, without: &[PathBuf], view: &mut View) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let shown: Vec<PathBuf> = entries.filter(|path| !without.contains(path)).collect();
    view.own(dir, 0o755);
    shown.into_iter().for_each(|path| view.add(Step::Show(path)));
}

fn fix(facts: &Facts<'_>, view: &mut View) {
    let listed = lines(FIXED).flat_map(|word| expand(word, facts.home, facts.uid));
    let all = listed.chain(facts.fixed.iter().cloned()).filter_map(|path| real(&path));
    let visible = |path: &PathBuf| !facts.granted.shows(path) && view.is_visible(path);
    let fixed: Vec<PathBuf> = all.filter(visible).collect();
    for path in fixed.iter().filter(|path| path.starts_with(facts.home)) {
        view.pin_above(path, facts.home);
    }
    fixed.into_iter().for_each(|path| view.add(Step::Fix(path)));
}

/// Shows copies of a directory's files, which belong to whoever runs the session. What a link leads
/// to is copied, and what cannot be read is left out.
fn copy(dir: &Path, view: &mut View) {
    if !view.is_visible(dir) {
        return;
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> =
        entries.filter(|path| path.is_file() && fs::File::open(path).is_ok()).collect();
    view.own(dir, 0o755);
    files.into_iter().for_each(|path| view.add(Step::Copy(path)));
    view.add(Step::Fix(dir.to_path_buf()));
}

fn mask(facts: &Facts<'_>, covered: &[PathBuf], state: &Path, view: &mut View) {
    hide(facts, view);
    covered.iter().for_each(|path| view.own(path, 0o700));
    view.hide(state);
}

fn check_project(facts: &Facts<'_>, view: &View) -> Result<()> {
    match view.cover(facts.cwd) {
        Some(cover) => Err(Error::invalid(format!(
            "{} lies in {}, which a cage hides; work elsewhere, or start it with --sandbox off",
            facts.cwd.display(),
            cover.display()
        ))),
        None => Ok(()),
    }
}

/// The next best cage where this one cannot be had; `None` once there is nothing left. `state` is
/// what nobody sees.
pub fn weaker(cage: &Cage, state: &Path) -> Option<Cage> {
    if cage.level <= Level::KeysOnly {
        return None;
    }
    if !cage.shifted.is_empty() {
        return Some(Cage { shifted: Vec::new(), ..cage.clone() });
    }
    if cage.processes && cage.rules.scopes {
        let extra = Extra { limits: true, ..cage.extra };
        return Some(Cage { processes: false, extra, ..cage.clone() });
    }
    if !cage.rules.scopes {
        return None;
    }
    let state = real(state)?;
    let (below, steps) = (beside(&state), cage.steps.iter());
    let readable = steps.filter_map(|step| match step {
        Step::Show(path) if path.starts_with(&state) => Some(path.clone()),
        _ => None,
    });
    let readable = readable.collect();
    Some(Cage {
        level: Level::KeysOnly,
        processes: false,
        steps: Vec::new(),
        rules: Rules { below: Some(below), readable, ..cage.rules.clone() },
        extra: Extra { limits: true, ..cage.extra },
        masks: Vec::new(),
        made: Vec::new(),
        ..cage.clone()
    })
}

/// Everything but `path` and what it lies in. No links: one that leads there would open it, and one
/// that leads elsewhere opens nothing that is not open by its own name.
fn beside(path: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for inner in path.ancestors() {
        let Some(dir) = inner.parent() else { break };
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let entries = entries.map(|entry| entry.path());
        all.extend(entries.filter(|path| path != inner && !path.is_symlink()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_and_what_links_lead_to_are_copied_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("cp-copied-{}", std::process::id()));
        fs::create_dir_all(dir.join("sub")).unwrap();
        symlink("/etc/hostname", dir.join("link")).unwrap();
        symlink("/no/such", dir.join("dangling")).unwrap();
        let mut view = View::default();
        copy(&dir, &mut view);
        let steps = view.into_steps();
        fs::remove_dir_all(&dir).unwrap();
        let link = Step::Copy(dir.join("link"));
        assert_eq!(steps, [Step::Own(dir.clone(), 0o755), link, Step::Fix(dir.clone())]);
        let mut hidden = View::default();
        hidden.hide(Path::new("/etc"));
        copy(Path::new("/etc/ssh"), &mut hidden);
        assert_eq!(hidden.steps(), [Step::Hide("/etc".into())]);
    }
}
