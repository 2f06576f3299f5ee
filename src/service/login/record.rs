//! What the audit log says of logins. Nothing here is given a secret.

use crate::base::error::Result;
use crate::base::time;
use crate::model::audit::Decider;
use crate::model::audit::Kind;
use crate::model::audit::NewEntry;
use crate::store::audit;
use crate::store::tx::Tx;

/// The person did something.
pub fn done(tx: &Tx<'_>, by: &str, what: &str) -> Result<()> {
    append(tx, Decider::Person, by, what.to_string())
}

/// Somebody was refused; the reason is for the log alone.
pub fn refused(tx: &Tx<'_>, by: &str, why: &str) -> Result<()> {
    append(tx, Decider::Daemon, by, format!("refused: {why}"))
}

fn append(tx: &Tx<'_>, decider: Decider, by: &str, reason: String) -> Result<()> {
    let mut row = NewEntry::new(Kind::Login, time::unix_ms(), decider, reason);
    row.client = Some(by.to_string());
    audit::append(tx, &row).map(drop)
}
