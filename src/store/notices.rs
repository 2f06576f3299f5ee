//! SQL for notices: what may become one, those that are, and what was read. When they are due and
//! who is told is not known here.
//!
//! 1. What a person has answered MUST NOT become a notice any more, nor go to any channel.

use crate::base::error::{Context, Result};
use crate::limits;
use crate::model::notice::Kind;
use crate::model::notice::Notice;
use crate::model::notice::Page;
use crate::store::deliveries;
use crate::store::row;
use crate::store::rows;
use crate::store::tx::Tx;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

const COLUMNS: &str = "id, session_id, kind, title, body, approval_id, count, created_ms, \
    read_ms, read_source, revision";

/// What may become a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dwell {
    /// The session.
    pub session: String,
    /// What it is about.
    pub kind: Kind,
    /// A few words.
    pub title: String,
    /// A sentence.
    pub body: String,
    /// The approval that is waited for.
    pub approval: Option<i64>,
    /// How many it stands for.
    pub count: i64,
    /// When the first came up.
    pub created_ms: i64,
    /// When it becomes a notice.
    pub due_ms: i64,
}

/// Notices about an approval: those that were about it, and about no other that is still open.
const ABOUT_IT: &str = "session_id = ?1 AND approval_id IS NOT NULL
    AND CASE WHEN count = 1 THEN approval_id = ?2 ELSE
        NOT EXISTS (SELECT 1 FROM approvals WHERE session_id = ?1 AND status IS NULL) END";

/// Which notices are read.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// This one.
    One(i64),
    /// Those of a session, or all.
    All(Option<&'a str>),
    /// Those of a session about this, where no approval is named.
    Stateful(&'a str, Kind),
    /// Those of a session that were about this approval, and about no other that is still open.
    Approval(&'a str, i64),
}

/// Notes that something has come up. Of a kind that is noted already there is one, and where it is
/// about approvals or calls it counts them. A permission that no approval is known for is nothing
/// new where one is unread.
pub fn raise(tx: &Tx<'_>, new: &Dwell) -> Result<()> {
    let cannot = || format!("cannot save what happened in session {}", new.session);
    let word = new.kind.word();
    if new.kind == Kind::Permission && new.approval.is_none() {
        let sql = "SELECT 1 FROM notices
                   WHERE session_id = ?1 AND kind = ?2 AND read_ms IS NULL LIMIT 1";
        let found = row(tx, sql, params![new.session, word], |_| Ok(()));
        if found.internal(cannot)?.is_some() {
            return Ok(());
        }
    }
    // One that has gone with its session is nothing to hear of.
    let sql = "INSERT INTO notice_dwells
                   (session_id, kind, title, body, approval_id, count, created_ms, due_ms)
               SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM sessions WHERE id = ?1
               ON CONFLICT (session_id, kind) DO UPDATE SET
                   count = count + (?9 OR coalesce(approval_id <> excluded.approval_id, 0)),
                   approval_id = coalesce(excluded.approval_id, approval_id),
                   title = excluded.title, body = excluded.body";
    let Dwell { session, kind, title, body, approval, count, created_ms, due_ms } = new;
    let (title, body) = (tx.masks.text(title), tx.masks.text(body));
    let counts = *kind == Kind::Ungated;
    let values = params![session, word, title, body, approval, count, created_ms, due_ms, counts];
    tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).map(drop).internal(cannot)
}

/// Whether an approval of a session, or a newer one, is or was in a notice.
pub fn is_known(conn: &Connection, session: &str, approval: i64) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM notices
                              WHERE session_id = ?1 AND approval_id >= ?2)
                   OR EXISTS (SELECT 1 FROM notice_dwells
                              WHERE session_id = ?1 AND approval_id >= ?2)";
    let found = row(conn, sql, params![session, approval], |row| row.get(0));
    found.internal(|| "cannot read the notices".into()).map(Option::unwrap_or_default)
}

/// Everything that may become a notice.
pub fn dwells(conn: &Connection) -> Result<Vec<Dwell>> {
    let read = |row: &Row<'_>| {
        Ok(Dwell {
            session: row.get("session_id")?,
            kind: row.get("kind")?,
            title: row.get("title")?,
            body: row.get("body")?,
            approval: row.get("approval_id")?,
            count: row.get("count")?,
            created_ms: row.get("created_ms")?,
            due_ms: row.get("due_ms")?,
        })
    };
    readable(conn, "SELECT * FROM notice_dwells ORDER BY due_ms", [], read)
        .internal(|| "cannot read what may become a notice".into())
}

/// The rows that can be read. One that only a newer codepiper knows is left out: it must not hide
/// the others.
fn readable<T>(
    conn: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let all = rows(conn, sql, values, |row| Ok(read(row).ok()))?;
    Ok(all.into_iter().flatten().collect())
}

/// Takes one back that may have become a notice; gives it as it is by now.
pub fn take(tx: &Tx<'_>, session: &str, kind: Kind) -> Result<Option<Dwell>> {
    let found = dwells(tx)?.into_iter().find(|d| d.session == session && d.kind == kind);
    let sql = "DELETE FROM notice_dwells WHERE session_id = ?1 AND kind = ?2";
    let gone = tx.prepare_cached(sql).and_then(|mut s| s.execute(params![session, kind.word()]));
    gone.internal(|| "cannot take back what may have become a notice".into())?;
    Ok(found)
}

/// Makes a notice, read already where `read` says where. One of the same session and kind that is
/// unread and new enough counts it instead; then the second is false.
pub fn insert(tx: &Tx<'_>, new: &Dwell, now_ms: i64, read: Option<&str>) -> Result<(i64, bool)> {
    let cannot = || format!("cannot save the notice of session {}", new.session);
    let since = now_ms - limits::notices::GROUPED.as_millis() as i64;
    let revision = revision(tx)?;
    let sql = "UPDATE notices SET count = count + ?3, raised_ms = ?4, body = ?5, revision = ?6,
                   approval_id = coalesce(?7, approval_id)
               WHERE id = (SELECT max(id) FROM notices
                           WHERE session_id = ?1 AND kind = ?2 AND read_ms IS NULL
                               AND raised_ms >= ?8)
               RETURNING id";
    let Dwell { session, kind, title, body, approval, count, .. } = new;
    let word = kind.word();
    if read.is_none() {
        let values = params![session, word, count, now_ms, body, revision, approval, since];
        if let Some(id) = row(tx, sql, values, |row| row.get(0)).internal(cannot)? {
            return Ok((id, false));
        }
    }
    let sql = "INSERT INTO notices (session_id, kind, title, body, approval_id, count, created_ms,
                   raised_ms, read_ms, read_source, revision)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10)";
    let read_ms = read.map(|_| now_ms);
    let values =
        params![session, word, title, body, approval, count, now_ms, read_ms, read, revision];
    let id = tx.prepare_cached(sql).and_then(|mut s| s.insert(values)).internal(cannot)?;
    prune(tx)?;
    Ok((id, true))
}

fn prune(tx: &Tx<'_>) -> Result<()> {
    let sql = "DELETE FROM notices
               WHERE id <= (SELECT id FROM notices ORDER BY id DESC LIMIT 1 OFFSET ?1)";
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute([limits::notices::KEPT]));
    done.map(drop).internal(|| "cannot remove old notices".into())
}

/// The next place in the order of changes.
fn revision(tx: &Tx<'_>) -> Result<i64> {
    let sql = "INSERT INTO notice_changes (id, newest) VALUES (1, 1)
               ON CONFLICT (id) DO UPDATE SET newest = newest + 1 RETURNING newest";
    let next = row(tx, sql, [], |row| row.get(0));
    next.internal(|| "cannot count a change".into()).map(Option::unwrap_or_default)
}

/// A notice has changed: those who follow the order of changes read it again.
pub fn touch(tx: &Tx<'_>, id: i64) -> Result<()> {
    let sql = "UPDATE notices SET revision = ?2 WHERE id = ?1";
    let revision = revision(tx)?;
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute([id, revision]));
    done.map(drop).internal(|| format!("cannot save the notice {id}"))
}

/// Takes back what was about to become a notice, and marks notices as read; what has not gone out
/// of them stays here. Gives how many were marked.
pub fn read(tx: &Tx<'_>, which: Which<'_>, at_ms: i64, source: &str) -> Result<usize> {
    forget(tx, which)?;
    let sql = |fits: &str| format!("SELECT id FROM notices WHERE read_ms IS NULL AND {fits}");
    let id = |row: &Row<'_>| row.get::<_, i64>(0);
    let found = match which {
        Which::One(number) => rows(tx, &sql("id = ?1"), [number], id),
        Which::All(None) => rows(tx, &sql("1"), [], id),
        Which::All(Some(session)) => rows(tx, &sql("session_id = ?1"), [session], id),
        Which::Stateful(session, kind) => {
            let fits = "session_id = ?1 AND kind = ?2 AND approval_id IS NULL";
            rows(tx, &sql(fits), params![session, kind.word()], id)
        }
        Which::Approval(session, approval) => {
            rows(tx, &sql(ABOUT_IT), params![session, approval], id)
        }
    };
    let found = found.internal(|| "cannot read the notices".into())?;
    found.iter().try_for_each(|id| mark(tx, *id, at_ms, source))?;
    Ok(found.len())
}

/// Nothing becomes a notice of what these are about.
fn forget(tx: &Tx<'_>, which: Which<'_>) -> Result<()> {
    let sql = |fits: &str| format!("DELETE FROM notice_dwells WHERE {fits}");
    let done = match which {
        Which::One(_) | Which::All(_) => return Ok(()),
        Which::Stateful(session, kind) => {
            let fits = "session_id = ?1 AND kind = ?2 AND approval_id IS NULL";
            tx.execute(&sql(fits), params![session, kind.word()])
        }
        Which::Approval(session, approval) => {
            tx.execute(&sql(ABOUT_IT), params![session, approval])
        }
    };
    done.map(drop).internal(|| "cannot take back what may have become a notice".into())
}

fn mark(tx: &Tx<'_>, id: i64, at_ms: i64, source: &str) -> Result<()> {
    let sql = "UPDATE notices SET read_ms = ?2, read_source = ?3, revision = ?4 WHERE id = ?1";
    let values = params![id, at_ms, source, revision(tx)?];
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    done.internal(|| format!("cannot mark the notice {id}"))?;
    deliveries::skip(tx, id, at_ms, source)
}

/// Nobody has answered an approval in time: a notice of it goes no further, and stays unread.
pub fn let_be(tx: &Tx<'_>, session: &str, approval: i64, at_ms: i64, why: &str) -> Result<()> {
    forget(tx, Which::Approval(session, approval))?;
    let sql = format!("SELECT id FROM notices WHERE read_ms IS NULL AND {ABOUT_IT}");
    let found = rows(tx, &sql, params![session, approval], |row| row.get::<_, i64>(0));
    for id in found.internal(|| "cannot read the notices".into())? {
        deliveries::skip(tx, id, at_ms, why)?;
        touch(tx, id)?;
    }
    Ok(())
}

/// The notice with this number.
pub fn get(conn: &Connection, id: i64) -> Result<Option<Notice>> {
    let sql = format!("SELECT {COLUMNS} FROM notices WHERE id = ?1");
    row(conn, &sql, [id], read_row).internal(|| format!("cannot read the notice {id}"))
}

/// Notices, the newest first.
pub fn list(conn: &Connection, page: &Page) -> Result<Vec<Notice>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notices
         WHERE (?1 IS NULL OR session_id = ?1) AND (?2 IS NULL OR kind = ?2)
             AND (NOT ?3 OR read_ms IS NULL) AND (?4 IS NULL OR id < ?4)
         ORDER BY id DESC LIMIT ?5"
    );
    let Page { session, kind, unread, before, limit } = page;
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let values = params![session, kind.map(Kind::word), unread, before, limit];
    readable(conn, &sql, values, read_row).internal(|| "cannot read the notices".into())
}

/// Those that have changed since, in order, at most so many.
pub fn changed(conn: &Connection, since: i64, limit: usize) -> Result<Vec<Notice>> {
    let sql =
        format!("SELECT {COLUMNS} FROM notices WHERE revision > ?1 ORDER BY revision LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    readable(conn, &sql, [since, limit], read_row).internal(|| "cannot read the notices".into())
}

/// The newest place in the order of changes, and the newest number.
pub fn newest(conn: &Connection) -> Result<(i64, i64)> {
    let sql = "SELECT coalesce((SELECT newest FROM notice_changes), 0),
                   coalesce((SELECT max(id) FROM notices), 0)";
    let found = row(conn, sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    found.internal(|| "cannot read the notices".into()).map(Option::unwrap_or_default)
}

/// Number and session of each that is not read.
pub fn unread(conn: &Connection) -> Result<Vec<(i64, String)>> {
    let sql = "SELECT id, session_id FROM notices WHERE read_ms IS NULL ORDER BY id";
    rows(conn, sql, [], |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?)))
        .internal(|| "cannot count the notices".into())
}

/// What a person said about a session: on or off, and when.
pub fn pref(conn: &Connection, session: &str) -> Result<Option<(bool, i64)>> {
    let sql = "SELECT enabled, updated_ms FROM notice_prefs WHERE session_id = ?1";
    row(conn, sql, [session], |row| Ok((row.get(0)?, row.get(1)?)))
        .internal(|| format!("cannot read what was said about session {session}"))
}

/// Keeps what a person says about a session; `None` takes it back.
pub fn put_pref(tx: &Tx<'_>, session: &str, enabled: Option<bool>, at_ms: i64) -> Result<()> {
    let done = match enabled {
        None => tx.execute("DELETE FROM notice_prefs WHERE session_id = ?1", [session]),
        Some(enabled) => {
            let sql = "INSERT INTO notice_prefs (session_id, enabled, updated_ms)
                       VALUES (?1, ?2, ?3) ON CONFLICT (session_id) DO UPDATE
                       SET enabled = excluded.enabled, updated_ms = excluded.updated_ms";
            tx.execute(sql, params![session, enabled, at_ms])
        }
    };
    done.map(drop).internal(|| format!("cannot save what was said about session {session}"))
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Notice> {
    let read_ms: Option<i64> = row.get("read_ms")?;
    let source: Option<String> = row.get("read_source")?;
    Ok(Notice {
        id: row.get("id")?,
        session: row.get("session_id")?,
        kind: row.get("kind")?,
        title: row.get("title")?,
        body: row.get("body")?,
        approval: row.get("approval_id")?,
        count: row.get("count")?,
        created_ms: row.get("created_ms")?,
        read: read_ms.zip(source),
        revision: row.get("revision")?,
    })
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Kind> {
        Kind::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// Makes what a session's rows are about unknown here, as a newer codepiper may have written them.
#[cfg(test)]
pub fn spoil(tx: &Tx<'_>, session: &str) -> Result<()> {
    for table in ["notice_dwells", "notices"] {
        let sql = format!("UPDATE {table} SET kind = 'session.new' WHERE session_id = ?1");
        tx.execute(&sql, [session]).internal(|| format!("cannot spoil {table}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
