//! A session: a program on a terminal of its own, and the one table of states it can go through.
//!
//! | event | from | to |
//! |---|---|---|
//! | the program settled, or its agent said hello | STARTING | RUNNING |
//! | the agent is blocked on a permission | RUNNING, NEEDS_INPUT | NEEDS_PERMISSION |
//! | the agent asks a question or waits for a prompt | RUNNING, NEEDS_PERMISSION | NEEDS_INPUT |
//! | it cannot work before a person has looked at its terminal | any live | NEEDS_INPUT, with why |
//! | its agent said hello after all | NEEDS_INPUT | NEEDS_INPUT, without |
//! | the agent works | NEEDS_PERMISSION, NEEDS_INPUT | RUNNING |
//! | the program ended after the user's stop or kill | any live | STOPPED, exit kept |
//! | the program ended with code 0 | any live | STOPPED |
//! | the program ended with another code or by a signal | any live | CRASHED, with it |
//! | the keeper is gone and the boot id is another | any live | CRASHED "host restarted" |
//! | the keeper is gone, same boot | any live | CRASHED "keeper lost" |
//! | the user resumes | STOPPED, CRASHED | STARTING |
//!
//! A reason goes with the state that it explains. Everything else leaves the state as it is.

use crate::limits;
use std::fmt;

/// Where a session stands. The words are the API's, the database's and the dashboard's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its keeper or its program is still coming up.
    Starting,
    /// The program runs.
    Running,
    /// The agent waits for a yes or no to a tool call.
    NeedsPermission,
    /// The agent waits for words: a prompt, or the answer to a question.
    NeedsInput,
    /// Ended as it should.
    Stopped,
    /// Ended otherwise; `reason` says how.
    Crashed,
}

impl State {
    /// All states, in the order of a session's life.
    pub const ALL: [State; 6] = [
        State::Starting,
        State::Running,
        State::NeedsPermission,
        State::NeedsInput,
        State::Stopped,
        State::Crashed,
    ];

    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            State::Starting => "STARTING",
            State::Running => "RUNNING",
            State::NeedsPermission => "NEEDS_PERMISSION",
            State::NeedsInput => "NEEDS_INPUT",
            State::Stopped => "STOPPED",
            State::Crashed => "CRASHED",
        }
    }

    /// The state behind a word, in any case.
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|s| s.word().eq_ignore_ascii_case(word))
    }

    /// Whether a program may still be running.
    pub fn is_live(self) -> bool {
        !matches!(self, State::Stopped | State::Crashed)
    }
}

/// The cage around a session's program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sandbox {
    /// The level that was asked for, or `auto`.
    pub asked: String,
    /// The level that was tried from within and holds, and what it lacks, as words; empty before
    /// the program runs.
    pub held: String,
    /// What a person granted to it: names and paths.
    pub grants: Vec<String>,
}

impl Sandbox {
    /// The level alone.
    pub fn level(&self) -> &str {
        self.held.split(' ').next().unwrap_or_default()
    }

    /// What it lacks.
    pub fn lacks(&self) -> Vec<&str> {
        self.held.split(' ').skip(1).collect()
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

/// What can happen to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The program lives.
    Settled,
    /// Its agent said hello.
    Heard,
    /// The agent waits for a permission.
    AsksPermission,
    /// The agent waits for the answer to a question.
    AsksInput,
    /// The agent has nothing to do and waits for a prompt.
    Rests,
    /// The agent works.
    Works,
    /// The agent cannot work before a person has looked at its terminal; the words say why.
    Stuck(&'static str),
    /// The program ended; `wanted` when the user had asked for it.
    Ended {
        /// How.
        exit: Exit,
        /// Whether stop or kill came before.
        wanted: bool,
    },
    /// The keeper is gone without a word.
    KeeperGone {
        /// Whether the host has booted since the session was last seen.
        rebooted: bool,
    },
    /// The user starts it again.
    Resumed,
}

/// The one function that makes transitions: the new state with the reason to show, or `None` where
/// the change means nothing in this state.
pub fn transition(from: State, change: Change) -> Option<(State, Option<String>)> {
    use State::*;
    match (change, from) {
        (Change::Settled | Change::Heard, Starting) => Some((Running, None)),
        (Change::Heard, NeedsInput) => Some((NeedsInput, None)),
        (Change::AsksPermission, Running | NeedsInput) => Some((NeedsPermission, None)),
        (Change::AsksInput | Change::Rests, Running | NeedsPermission | NeedsInput) => {
            Some((NeedsInput, None))
        }
        (Change::Stuck(why), live) if live.is_live() => Some((NeedsInput, Some(why.to_string()))),
        (Change::Works, NeedsPermission | NeedsInput) => Some((Running, None)),
        (Change::Resumed, Stopped | Crashed) => Some((Starting, None)),
        (Change::Ended { wanted: true, .. }, live) if live.is_live() => Some((Stopped, None)),
        (Change::Ended { exit: Exit::Code(0), .. }, live) if live.is_live() => {
            Some((Stopped, None))
        }
        (Change::Ended { exit, .. }, live) if live.is_live() => {
            Some((Crashed, Some(exit.to_string())))
        }
        (Change::KeeperGone { rebooted }, live) if live.is_live() => {
            let reason = if rebooted { "host restarted" } else { "keeper lost" };
            Some((Crashed, Some(reason.to_string())))
        }
        _ => None,
    }
}

/// One session as stored and shown. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// UUID, kept over resumes.
    pub id: String,
    /// Row of the provider table.
    pub provider: String,
    /// Working directory, absolute.
    pub cwd: String,
    /// Where it stands.
    pub state: State,
    /// Why it stands there, where that needs words.
    pub reason: Option<String>,
    /// The user's name for it.
    pub name: Option<String>,
    /// When it was first started.
    pub created_ms: i64,
    /// Last change of this row.
    pub updated_ms: i64,
    /// When its program ended.
    pub ended_ms: Option<i64>,
    /// Absolute path of the program.
    pub program: String,
    /// The user's arguments for it.
    pub args: Vec<String>,
    /// The program's process id, while it lives.
    pub pid: Option<i32>,
    /// Its keeper's process id and start time, while it lives.
    pub keeper: Option<(i32, u64)>,
    /// Boot id of the host that runs it.
    pub boot_id: String,
    /// Terminal size.
    pub cols: u16,
    /// Terminal size.
    pub rows: u16,
    /// How the program ended.
    pub exit: Option<Exit>,
    /// Whether the user asked for the end.
    pub stop_wanted: bool,
    /// 1 at the start, one more at each resume.
    pub epoch: u32,
    /// Bytes of output so far, gaps included.
    pub log_end: u64,
    /// The disk refused output; the log has a gap.
    pub log_degraded: bool,
    /// SHA-256 of the secret that its hooks carry; cleared at the end.
    pub secret_sha256: Option<[u8; 32]>,
    /// Build whose pinned copy its hooks run; kept while a session names it.
    pub hook_build: Option<String>,
    /// The agent's own id for the conversation.
    pub agent_session: Option<String>,
    /// Where the agent writes its transcript.
    pub transcript_path: Option<String>,
    /// SessionStart came with the secret, and nothing has shown since that the gate leaks.
    pub guarded: bool,
    /// Who pays for the agent's model.
    pub billing: Billing,
    /// The conversation that it began with a copy of.
    pub forked_from: Option<String>,
    /// Names of the variables that a person gave at its newest start; their values are not kept.
    pub given: Vec<String>,
    /// Ids of the env sets that it gets at each start, later ones win.
    pub env_sets: Vec<String>,
    /// SHA-256 of the pinned copy that its hooks run.
    pub hook_sha256: Option<[u8; 32]>,
    /// A person let the repository's own settings in, which may hold hooks and servers of its own.
    pub project_settings: bool,
    /// The cage around its program.
    pub sandbox: Sandbox,
    /// What showed that the gate leaks, in words; the newest.
    pub alarm: Option<String>,
    /// SHA-256 of the agent's program that it runs, where the gate is proven on it.
    pub program_sha256: Option<[u8; 32]>,
    /// A person stopped all of its processes.
    pub frozen: bool,
    /// What policy does not deny is allowed until then.
    pub dangerous: Option<Dangerous>,
}

/// The end of dangerous mode by two clocks; whichever is there first ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dangerous {
    /// By the wall clock, Unix milliseconds: what a person was told.
    pub until_ms: i64,
    /// By the time since boot, milliseconds: what a clock that is set back cannot move.
    pub until_boot_ms: i64,
}

impl Dangerous {
    /// Whether it holds at these two times.
    pub fn holds(self, now_ms: i64, boot_ms: i64) -> bool {
        now_ms < self.until_ms && boot_ms < self.until_boot_ms
    }
}

/// Who pays for an agent's model, and so which keys its environment keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Billing {
    /// The person's subscription: no API key reaches the agent unless a person gives it by name.
    #[default]
    Subscription,
    /// By token: the daemon's API key is passed on.
    Api,
}

impl Billing {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            Billing::Subscription => "subscription",
            Billing::Api => "api",
        }
    }

    /// The billing behind a word.
    pub fn from_word(word: &str) -> Option<Billing> {
        [Billing::Subscription, Billing::Api].into_iter().find(|b| b.word() == word)
    }
}

/// Checks a display name: trimmed, at most [`limits::NAME_CHARS`] characters, no control
/// characters. Empty means none.
pub fn clean_name(text: &str) -> crate::base::error::Result<Option<String>> {
    let name = text.trim();
    if name.chars().count() > limits::NAME_CHARS {
        let most = limits::NAME_CHARS;
        return Err(crate::base::error::Error::invalid(format!(
            "a name may have {most} characters"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(crate::base::error::Error::invalid("a name may not have control characters"));
    }
    Ok((!name.is_empty()).then(|| name.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_above_is_what_the_function_does() {
        let ended = |exit, wanted| Change::Ended { exit, wanted };
        let check = |from, change, to: Option<State>| {
            assert_eq!(transition(from, change).map(|t| t.0), to, "{from:?} {change:?}");
        };
        for from in State::ALL {
            let live = from.is_live();
            check(from, ended(Exit::Signal(9), true), live.then_some(State::Stopped));
            check(from, ended(Exit::Code(0), false), live.then_some(State::Stopped));
            check(from, ended(Exit::Code(3), false), live.then_some(State::Crashed));
            check(from, Change::KeeperGone { rebooted: true }, live.then_some(State::Crashed));
            check(from, Change::Resumed, (!live).then_some(State::Starting));
            check(from, Change::Settled, (from == State::Starting).then_some(State::Running));
        }
        check(State::Starting, Change::Stuck("why"), Some(State::NeedsInput));
        check(State::Starting, Change::Heard, Some(State::Running));
        check(State::Running, Change::Heard, None);
        check(State::Stopped, Change::Stuck("why"), None);
        check(State::Running, Change::AsksPermission, Some(State::NeedsPermission));
        check(State::NeedsPermission, Change::Works, Some(State::Running));
        check(State::Running, Change::Works, None);
    }

    #[test]
    fn reasons_say_what_happened() {
        let reason = |change| transition(State::Running, change).unwrap().1;
        assert_eq!(
            reason(Change::Ended { exit: Exit::Signal(11), wanted: false }).unwrap(),
            "signal 11"
        );
        assert_eq!(reason(Change::Stuck("not logged in")).unwrap(), "not logged in");
        let stays = |change| transition(State::NeedsInput, change).unwrap().1;
        assert_eq!((stays(Change::AsksInput), stays(Change::Heard)), (None, None), "an older one");
        assert_eq!(reason(Change::KeeperGone { rebooted: true }).unwrap(), "host restarted");
        assert_eq!(reason(Change::KeeperGone { rebooted: false }).unwrap(), "keeper lost");
    }
}
