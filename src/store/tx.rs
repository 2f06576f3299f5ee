//! The transaction that a write works on: SQLite's own, and the end of the audit log's chain as it
//! will be when this is committed.

use crate::model::redact::exact::masks::Masks;
use crate::store::audit::chain::Chain;
use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use std::cell::RefCell;
use std::ops::Deref;

/// A write's transaction. Everything but the audit log sees in it what it derefs to.
pub struct Tx<'a> {
    inner: Transaction<'a>,
    pub(super) chain: RefCell<Chain>,
    /// What must not be written down.
    pub masks: &'a Masks,
}

impl<'a> Tx<'a> {
    /// Begins one on the writer's connection, with the chain as it was committed last.
    pub(super) fn begin(
        conn: &'a Connection,
        chain: Chain,
        masks: &'a Masks,
    ) -> rusqlite::Result<Tx<'a>> {
        let inner = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
        Ok(Tx { inner, chain: RefCell::new(chain), masks })
    }

    /// Commits, and gives the chain as it is from now on.
    pub(super) fn commit(self) -> rusqlite::Result<Chain> {
        let chain = self.chain.into_inner();
        self.inner.commit().map(|()| chain)
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Transaction<'a> {
        &self.inner
    }
}
