//! The last steps of a program into its cage, between fork and exec: what was mounted is locked,
//! its rights are given up, and all of it is tried before the program runs.

use crate::base::error::{Context, Error, Result};
use crate::cage::Cage;
use crate::cage::Level;
use crate::cage::start;
use crate::cage::trial;
use crate::sys::landlock;
use crate::sys::namespace;
use crate::sys::proc;
use crate::sys::pty;
use crate::sys::pty::Program;
use crate::sys::seccomp;
use std::fs::File;
use std::os::fd::OwnedFd;

/// Becomes the program, or says to `keeper` why not; never returns. `init` gives the ids of the
/// namespace that this process moves to.
pub fn run(program: &Program, cage: &Cage, terminals: u64, keeper: &OwnedFd, init: OwnedFd) -> ! {
    if let Err(error) = lock(&init) {
        start::say_cannot(keeper, &error);
        namespace::exit(127);
    }
    // `init` stays open until exec closes it: that is how its other end knows.
    enter(program, cage, terminals, keeper)
}

/// The same where there are no namespaces to enter.
pub fn run_bare(program: &Program, cage: &Cage, keeper: &OwnedFd) -> ! {
    enter(program, cage, 0, keeper)
}

fn enter(program: &Program, cage: &Cage, terminals: u64, keeper: &OwnedFd) -> ! {
    if let Err(failure) = pty::settle(program, keeper) {
        let _ = pty::send(keeper, &[b"p", &failure[..]].concat());
        namespace::exit(127);
    }
    if let Err(error) = give_up(cage, terminals) {
        start::say_cannot(keeper, &error);
        namespace::exit(127);
    }
    if let Err(error) = show_mounts(keeper) {
        start::say_cannot(keeper, &error);
        namespace::exit(127);
    }
    let failure = pty::run(program);
    let _ = pty::send(keeper, &[b"p", &failure[..]].concat());
    namespace::exit(127)
}

/// The keeper watches them: what is open stays the list of this namespace's mounts.
fn show_mounts(keeper: &OwnedFd) -> Result<()> {
    let path = "/proc/self/mountinfo";
    let mounts = File::open(path).internal(|| format!("cannot read {path}"))?;
    pty::pass(keeper, b"m", &mounts)
}

fn lock(init: &OwnedFd) -> Result<()> {
    namespace::unshare(namespace::LOCK)?;
    pty::send(init, b"n")?;
    let mut bytes = [0; 8];
    match pty::receive(init, &mut bytes)?.count {
        0 => Err(Error::internal("its init is gone")),
        _ => Ok(()),
    }
}

fn give_up(cage: &Cage, terminals: u64) -> Result<()> {
    // Root's rights are over its own namespace only, and it gets them again with each program.
    if proc::uid() != 0 {
        match cage.level {
            Level::KeysOnly => namespace::clear_capabilities()?,
            _ => namespace::drop_capabilities()?,
        }
    }
    namespace::no_new_privileges()?;
    landlock::restrict(&cage.rules)?;
    seccomp::install(cage.extra)?;
    trial::all(cage, terminals)
}
