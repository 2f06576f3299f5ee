//! Stops and continues all processes below one at once. Knows nothing of why.
//!
//! 1. That a process stands still MUST be the kernel's word on each of its threads, never ours.
//! 2. A signal MUST go to the process that was seen, never to one that has its pid by now.
//! 3. It MUST end in bounded time, and name what it could not stop.

use crate::base::time;
use crate::limits;
use crate::sys::proc;
use crate::sys::proc::Stat;
use nix::sys::signal::Signal;
use std::collections::HashSet;

/// What became of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stopped {
    /// How many processes stand still.
    pub count: usize,
    /// Those that stop as soon as the kernel lets them go, and run nothing until then.
    pub in_kernel: Vec<Stat>,
    /// Those that run on.
    pub running: Vec<Stat>,
    /// Nothing was born or ended any more: there are no others.
    pub is_whole: bool,
}

/// One look at a tree.
struct Walk {
    found: Vec<(Stat, Stand)>,
    /// Pid and start of each, zombies too.
    all: HashSet<(i32, u64)>,
    whole: bool,
}

/// How a process stands, all threads together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Still,
    InKernel,
    Runs,
    Gone,
}

/// Stops every descendant of `root`, but not `root` itself. Parents first, and children once those
/// stand: a shell that saw its job stop would take that for a Ctrl-Z. A tree that grows faster than
/// that is stopped as it comes. Done when three walks in a row find the same processes, zombies
/// too, and none that runs: one that forks and ends between two looks shows by that.
pub fn stop(root: i32) -> Stopped {
    let deadline = time::now() + limits::FREEZE_WAIT;
    let (mut same, mut round, mut last) = (0, 0, HashSet::new());
    loop {
        let Walk { found, all, whole } = walk(root);
        let those = |stand| found.iter().filter(move |s| s.1 == stand).map(|s| s.0.clone());
        let running: Vec<Stat> = those(Stand::Runs).collect();
        same = if whole && running.is_empty() && all == last { same + 1 } else { 0 };
        last = all;
        if same == 2 || time::now() >= deadline {
            let (count, in_kernel) =
                (those(Stand::Still).count(), those(Stand::InKernel).collect());
            return Stopped { count, in_kernel, running, is_whole: same == 2 };
        }
        let runs: HashSet<i32> = running.iter().map(|s| s.pid).collect();
        let in_turn = |s: &&Stat| round >= limits::FREEZE_ROUNDS || !runs.contains(&s.ppid);
        // One in the kernel stops on its way out. What may not be signalled is seen to run on.
        let in_kernel: Vec<Stat> = those(Stand::InKernel).collect();
        for process in running.iter().filter(in_turn).chain(&in_kernel) {
            send(process, Signal::SIGSTOP);
        }
        round += 1;
        if runs.is_empty() {
            // Time for the kernel to be seen to stand still, or not.
            std::thread::sleep(limits::FREEZE_LOOK);
        }
    }
}

/// Continues every descendant of `root`, children first: a hook can answer before its agent's clock
/// runs on. Each is continued once, so that what then stops by itself stays so. Returns what could
/// not be.
pub fn resume(root: i32) -> Vec<Stat> {
    let deadline = time::now() + limits::FREEZE_WAIT;
    let mut done: HashSet<(i32, u64)> = HashSet::new();
    let mut refused = Vec::new();
    loop {
        let mut found = walk(root).found;
        found.retain(|(s, stand)| *stand != Stand::Runs && !done.contains(&(s.pid, s.start)));
        if found.is_empty() || time::now() >= deadline {
            return refused;
        }
        for (process, _) in found.into_iter().rev() {
            done.insert((process.pid, process.start));
            if !send(&process, Signal::SIGCONT) {
                refused.push(process);
            }
        }
    }
}

/// Whether a descendant of `root` stands still.
pub fn any_still(root: i32) -> bool {
    walk(root).found.iter().any(|(_, stand)| *stand == Stand::Still)
}

/// Every living descendant with how it stands, parents before children.
fn walk(root: i32) -> Walk {
    let (lineage, whole) = proc::lineage(root);
    let all = lineage.iter().map(|s| (s.pid, s.start)).collect();
    let found = lineage.into_iter().map(|s| (stand(&s), s));
    let found = found.filter(|s| s.0 != Stand::Gone).map(|(stand, s)| (s, stand)).collect();
    Walk { found, all, whole }
}

/// A leader that has ended looks like a zombie while its other threads run on.
fn stand(process: &Stat) -> Stand {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", process.pid)) else {
        return Stand::Gone;
    };
    let (mut all, mut states) = (Stand::Gone, 0);
    for task in tasks.flatten() {
        let Some(id) = task.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Some(thread) = proc::thread_stat(process.pid, id) else { continue };
        if id == process.pid && thread.start != process.start {
            return Stand::Gone;
        }
        states += 1;
        all = match (thread.state, all) {
            ('Z' | 'X' | 'x', all) => all,
            ('T' | 't', Stand::Gone) => Stand::Still,
            ('T' | 't', all) => all,
            ('D', Stand::Gone | Stand::Still) => Stand::InKernel,
            ('D', all) => all,
            _ => Stand::Runs,
        };
    }
    if states == 0 { Stand::Gone } else { all }
}

/// False where the process may not be signalled; one that is gone is fine.
fn send(process: &Stat, signal: Signal) -> bool {
    proc::signal_exactly(process.pid, process.start, signal).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Child;
    use std::process::Command;

    /// Ends what a failed test leaves.
    struct Tree(Child);

    impl Drop for Tree {
        fn drop(&mut self) {
            for process in proc::descendants(self.0.id() as i32) {
                let _ = proc::signal(process.pid, Signal::SIGKILL);
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn tree(script: &str, least: usize) -> Tree {
        let tree = Tree(Command::new("/usr/bin/python3").args(["-c", script]).spawn().unwrap());
        let deadline = time::now() + std::time::Duration::from_secs(20);
        while proc::descendants(tree.0.id() as i32).len() < least && time::now() < deadline {
            std::thread::sleep(limits::FREEZE_LOOK);
        }
        tree
    }

    /// What must hold whatever the tree does.
    fn check(script: &str, least: usize) {
        let tree = tree(script, least);
        let root = tree.0.id() as i32;
        let stopped = stop(root);
        assert_eq!(stopped.running, [], "{script}");
        assert!(stopped.count >= least, "{stopped:?} in {script}");
        let pids = |mut all: Vec<Stat>| {
            all.sort_by_key(|s| s.pid);
            all.into_iter().map(|s| s.pid).collect::<Vec<_>>()
        };
        let before = pids(proc::descendants(root));
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert_eq!(pids(proc::descendants(root)), before, "nothing is born or dies in {script}");
        assert_eq!(stop(root).count, stopped.count, "twice is once");
        assert!(any_still(root));
        assert_eq!(resume(root), []);
        assert!(!any_still(root), "all of it goes on");
    }

    #[test]
    fn a_tree_that_forks_ignores_and_hides_threads_stands_still_and_goes_on() {
        // Each child forks one deeper and stays, up to 60 of them.
        check("import os,time\nfor _ in range(60):\n if os.fork(): break\ntime.sleep(60)", 3);
        check(
            "import os,signal,time\nif os.fork()==0:\n [signal.signal(s,signal.SIG_IGN) for s in \
             (1,2,3,15,18,20,21,22)]\n t=time.time()+60\n while time.time()<t: pass\n\
             time.sleep(60)",
            1,
        );
        // The leader is gone and looks like a zombie, its thread works on.
        check(
            "import os,threading,ctypes,time\nif os.fork()==0:\n \
             threading.Thread(target=lambda:time.sleep(60)).start()\n \
             time.sleep(.05)\n ctypes.CDLL(None).syscall(60,0)\ntime.sleep(60)",
            1,
        );
        // One wakes its brother as fast as it can.
        check(
            "import os,signal,time\na=os.fork()\nt=time.time()+60\nif a==0:\n \
             while time.time()<t: pass\nif os.fork()==0:\n \
             while time.time()<t: os.kill(a,signal.SIGCONT)\ntime.sleep(60)",
            2,
        );
    }

    #[test]
    fn a_line_of_processes_that_fork_and_die_is_caught_or_told() {
        // It ends by itself: one that got away must not outlive the test.
        let script = "import ctypes,os,time\nctypes.CDLL(None).prctl(36,1,0,0,0)\n\
            end=time.time()+8\nif os.fork()==0:\n while time.time()<end:\n  \
            if os.fork(): os._exit(0)\n os._exit(0)\ntime.sleep(60)";
        let tree = tree(script, 1);
        let stopped = stop(tree.0.id() as i32);
        if stopped.is_whole {
            // More than one where it was caught between fork and end.
            assert_eq!(stopped.running, []);
            assert!(stopped.count > 0, "never taken for nothing: {stopped:?}");
        }
    }

    #[test]
    fn an_empty_tree_stands_still() {
        let tree = tree("import time; time.sleep(60)", 0);
        let nothing = Stopped { is_whole: true, ..Stopped::default() };
        assert_eq!(stop(tree.0.id() as i32), nothing);
        assert!(!any_still(tree.0.id() as i32));
    }
}
