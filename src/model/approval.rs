//! Approvals: questions to the person about one tool call, and grants, which answer such questions
//! before they are asked. How an answer reaches the agent is the service's business.

use crate::model::audit::Decider;

/// Where an approval stands. The words are the API's and the database's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nobody has answered yet.
    Pending,
    /// The call may run.
    Approved,
    /// The call does not run.
    Denied,
    /// The time was over: the call does not run.
    Expired,
    /// The call, its agent or its session came to an end before anybody answered.
    Withdrawn,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 5] =
        [Status::Pending, Status::Approved, Status::Denied, Status::Expired, Status::Withdrawn];

    /// The word of the API and the database.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Approved => "approved",
            Status::Denied => "denied",
            Status::Expired => "expired",
            Status::Withdrawn => "withdrawn",
        }
    }

    /// The status behind a word.
    pub fn from_word(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// How an approval came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Never [`Status::Pending`].
    pub status: Status,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Who.
    pub decider: Decider,
    /// Words for the agent's model and the log.
    pub reason: String,
    /// Through which door and process.
    pub client: Option<String>,
}

/// One question, as it is stored. The whole call is not in it: what may hold a secret is kept in
/// memory only, and comes again with the hook that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// 1, 2, 3 …; short, because people type it.
    pub id: i64,
    /// The session that asks.
    pub session: String,
    /// The row of the audit log with the decision to ask.
    pub decision: i64,
    /// The request of the hook that waits for the answer and carries it back.
    pub holder: String,
    /// SHA-256 over session, subagent, call id, tool, canonical input and directory: an answer is
    /// about exactly this.
    pub bound_sha256: [u8; 32],
    /// SHA-256 of what a grant is about: session, tool, input without its description, directory.
    pub grant_sha256: [u8; 32],
    /// The tool.
    pub tool: String,
    /// The agent's id for the call.
    pub call_id: Option<String>,
    /// The subagent that makes it.
    pub agent_id: Option<String>,
    /// SHA-256 of the canonical input.
    pub input_sha256: [u8; 32],
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds; not answered by then, it is denied.
    pub expires_ms: i64,
    /// How it ended.
    pub answer: Option<Answer>,
}

impl Approval {
    /// Where it stands at this time: nothing is pending past its end.
    pub fn status(&self, now_ms: i64) -> Status {
        match &self.answer {
            Some(answer) => answer.status,
            None if now_ms >= self.expires_ms => Status::Expired,
            None => Status::Pending,
        }
    }
}

/// How far a grant reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// For so many milliseconds.
    pub for_ms: Option<i64>,
    /// For so many calls.
    pub times: Option<i64>,
    /// Until the session ends, whatever else.
    pub session: bool,
}

impl Reach {
    /// Whether nothing is granted beyond the one call.
    pub fn is_once(&self) -> bool {
        *self == Reach::default()
    }
}

/// A person's yes to further calls that are the same but for their id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// 1, 2, 3 ….
    pub id: i64,
    /// It ends with this session, or with the program's next start in it.
    pub session: String,
    /// Which start of the session's program.
    pub epoch: u32,
    /// The approval that it was given with.
    pub approval: i64,
    /// See [`Approval::grant_sha256`].
    pub grant_sha256: [u8; 32],
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds: the end by the clock on the wall.
    pub expires_ms: Option<i64>,
    /// The end by the clock that counts since the host has booted, in milliseconds; nobody can set
    /// that one back.
    pub expires_boot_ms: Option<i64>,
    /// The boot that this is about.
    pub boot_id: String,
    /// How often it may still be used.
    pub left: Option<i64>,
    /// How often it was used.
    pub used: i64,
    /// When it was taken back, Unix milliseconds.
    pub revoked_ms: Option<i64>,
}

/// What a grant's time is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Milliseconds since the host has booted, sleep included.
    pub boot_ms: i64,
    /// This boot.
    pub boot_id: String,
}

impl Grant {
    /// Whether it still answers calls. Of its two clocks the one that is further counts.
    pub fn holds(&self, now: &Moment) -> bool {
        let by_wall = self.expires_ms.is_none_or(|end| now.at_ms < end);
        let by_boot = self.expires_boot_ms.is_none_or(|end| now.boot_ms < end);
        let unused = self.left.is_none_or(|left| left > 0);
        self.revoked_ms.is_none() && unused && by_wall && by_boot && self.boot_id == now.boot_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            id: 1,
            session: "s".into(),
            epoch: 1,
            approval: 1,
            grant_sha256: [0; 32],
            created_ms: 0,
            expires_ms: Some(1000),
            expires_boot_ms: Some(500),
            boot_id: "b".into(),
            left: Some(3),
            used: 0,
            revoked_ms: None,
        }
    }

    #[test]
    fn a_grant_ends_by_whichever_clock_gets_there_first_and_with_the_boot() {
        let now = |at_ms, boot_ms| Moment { at_ms, boot_ms, boot_id: "b".into() };
        assert!(grant().holds(&now(999, 499)));
        assert!(!grant().holds(&now(1000, 0)));
        assert!(!grant().holds(&now(-5000, 500)), "a clock that was set back lengthens nothing");
        assert!(!grant().holds(&Moment { boot_id: "c".into(), ..now(0, 0) }));
        for ended in [Grant { left: Some(0), ..grant() }, Grant { revoked_ms: Some(1), ..grant() }]
        {
            assert!(!ended.holds(&now(0, 0)));
        }
        let open = Grant { expires_ms: None, expires_boot_ms: None, left: None, ..grant() };
        assert!(open.holds(&now(i64::MAX, i64::MAX)));
    }

    #[test]
    fn nothing_is_pending_past_its_end() {
        let approval = Approval {
            id: 1,
            session: "s".into(),
            decision: 1,
            holder: "r".into(),
            bound_sha256: [0; 32],
            grant_sha256: [0; 32],
            tool: "Bash".into(),
            call_id: None,
            agent_id: None,
            input_sha256: [0; 32],
            created_ms: 0,
            expires_ms: 10,
            answer: None,
        };
        assert_eq!(approval.status(9), Status::Pending);
        assert_eq!(approval.status(10), Status::Expired);
        assert!(Status::ALL.into_iter().all(|s| Status::from_word(s.word()) == Some(s)));
    }
}
