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
        self.entries.push_back(Entry { typing, since: now, waited: false });
    }

    /// The first input that may be typed now, with whether it has waited. Whoever waits in vain is
    /// told. Ask again until there is none: each changes how the agent stands.
    pub fn next(&mut self, stance: &Stance, now: Instant) -> Option<(Typing, bool)> {
        let mut at = 0;
        while let Some(entry) = self.entries.get_mut(at) {
            let verdict = entry.judge(stance, now);
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
        self.entries.iter().map(Entry::expiry).min()
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
        let Stance { known, up, silent, blocked, at_rest, busy, settled } = *stance;
        let free = known && up && !blocked;
        match self.typing.when {
            _ if self.typing.owner.ticket.withdrawn.load(Ordering::Acquire) => Verdict::Forget,
            When::AtDialog if known && (blocked || (silent && !up)) => Verdict::Type,
            When::AtDialog if known => Verdict::Refuse(Code::Conflict, NO_DIALOG),
            When::Open | When::AtRest if known && blocked => {
                Verdict::Refuse(Code::Conflict, BLOCKED)
            }
            When::Open if free && !busy => Verdict::Type,
            When::AtRest if free && !at_rest && !busy => Verdict::Refuse(Code::Conflict, WORKS),
            When::AtRest | When::Queued if free && at_rest && settled => Verdict::Type,
            _ if now < self.expiry() => Verdict::Wait,
            When::Queued => Verdict::Refuse(Code::Timeout, NO_REST),
            _ if busy => Verdict::Refuse(Code::Timeout, BUSY),
            _ => Verdict::Refuse(Code::Timeout, NOT_UP),
        }
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
mod tests {
    use super::*;
    use crate::base::time;
    use std::sync::mpsc;
    use std::time::Duration;

    const REST: Stance = Stance {
        known: true,
        up: true,
        silent: false,
        blocked: false,
        at_rest: true,
        busy: false,
        settled: true,
    };
    const WORK: Stance = Stance { at_rest: false, settled: false, ..REST };
    const BLOCKED: Stance = Stance { blocked: true, ..WORK };
    const NOT_UP: Stance = Stance { up: false, silent: true, ..WORK };
    const BEHIND: Stance = Stance { known: false, ..REST };

    type Answers = mpsc::Receiver<Result<bool>>;

    fn typing(when: When, text: &str) -> (Typing, Answers) {
        let (tell, told) = mpsc::channel();
        let told_by: Told = Box::new(move |result| tell.send(result).unwrap());
        let what = What::Line(text.to_string());
        let owner = Owner { told: told_by, ticket: Arc::default() };
        (Typing { what, when, owner }, told)
    }

    /// What becomes of one input in a stance: typed, held, or why it is refused.
    fn fate(when: When, stance: &Stance, after: Duration) -> String {
        let (mut held, now) = (Held::new("0b7e4c1e-9d43"), time::now());
        let (typing, told) = typing(when, "x");
        held.push(typing, now);
        match (held.next(stance, now + after), told.try_recv()) {
            (Some((_, waited)), Err(_)) => format!("typed, waited {waited}"),
            (None, Err(_)) => format!("{} held", held.len()),
            (None, Ok(Err(error))) => error.to_string(),
            _ => panic!("typed and refused"),
        }
    }

    #[test]
    fn each_stance_of_the_agent_lets_through_what_it_should() {
        let check = |when, stance: &Stance, wanted: &str| {
            let fate = fate(when, stance, Duration::ZERO);
            assert!(fate.contains(wanted), "{when:?} {stance:?}: {fate}");
        };
        let unsettled = Stance { settled: false, ..REST };
        for when in [When::Open, When::AtRest, When::Queued] {
            check(when, &REST, "typed, waited false");
            check(when, &NOT_UP, "1 held");
            check(when, &BEHIND, "1 held");
        }
        for stance in [BLOCKED, Stance { up: false, ..BLOCKED }] {
            check(When::Open, &stance, "an answer in its terminal: codepiper attach 0b7e4c1e");
            check(When::AtRest, &stance, "an answer in its terminal");
            check(When::Queued, &stance, "1 held");
            check(When::AtDialog, &stance, "typed");
        }
        check(When::Open, &WORK, "typed");
        check(When::AtRest, &WORK, "the agent works");
        check(When::Queued, &WORK, "1 held");
        check(When::Open, &unsettled, "typed");
        for when in [When::Open, When::AtRest, When::Queued] {
            check(when, &Stance { busy: true, ..WORK }, "1 held");
            check(when, &Stance { busy: true, ..unsettled }, "1 held");
        }
        check(When::AtRest, &unsettled, "1 held");
        check(When::Queued, &unsettled, "1 held");
        check(When::AtDialog, &REST, "asks nothing");
        check(When::AtDialog, &WORK, "asks nothing");
        check(When::AtDialog, &NOT_UP, "typed");
        check(When::AtDialog, &Stance { up: false, ..REST }, "asks nothing");
        check(When::AtDialog, &Stance { up: false, ..WORK }, "asks nothing");
        check(When::AtDialog, &Stance { silent: true, ..WORK }, "asks nothing");
        check(When::AtDialog, &Stance { known: false, ..BLOCKED }, "1 held");
    }

    #[test]
    fn nobody_waits_for_ever_and_is_told_what_to_look_at() {
        for when in [When::Open, When::AtRest] {
            let told = fate(when, &NOT_UP, limits::AGENT_UP);
            assert!(told.contains("not up") && told.contains("codepiper attach"), "{told}");
        }
        let told = fate(When::Open, &Stance { busy: true, ..WORK }, limits::AGENT_UP);
        assert!(told.contains("still at the command"), "{told}");
        assert_eq!(fate(When::Queued, &WORK, limits::AGENT_UP), "1 held");
        let told = fate(When::Queued, &BLOCKED, limits::PARK_WAIT);
        assert!(told.contains("not come to rest") && told.contains("nothing was typed"), "{told}");
    }

    #[test]
    fn queued_input_goes_in_order_and_withdrawn_input_not_at_all() {
        let (mut held, now) = (Held::new("id"), time::now());
        let mut answers = Vec::new();
        for text in ["first", "second", "third"] {
            let (typing, told) = typing(When::Queued, text);
            answers.push((typing.owner.ticket.clone(), told));
            held.push(typing, now);
        }
        assert!(held.next(&WORK, now).is_none());
        answers[1].0.withdraw();
        for text in ["first", "third"] {
            let (typing, waited) = held.next(&REST, now).unwrap();
            assert_eq!((typing.what, waited), (What::Line(text.into()), true));
        }
        assert!(held.next(&REST, now).is_none() && held.is_empty() && held.deadline().is_none());
        assert!(answers[1].1.try_recv().is_err(), "nobody is there to be told");
    }

    #[test]
    fn what_is_too_much_and_what_is_left_is_given_back() {
        let (mut held, now) = (Held::new("id"), time::now());
        let mut answers = Vec::new();
        for _ in 0..=limits::HELD {
            let (typing, told) = typing(When::Queued, "x");
            held.push(typing, now);
            answers.push(told);
        }
        let full = answers.pop().unwrap().try_recv().unwrap().unwrap_err();
        assert_eq!(full.code, Code::Busy);
        held.close(Code::Conflict, "the session has ended");
        assert!(answers.iter().all(|told| told.try_recv().unwrap().is_err()));
        let (large, told) = typing(When::Open, &"x".repeat(limits::INPUT_WAITING + 1));
        held.push(large, now);
        assert_eq!(told.try_recv().unwrap().unwrap_err().code, Code::Busy);
    }
}
