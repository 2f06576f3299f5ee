//! The fail-closed table: what hook-forward leaves behind when there is no answer, for each kind of
//! event and each way to fail. The program ends by this table and by nothing else.
//!
//! 1. In the column of the gate every row MUST block: exit code 2 and a reason. With any other end
//!    both agents can take the call for unobjected, and run it.

use crate::base::error::Error;
use crate::cli::hook::event::Kind;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The exit code.
    pub code: i32,
    /// Whether stderr says why. Codex runs the call when it does not.
    pub says_why: bool,
}

/// The agent does not run the call and shows stderr to the model.
pub const BLOCK: End = End { code: 2, says_why: true };
/// The agent goes on as if there were no hook: its dialog stays, its turn ends as it would.
pub const QUIET: End = End { code: 0, says_why: false };

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// See its row; so are the others.
    Broken,
    /// Decided before the daemon is asked.
    Input,
    /// Decided before the daemon is asked.
    Place,
    /// Asked again until the deadline.
    Away,
    /// Final, whatever the daemon's reason.
    Refused,
    /// Final.
    Garbage,
    /// At any time before the answer is printed.
    Withdrawn,
    /// At any time before the answer is printed.
    Orphaned,
    /// The answer is there.
    Unread,
}

/// One row: a way to fail, what that means in words, and the end for each kind of event.
pub struct Row {
    /// The way to fail.
    pub failure: Failure,
    /// What may have happened, for help and for readers.
    pub what: &'static str,
    /// PreToolUse, and every event that is not known.
    pub gate: End,
    /// PermissionRequest: the agent's dialog is open or about to open, and a person answers there.
    pub dialog: End,
    /// All other events.
    pub tells: End,
}

/// The table. Stdout is empty in all of it.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row(Failure::Broken,    "it fails inside",                       BLOCK, QUIET, QUIET),
    row(Failure::Input,     "stdin is empty, too long or no event",  BLOCK, QUIET, QUIET),
    row(Failure::Place,     "it is not run inside a session",        BLOCK, QUIET, QUIET),
    row(Failure::Away,      "no daemon answers in time",             BLOCK, QUIET, QUIET),
    row(Failure::Refused,   "the daemon refuses the call",           BLOCK, QUIET, QUIET),
    row(Failure::Garbage,   "the reply is no verdict",               BLOCK, QUIET, QUIET),
    row(Failure::Withdrawn, "a signal asks it to end",               BLOCK, QUIET, QUIET),
    row(Failure::Orphaned,  "the caller has gone",                   BLOCK, QUIET, QUIET),
    row(Failure::Unread,    "nobody reads the answer",               BLOCK, QUIET, QUIET),
];

const fn row(failure: Failure, what: &'static str, gate: End, dialog: End, tells: End) -> Row {
    Row { failure, what, gate, dialog, tells }
}

/// The end for a failure at this kind of event.
pub fn end(kind: Kind, failure: Failure) -> End {
    let row = TABLE.iter().find(|row| row.failure == failure);
    row.map_or(BLOCK, |row| match kind {
        Kind::Gate => row.gate,
        Kind::Dialog => row.dialog,
        Kind::Tells => row.tells,
    })
}

/// A failure and its reason, for the model to read. It holds no secret.
#[derive(Debug)]
pub struct Failed {
    /// Which row of the table.
    pub failure: Failure,
    /// In words.
    pub why: String,
}

/// The result of every step of hook-forward.
pub type Result<T> = std::result::Result<T, Failed>;

impl Failure {
    /// This failure, for this reason.
    pub fn because(self, why: impl Into<String>) -> Failed {
        Failed { failure: self, why: why.into() }
    }
}

/// What the lower floors cannot do is a failure inside.
impl From<Error> for Failed {
    fn from(error: Error) -> Failed {
        Failure::Broken.because(error.chain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::hook;

    #[test]
    fn every_row_blocks_at_the_gate_and_is_quiet_elsewhere() {
        for row in TABLE {
            for (kind, want) in [(Kind::Gate, BLOCK), (Kind::Dialog, QUIET), (Kind::Tells, QUIET)] {
                assert_eq!(end(kind, row.failure), want, "{kind:?}: {}", row.what);
            }
        }
        // Help lists the rows in words.
        let help: Vec<&str> = hook::HELP.lines().filter_map(|l| l.strip_prefix("  ")).collect();
        let rows: Vec<&str> = TABLE.iter().map(|row| row.what).collect();
        assert!(help.windows(rows.len()).any(|lines| lines == rows), "{help:#?}");
        assert_eq!(BLOCK, End { code: 2, says_why: true }, "what both agents take for a no");
        assert_eq!(QUIET, End { code: 0, says_why: false });
    }
}
