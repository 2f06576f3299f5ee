//! The program side of a keeper: its terminal, its input queue, its end and what it leaves behind.

use crate::base::error::Result;
use crate::base::time;
use crate::cage::start;
use crate::cage::start::Inside;
use crate::cage::watch::Watch;
use crate::keeper::launch;
use crate::keeper::launch::Launch;
use crate::limits;
use crate::sys::proc;
use crate::sys::proc::Ended;
use crate::sys::pty;
use crate::sys::signal::Name;
use crate::sys::tty;
use crate::sys::tty::Size;
use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;
use zeroize::Zeroizing;

/// A program on its terminal, alive or ended.
pub struct Program {
    master: File,
    /// Process id; stays the id of the ended program.
    pub pid: i32,
    cage: Option<Inside>,
    /// Terminal size.
    pub size: Size,
    input: VecDeque<u8>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Nobody holds the other side of the terminal.
    pub hung: bool,
}

/// What one read from the terminal brought.
pub enum Output {
    /// This many bytes.
    Bytes(usize),
    /// None at the moment.
    Nothing,
    /// The last holder of the terminal is gone.
    HungUp,
}

impl Program {
    /// Starts what `launch` describes. The process must have one thread.
    pub fn start(launch: &mut Launch) -> Result<Program> {
        let text = |what: &str, s: &str| launch::c_string(what, s.as_bytes());
        let args = launch.args.iter().map(|a| text("an argument", a));
        let line = |(k, v): &(String, String)| Zeroizing::new(format!("{k}={v}"));
        let env = launch.env.iter().map(|pair| text("a variable", &line(pair)));
        let size = Size { cols: launch.cols, rows: launch.rows };
        let mut program = pty::Program {
            path: launch::c_string("the program", launch.program.as_os_str().as_bytes())?,
            args: args.collect::<Result<_>>()?,
            env: env.collect::<Result<_>>()?,
            cwd: launch::c_string("the directory", launch.cwd.as_os_str().as_bytes())?,
            size,
        };
        // Before anything is forked: a cage's first process would keep a copy.
        launch.forget_env();
        let started = match &launch.cage {
            Some(cage) => start::start(&mut program, cage).map(|c| (c.master, c.pid, c.inside)),
            None => pty::start(&program).map(|s| (s.master, s.pid, None)),
        };
        program.forget_env();
        let (master, pid, cage) = started?;
        let (master, input) = (File::from(master), VecDeque::new());
        Ok(Program { master, pid, cage, size, input, ended: None, hung: false })
    }

    /// The terminal, for polling.
    pub fn terminal(&self) -> &File {
        &self.master
    }

    /// Reads until the terminal is empty or `buffer` is full.
    pub fn read(&mut self, buffer: &mut [u8]) -> Output {
        let mut count = 0;
        while count < buffer.len() {
            match self.master.read(&mut buffer[count..]) {
                Ok(0) => self.hung = true,
                Ok(more) => {
                    self.hung = false;
                    count += more;
                    continue;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                // EIO: the kernel's way to say that nobody holds the other side.
                Err(_) => self.hung = true,
            }
            break;
        }
        match count {
            0 if self.hung => Output::HungUp,
            0 => Output::Nothing,
            count => Output::Bytes(count),
        }
    }

    /// Queues input. False when the sender has broken the bound on input in flight.
    pub fn queue_input(&mut self, bytes: &[u8]) -> bool {
        let fits = self.input.len() + bytes.len() <= limits::INPUT_QUEUE;
        if fits {
            self.input.extend(bytes);
        }
        fits
    }

    /// Whether input waits for the program to read.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Hands queued input to the terminal as far as it takes it; returns the bytes taken. Input
    /// for a program that has ended is taken and forgotten.
    pub fn write_input(&mut self) -> usize {
        let mut taken = 0;
        while !self.input.is_empty() {
            match self.master.write(self.input.as_slices().0) {
                Ok(count) if count > 0 => {
                    self.input.drain(..count);
                    taken += count;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {
                    taken += self.input.len();
                    self.input.clear();
                }
            }
        }
        if self.input.is_empty() {
            self.input = VecDeque::new();
        }
        taken
    }

    /// Sets the terminal's size; zero and the unchanged size are left alone.
    pub fn resize(&mut self, size: Size) -> bool {
        let valid = size.cols > 0 && size.rows > 0 && size != self.size;
        let changed = valid && tty::set_size(&self.master, size).is_ok();
        if changed {
            self.size = size;
        }
        changed
    }

    /// Sends a signal to the program and the terminal's foreground, or to every descendant.
    pub fn signal(&self, name: Name, all: bool) {
        if all {
            signal_descendants(name);
            return;
        }
        // Each may be gone already, which is what was wanted.
        let _ = proc::signal_foreground(&self.master, name);
        if self.ended.is_none() {
            let _ = proc::signal(self.pid, name);
        }
    }

    /// Collects ended descendants. True when the program itself is among them.
    pub fn reap(&mut self) -> bool {
        let mut own = self.hear_end();
        let child = self.cage.as_ref().map_or(self.pid, |inside| inside.init);
        while let Some((pid, ended)) = proc::reap() {
            if pid == child {
                own |= self.hear_end();
            }
            // An init that has told nothing was killed, and everything in its cage with it.
            if pid == child && self.ended.is_none() {
                self.ended = Some(ended);
                own = true;
            }
        }
        own
    }

    /// Takes what the init of its cage has told. True when that is the program's end.
    fn hear_end(&mut self) -> bool {
        let Some(inside) = self.cage.as_ref().filter(|_| self.ended.is_none()) else {
            return false;
        };
        self.ended = start::ended(&inside.report);
        self.ended.is_some()
    }

    /// Where the program's end is told before its cage is gone.
    pub fn report(&self) -> Option<&OwnedFd> {
        self.cage.as_ref().filter(|_| self.ended.is_none()).map(|inside| &inside.report)
    }

    /// Its cage's mounts.
    pub fn mounts(&self) -> Option<&Watch> {
        self.cage.as_ref().and_then(|inside| inside.watch.as_ref())
    }

    /// A mask that its cage has lost; told once.
    pub fn lost_mask(&mut self) -> Option<PathBuf> {
        let inside = self.cage.as_mut()?;
        let lost = inside.watch.as_mut()?.lost()?;
        inside.watch = None;
        Some(lost)
    }
}

/// Sends `name` to every descendant of this process, again until no new one appears: a process may
/// fork while the list is read.
fn signal_descendants(name: Name) {
    let me = std::process::id() as i32;
    let mut done: Vec<i32> = Vec::new();
    for _ in 0..10 {
        let found = proc::descendants(me);
        let new: Vec<i32> = found.iter().map(|s| s.pid).filter(|p| !done.contains(p)).collect();
        if new.is_empty() {
            return;
        }
        for pid in &new {
            let _ = proc::signal(*pid, name);
        }
        done.extend(new);
    }
}

/// What happens to processes that outlive their program: a hang-up, then the end. Sessions are
/// trees; nothing of one is left running unowned.
pub struct Stragglers {
    kill_at: Option<Instant>,
}

impl Stragglers {
    /// Says goodbye to every descendant that is left.
    pub fn hang_up() -> Stragglers {
        signal_descendants(Name::SIGHUP);
        signal_descendants(Name::SIGCONT);
        Stragglers { kill_at: Some(time::now() + limits::STRAGGLER_GRACE) }
    }

    /// When to look again; `None` once none is left.
    pub fn next(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Ends those that did not go.
    pub fn step(&mut self) {
        let left = !proc::descendants(std::process::id() as i32).is_empty();
        let due = self.kill_at.is_some_and(|at| time::now() >= at);
        if !left {
            self.kill_at = None;
        } else if due {
            signal_descendants(Name::SIGKILL);
            self.kill_at = Some(time::now() + limits::STRAGGLER_GRACE);
        }
    }
}
