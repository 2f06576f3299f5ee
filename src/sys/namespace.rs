//! Namespaces, and what a process gives up on its way into one. Knows nothing of what is mounted
//! there, or why.
//!
//! 1. Between fork and exec a child MUST be the copy of a process with one thread: no lock can be
//!    held by a thread that it does not have.
//! 2. A number that is passed on (a pid, an id) MUST be written as a number and as nothing else.

use crate::base::error::{Context, Error, Result};
use crate::sys::proc;
use crate::sys::signal::Name;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::sockopt;
use std::fs::File;
use std::os::fd::AsFd;

/// Which side of a fork this is.
pub enum Side {
    /// The child.
    Child,
    /// The parent, with the child's pid as the parent sees it.
    Parent(i32),
}

/// The namespaces that a cage is built in.
pub const BUILD: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWIPC;
/// Those that lock it: what was mounted before cannot be undone from within.
pub const LOCK: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
/// Processes of its own, in addition to [`BUILD`].
pub const PROCESSES: i32 = libc::CLONE_NEWPID;

/// Mounts of its own, and nothing else.
pub const MOUNTS: i32 = libc::CLONE_NEWNS;
/// No namespace: the new process is not the caller's child, but its parent's.
pub const SIBLING: i32 = libc::CLONE_PARENT;

/// Forks; the child is in new namespaces at once (0: in none), and init of a PID namespace where
/// there is one. The caller must have one thread only.
pub fn fork(flags: i32) -> Result<Side> {
    /// `struct clone_args` of Linux 5.7.
    #[repr(C)]
    #[derive(Default)]
    struct Args {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    // A sibling ends with the signal that its parent hears of us with.
    let exit_signal = if flags & SIBLING != 0 { 0 } else { libc::SIGCHLD as u64 };
    let args = Args { flags: flags as u64, exit_signal, ..Args::default() };
    // SAFETY: without a stack of its own the child goes on with a copy of everything, as after
    // fork(2); the caller has a single thread.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const args, std::mem::size_of::<Args>()) };
    match Errno::result(result).internal(|| "cannot make namespaces".into())? {
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid as i32)),
    }
}

/// Moves this process into new namespaces.
pub fn unshare(flags: i32) -> Result<()> {
    // SAFETY: unshare takes plain flags.
    let result = unsafe { libc::unshare(flags) };
    Errno::result(result).map(drop).internal(|| "cannot unshare namespaces".into())
}

/// Ids of a user namespace: `inside` upwards are `outside` upwards, `count` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// The first id inside.
    pub inside: u32,
    /// Which id that is one namespace further out.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// Gives the user namespace of process `pid` its ids. A single id of our own needs no right for it.
pub fn map_ids(pid: i32, users: Map, groups: Map) -> Result<()> {
    let write = |file: &str, text: &str| {
        std::fs::write(format!("/proc/{pid}/{file}"), text)
            .internal(|| format!("cannot write {file} of a new user namespace"))
    };
    let line = |map: Map| format!("{} {} {}", map.inside, map.outside, map.count);
    write("uid_map", &line(users))?;
    if groups.count == 1 {
        write("setgroups", "deny")?;
    }
    write("gid_map", &line(groups))
}

/// A user namespace with these ids and nobody in it.
pub fn users(users: Map, groups: Map) -> Result<File> {
    match fork(libc::CLONE_NEWUSER)? {
        Side::Child => {
            let _ = die_with_parent();
            loop {
                nix::unistd::pause();
            }
        }
        Side::Parent(pid) => {
            let path = format!("/proc/{pid}/ns/user");
            let made = map_ids(pid, users, groups)
                .and_then(|()| File::open(&path).internal(|| format!("cannot open {path}")));
            let _ = proc::signal(pid, Name::SIGKILL);
            proc::wait(pid);
            made
        }
    }
}

/// Becomes root of its own user namespace, with no other groups.
pub fn become_root() -> Result<()> {
    use nix::unistd::{Gid, Uid};
    let (user, group) = (Uid::from_raw(0), Gid::from_raw(0));
    let become_it = || "cannot become root of a user namespace".to_string();
    nix::unistd::setgroups(&[]).internal(become_it)?;
    nix::unistd::setresgid(group, group, group).internal(become_it)?;
    nix::unistd::setresuid(user, user, user).internal(become_it)
}

/// Whether we may give a user namespace all ids: CAP_SETGID and CAP_SETUID, where all are there to
/// be given, as they are not in a container with users of its own.
pub fn may_map_all() -> bool {
    const BOTH: u64 = 1 << 6 | 1 << 7;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = held.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    let ids = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let all = ids.split_whitespace().nth(2) == Some("4294967295");
    all && held.is_some_and(|held| held & BOTH == BOTH)
}

/// The effective group.
pub fn gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

fn prctl(option: i32, value: libc::c_ulong, what: &str) -> Result<()> {
    // SAFETY: these options take plain numbers.
    let result = unsafe { libc::prctl(option, value, 0, 0, 0) };
    Errno::result(result).map(drop).internal(|| format!("cannot {what}"))
}

/// Whether this process's files in /proc are its user's (they must be, to be given ids) or root's.
pub fn set_dumpable(on: bool) -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, on.into(), "set what others may see of a process")
}

/// This process ends when its parent does.
pub fn die_with_parent() -> Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, "tie a process to its parent")
}

/// No program started from here gains rights by a set-id bit or file capabilities.
pub fn no_new_privileges() -> Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1, "give new privileges up")
}

/// Gives every capability up, for good.
pub fn drop_capabilities() -> Result<()> {
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability, "drop a capability") {
            Ok(()) => {}
            // The kernel's last one was the one before.
            Err(_) if capability > 0 => break,
            Err(error) => return Err(error),
        }
    }
    clear_capabilities()
}

/// Gives up those that it has. Which it may have it keeps: to drop that needs one.
pub fn clear_capabilities() -> Result<()> {
    /// `struct __user_cap_header_struct` and twice `__user_cap_data_struct`, version 3.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    let (header, none) = (Header { version: 0x2008_0522, pid: 0 }, [0_u32; 6]);
    // SAFETY: both structures live through the call and have the sizes of version 3.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    Errno::result(result).map(drop).internal(|| "cannot drop capabilities".into())
}

/// Messages that come over this socket say who sent them.
pub fn want_credentials(socket: &impl AsFd) -> Result<()> {
    nix::sys::socket::setsockopt(socket, sockopt::PassCred, &true)
        .internal(|| "cannot ask a socket for its peers' ids".into())
}

/// Ends this process at once, without anything that was to be done at the end.
pub fn exit(code: i32) -> ! {
    // SAFETY: _exit runs no handlers; in a forked child they would be the parent's.
    unsafe { libc::_exit(code) }
}

/// Sends a signal to all processes that this one sees, but not to itself.
pub fn signal_all(signal: Name) {
    // Nobody left is what is hoped for.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), signal);
}

/// No more cgroup namespaces in this user namespace and all below.
pub fn forbid_cgroup_namespaces() -> Result<()> {
    std::fs::write("/proc/sys/user/max_cgroup_namespaces", "0")
        .internal(|| "cannot forbid cgroup namespaces".into())
}

/// The next process in this PID namespace gets a number above `pid`.
pub fn set_last_pid(pid: u32) -> Result<()> {
    std::fs::write("/proc/sys/kernel/ns_last_pid", pid.to_string())
        .map_err(|e| Error::internal(format!("cannot set ns_last_pid: {e}")))
}
