//! The handle of one running session: what other threads may ask of the thread that owns it.

use crate::base::error::{Code, Error, Result};
use crate::base::secret::Vars;
use crate::limits;
use crate::model::redact::exact::Needles;
use crate::model::redact::exact::masks::Masked;
use crate::model::session::Session;
use crate::model::session::State;
use crate::output::index::Mark;
use crate::service::held::Typing;
use crate::service::held::What;
use crate::service::input::Done;
use crate::service::input::Input;
use crate::service::tail::Tail;
use crate::sys::poll::Waker;
use crate::sys::tty::Size;
use crate::term::agent::AgentState;
use crate::term::query::Filter;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What the session's thread can be asked.
pub enum Command {
    /// Type this at once: a person's keystrokes.
    Input(Input),
    /// Type this at once for a person, in the bytes that the terminal's modes ask for.
    Press {
        /// A paste or keys; Enter only where it is one of them.
        what: What,
        /// Who wants to know.
        done: Done,
    },
    /// Type this for a program, when the agent takes it.
    Typing(Typing),
    /// The daemon stops: give back what is held.
    GiveBack,
    /// Change the terminal's size.
    Resize(Size),
    /// Make a full-screen program repaint.
    Nudge,
    /// End the program: nicely first, or at once.
    Stop {
        /// Kill without asking.
        now: bool,
    },
    /// Stop all processes, or let them go on, and tell.
    Freeze {
        /// Which of the two.
        frozen: bool,
        /// Who wants to know.
        tell: Sender<Result<()>>,
    },
    /// The screen as it is.
    Picture(Show),
    /// A record for the index, at the current end.
    Mark(Mark),
}

/// Called once with the screen; dropped where there is none any more.
pub type Show = Box<dyn FnOnce(Picture) + Send>;

/// The screen at one moment.
pub struct Picture {
    /// Output up to here is in it.
    pub offset: u64,
    /// Bytes that repaint it in an empty terminal.
    pub repaint: Vec<u8>,
    /// What must see the output that follows, for a viewer.
    pub filter: Filter,
    /// The visible text.
    pub text: String,
    /// Column and row of the cursor from 0, and whether it shows.
    pub cursor: (u16, u16, bool),
    /// Terminal size.
    pub size: (u16, u16),
    /// Bracketed paste is on.
    pub bracketed_paste: bool,
    /// Cursor keys send application codes.
    pub application_cursor: bool,
}

/// What lists and waits want to know without asking the thread.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Last line on the screen with text.
    pub last_line: String,
    /// What the agent says of itself, where it does.
    pub agent: Option<AgentState>,
    /// How often the agent has come to rest: a turn has ended when this has grown.
    pub turns: u64,
    /// How much input waits for the agent.
    pub held: usize,
    /// A prompt was typed, and its turn has not ended.
    pub pending: bool,
    /// The log is still being read after a restart of the daemon.
    pub adopting: bool,
    /// When the session came to its state, Unix milliseconds, as far as this daemon has seen it.
    pub since_ms: Option<i64>,
    /// When the agent said last that it cannot work without a person.
    pub stuck: Option<Instant>,
    /// The program has ended, and the store does not take that yet.
    pub end_owed: bool,
}

impl View {
    /// The agent has just said that it cannot work: that its turn is over, which it says at the
    /// same time and by another way, is no news then.
    pub fn is_newly_stuck(&self) -> bool {
        self.stuck.is_some_and(|at| at.elapsed() < limits::STUCK_SETTLES)
    }

    /// The agent has nothing to do, and no prompt on its way to it.
    pub fn is_at_rest(&self) -> bool {
        self.agent.is_some_and(AgentState::is_at_rest) && !self.pending
    }
}

/// One running session.
pub struct Live {
    /// Session id.
    pub id: String,
    /// Its newest output.
    pub tail: Tail,
    commands: Sender<Command>,
    waker: Arc<Waker>,
    row: Mutex<Session>,
    view: Mutex<View>,
    typist: Mutex<Option<u64>>,
    viewers: Mutex<Vec<u64>>,
    /// The agent had something to do since it last rested.
    worked: AtomicBool,
    /// Variables that a person gave by name at this start; a later daemon does not know them.
    given: Mutex<Vars>,
    /// Keeps what was put into it out of all records.
    masked: Mutex<Option<Masked>>,
}

impl Live {
    /// A handle for `row`, and the thread's end of its queue. `end` is where the output stands.
    pub fn new(row: Session, end: u64) -> Result<(Arc<Live>, Receiver<Command>, Arc<Waker>)> {
        let (commands, receiver) = bounded(limits::SESSION_QUEUE);
        let waker = Arc::new(Waker::new()?);
        // One that an earlier daemon has left at work has worked.
        let worked = matches!(row.state, State::Running | State::NeedsPermission);
        let live = Live {
            worked: AtomicBool::new(worked),
            id: row.id.clone(),
            tail: Tail::new(end),
            commands,
            waker: waker.clone(),
            row: Mutex::new(row),
            view: Mutex::new(View::default()),
            typist: Mutex::new(None),
            viewers: Mutex::new(Vec::new()),
            given: Mutex::default(),
            masked: Mutex::default(),
        };
        Ok((Arc::new(live), receiver, waker))
    }

    /// Asks the thread; a full queue is `Busy`, an ended session a conflict.
    pub fn ask(&self, command: Command) -> Result<()> {
        use crossbeam_channel::TrySendError;
        let sent = self.commands.try_send(command);
        self.waker.wake();
        match sent {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Error::busy("the session is busy; try again")),
            Err(TrySendError::Disconnected(_)) => Err(Error::conflict("the session has ended")),
        }
    }

    /// [`Live::ask`] for a person's input, of which nothing may get lost: waits up to
    /// [`limits::INPUT_TAKEN`] for room in the queue.
    pub fn ask_patiently(&self, command: Command) -> Result<()> {
        use crossbeam_channel::SendTimeoutError;
        use crossbeam_channel::TrySendError;
        let sent = match self.commands.try_send(command) {
            Err(TrySendError::Full(command)) => {
                self.waker.wake();
                self.commands.send_timeout(command, limits::INPUT_TAKEN)
            }
            Err(TrySendError::Disconnected(command)) => {
                Err(SendTimeoutError::Disconnected(command))
            }
            Ok(()) => Ok(()),
        };
        self.waker.wake();
        match sent {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => {
                Err(Error::busy("the session is busy; type it again"))
            }
            Err(SendTimeoutError::Disconnected(_)) => Err(Error::conflict("the session has ended")),
        }
    }

    /// The screen now. Waits while the thread reads a backlog, up to [`limits::PICTURE_WAIT`].
    pub fn picture(&self) -> Result<Picture> {
        let (tell, told) = bounded(1);
        self.ask(Command::Picture(Box::new(move |picture| drop(tell.try_send(picture)))))?;
        let late = |_| Error::new(Code::Busy, "the session is still reading its output; try again");
        told.recv_timeout(limits::PICTURE_WAIT).map_err(late)
    }

    /// A copy of the row.
    pub fn row(&self) -> Session {
        lock(&self.row).clone()
    }

    /// Changes the row in memory and returns the copy to store. Viewers are woken, and the thread:
    /// what it holds back may be typed now.
    pub fn change(&self, change: impl FnOnce(&mut Session)) -> Session {
        let row = {
            let mut row = lock(&self.row);
            change(&mut row);
            row.clone()
        };
        self.tail.bump();
        self.waker.wake();
        row
    }

    /// The agent works.
    pub fn works(&self) {
        self.worked.store(true, Ordering::SeqCst);
    }

    /// The agent rests; whether it had something to do since it did so last.
    pub fn rests(&self) -> bool {
        self.worked.swap(false, Ordering::SeqCst)
    }

    /// Makes the thread look again at what it holds back.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Keeps the variables that the session was given, for a restart by this daemon.
    pub fn remember(&self, given: &Vars) {
        lock(&self.given).clone_from(given);
    }

    /// The variables that the session was given, as far as this daemon knows them.
    pub fn given(&self) -> Vars {
        lock(&self.given).clone()
    }

    /// Keeps these secrets known for as long as the session lasts.
    pub fn mask(&self, masked: Masked) {
        *lock(&self.masked) = Some(masked);
    }

    /// What its viewers are not shown, where that is wanted.
    pub fn needles(&self) -> Option<Arc<Needles>> {
        let known = lock(&self.masked).as_ref().map(Masked::needles);
        known.filter(|needles| !needles.is_empty())
    }

    /// A copy of the view.
    pub fn view(&self) -> View {
        lock(&self.view).clone()
    }

    /// Changes the view; true when the agent's state changed, or changed and changed back.
    pub fn set_view(&self, change: impl FnOnce(&mut View)) -> bool {
        let mut view = lock(&self.view);
        let before = (view.agent, view.turns);
        change(&mut view);
        (view.agent, view.turns) != before
    }

    /// A viewer that may type has come; true when it is the only one, so that its size counts.
    pub fn join(&self, viewer: u64) -> bool {
        let mut viewers = lock(&self.viewers);
        viewers.push(viewer);
        viewers.len() == 1
    }

    /// A viewer has gone.
    pub fn leave(&self, viewer: u64) {
        lock(&self.viewers).retain(|v| *v != viewer);
        let mut typist = lock(&self.typist);
        if *typist == Some(viewer) {
            *typist = None;
        }
    }

    /// A viewer typed: from now on its size counts. True when that is new.
    pub fn typed(&self, viewer: u64) -> bool {
        let mut typist = lock(&self.typist);
        let new = *typist != Some(viewer);
        *typist = Some(viewer);
        new
    }

    /// Whether this viewer's size counts: it typed last, or nobody did and it is alone.
    pub fn size_counts(&self, viewer: u64) -> bool {
        let typist = *lock(&self.typist);
        typist == Some(viewer) || (typist.is_none() && lock(&self.viewers).len() <= 1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}
