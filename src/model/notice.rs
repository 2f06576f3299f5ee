//! Notices: what a person should hear of, in words for a list and a telephone. The API calls them
//! notifications. Where they go is not known here.
//!
//! 1. A title and a body MUST NOT hold text of a call: they leave this machine.

use crate::limits;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An agent waits for a yes or no.
    Permission,
    /// An agent waits for the answer to a question, or for a look at its terminal.
    Input,
    /// An agent has done what it was told and waits for more.
    TurnCompleted,
    /// A session has ended as it should, and nobody had asked for it.
    Ended,
    /// A session has ended otherwise.
    Crashed,
    /// Something shows that the gate does not hold.
    Ungated,
    /// A session got less of a cage than this host is expected to have.
    PartialSandbox,
}

impl Kind {
    /// All kinds, in the order of lists.
    pub const ALL: [Kind; 7] = [
        Kind::Permission,
        Kind::Input,
        Kind::TurnCompleted,
        Kind::Ended,
        Kind::Crashed,
        Kind::Ungated,
        Kind::PartialSandbox,
    ];

    /// The API's word, `eventType`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Permission => "session.permission_required",
            Kind::Input => "session.input_required",
            Kind::TurnCompleted => "session.turn_completed",
            Kind::Ended => "session.ended",
            Kind::Crashed => "session.crashed",
            Kind::Ungated => "session.ungated_call",
            Kind::PartialSandbox => "session.sandbox_partial",
        }
    }

    /// The kind behind a word, with `session.` before it or not.
    pub fn from_word(word: &str) -> Option<Kind> {
        let short = |kind: Kind| kind.word().strip_prefix("session.") == Some(word);
        Kind::ALL.into_iter().find(|kind| kind.word() == word || short(*kind))
    }

    /// The title of such a notice.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Permission => "Permission required",
            Kind::Input => "Input required",
            Kind::TurnCompleted => "Turn completed",
            Kind::Ended => "Session ended",
            Kind::Crashed => "Session crashed",
            Kind::Ungated => "Ungated call",
            Kind::PartialSandbox => "Partial sandbox",
        }
    }

    /// Something waits for an answer: only this goes on to a further channel.
    pub fn is_question(self) -> bool {
        matches!(self, Kind::Permission | Kind::Input)
    }

    /// A state that may be over in a moment, and makes a notice only where it holds.
    pub fn dwells(self) -> bool {
        self.is_question() || self == Kind::TurnCompleted
    }

    /// Goes out at any hour: something runs that nobody decided, or runs no more.
    pub fn breaks_quiet(self) -> bool {
        matches!(self, Kind::Crashed | Kind::Ungated)
    }
}

/// A notice as it is stored. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// The session.
    pub session: String,
    /// What it is about.
    pub kind: Kind,
    /// A few words.
    pub title: String,
    /// A sentence.
    pub body: String,
    /// The approval that is waited for; the newest of several.
    pub approval: Option<i64>,
    /// How many it stands for.
    pub count: i64,
    /// When the first of them came up.
    pub created_ms: i64,
    /// When it was read, and where or why.
    pub read: Option<(i64, String)>,
    /// Its place in the order of changes.
    pub revision: i64,
}

/// What is listed.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Of this session only.
    pub session: Option<String>,
    /// Of this kind only.
    pub kind: Option<Kind>,
    /// Only what is not read.
    pub unread: bool,
    /// Only those before this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// How far a delivery to one channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is due later, or is to be tried again.
    Waiting,
    /// The channel has taken it.
    Sent,
    /// It was given up.
    Failed,
    /// It was not needed any more.
    Skipped,
}

impl DeliveryState {
    /// The API's word.
    pub fn word(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sent => "sent",
            DeliveryState::Failed => "failed",
            DeliveryState::Skipped => "skipped",
        }
    }

    /// The state behind a word.
    pub fn from_word(word: &str) -> Option<DeliveryState> {
        use DeliveryState::{Failed, Sent, Skipped, Waiting};
        [Waiting, Sent, Failed, Skipped].into_iter().find(|state| state.word() == word)
    }
}

/// A notice on its way to one channel; its receipt afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The notice.
    pub notice: i64,
    /// The channel's id.
    pub channel: String,
    /// The channel's name at that time.
    pub channel_name: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub tries: u32,
    /// When it is due, while it waits.
    pub due_ms: i64,
    /// When it was tried last, or let be.
    pub at_ms: Option<i64>,
    /// What came of that, in words.
    pub detail: Option<String>,
}

/// What a session is called in a notice: its name, else its directory's, else the start of its id.
pub fn label(id: &str, name: Option<&str>, cwd: &str) -> String {
    match (name, cwd.rsplit('/').find(|part| !part.is_empty())) {
        (Some(name), _) => name.to_string(),
        (None, Some(dir)) => dir.to_string(),
        (None, None) => format!("session {}", id.get(..8).unwrap_or(id)),
    }
}

/// The sentence of a notice about the session with this [`label`]. `agent` is what its agent is
/// called, where it runs one; `why` says more, where there is more to say.
pub fn body(kind: Kind, label: &str, agent: Option<&str>, why: Option<&str>) -> String {
    let within = agent.map(|agent| format!(" in {agent}")).unwrap_or_default();
    let text = match (kind, why) {
        (Kind::Permission, _) => format!("{label} is waiting for permission approval{within}."),
        (Kind::Input, None) => format!("{label} is waiting for your input{within}."),
        (Kind::TurnCompleted, _) => format!("{label} is ready for your next prompt."),
        (Kind::Ended, _) => format!("{label} has ended."),
        (Kind::Crashed, None) => format!("{label} has crashed."),
        (Kind::Crashed, Some(why)) => format!("{label} has crashed: {why}."),
        (Kind::PartialSandbox, why) => {
            format!("{label} runs in a partial sandbox: {}.", why.unwrap_or("less than usual"))
        }
        (Kind::Input | Kind::Ungated, why) => {
            format!("{label}: {}.", why.unwrap_or("the gate may not hold"))
        }
    };
    match text.chars().count() > limits::notices::BODY_CHARS {
        true => text.chars().take(limits::notices::BODY_CHARS - 1).chain(['…']).collect(),
        false => text,
    }
}

/// A time of day in minutes, from `HH:MM`.
pub fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: u32| {
        let plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number = plain.then(|| text.parse::<u32>().ok()).flatten();
        number.filter(|number| *number < most)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// Minutes from `now` until the end of quiet hours `from` to `to`, all in minutes of the day;
/// `None` outside of them. They may go over midnight; two equal times are a whole day.
pub fn quiet_for(now: u32, from: u32, to: u32) -> Option<u32> {
    const DAY: u32 = 24 * 60;
    let (since, span) = ((now + DAY - from) % DAY, (to + DAY - from - 1) % DAY + 1);
    (since < span).then(|| span - since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_called_by_its_name_its_directory_or_its_id() {
        let id = "0b7e4c1e-9d43";
        assert_eq!(label(id, Some("build"), "/srv/app"), "build");
        assert_eq!(label(id, None, "/srv/app/"), "app");
        assert_eq!(label(id, None, "/"), "session 0b7e4c1e");
    }

    #[test]
    fn each_kind_has_its_word_and_its_sentence() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
            assert_eq!(Kind::from_word(&kind.word()["session.".len()..]), Some(kind));
            assert!(body(kind, "build", Some("Claude Code"), None).starts_with("build"));
        }
        assert_eq!(Kind::from_word("session"), None);
        let said = |kind, why| body(kind, "build", Some("Claude Code"), why);
        let asked = "build is waiting for permission approval in Claude Code.";
        assert_eq!(said(Kind::Permission, None), asked);
        assert_eq!(said(Kind::Input, None), "build is waiting for your input in Claude Code.");
        assert_eq!(said(Kind::TurnCompleted, None), "build is ready for your next prompt.");
        assert_eq!(said(Kind::Crashed, Some("signal 11")), "build has crashed: signal 11.");
        let long = said(Kind::Ungated, Some(&"x".repeat(1000)));
        assert!(long.chars().count() == limits::notices::BODY_CHARS && long.ends_with('…'));
    }

    #[test]
    fn times_of_day_are_two_digits_each() {
        assert_eq!((minutes("00:00"), minutes("23:59")), (Some(0), Some(1439)));
        for bad in ["", "24:00", "7:00", "07:60", "07:0", "+7:00", "07:00:00", "ab:cd"] {
            assert_eq!(minutes(bad), None, "{bad}");
        }
    }

    #[test]
    fn quiet_hours_go_over_midnight_and_end() {
        let at = |text: &str| minutes(text).unwrap();
        let left = |now: &str, from: &str, to: &str| quiet_for(at(now), at(from), at(to));
        assert_eq!(left("22:00", "22:00", "07:00"), Some(540));
        assert_eq!(left("06:59", "22:00", "07:00"), Some(1));
        assert_eq!(left("07:00", "22:00", "07:00"), None);
        assert_eq!(left("21:59", "22:00", "07:00"), None);
        assert_eq!(left("13:00", "12:00", "14:00"), Some(60));
        assert_eq!(left("14:00", "12:00", "14:00"), None);
        assert_eq!(left("08:00", "08:00", "08:00"), Some(1440), "a whole day");
    }
}
