//! Processes: who descends from whom, whether a pid still means the same process, and signals.
//!
//! 1. A pid alone MUST NOT identify a process; pid + start time does.
//! 2. An ancestry that cannot be read to its end MUST count as unknown, never as harmless.

use crate::base::error::{Context, Error, Result};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

/// One line of /proc/PID/stat, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: i32,
    /// Parent's process id.
    pub ppid: i32,
    /// The process's own name, at most 15 bytes.
    pub comm: String,
    /// Clock ticks between boot and the process's start.
    pub start: u64,
    /// `Z` for a zombie.
    pub state: char,
}

/// Reads /proc/PID/stat; `None` when there is no such process.
pub fn stat(pid: i32) -> Option<Stat> {
    read_stat(&format!("/proc/{pid}/stat"))
}

/// The same of one thread of a process.
pub fn thread_stat(pid: i32, thread: i32) -> Option<Stat> {
    read_stat(&format!("/proc/{pid}/task/{thread}/stat"))
}

fn read_stat(path: &str) -> Option<Stat> {
    // One read has all of it: a line of at most some 400 bytes.
    let mut line = [0; 1024];
    let count = File::open(path).ok()?.read(&mut line).ok()?;
    parse_stat(&String::from_utf8_lossy(&line[..count]))
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold spaces and parentheses; the last `)` ends it.
    let (head, tail) = (text.find('(')?, text.rfind(')')?);
    let mut fields = text.get(tail + 2..)?.split(' ');
    Some(Stat {
        pid: text.get(..head)?.trim().parse().ok()?,
        comm: text.get(head + 1..tail)?.to_string(),
        state: fields.next()?.chars().next()?,
        ppid: fields.next()?.parse().ok()?,
        // 17 fields between parent and start time.
        start: fields.nth(17)?.parse().ok()?,
    })
}

/// Our own line of /proc.
pub fn own_stat() -> Result<Stat> {
    let me = std::process::id() as i32;
    stat(me).ok_or_else(|| Error::internal("/proc is not mounted; codepiper cannot work without"))
}

/// Whether the process that had `pid` and `start` still runs (a zombie does not).
pub fn is_alive(pid: i32, start: u64) -> bool {
    stat(pid).is_some_and(|s| s.start == start && s.state != 'Z')
}

/// `pid` and its ancestors, youngest first, up to init or to ourselves, whichever comes first.
/// Starts over when a parent changes while it is being read; an ancestry that never holds still is
/// an error.
pub fn ancestry(pid: i32) -> Result<Vec<Stat>> {
    line_of(pid, std::process::id() as i32)
}

/// Our own ancestors up to init, parent first.
pub fn own_ancestors() -> Result<Vec<Stat>> {
    let mut line = line_of(std::process::id() as i32, 0)?;
    line.remove(0);
    Ok(line)
}

fn line_of(pid: i32, last: i32) -> Result<Vec<Stat>> {
    for _ in 0..8 {
        if let Some(line) = try_line(pid, last) {
            return Ok(line);
        }
    }
    Err(Error::denied(format!("process {pid} cannot be traced to its ancestors")))
}

fn try_line(pid: i32, last: i32) -> Option<Vec<Stat>> {
    let mut line = vec![stat(pid)?];
    loop {
        let child = line.last()?;
        if child.ppid == 0 || child.pid == last {
            return Some(line);
        }
        let parent = stat(child.ppid)?;
        // Read again behind the parent: if the child still has it, the pid was not reused between.
        let again = stat(child.pid)?;
        if again != (Stat { state: again.state, ..child.clone() }) {
            return None;
        }
        line.push(parent);
    }
}

/// Every living descendant of `pid`, parents before their children.
pub fn descendants(pid: i32) -> Vec<Stat> {
    lineage(pid).0.into_iter().filter(|s| s.state != 'Z').collect()
}

/// The same with zombies, as one may be the ended leader of threads that run; and whether all that
/// was listed could be read. What was gone by then may have left a child that the list has not.
pub fn lineage(pid: i32) -> (Vec<Stat>, bool) {
    let mut children: HashMap<i32, Vec<Stat>> = HashMap::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return (Vec::new(), false) };
    let mut whole = true;
    for entry in entries.flatten() {
        let number = entry.file_name().to_str().and_then(|n| n.parse().ok());
        match number.map(stat) {
            Some(Some(stat)) => children.entry(stat.ppid).or_default().push(stat),
            Some(None) => whole = false,
            None => {}
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![pid]);
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            next.push(child.pid);
            found.push(child);
        }
    }
    (found, whole)
}

/// Whether the process behind a pidfd has ended (its descriptor becomes readable then).
pub fn has_ended(pidfd: &impl AsFd) -> bool {
    let mut watch = [crate::sys::poll::Watch::new(pidfd, true, false)];
    let ready = crate::sys::poll::wait(&mut watch, Some(std::time::Duration::ZERO));
    ready.is_err() || watch[0].readable()
}

/// Sends a signal to one process; a process that is gone already is fine.
pub fn signal(pid: i32, signal: Signal) -> Result<()> {
    match nix::sys::signal::kill(Pid::from_raw(pid), signal) {
        Err(Errno::ESRCH) => Ok(()),
        other => other.internal(|| format!("cannot send {signal} to process {pid}")),
    }
}

/// Sends a signal to all processes of the group that `leader` leads; gone already is fine.
pub fn signal_group(leader: i32, signal: Signal) -> Result<()> {
    match nix::sys::signal::killpg(Pid::from_raw(leader), signal) {
        Err(Errno::ESRCH) => Ok(()),
        other => other.internal(|| format!("cannot send {signal} to the group of {leader}")),
    }
}

/// A descriptor of a child that nobody has waited for; it becomes readable when the child ends.
pub fn pidfd(child: i32) -> Result<OwnedFd> {
    open_pidfd(child).internal(|| format!("cannot watch process {child}"))
}

fn open_pidfd(pid: i32) -> nix::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: pidfd_open takes plain numbers.
    let opened = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    let opened = Errno::result(opened)?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as i32) })
}

/// Sends a signal to the process that had `pid` and `start`, never to one that has its pid by now;
/// gone already is fine.
pub fn signal_exactly(pid: i32, start: u64, signal: Signal) -> Result<()> {
    let cannot = || format!("cannot send {signal} to process {pid}");
    let process = match open_pidfd(pid) {
        Err(Errno::ESRCH) => return Ok(()),
        other => other.internal(cannot)?,
    };
    // The pidfd is held now: if the pid still means the same process, so does the descriptor.
    if stat(pid).is_none_or(|s| s.start != start) {
        return Ok(());
    }
    let (fd, none) = (process.as_raw_fd(), std::ptr::null::<nix::libc::siginfo_t>());
    // SAFETY: a null siginfo asks for that of kill(2); the descriptor outlives the call.
    let sent =
        unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_send_signal, fd, signal as i32, none, 0) };
    match Errno::result(sent) {
        Err(Errno::ESRCH) => Ok(()),
        other => other.map(drop).internal(cannot),
    }
}

/// Sends a signal to the foreground programs of the terminal behind `master`.
pub fn signal_foreground(master: &impl AsFd, signal: Signal) -> Result<()> {
    match nix::unistd::tcgetpgrp(master) {
        Ok(group) if group.as_raw() > 1 => match nix::sys::signal::killpg(group, signal) {
            Err(Errno::ESRCH) => Ok(()),
            other => other.internal(|| format!("cannot send {signal} to the foreground")),
        },
        _ => Ok(()),
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It called exit with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// Collects one ended child without waiting.
pub fn reap() -> Option<(i32, Ended)> {
    use nix::sys::wait::WaitPidFlag;
    use nix::sys::wait::WaitStatus;
    loop {
        match nix::sys::wait::waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid.as_raw(), Ended::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Some((pid.as_raw(), Ended::Signal(signal as i32)));
            }
            Err(Errno::EINTR) => continue,
            Ok(_) | Err(_) => return None,
        }
    }
}

/// Waits for one child's end.
pub fn wait(pid: i32) {
    while nix::sys::wait::waitpid(Pid::from_raw(pid), None) == Err(Errno::EINTR) {}
}

/// Whether any child is left, ended or not.
pub fn has_children() -> bool {
    use nix::sys::wait::Id;
    use nix::sys::wait::WaitPidFlag;
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    nix::sys::wait::waitid(Id::All, flags) != Err(Errno::ECHILD)
}

/// Names this process (15 bytes are kept). `ps` and [`Stat::comm`] show it, descendants can't
/// change it.
pub fn set_name(name: &str) -> Result<()> {
    let name = std::ffi::CString::new(name).internal(|| "a process name with NUL".into())?;
    // SAFETY: PR_SET_NAME reads one NUL-terminated string, which outlives the call.
    let result = unsafe { nix::libc::prctl(nix::libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    Errno::result(result).internal(|| "cannot name the process".into())?;
    Ok(())
}

/// Orphaned descendants become our children instead of init's, so that none leaves the tree.
pub fn adopt_orphans() -> Result<()> {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes plain numbers.
    let result = unsafe { nix::libc::prctl(nix::libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    Errno::result(result).internal(|| "cannot become a subreaper".into())?;
    Ok(())
}

/// No core dumps and no tracing by processes of the same user: memory here holds secrets. The hard
/// limit stays, for it would be that of every session: whoever works there may want a dump.
pub fn hide_memory() {
    use nix::sys::resource::Resource;
    // SAFETY: PR_SET_DUMPABLE takes plain numbers.
    unsafe {
        nix::libc::prctl(nix::libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    if let Ok((_, hard)) = nix::sys::resource::getrlimit(Resource::RLIMIT_CORE) {
        let _ = nix::sys::resource::setrlimit(Resource::RLIMIT_CORE, 0, hard);
    }
}

/// Closes what whoever started this process has left open, but for the standard streams. To be
/// called before anything is opened here.
pub fn close_inherited() {
    // SAFETY: nothing here owns a descriptor yet. Where the call is missing, they stay open.
    unsafe {
        nix::libc::syscall(nix::libc::SYS_close_range, 3, u32::MAX, 0);
    }
}

/// Raises the limit of open files as far as it goes; returns what it was, for our children.
pub fn raise_descriptors() -> u64 {
    use nix::sys::resource::Resource;
    let Ok((soft, hard)) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1024;
    };
    let _ = nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    soft
}

/// Sets the soft limit of open files back: programs that use select(2) break above 1024.
pub fn set_descriptors(soft: u64) {
    use nix::sys::resource::Resource;
    if let Ok((_, hard)) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard);
    }
}

/// Leads a session of its own: no terminal, no process group of the caller's.
pub fn leave_terminal() {
    let _ = nix::unistd::setsid();
}

/// Our effective user id.
pub fn uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The parent's process id, 1 (or the subreaper's) once it has gone.
pub fn parent() -> i32 {
    nix::unistd::getppid().as_raw()
}

/// The kernel's name for this boot; a different one means that every process is gone.
pub fn boot_id() -> Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .internal(|| "cannot read the boot id".into())?;
    Ok(text.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_confuse_the_parser() {
        let tail = "S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let stat = parse_stat(&format!("77 (a) b (c) {tail}")).unwrap();
        assert_eq!((stat.pid, stat.ppid, stat.start), (77, 1, 4242));
        assert_eq!(stat.comm, "a) b (c");
        for bad in ["", "77", "77 (x", "77 (x) S", "x (y) S 1"] {
            assert!(parse_stat(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_ancestry_ends_at_us_or_at_the_top() {
        let pids = |line: &[Stat]| line.iter().map(|s| s.pid).collect::<Vec<_>>();
        let me = std::process::id() as i32;
        let line = ancestry(me).unwrap();
        assert_eq!(pids(&line), [me], "not above ourselves");
        let above = own_ancestors().unwrap();
        assert_eq!((above[0].pid, above.last().unwrap().ppid), (parent(), 0));
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let line = ancestry(child.id() as i32).unwrap();
        assert_eq!(pids(&line), [child.id() as i32, me]);
        child.kill().unwrap();
        child.wait().unwrap();
        let top = ancestry(parent()).unwrap();
        assert_eq!(pids(&top), pids(&above), "one that is above us is traced to its end");
        assert!(ancestry(i32::MAX).is_err(), "an unknown process is no harmless one");
    }

    #[test]
    fn a_reused_pid_is_not_the_same_process() {
        let me = own_stat().unwrap();
        assert!(is_alive(me.pid, me.start));
        assert!(!is_alive(me.pid, me.start + 1));
    }
}
