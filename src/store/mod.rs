//! The database: one thread writes, anybody reads, and nothing outside this room knows SQL.
//!
//! Writes are closures on a transaction. They run on the thread `db-writer`, many callers' in one
//! commit, and each caller is answered after that commit (writer.rs). Reads run where they are
//! asked for, on read-only connections, each on one snapshot. schema.sql is the truth about the
//! tables.
//!
//! A damaged file does not keep the daemon from starting: the store is then read-only, says what is
//! wrong and how to get out of it, and sessions run on without it.

pub mod account;
pub mod approvals;
pub mod attempts;
pub mod audit;
pub mod channels;
pub mod deliveries;
pub mod env_sets;
pub mod events;
mod fault;
mod file;
pub mod grants;
mod migrate;
pub mod notices;
pub mod policies;
pub mod policy_sets;
pub mod project_grants;
pub mod proofs;
pub mod sealed;
pub mod sessions;
pub mod settings;
mod steps;
pub mod tx;
pub mod web_sessions;
mod writer;

use crate::base::error::{Code, Context, Error, Result};
use crate::base::thread;
use crate::limits;
use crate::model::redact::exact::masks::Masks;
use crate::store::fault::Health;
use crate::store::file::Found;
use crate::store::tx::Tx;
use crate::store::writer::{Job, Work, Writer};
use crossbeam_channel::SendTimeoutError;
use crossbeam_channel::Sender;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Params;
use rusqlite::Row;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::thread::JoinHandle;
use std::thread::ThreadId;
use std::time::Duration;

/// A handle on the open database; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    health: Arc<Health>,
    /// Gone once the store is closed, and from the start where the file is damaged.
    queue: Mutex<Option<Sender<Box<dyn Work>>>>,
    writer: Mutex<Option<JoinHandle<Option<Result<()>>>>>,
    writer_id: Option<ThreadId>,
    /// Idle read-only connections; `None` once the store is closed, and from the start where the
    /// file must not even be opened.
    readers: Mutex<Option<Vec<Connection>>>,
    masks: Arc<Masks>,
}

impl Store {
    /// Opens the database at `path`, makes it where there is none, brings an older one to the
    /// newest schema after a backup.
    ///
    /// A damaged file opens read-only, see [`Store::damage`]. `Conflict` where the file belongs to
    /// another program or a newer codepiper; it is not touched then. The caller has made sure that
    /// the directory is private and that no other daemon uses it.
    pub fn open(path: &Path) -> Result<Store> {
        let health = Arc::new(Health::new(path));
        match file::look(path)? {
            Found::Nothing => file::create(&health)?,
            Found::Ours => {}
            Found::Damaged(what) => {
                health.mark(&what);
                return Ok(Store::with(health, None, None, None, Arc::default()));
            }
        }
        let readers = match inspect(&health) {
            Ok(reader) => vec![reader],
            Err(error) if health.damage().is_none() => return Err(error),
            // The error is the damage, which every caller is told from now on.
            Err(_) => Vec::new(),
        };
        if health.damage().is_some() {
            return Ok(Store::with(health, Some(readers), None, None, Arc::default()));
        }
        let opened = file::connect_writer(path);
        let conn = health.wrap(opened, &format!("cannot open {}", path.display()))?;
        Store::start(health, readers, conn)
    }

    /// Starts the writer thread on its connection.
    fn start(health: Arc<Health>, readers: Vec<Connection>, conn: Connection) -> Result<Store> {
        let (queue, jobs) = crossbeam_channel::bounded(limits::WRITE_QUEUE);
        let chain = audit::open(&health, &conn)?;
        let masks = Arc::<Masks>::default();
        let writer = Writer::new(conn, health.clone(), jobs, chain, masks.clone())?;
        let thread = thread::spawn("db-writer", move || writer.run())?;
        Ok(Store::with(health, Some(readers), Some(queue), Some(thread), masks))
    }

    fn with(
        health: Arc<Health>,
        readers: Option<Vec<Connection>>,
        queue: Option<Sender<Box<dyn Work>>>,
        writer: Option<JoinHandle<Option<Result<()>>>>,
        masks: Arc<Masks>,
    ) -> Store {
        let inner = Inner {
            health,
            queue: Mutex::new(queue),
            writer_id: writer.as_ref().map(|w| w.thread().id()),
            writer: Mutex::new(writer),
            readers: Mutex::new(readers),
            masks,
        };
        Store { inner: Arc::new(inner) }
    }

    /// Runs `work` on the writer thread and returns once its changes are on the disk, or none of
    /// them is. An error or a panic undoes this write alone.
    ///
    /// `Denied` where the database is damaged; `Busy` where the disk is full or where
    /// [`limits::WRITE_WAIT`] was not enough to get into the queue; `Unreachable` after
    /// [`Store::close`]. `work` must be short and must not wait for anything: all writes wait for
    /// it.
    pub fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.health.refuse()?;
        if self.inner.writer_id == Some(std::thread::current().id()) {
            return Err(Error::internal("a write asked for another write; use its transaction"));
        }
        let (job, answer) = Job::with_answer(work);
        self.enqueue(job, limits::WRITE_WAIT)?;
        // No deadline here: to give up without knowing whether it was saved would be worse.
        let lost = || "the database writer has ended; whether this was saved is unknown".into();
        answer.recv().internal(lost)?
    }

    /// Hands a write to the writer thread. Queue full: the caller waits, then `Busy`.
    fn enqueue(&self, job: Box<dyn Work>, wait: Duration) -> Result<()> {
        let queue = held(&self.inner.queue).clone().ok_or_else(closed)?;
        queue.send_timeout(job, wait).map_err(|e| match e {
            SendTimeoutError::Timeout(_) => {
                Error::busy("the database is busy, nothing was saved; try again")
            }
            SendTimeoutError::Disconnected(_) => closed(),
        })
    }

    /// Runs `work` on one snapshot of the database, which holds every write answered before.
    ///
    /// Of a damaged database it gives what can be read, or `Denied` with the damage.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let health = &self.inner.health;
        let idle = held(&self.inner.readers).as_mut().map(Vec::pop);
        let conn = match idle {
            None => return health.refuse().and(Err(closed())),
            Some(Some(conn)) => conn,
            Some(None) => {
                health.wrap(file::connect_reader(health.path()), "cannot open a reader")?
            }
        };
        let result = match conn.unchecked_transaction() {
            Ok(snapshot) => work(&snapshot),
            Err(e) => Err(e).internal(|| "cannot read".into()),
        };
        if let Some(readers) = held(&self.inner.readers).as_mut()
            && readers.len() < limits::READERS
        {
            readers.push(conn);
        }
        result.map_err(|e| health.explain(e))
    }

    /// Secrets that no event and no row of the audit log is stored with.
    pub fn masks(&self) -> &Arc<Masks> {
        &self.inner.masks
    }

    /// What is wrong with the database and the way out, where it is damaged.
    pub fn damage(&self) -> Option<String> {
        self.inner.health.damage().map(str::to_string)
    }

    /// Reads through the whole file for damage that opening it did not meet; slow with a large
    /// one. `Denied` where there is some: the store is read-only from then on.
    pub fn check(&self) -> Result<()> {
        let health = &self.inner.health;
        health.refuse()?;
        let look = || {
            let conn = file::connect_reader(health.path())?;
            conn.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        };
        let found = health.wrap(look(), "cannot check the database")?;
        if found != "ok" {
            // SQLite puts a heading with the schema's name above its finding.
            let found = found.trim_start_matches("*** in database main ***\n");
            health.mark(&found.replace('\n', ", "));
        }
        health.refuse()
    }

    /// Takes no more writes, finishes those that wait, folds the write-ahead log into the file.
    /// Closing again does nothing. The error says what could not be folded; nothing is lost by it.
    pub fn close(&self) -> Result<()> {
        drop(held(&self.inner.queue).take());
        drop(held(&self.inner.readers).take());
        let Some(thread) = held(&self.inner.writer).take() else { return Ok(()) };
        match thread.join() {
            Ok(Some(done)) => done,
            _ => Err(Error::internal("the database writer ended by a panic")),
        }
    }
}

/// Looks at a database of ours: brings it to the newest schema and gives a reader for it. An error
/// that means damage is marked as such.
fn inspect(health: &Health) -> Result<Connection> {
    let doing = format!("cannot open {}", health.path().display());
    let opened = file::connect_reader(health.path()).and_then(|conn| {
        let (version, _) = migrate::shape(&conn)?;
        Ok((conn, version))
    });
    // SQLite has more ways to say that it cannot make sense of a schema than "corrupt".
    if let Err(e) = &opened
        && matches!(e.sqlite_error_code(), None | Some(rusqlite::ErrorCode::Unknown))
    {
        health.mark(&e.to_string());
    }
    let (conn, version) = health.wrap(opened, &doing)?;
    migrate::check_version(health.path(), version)?;
    migrate::run(health, version, steps::STEPS)?;
    if let Some(what) = migrate::missing(&conn).map_err(|e| health.explain(e))? {
        health.mark(&what);
    }
    Ok(conn)
}

/// All rows of a query; its statement is kept for the next time.
fn rows<T>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map(values, read)?.collect()
}

/// The one row of a query, where there is one.
fn row<T>(
    conn: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached(sql)?.query_row(values, read).optional()
}

/// Whether a statement failed at a constraint of this extended code.
fn broke(error: &rusqlite::Error, constraint: i32) -> bool {
    error.sqlite_error().is_some_and(|e| e.extended_code == constraint)
}

fn closed() -> Error {
    Error::new(Code::Unreachable, "the database is closed: the daemon is stopping")
}

/// The value behind a lock. Nothing here panics while holding one, so poison means nothing.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(|e| e.into_inner())
}

#[cfg(test)]
mod tests;
