//! What programs want to type into a terminal, held until its agent takes it. Pure: it is told how
//! the agent stands, and says what may be typed now.
//!
//! 1. Nothing MUST be typed for a program while the agent waits for an answer: a typed Enter gives
//!    it, and it is mostly a yes. What a person presses on purpose, `AtDialog`, is the exception.
//! 2. That MUST be decided when the bytes go, on all the output there is, by the session's own
//!    thread. How the agent stood when somebody asked counts for nothing.
//! 3. What is given up MUST be told, with what was typed of it; what nobody waits for any more MUST
//!    NOT be typed.
//!
//! What the terminal has had cannot be taken back: an agent that begins to ask in the milliseconds
//! before it reads an Enter gets that Enter.

use crate::base::error::{Code, Error, Result};
use crate::limits;
use crate::service::live::Live;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What to type. How depends on the terminal's modes at that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// One paste, where the program understands that, and perhaps Enter.
    Paste {
        /// The text.
        text: String,
        /// Whether Enter follows.
        enter: bool,
    },
    /// As from a keyboard, with Enter: a command to the agent itself.
    Line(String),
    /// Keys by their names, which are known to be right.
    Keys(Vec<String>),
}

/// When it may be typed. All but the last are refused while the agent waits for an answer, except
/// that `Queued` waits for the end of that too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once, working or not, as soon as the agent is up.
    Open,
    /// Only to an agent that has nothing to do.
    AtRest,
    /// Once the agent has nothing to do, one after the other.
    Queued,
    /// Only to one that waits for an answer, or that starts and says nothing: a person answers from
    /// elsewhere.
    AtDialog,
}

/// Called once: true where the input was typed but had to wait, or why it was not.
pub type Told = Box<dyn FnOnce(Result<bool>) + Send>;

/// Who waits for a piece of input.
pub struct Owner {
    /// How it is told.
    pub told: Told,
    /// How it takes the input back.
    pub ticket: Arc<Ticket>,
}

/// The right to take input back.
#[derive(Default)]
pub struct Ticket {
    withdrawn: AtomicBool,
    live: OnceLock<Arc<Live>>,
}

impl Ticket {
    /// What is not typed by now is not typed any more, and nobody is told.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
        if let Some(live) = self.live.get() {
            live.wake();
        }
    }
}

/// One piece of input.
pub struct Typing {
    what: What,
    when: When,
    owner: Owner,
}

impl Typing {
    /// Input for the terminal of `live`.
    pub fn new(what: What, when: When, owner: Owner, live: &Arc<Live>) -> Typing {
        let _ = owner.ticket.live.set(live.clone());
        Typing { what, when, owner }
    }

    /// What to type, when it might be, and who is told.
    pub fn take(self) -> (What, When, Told) {
        (self.what, self.when, self.owner.told)
    }
}

/// How the agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stance {
    /// All its output has been read.
    pub known: bool,
    /// It is up and behind the gate.
    pub up: bool,
    /// It has not said how it stands.
    pub silent: bool,
    /// It waits for an answer.
    pub blocked: bool,
    /// Only its terminal says that it does: its hooks tell of an answer sooner than it redraws.
    pub doubtful: bool,
    /// It has nothing to do.
    pub at_rest: bool,
    /// A command of its own is under way: while it is, what is typed may get lost.
    pub busy: bool,
    /// It has rested for a moment, and the last prompt that was typed has had its turn.
    pub settled: bool,
}

struct Entry {
    typing: Typing,
    since: Instant,
    waited: bool,
    /// The agent's question was doubtful when this was last looked at.
    doubted: bool,
}

/// What is held for one session.
pub struct Held {
    /// Names the session in what people read.
    id: String,
    entries: VecDeque<Entry>,
}

impl Held {
    /// Nothing yet, for the session with this id.
    pub fn new(id: &str) -> Held {
        Held { id: id.chars().take(8).collect(), entries: VecDeque::new() }
    }

    /// How much is held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes input in. Full: its owner is told so.
    pub fn push(&mut self, typing: Typing, now: Instant) {
        let bytes = |typing: &Typing| match &typing.what {
            What::Paste { text, .. } | What::Line(text) => text.len(),
            What::Keys(_) => 0,
        };
        let all = self.entries.iter().map(|e| bytes(&e.typing)).sum::<usize>() + bytes(&typing);
        if self.entries.len() >= limits::HELD || all > limits::INPUT_WAITING {
            let full = "too much input waits for this agent already; try again later";
            return (typing.owner.told)(Err(Error::busy(full)));
        }
        self.entries.push_back(Entry { typing, since: now, waited: false, doubted: false });
    }

    /// The first input that may be typed now, with whether it has waited. Whoever waits in vain is
    /// told. Ask again until there is none: each changes how the agent stands.
    pub fn next(&mut self, stance: &Stance, now: Instant) -> Option<(Typing, bool)> {
        let mut at = 0;
        while let Some(entry) = self.entries.get_mut(at) {
            let verdict = entry.judge(stance, now);
            entry.doubted = stance.known && stance.blocked && stance.doubtful;
            if let Verdict::Wait = verdict {
                entry.waited = true;
                at += 1;
                continue;
            }
            let Entry { typing, waited, .. } = self.entries.remove(at)?;
            match verdict {
                Verdict::Type => return Some((typing, waited)),
                Verdict::Refuse(code, why) => {
                    (typing.owner.told)(Err(Error::new(code, format!("{why}{}", self.id))));
                }
                Verdict::Forget | Verdict::Wait => {}
            }
        }
        None
    }

    /// When [`Held::next`] may say something else although nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        self.entries.iter().map(Entry::deadline).min()
    }

    /// Gives everything back.
    pub fn close(&mut self, code: Code, why: &str) {
        for entry in self.entries.drain(..) {
            (entry.typing.owner.told)(Err(Error::new(code, why)));
        }
    }
}

enum Verdict {
    Type,
    Wait,
    Forget,
    /// The session's id goes behind the words.
    Refuse(Code, &'static str),
}

const BLOCKED: &str = "the agent waits for an answer in its terminal: codepiper attach ";
const WORKS: &str = "the agent works, and takes commands only at rest: codepiper wait --for idle ";
const NO_DIALOG: &str = "the agent asks nothing at the moment: codepiper attach ";
const NOT_UP: &str = "the agent is not up, so nothing was typed; a login, a trust question or a \
    notice may be showing: codepiper attach ";
const BUSY: &str = "the agent is still at the command before, so nothing was typed; \
    send with --queue waits for longer: codepiper attach ";
const NO_REST: &str = "the agent has not come to rest for too long, so nothing was typed: \
    codepiper attach ";

impl Entry {
    fn judge(&self, stance: &Stance, now: Instant) -> Verdict {
        let Stance { known, up, silent, blocked, doubtful, at_rest, busy, settled } = *stance;
        let free = known && up && !blocked;
        let asks = blocked && !(doubtful && now < self.doubt());
        match self.typing.when {
            _ if self.typing.owner.ticket.withdrawn.load(Ordering::Acquire) => Verdict::Forget,
            When::AtDialog if known && (blocked || (silent && !up)) => Verdict::Type,
            When::AtDialog if known => Verdict::Refuse(Code::Conflict, NO_DIALOG),
            When::Open | When::AtRest if known && asks => Verdict::Refuse(Code::Conflict, BLOCKED),
            When::Open if free && !busy => Verdict::Type,
            When::AtRest if free && !at_rest && !busy => Verdict::Refuse(Code::Conflict, WORKS),
            When::AtRest | When::Queued if free && at_rest && settled => Verdict::Type,
            _ if now < self.expiry() => Verdict::Wait,
            When::Queued => Verdict::Refuse(Code::Timeout, NO_REST),
            _ if busy => Verdict::Refuse(Code::Timeout, BUSY),
            _ => Verdict::Refuse(Code::Timeout, NOT_UP),
        }
    }

    /// When a question that is doubtful counts as one.
    fn doubt(&self) -> Instant {
        self.since + limits::REDRAWN
    }

    fn deadline(&self) -> Instant {
        if self.doubted && self.typing.when != When::Queued { self.doubt() } else { self.expiry() }
    }

    fn expiry(&self) -> Instant {
        self.since
            + match self.typing.when {
                When::Queued => limits::PARK_WAIT,
                _ => limits::AGENT_UP,
            }
    }
}

#[cfg(test)]
mod tests;
