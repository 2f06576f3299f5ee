//! SQL for web sessions: browsers that are logged in, or on the way there.

use crate::base::error::{Context, Result};
use crate::model::login::Kind;
use crate::model::login::Pending;
use crate::model::login::WebSession;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

const COLUMNS: &str = "id, kind, token_sha256, proof_sha256, proven, created_ms, used_ms, \
    expires_ms, address, agent";

/// Adds one, and takes away those whose time is over and, above `most`, those used longest ago.
/// Gives the ids of those.
pub fn insert(tx: &Transaction<'_>, new: &WebSession, most: usize) -> Result<Vec<String>> {
    let gone = "DELETE FROM web_sessions WHERE expires_ms <= ?1 OR id IN
                    (SELECT id FROM web_sessions ORDER BY used_ms DESC LIMIT -1 OFFSET ?2)
                RETURNING id";
    let room = most.saturating_sub(1) as i64;
    let gone = ids(tx, gone, params![new.created_ms, room])?;
    let sql = "INSERT INTO web_sessions (id, kind, token_sha256, proof_sha256, created_ms, used_ms,
                   expires_ms, address, agent)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = params![
        new.id,
        new.kind.word(),
        &new.token_sha256[..],
        &new.proof_sha256[..],
        new.created_ms,
        new.used_ms,
        new.expires_ms,
        new.address,
        new.agent,
    ];
    tx.execute(sql, values).internal(|| "cannot save a web session".into())?;
    Ok(gone)
}

/// The one behind a token, while its time lasts.
pub fn by_token(
    conn: &Connection,
    token_sha256: &[u8; 32],
    kind: Kind,
    now_ms: i64,
) -> Result<Option<WebSession>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM web_sessions
         WHERE token_sha256 = ?1 AND kind = ?2 AND expires_ms > ?3"
    );
    let values = params![&token_sha256[..], kind.word(), now_ms];
    row(conn, &sql, values, read).internal(|| "cannot read the web sessions".into())
}

/// The one with this id, while its time lasts.
pub fn get(conn: &Connection, id: &str, now_ms: i64) -> Result<Option<WebSession>> {
    let sql = format!("SELECT {COLUMNS} FROM web_sessions WHERE id = ?1 AND expires_ms > ?2");
    row(conn, &sql, params![id, now_ms], read).internal(|| "cannot read the web sessions".into())
}

/// All whose time lasts, the newest first.
pub fn list(conn: &Connection, now_ms: i64) -> Result<Vec<WebSession>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM web_sessions WHERE expires_ms > ?1
         ORDER BY created_ms DESC, id"
    );
    rows(conn, &sql, [now_ms], read).internal(|| "cannot read the web sessions".into())
}

/// It was used.
pub fn touch(tx: &Transaction<'_>, id: &str, at_ms: i64) -> Result<()> {
    let sql = "UPDATE web_sessions SET used_ms = ?2 WHERE id = ?1 AND used_ms < ?2";
    change(tx, sql, params![id, at_ms]).map(drop)
}

/// It has shown its proof.
pub fn prove(tx: &Transaction<'_>, id: &str) -> Result<()> {
    change(tx, "UPDATE web_sessions SET proven = 1 WHERE id = ?1", [id]).map(drop)
}

/// Takes one away; false where there is none.
pub fn remove(tx: &Transaction<'_>, id: &str) -> Result<bool> {
    change(tx, "DELETE FROM web_sessions WHERE id = ?1", [id]).map(|rows| rows > 0)
}

/// Takes all away but one; gives their ids.
pub fn remove_all(tx: &Transaction<'_>, but: Option<&str>) -> Result<Vec<String>> {
    ids(tx, "DELETE FROM web_sessions WHERE id IS NOT ?1 RETURNING id", [but])
}

/// The secret that awaits its first code in a session.
pub fn pending(conn: &Connection, id: &str) -> Result<Option<Pending>> {
    let sql = "SELECT pending, pending_version, pending_until FROM web_sessions
               WHERE id = ?1 AND pending IS NOT NULL";
    let read = |row: &Row<'_>| {
        let (sealed, version, until_ms) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Pending { sealed, version, until_ms })
    };
    row(conn, sql, [id], read).internal(|| "cannot read the web sessions".into())
}

/// Keeps such a secret; it replaces the one before.
pub fn set_pending(tx: &Transaction<'_>, id: &str, new: &Pending) -> Result<()> {
    let sql = "UPDATE web_sessions SET pending = ?2, pending_version = ?3, pending_until = ?4
               WHERE id = ?1";
    change(tx, sql, params![id, new.sealed, new.version, new.until_ms]).map(drop)
}

fn change(tx: &Transaction<'_>, sql: &str, values: impl Params) -> Result<usize> {
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    done.internal(|| "cannot save a web session".into())
}

fn ids(tx: &Transaction<'_>, sql: &str, values: impl Params) -> Result<Vec<String>> {
    rows(tx, sql, values, |row| row.get(0)).internal(|| "cannot remove web sessions".into())
}

fn read(row: &Row<'_>) -> rusqlite::Result<WebSession> {
    Ok(WebSession {
        id: row.get("id")?,
        kind: row.get("kind")?,
        token_sha256: row.get("token_sha256")?,
        proof_sha256: row.get("proof_sha256")?,
        proven: row.get("proven")?,
        created_ms: row.get("created_ms")?,
        used_ms: row.get("used_ms")?,
        expires_ms: row.get("expires_ms")?,
        address: row.get("address")?,
        agent: row.get("agent")?,
    })
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Kind> {
        Kind::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    fn session(id: &str, at: u8) -> WebSession {
        WebSession {
            id: id.into(),
            kind: Kind::Login,
            token_sha256: [at; 32],
            proof_sha256: [at + 100; 32],
            proven: false,
            created_ms: at.into(),
            used_ms: at.into(),
            expires_ms: i64::from(at) + 50,
            address: "127.0.0.1".into(),
            agent: "it's me".into(),
        }
    }

    #[test]
    fn a_session_is_found_by_its_token_in_its_time_and_for_its_kind() {
        with_store("web", |store| {
            let new = session("a", 1);
            let copy = new.clone();
            store.write(move |tx| insert(tx, &copy, 9)).unwrap();
            let find = |sha: u8, kind, now| {
                store.read(move |c| by_token(c, &[sha; 32], kind, now)).unwrap()
            };
            assert_eq!(find(1, Kind::Login, 50), Some(new));
            assert_eq!(find(1, Kind::Login, 51), None, "its time is over");
            assert_eq!(find(1, Kind::Onboarding, 5), None);
            assert_eq!(find(2, Kind::Login, 5), None);
            let new = Pending { sealed: vec![7], version: 2, until_ms: 9 };
            let copy = new.clone();
            store.write(move |tx| set_pending(tx, "a", &copy)).unwrap();
            assert_eq!(store.read(|c| pending(c, "a")).unwrap(), Some(new));
            store.write(|tx| touch(tx, "a", 20)).unwrap();
            assert_eq!(store.read(|c| get(c, "a", 20)).unwrap().unwrap().used_ms, 20);
            assert!(store.write(|tx| remove(tx, "a")).unwrap());
            assert!(!store.write(|tx| remove(tx, "a")).unwrap());
        });
    }

    #[test]
    fn there_is_room_for_so_many_and_the_idlest_makes_it() {
        with_store("web-room", |store| {
            let add = |id: &'static str, at| {
                store.write(move |tx| insert(tx, &session(id, at), 2)).unwrap()
            };
            assert!(add("a", 1).is_empty() && add("b", 2).is_empty());
            store.write(|tx| touch(tx, "a", 5)).unwrap();
            assert_eq!(add("c", 3), ["b"]);
            assert_eq!(store.read(|c| list(c, 4)).unwrap().len(), 2);
            assert_eq!(add("d", 60), ["a", "c"], "their time is over");
            add("e", 61);
            assert_eq!(store.write(|tx| remove_all(tx, Some("e"))).unwrap(), ["d"]);
            assert_eq!(store.write(|tx| remove_all(tx, None)).unwrap(), ["e"]);
        });
    }
}
