//! The thread of one running session: it owns the connection to the keeper, the screen and the
//! input queue. Everything it tells others goes through [`Live`] and [`Records`].

mod ending;
mod typing;

use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::keeper::link::Link;
use crate::keeper::proto::Exited;
use crate::keeper::proto::Frame;
use crate::limits;
use crate::output;
use crate::output::index::Mark;
use crate::output::reader::Reader;
use crate::service::actor::typing::Driving;
use crate::service::dangerous;
use crate::service::freezing;
use crate::service::input::Input;
use crate::service::input::Queue;
use crate::service::live::Command;
use crate::service::live::Live;
use crate::service::live::Picture;
use crate::service::live::Show;
use crate::service::records::Records;
use crate::sys::file;
use crate::sys::poll;
use crate::sys::poll::Waker;
use crate::sys::poll::Watch;
use crate::sys::tty::Size;
use crate::term::agent::AgentState;
use crate::term::query::Filter;
use crate::term::screen::Screen;
use crossbeam_channel::Receiver;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::Instant;

/// Everything a session's thread starts with.
pub struct Start {
    /// The handle others hold.
    pub live: Arc<Live>,
    /// What they ask.
    pub commands: Receiver<Command>,
    /// How they wake it.
    pub waker: Arc<Waker>,
    /// Where it writes what happened.
    pub records: Arc<Records>,
    /// Connection to the keeper.
    pub link: Link,
    /// The keeper, where it is our child.
    pub child: Option<Child>,
    /// The keeper's socket, for another try when the connection is lost.
    pub socket: PathBuf,
    /// The output log.
    pub log_dir: PathBuf,
    /// The screen so far, and up to where.
    pub screen: (Screen, u64),
    /// The keeper's end of the log at hello: queries before it are not answered.
    pub quiet_until: u64,
    /// Reports that came with the hello.
    pub reports: Vec<Frame>,
    /// Set when the keeper said at hello that the program had ended.
    pub exited: Option<Exited>,
}

/// The thread's own state.
struct Actor {
    start: Start,
    screen: Screen,
    at: u64,
    input: Queue,
    driving: Driving,
    log: Reader,
    /// Output is old: its terminal queries were an earlier daemon's to answer.
    quiet: bool,
    /// Set while output is read from the log, up to here.
    behind: Option<u64>,
    checkpoint_at: u64,
    dirty: bool,
    kill_at: Option<Instant>,
    exited: Option<Exited>,
    store_again: Option<Instant>,
    sync_until: Option<Instant>,
    /// The agent works although its hooks have not said a word: alarm at this time.
    silent_until: Option<Instant>,
    pictures: Vec<Show>,
    done: bool,
}

/// Runs until the session has ended and its end is stored.
pub fn run(mut start: Start) {
    let fresh = Screen::new(limits::DEFAULT_COLS, limits::DEFAULT_ROWS);
    let (screen, at) = std::mem::replace(&mut start.screen, (fresh, 0));
    let log = Reader::new(&start.log_dir);
    let exited = start.exited;
    let keeper = start.live.row().keeper.unwrap_or_default();
    let mut actor = Actor {
        screen,
        at,
        input: Queue::default(),
        driving: Driving::new(&start.live),
        log,
        quiet: at < start.quiet_until,
        behind: Some(start.quiet_until),
        checkpoint_at: at + limits::CHECKPOINT_BYTES,
        dirty: true,
        kill_at: None,
        exited,
        store_again: None,
        sync_until: None,
        silent_until: None,
        pictures: Vec::new(),
        done: false,
        start,
    };
    for report in std::mem::take(&mut actor.start.reports) {
        actor.hear(report);
    }
    while !actor.done {
        if let Err(error) = actor.turn() {
            actor.lost(&error);
        }
    }
    actor.start.live.tail.close();
    actor.await_keeper(keeper);
    actor.start.records.forget(&actor.start.live.id);
    actor.give_up();
    if let Some(mut child) = actor.start.child.take() {
        // Waiting keeps no zombie.
        let _ = child.wait();
    }
}

impl Actor {
    /// One round of the loop. An error means that the connection to the keeper is gone.
    fn turn(&mut self) -> Result<()> {
        self.catch_up()?;
        self.publish();
        self.drive();
        let guarded = self.input.is_guarded() && self.may_type();
        while let Some(frame) = self.input.frame(guarded) {
            self.start.link.send(&frame)?;
        }
        let deadline = self.deadline().map(time::until);
        let (heard, woken) = {
            let want_room = self.start.link.backlog() > 0;
            let mut watches = [
                Watch::new(&self.start.link, true, want_room),
                Watch::new(&*self.start.waker, true, false),
            ];
            poll::wait(&mut watches, deadline)?;
            (watches[0].readable() || watches[0].writable(), watches[1].readable())
        };
        if woken {
            self.start.waker.clear();
            self.obey()?;
        }
        if heard {
            self.start.link.flush()?;
            for frame in self.start.link.receive()? {
                self.hear(frame);
            }
        }
        self.timers()
    }

    fn deadline(&self) -> Option<Instant> {
        if self.behind.is_some() {
            return Some(time::now());
        }
        let waits = [
            self.input.deadline(),
            self.drive_at(),
            self.kill_at,
            self.store_again,
            self.sync_until,
            self.silent_until,
            self.dangerous_until(),
        ];
        waits.into_iter().flatten().min()
    }

    /// Reads a piece of the log while the relay is behind, and follows once it is all read.
    fn catch_up(&mut self) -> Result<()> {
        let Some(target) = self.behind else { return Ok(()) };
        let mut buffer = vec![0; limits::FRAME_BYTES];
        let chunk = self.log.read(self.at, &mut buffer)?;
        if chunk.len > 0 {
            self.take_output(chunk.from, &buffer[..chunk.len]);
        }
        if chunk.len > 0 && self.at < target {
            return Ok(());
        }
        // At the end, or at a gap that the disk has not closed yet: the relay knows better.
        self.behind = None;
        self.at = self.at.max(target);
        self.quiet = false;
        self.start.live.set_view(|view| view.adopting = false);
        self.start.link.send(&Frame::Follow(self.at))?;
        self.finish()
    }

    fn take_output(&mut self, offset: u64, bytes: &[u8]) {
        // Viewers first: what they show must not wait for our own picture of it.
        self.start.live.tail.push(offset, bytes);
        match self.quiet {
            true => self.screen.feed_quiet(bytes),
            false => self.screen.feed(bytes),
        }
        self.at = offset + bytes.len() as u64;
        self.dirty = true;
        let replies = self.screen.take_replies();
        if !replies.is_empty() {
            self.input.push(Input::quiet(replies));
        }
        if self.at >= self.checkpoint_at {
            self.checkpoint();
        }
    }

    /// Writes the screen beside the log, so that less is read again after a restart. Without one
    /// (full disk) more is read, nothing is lost.
    fn checkpoint(&mut self) {
        self.checkpoint_at = self.at + limits::CHECKPOINT_BYTES;
        let picture = self.screen.snapshot();
        let path = output::checkpoint_path(&self.start.log_dir, self.at);
        if file::replace(&path, &picture, 0o600, false).is_ok() {
            let fields = Mark::Checkpoint { bytes: picture.len() as u32 }.fields();
            let _ = self.start.link.send(&Frame::Mark { offset: self.at, fields });
        }
    }

    fn hear(&mut self, frame: Frame) {
        match frame {
            // Output that does not touch ours was relayed before we fell behind: the log has it.
            Frame::Output { offset, bytes } if offset == self.at && self.behind.is_none() => {
                self.take_output(offset, &bytes);
            }
            Frame::Output { offset, bytes } => {
                let end = offset + bytes.len() as u64;
                self.behind = Some(self.behind.unwrap_or(end).max(end));
            }
            Frame::Behind(end) => self.behind = Some(end),
            Frame::InputDone(total) => self.input.taken(total),
            Frame::Exited(exited) => {
                self.exited = Some(exited);
                self.behind = Some(exited.log_end);
            }
            Frame::Log { degraded } => {
                let what = if degraded { "log degraded" } else { "log restored" };
                self.start.records.note(&self.start.live, what, |row| row.log_degraded = degraded);
            }
            Frame::Refused { pid, name } => {
                self.start.records.refused(&self.start.live.id, "keeper", pid as i32, &name);
            }
            Frame::Lost(mask) => self.cage_lost(&mask),
            _ => {}
        }
    }

    fn obey(&mut self) -> Result<()> {
        while let Ok(command) = self.start.commands.try_recv() {
            match command {
                Command::Input(input) if self.start.live.row().frozen => refuse(input),
                Command::Input(input) => self.input.push(input),
                Command::Press { what, done } => self.press(&what, done),
                Command::Typing(typing) => self.driving.held.push(typing, time::now()),
                Command::GiveBack => {
                    let why = "the daemon stops, and nothing was typed; send it again";
                    self.driving.held.close(Code::Busy, why);
                }
                Command::Resize(size) => self.resize(size)?,
                Command::Nudge => self.nudge()?,
                Command::Stop { now } => self.stop(now)?,
                Command::Freeze { frozen, tell } => {
                    let (records, live) = (&self.start.records, &self.start.live);
                    let _ = tell.try_send(freezing::set(records, live, frozen));
                }
                Command::Picture(show) => self.pictures.push(show),
                Command::Mark(mark) => {
                    self.start
                        .link
                        .send(&Frame::Mark { offset: self.at, fields: mark.fields() })?;
                }
            }
        }
        Ok(())
    }

    fn resize(&mut self, size: Size) -> Result<()> {
        let cols = size.cols.clamp(1, limits::COLS_MAX);
        let rows = size.rows.clamp(1, limits::ROWS_MAX);
        if (cols, rows) != self.screen.size() {
            self.screen.resize(cols, rows);
            self.dirty = true;
            self.start.link.send(&Frame::Resize { cols, rows })?;
            self.start.records.resized(&self.start.live, cols, rows);
        }
        Ok(())
    }

    /// One row less and back: programs that ignore a resize to the same size repaint after this.
    fn nudge(&mut self) -> Result<()> {
        let (cols, rows) = self.screen.size();
        if self.screen.alternate_screen() && rows > 1 {
            self.start.link.send(&Frame::Resize { cols, rows: rows - 1 })?;
            self.start.link.send(&Frame::Resize { cols, rows })?;
        }
        Ok(())
    }

    fn timers(&mut self) -> Result<()> {
        let now = time::now();
        self.input.expire();
        if self.kill_at.is_some_and(|at| now >= at) {
            self.stop(true)?;
        }
        if self.silent_until.is_some_and(|at| now >= at) {
            self.silent_until = None;
            if !self.start.live.row().guarded {
                let text = "the agent works, but its hooks say nothing";
                self.start.records.alarm(&self.start.live, text);
            }
        }
        let row = self.start.live.row();
        if row.dangerous.is_some() && dangerous::of(&row).is_none() {
            dangerous::end(&self.start.records, &self.start.live, "its time is over");
        }
        if self.store_again.is_some_and(|at| now >= at) {
            self.store_again = None;
            self.finish()?;
        }
        Ok(())
    }

    /// Answers who waits for a picture, and refreshes what lists show.
    fn publish(&mut self) {
        if self.behind.is_some() {
            return;
        }
        if !self.screen.synchronized() {
            self.sync_until = None;
        } else if !self.pictures.is_empty() {
            let until = *self.sync_until.get_or_insert(time::now() + limits::SYNC_UPDATE);
            if time::now() < until {
                return;
            }
        }
        for show in std::mem::take(&mut self.pictures) {
            show(self.picture());
        }
        if std::mem::take(&mut self.dirty) {
            let (last_line, agent) = (self.screen.last_line(), self.screen.agent_state());
            let turns = self.screen.rests();
            let changed = self.start.live.set_view(|view| {
                view.last_line = last_line;
                view.agent = agent;
                view.turns = turns;
            });
            if let Some(agent) = agent.filter(|_| changed) {
                self.start.records.agent_said(&self.start.live, agent);
                self.expect_hooks(agent);
            }
        }
    }

    /// An agent that works has been given a prompt, and its hooks have told that. Where they have
    /// not, they are late, or off.
    fn expect_hooks(&mut self, agent: AgentState) {
        let row = self.start.live.row();
        let silent = row.hook_build.is_some() && !row.guarded && row.alarm.is_none();
        let due = agent == AgentState::Working && silent;
        self.silent_until = due.then(|| time::now() + limits::gate::GUARD_WAIT);
    }

    fn picture(&self) -> Picture {
        let mut filter = Filter::new();
        Picture {
            offset: self.at,
            repaint: self.screen.repaint(&mut filter),
            filter,
            text: self.screen.text(),
            cursor: self.screen.cursor(),
            size: self.screen.size(),
            bracketed_paste: self.screen.bracketed_paste(),
            application_cursor: self.screen.application_cursor(),
        }
    }
}

/// A key for a frozen program would act when nobody expects it.
fn refuse(input: Input) {
    if let Some(done) = input.done {
        done(Err(Error::conflict("the session is frozen; thaw it first")));
    }
}
