//! The one thread that writes: takes waiting writes together into one transaction, so that one
//! fsync serves many callers.
//!
//! 1. A caller MUST be answered only after the COMMIT that holds its write, or told that it failed.
//! 2. A write that fails or panics MUST leave nothing behind and MUST NOT take others with it.
//! 3. After migration this connection MUST NOT be able to change the schema, its own safety
//!    settings, or a row of the audit log that is there.

use crate::base::error::{Error, Result};
use crate::base::thread::panic_text;
use crate::base::time;
use crate::limits;
use crate::model::redact::exact::masks::Masks;
use crate::store::audit::beside::Beside;
use crate::store::audit::chain::Chain;
use crate::store::fault::Health;
use crate::store::tx::Tx;
use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Instant;

/// One write on its way through the queue, whatever it returns.
pub(super) trait Work: Send {
    /// Runs it once; says whether what it did shall stay.
    fn run(&mut self, tx: &Tx<'_>, health: &Health) -> bool;
    /// The error it ran into, if it did.
    fn error(&self) -> Option<&Error>;
    /// Tells the caller: its own result, or `lost` where that was not committed.
    fn answer(self: Box<Self>, lost: Option<&Error>);
}

/// A write with its caller's place to wait.
pub(super) struct Job<T, F> {
    work: Option<F>,
    done: Option<Result<T>>,
    reply: Sender<Result<T>>,
}

impl<T, F> Job<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
{
    /// The write and the place where its answer arrives.
    pub fn with_answer(work: F) -> (Box<dyn Work>, Receiver<Result<T>>) {
        let (reply, answer) = crossbeam_channel::bounded(1);
        (Box::new(Job { work: Some(work), done: None, reply }), answer)
    }
}

impl<T, F> Work for Job<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
{
    fn run(&mut self, tx: &Tx<'_>, health: &Health) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = match catch_unwind(AssertUnwindSafe(|| work(tx))) {
            Ok(result) => result.map_err(|e| health.explain(e)),
            Err(panic) => {
                let text = panic_text(&*panic);
                log::error!("a write panicked: {text}");
                Err(Error::internal(format!("a write panicked: {text}")))
            }
        };
        let keep = result.is_ok();
        self.done = Some(result);
        keep
    }

    fn error(&self) -> Option<&Error> {
        self.done.as_ref()?.as_ref().err()
    }

    fn answer(self: Box<Self>, lost: Option<&Error>) {
        let result = match (self.done, lost) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(lost)) => Err(Error::new(lost.code, lost.message.clone())),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::internal("a write was passed over")),
        };
        // A caller that has stopped waiting (its thread died) has nobody to tell.
        let _ = self.reply.send(result);
    }
}

/// The writer's side of the queue and its connection.
pub(super) struct Writer {
    conn: Connection,
    health: Arc<Health>,
    queue: Receiver<Box<dyn Work>>,
    /// The end of the audit log's chain, as it is committed.
    chain: Chain,
    beside: Beside,
    masks: Arc<Masks>,
    /// The row that the daemon's log named last, and when.
    told: (i64, Instant),
}

impl Writer {
    /// Takes over a connection and closes it to everything but writing rows.
    pub fn new(
        mut conn: Connection,
        health: Arc<Health>,
        queue: Receiver<Box<dyn Work>>,
        chain: Chain,
        masks: Arc<Masks>,
    ) -> Result<Writer> {
        let guarded = conn.authorizer(Some(authorize));
        health.wrap(guarded, "cannot guard the database connection")?;
        let beside = Beside::of(health.path());
        let told = (0, time::now());
        let mut writer = Writer { conn, health, queue, chain, beside, masks, told };
        writer.tell_head();
        Ok(writer)
    }

    /// Serves the queue until every sender is gone, then folds the write-ahead log into the file.
    pub fn run(mut self) -> Result<()> {
        let mut batch = VecDeque::with_capacity(limits::WRITE_BATCH);
        while let Ok(first) = self.queue.recv() {
            batch.push_back(first);
            batch.extend(self.queue.try_iter().take(limits::WRITE_BATCH - 1));
            while !batch.is_empty() {
                self.commit(&mut batch);
            }
        }
        self.finish()
    }

    /// One transaction over the front of `batch`, and the answers to all that were in it.
    fn commit(&mut self, batch: &mut VecDeque<Box<dyn Work>>) {
        let mut ran = Vec::with_capacity(batch.len());
        let committed = self.transaction(batch, &mut ran);
        let lost = committed.as_ref().err();
        for work in ran {
            work.answer(lost);
        }
        if let Ok(chain) = committed {
            self.beside.settle(&self.chain, &chain);
            self.chain = chain;
            if time::now().duration_since(self.told.1) >= limits::AUDIT_TOLD {
                self.tell_head();
            }
        }
    }

    fn transaction(
        &self,
        batch: &mut VecDeque<Box<dyn Work>>,
        ran: &mut Vec<Box<dyn Work>>,
    ) -> Result<Chain> {
        let begin = || {
            self.health.refuse()?;
            self.health.wrap(Tx::begin(&self.conn, self.chain.clone(), &self.masks), "cannot save")
        };
        let tx = match begin() {
            Ok(tx) => tx,
            Err(e) => {
                ran.extend(batch.drain(..));
                return Err(e);
            }
        };
        while let Some(mut work) = batch.pop_front() {
            let step = self.step(&tx, &mut *work);
            // A full or failing disk makes SQLite roll the whole transaction back by itself. What
            // ran before is lost with it; what has not run yet gets a transaction of its own.
            let gone = tx.is_autocommit();
            let cause = work.error().map(|e| Error::new(e.code, e.message.clone()));
            ran.push(work);
            step?;
            if gone {
                let unknown = || Error::internal("a write ended the transaction it was in");
                return Err(cause.unwrap_or_else(unknown));
            }
        }
        self.beside.prepare(&self.chain, &tx.chain.borrow())?;
        self.health.wrap(tx.commit(), "nothing was saved")
    }

    /// One write inside its own savepoint.
    fn step(&self, tx: &Tx<'_>, work: &mut dyn Work) -> Result<()> {
        let mark = |sql| {
            let done = tx.prepare_cached(sql).and_then(|mut s| s.execute([]));
            self.health.wrap(done, "cannot save")
        };
        mark("SAVEPOINT one_write")?;
        let before = tx.chain.borrow().clone();
        let keep = work.run(tx, &self.health);
        if tx.is_autocommit() {
            return Ok(());
        }
        if !keep {
            mark("ROLLBACK TO one_write")?;
            tx.chain.replace(before);
        }
        mark("RELEASE one_write")?;
        Ok(())
    }

    /// Says in the daemon's log where the audit log ends: under systemd that is the journal, which
    /// whoever rewrites our files cannot write.
    fn tell_head(&mut self) {
        if self.told.0 != self.chain.seq {
            log::info!("the audit log ends at {}", self.chain.head());
        }
        self.told = (self.chain.seq, time::now());
    }

    fn finish(mut self) -> Result<()> {
        self.tell_head();
        if self.health.damage().is_some() {
            return Ok(());
        }
        let checkpoint = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.health.wrap(checkpoint, "cannot fold the write-ahead log into the database")?;
        // Now that all is in the file the log may go with the last connection.
        let clean = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        self.health.wrap(clean.map(|_| ()), "cannot close the database")
    }
}

/// What a statement on the writer may do: read, and write rows; never touch the schema, another
/// file, SQLite's own tables, a setting, or a row of the audit log that is there.
fn authorize(context: AuthContext<'_>) -> Authorization {
    use AuthAction::*;
    let own = |table: &str| !table.starts_with("sqlite_");
    let allowed = match context.action {
        Select | Read { .. } | Function { .. } | Recursive => true,
        Transaction { .. } | Savepoint { .. } => true,
        Insert { table_name } => own(table_name),
        Update { table_name, .. } | Delete { table_name } => {
            own(table_name) && table_name != "audit"
        }
        Pragma { pragma_name, .. } => pragma_name == "wal_checkpoint",
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}
