//! The part of a plan that leaves only what is listed: files to be read, and TCP ports.
//!
//! 1. What is not listed MUST be covered, whatever it is, also what nobody has thought of.
//! 2. Where the kernel cannot list ports there MUST be no such level.

use crate::base::error::{Code, Error, Result};
use crate::cage::plan::Facts;
use crate::cage::plan::expand;
use crate::cage::plan::lines;
use crate::cage::plan::real;
use crate::cage::view::View;
use crate::sys::landlock;
use crate::sys::landlock::Ports;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const LISTED: &str = include_str!("strict.txt");

/// Ports to connect to that need no grant: the web's, where the agents' models are.
const CONNECT: [u16; 2] = [80, 443];

/// Covers everything at the top that is not listed as a whole.
pub fn cover(facts: &Facts<'_>, view: &mut View) -> Result<()> {
    let listed = listed(facts, "show");
    let cannot = |e| Error::internal(format!("cannot read /: {e}"));
    let entries = fs::read_dir("/").map_err(cannot)?.flatten().map(|entry| entry.path());
    // A link leads to what is shown or to nothing.
    let covered = entries.filter(|path| !path.is_symlink() && !listed.contains(path));
    covered.for_each(|path| view.hide(&path));
    Ok(())
}

/// Shows what is listed in what is covered.
pub fn show(facts: &Facts<'_>, view: &mut View) {
    let all = listed(facts, "show").into_iter().chain(program(facts.program));
    // What is at the top was not covered, or is the session's own by now.
    let inner = all.filter(|path| path.parent() != Some(Path::new("/")));
    for path in inner.filter(|path| path.exists() || path.is_symlink()) {
        view.show(&path);
    }
    for path in listed(facts, "hide").iter().filter(|path| path.exists()) {
        view.hide(path);
    }
}

fn listed(facts: &Facts<'_>, how: &str) -> Vec<PathBuf> {
    let words = lines(LISTED).filter_map(|line| line.split_once(' '));
    let words = words.filter(|(known, _)| *known == how);
    // By its real name: what is seen is told by names.
    let home = real(facts.home).unwrap_or_else(|| facts.home.to_path_buf());
    words.flat_map(|(_, word)| expand(word, &home, facts.uid)).collect()
}

/// The program, and what stands beside it where it really is.
fn program(path: &Path) -> Vec<PathBuf> {
    let place = real(path).and_then(|path| path.parent().map(Path::to_path_buf));
    std::iter::once(path.to_path_buf()).chain(place).collect()
}

/// The ports, with those that were granted.
pub fn ports(facts: &Facts<'_>) -> Result<Ports> {
    let version = landlock::version();
    if version < landlock::PORTS {
        return Err(Error::new(
            Code::Failed,
            format!(
                "this kernel cannot list TCP ports (its Landlock has version {version}, this \
                 needs {}); start it with --sandbox workspace",
                landlock::PORTS
            ),
        ));
    }
    let mut ports = facts.granted.ports.clone();
    ports.connect.extend(CONNECT);
    // One that the kernel chooses: it is nobody's.
    ports.listen.push(0);
    Ok(ports)
}
