//! The keeper process: one thread, one poll loop over terminal, socket, daemon and signals.
//!
//! 1. The terminal MUST be drained whether or not a daemon is there, so that the program never
//!    waits for us.
//! 2. The socket MUST accept only a peer with our uid from outside every session.
//! 3. The exit status MUST be kept until a daemon has stored it.

mod serve;

use crate::base::error::{Context, Result};
use crate::base::time;
use crate::cage::placeholder::Placeholders;
use crate::keeper;
use crate::keeper::conn::Conn;
use crate::keeper::launch;
use crate::keeper::launch::Launch;
use crate::keeper::program::Output;
use crate::keeper::program::Program;
use crate::keeper::program::Stragglers;
use crate::keeper::proto::Exited;
use crate::keeper::proto::Frame;
use crate::limits;
use crate::output::index::Mark;
use crate::output::writer::Writer;
use crate::sys::namespace;
use crate::sys::poll;
use crate::sys::poll::Watch;
use crate::sys::proc;
use crate::sys::proc::Ended;
use crate::sys::signal::Name;
use crate::sys::signal::Signals;
use crate::sys::sock;
use crate::sys::tree;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Instant;

struct Keeper {
    launch: Launch,
    start: u64,
    listener: UnixListener,
    signals: Signals,
    program: Program,
    log: Writer,
    /// What its cage stands on in the project.
    placeholders: Placeholders,
    conn: Option<Conn>,
    input_done: u64,
    degraded_told: bool,
    refused: Vec<Frame>,
    /// A mask that the cage has lost.
    lost: Option<PathBuf>,
    /// Set when the program has ended and its last output is still coming in.
    drain: Option<Drain>,
    exited: Option<Exited>,
    stragglers: Option<Stragglers>,
    stored: bool,
}

/// Runs a keeper: launch description on standard input, one line of answer on standard output.
/// Returns the process's exit code.
pub fn main() -> i32 {
    proc::close_inherited();
    proc::leave_terminal();
    let started = start();
    let answer = match &started {
        Ok(_) => "ok\n".to_string(),
        Err(error) => format!("{}\n", error.chain().replace('\n', " ")),
    };
    // A daemon that died meanwhile adopts us later; nobody else listens here.
    let _ = std::io::stdout().write_all(answer.as_bytes());
    match started {
        Ok(mut keeper) => {
            let _ = close_stdio();
            keeper.run();
            0
        }
        Err(_) => 1,
    }
}

/// Points standard streams at /dev/null, which also tells the daemon that the answer is complete.
fn close_stdio() -> Result<()> {
    crate::sys::file::null_stdio()
}

fn start() -> Result<Keeper> {
    crate::sys::signal::reset();
    proc::set_name(keeper::NAME)?;
    proc::hide_memory();
    proc::adopt_orphans()?;
    let cannot = || "cannot read the launch".into();
    // Not through std's buffer, which would keep some of it.
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().internal(cannot)?;
    let bytes = launch::read_all(File::from(stdin)).internal(cannot)?;
    let mut launch = Launch::decode(&bytes)?;
    drop(bytes);
    let signals =
        Signals::block(&[Name::SIGCHLD, Name::SIGTERM, Name::SIGINT, Name::SIGHUP, Name::SIGPIPE])?;
    proc::set_descriptors(launch.descriptors);
    let start = proc::own_stat()?.start;
    let mut log = Writer::open(&launch.log_dir, launch.log_keep)?;
    let listener = sock::listen(&launch.socket)?;
    log.mark(None, Mark::Epoch(launch.epoch));
    log.mark(None, Mark::Resize { cols: launch.cols, rows: launch.rows });
    let made = launch.cage.as_ref().map(|cage| cage.made.as_slice()).unwrap_or_default();
    let placeholders = Placeholders::hold(made);
    let program = Program::start(&mut launch).inspect_err(|_| {
        let _ = std::fs::remove_file(&launch.socket);
    })?;
    // Nothing is started from here on; the program has what its cage leaves it.
    namespace::no_new_privileges()?;
    Ok(Keeper {
        launch,
        start,
        listener,
        signals,
        program,
        log,
        placeholders,
        conn: None,
        input_done: 0,
        degraded_told: false,
        refused: Vec::new(),
        lost: None,
        drain: None,
        exited: None,
        stragglers: None,
        stored: false,
    })
}

impl Keeper {
    fn run(&mut self) {
        let mut buffer = vec![0; limits::PTY_CHUNK];
        while !(self.stored && self.stragglers.as_ref().is_none_or(|s| s.next().is_none())) {
            let ready = match self.wait() {
                Ok(ready) => ready,
                // poll itself failing (out of memory) passes; giving up would end the session.
                Err(_) => continue,
            };
            if ready.signal || ready.report {
                self.take_signals();
            }
            if ready.mounts {
                self.check_cage();
            }
            if ready.output {
                self.take_output(&mut buffer);
            }
            if ready.input_room {
                self.hand_input();
            }
            // Before a newcomer: the old daemon's end is noticed first.
            if ready.daemon {
                self.hear_daemon();
            }
            if ready.newcomer {
                self.accept();
            }
            self.end_steps();
        }
        let _ = std::fs::remove_file(&self.launch.socket);
        self.placeholders.let_go();
    }

    fn wait(&self) -> Result<Ready> {
        let listen_for = self.exited.is_none() || !self.stored;
        let listening = !self.program.hung || self.drain.is_some();
        let (report, mounts) = (self.program.report(), self.program.mounts());
        let mut watches = vec![
            Watch::new(&self.signals, true, false),
            Watch::new(&self.listener, listen_for, false),
        ];
        // In the place of one that is not there stands one that says nothing.
        watches
            .push(report.map_or(Watch::nothing(&self.signals), |fd| Watch::new(fd, true, false)));
        watches.push(mounts.map_or(Watch::nothing(&self.signals), Watch::nothing));
        // A terminal that everybody left reports a hang-up for ever: look at it by the clock.
        let watch_terminal = listening && !(self.program.hung && self.program.ended.is_none());
        if watch_terminal {
            watches.push(Watch::new(self.program.terminal(), true, self.program.has_input()));
        }
        if let Some(conn) = &self.conn {
            watches.push(Watch::new(&conn.link, true, conn.link.backlog() > 0));
        }
        poll::wait(&mut watches, self.next_deadline().map(time::until))?;
        let terminal = watches.get(4).filter(|_| watch_terminal);
        let daemon = watches.get(if watch_terminal { 5 } else { 4 });
        Ok(Ready {
            signal: watches[0].readable(),
            newcomer: watches[1].readable(),
            report: watches[2].readable(),
            mounts: watches[3].hung_up(),
            output: terminal.is_none_or(Watch::readable),
            input_room: terminal.is_some_and(Watch::writable),
            daemon: daemon.is_some_and(|w| w.readable() || w.writable()),
        })
    }

    fn next_deadline(&self) -> Option<Instant> {
        let hung = self.program.hung && self.program.ended.is_none();
        let look_again = hung.then(|| time::now() + limits::HUNG_RETRY);
        let stragglers = self.stragglers.as_ref().and_then(Stragglers::next);
        [self.drain.as_ref().map(Drain::end), stragglers, look_again].into_iter().flatten().min()
    }

    fn take_signals(&mut self) {
        self.reap();
        while let Some(name) = self.signals.next() {
            match name {
                Name::SIGCHLD => self.reap(),
                // The host goes down: let the program end as it likes; its exit is in the log.
                Name::SIGTERM => {
                    self.program.signal(Name::SIGTERM, false);
                    self.program.signal(Name::SIGHUP, false);
                }
                _ => {}
            }
        }
    }

    fn reap(&mut self) {
        if self.program.reap() {
            self.drain = Some(Drain::start());
        }
    }

    /// Whoever is in a cage with a hole stands still until a person has looked at it.
    fn check_cage(&mut self) {
        let Some(mask) = self.program.lost_mask() else { return };
        tree::stop(std::process::id() as i32);
        let frame = Frame::Lost(mask.to_string_lossy().into_owned());
        match self.conn {
            Some(_) => self.with_daemon(|conn| conn.link.send(&frame)),
            // The next daemon is told.
            None => self.lost = Some(mask),
        }
    }

    fn take_output(&mut self, buffer: &mut [u8]) {
        match self.program.read(buffer) {
            Output::Bytes(count) => {
                let offset = self.log.end();
                self.log.append(&buffer[..count]);
                self.tell_degraded();
                self.with_daemon(|conn| conn.relay(offset, &buffer[..count]));
                if let Some(drain) = &mut self.drain {
                    drain.quiet = time::now() + limits::DRAIN_QUIET;
                }
            }
            Output::HungUp => {
                if let Some(drain) = &mut self.drain {
                    drain.quiet = time::now();
                }
            }
            Output::Nothing => {}
        }
    }

    fn tell_degraded(&mut self) {
        let degraded = self.log.is_degraded();
        if degraded != self.degraded_told {
            self.degraded_told = degraded;
            self.with_daemon(|conn| conn.link.send(&Frame::Log { degraded }));
        }
    }

    /// Once the program has ended and its terminal is silent: record it, tell it, tidy up.
    fn end_steps(&mut self) {
        if let Some(stragglers) = &mut self.stragglers {
            self.program.reap();
            stragglers.step();
        }
        let drained = self.drain.as_ref().is_some_and(|drain| time::now() >= drain.end());
        let Some(ended) = self.program.ended.filter(|_| drained && self.exited.is_none()) else {
            return;
        };
        self.drain = None;
        self.program.hung = true;
        let (by_signal, value, mark) = match ended {
            Ended::Code(code) => (false, code, Mark::EndCode(code)),
            Ended::Signal(number) => (true, number, Mark::EndSignal(number)),
        };
        self.log.mark(None, mark);
        let exited = Exited { by_signal, value, at_ms: time::unix_ms(), log_end: self.log.end() };
        self.exited = Some(exited);
        self.stragglers = Some(Stragglers::hang_up());
        self.with_daemon(|conn| conn.link.send(&Frame::Exited(exited)));
    }
}

/// The wait for an ended program's last output: until silence, but not for one that a descendant
/// goes on breaking.
struct Drain {
    quiet: Instant,
    last: Instant,
}

impl Drain {
    fn start() -> Drain {
        let now = time::now();
        Drain { quiet: now + limits::DRAIN_QUIET, last: now + limits::DRAIN_MOST }
    }

    fn end(&self) -> Instant {
        self.quiet.min(self.last)
    }
}

/// What the poll loop found.
struct Ready {
    signal: bool,
    report: bool,
    mounts: bool,
    newcomer: bool,
    output: bool,
    input_room: bool,
    daemon: bool,
}
