//! Tells whether a process belongs to a session, from its ancestry alone.
//!
//! 1. A peer that cannot be traced to its end MUST count as inside.
//! 2. Who is inside MUST NOT depend on anything the peer can write: a keeper collects orphans, so
//!    no descendant leaves its tree, and a process's name is its own to set.
//!
//! A keeper above ourselves is not counted: a whole codepiper may run inside a session of another.

use crate::base::error::{Error, Result};
use crate::keeper::NAME;
use crate::sys::proc;
use crate::sys::proc::Stat;
use std::sync::OnceLock;

/// The keepers above `pid`, nearest first; none for a process outside every session. Those nearer
/// than the session's own may be false: a program inside can take a keeper's name.
pub fn keepers_of(pid: i32) -> Result<Vec<Stat>> {
    if pid <= 0 {
        return Err(Error::denied("the peer's process is not visible here"));
    }
    // Ends at ourselves, and with us: a keeper asks about its own descendants too.
    let line = proc::ancestry(pid)?.into_iter();
    let above = above()?;
    let is_above = |s: &Stat| above.iter().any(|a| a.pid == s.pid && a.start == s.start);
    Ok(line.filter(|s| s.comm == NAME && !is_above(s)).collect())
}

/// Our own ancestors, read once. When one ends, those above it take us over: the list may name dead
/// processes later, but it misses none.
fn above() -> Result<&'static [Stat]> {
    static ABOVE: OnceLock<Vec<Stat>> = OnceLock::new();
    match ABOVE.get() {
        Some(above) => Ok(above),
        None => {
            let read = proc::own_ancestors()?;
            Ok(ABOVE.get_or_init(|| read))
        }
    }
}
