//! The first process of a cage: mounts its view of the file system, starts the program, collects
//! what ends, and is gone with the last of them. It is a copy of the keeper that never became
//! another program.
//!
//! 1. It MUST be closed to the program: another user namespace, no memory to be read, no rights to
//!    be borrowed.
//! 2. It MUST hold nothing open of the keeper's but their socket pair.

use crate::base::error::Result;
use crate::base::time;
use crate::cage::Cage;
use crate::cage::agent;
use crate::cage::start;
use crate::cage::step;
use crate::limits;
use crate::sys::file;
use crate::sys::mount;
use crate::sys::namespace;
use crate::sys::namespace::Map;
use crate::sys::namespace::Side;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::proc;
use crate::sys::pty;
use crate::sys::pty::Program;
use crate::sys::signal::Name;
use crate::sys::signal::Signals;
use std::os::fd::OwnedFd;
use std::path::Path;

/// What is known of the world outside.
pub struct Outside {
    /// The keeper's pid there.
    pub keeper: u32,
    /// The ids of users and groups for the program's own namespace.
    pub maps: (Map, Map),
}

/// What `ps` shows of it: not the keeper's name, which marks a session's border.
const NAME: &str = "codepiper-cage";

/// Runs it; never returns.
pub fn run(program: &mut Program, cage: &Cage, outside: &Outside, keeper: OwnedFd) -> ! {
    let code = match build(program, cage, outside, &keeper) {
        Ok(child) => {
            look_after(child, &keeper);
            0
        }
        Err(error) => {
            start::say_cannot(&keeper, &error);
            1
        }
    };
    namespace::exit(code)
}

fn build(program: &mut Program, cage: &Cage, outside: &Outside, keeper: &OwnedFd) -> Result<i32> {
    proc::set_name(NAME)?;
    namespace::die_with_parent()?;
    // Else our own files in /proc, through which ids are given, were root's.
    namespace::set_dumpable(true)?;
    pty::send(keeper, b"u")?;
    let mut bytes = [0; 8];
    if pty::receive(keeper, &mut bytes)?.count == 0 {
        namespace::exit(1);
    }
    if !cage.shifted.is_empty() {
        namespace::become_root()?;
        // Both are lost with the old id.
        namespace::die_with_parent()?;
        namespace::set_dumpable(true)?;
    }
    let terminals = mount::device(Path::new("/dev/pts"))?;
    view(cage)?;
    if cage.processes {
        // Not each agent must be process 2: they keep files under their numbers.
        let _ = namespace::set_last_pid(outside.keeper);
    }
    let (ours, theirs) = pty::pair()?;
    match namespace::fork(0)? {
        Side::Child => {
            drop(ours);
            agent::run(program, cage, terminals, keeper, theirs)
        }
        Side::Parent(child) => {
            drop(theirs);
            program.forget_env();
            lock(child, outside, &ours)?;
            pty::send(keeper, b"x")?;
            Ok(child)
        }
    }
}

/// The mounts. First those of the plan: what is sealed must not seal what is new.
fn view(cage: &Cage) -> Result<()> {
    mount::make_private()?;
    step::take(&cage.steps)?;
    if cage.processes {
        mount::proc(Path::new("/proc"))?;
    }
    mount::tmpfs(Path::new("/dev/shm"), 0o1777)?;
    mount::devpts(Path::new("/dev/pts"))?;
    let ptmx = Path::new("/dev/ptmx");
    if !ptmx.is_symlink() {
        mount::bind(&mount::open(Path::new("/dev/pts/ptmx"))?, ptmx)?;
    }
    mount::set_read_only(Path::new("/sys"), true, true)?;
    control_groups()
}

/// A control group shared with the daemon would freeze it. Read-only is not enough: a new namespace
/// may mount them anew, and a process can be born into a group that is only seen.
fn control_groups() -> Result<()> {
    let groups = Path::new("/sys/fs/cgroup");
    if groups.is_dir() {
        mount::tmpfs(groups, 0o755)?;
        mount::set_read_only(groups, true, false)?;
    }
    namespace::forbid_cgroup_namespaces()
}

/// Gives the program's own namespace its ids and waits until the program runs; ends with it where
/// that fails, which is told already.
fn lock(child: i32, outside: &Outside, program: &OwnedFd) -> Result<()> {
    let mut bytes = [0; 8];
    loop {
        match pty::receive(program, &mut bytes)?.count {
            0 => return Ok(()),
            _ => {
                let (users, groups) = outside.maps;
                namespace::map_ids(child, users, groups)?;
                pty::send(program, b"g")?;
            }
        }
    }
}

/// Waits for the program's end, tells it, and lets what is left go.
fn look_after(child: i32, keeper: &OwnedFd) {
    let _ = namespace::set_dumpable(false);
    let _ = namespace::no_new_privileges();
    let _ = namespace::drop_capabilities();
    let _ = file::null_stdio();
    let _ = pty::close_all_but(keeper);
    let Ok(signals) = Signals::block(&[Name::SIGCHLD]) else { return };
    let mut until = None;
    loop {
        while let Some((pid, ended)) = proc::reap() {
            if pid == child {
                let _ = pty::send(keeper, &start::end_message(ended));
                namespace::signal_all(Name::SIGHUP);
                namespace::signal_all(Name::SIGCONT);
                until = Some(time::now() + limits::STRAGGLER_GRACE);
            }
        }
        let over = until.is_some_and(|until| time::now() >= until);
        if over || until.is_some() && !proc::has_children() {
            return;
        }
        let mut watches = [Watch::new(&signals, true, false)];
        let _ = poll::wait(&mut watches, until.map(time::until));
        while signals.next().is_some() {}
    }
}
