//! SQL for grants: a person's yes to further calls. Whether one still holds is the model's to say.

use crate::base::error::{Context, Result};
use crate::model::approval::Grant;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

const COLUMNS: &str = "id, session_id, epoch, approval, grant_sha256, created_ms, expires_ms, \
    expires_boot_ms, boot_id, left_count, used, revoked_ms";

/// Stores a grant; its `id` is not looked at. Gives its id.
pub fn insert(tx: &Transaction<'_>, new: &Grant) -> Result<i64> {
    let sql = "INSERT INTO grants (session_id, epoch, approval, grant_sha256, created_ms,
                   expires_ms, expires_boot_ms, boot_id, left_count, used)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let values = params![
        new.session,
        new.epoch,
        new.approval,
        &new.grant_sha256[..],
        new.created_ms,
        new.expires_ms,
        new.expires_boot_ms,
        new.boot_id,
        new.left,
        new.used,
    ];
    let stored = tx.prepare_cached(sql).and_then(|mut s| s.insert(values));
    stored.internal(|| format!("cannot save the grant of session {}", new.session))
}

/// The grant with this id.
pub fn get(conn: &Connection, id: i64) -> Result<Option<Grant>> {
    let sql = format!("SELECT {COLUMNS} FROM grants WHERE id = ?1");
    row(conn, &sql, [id], read).internal(|| "cannot read the grants".into())
}

/// All grants that were given for such a call in this start of a session, the oldest first.
pub fn about(
    conn: &Connection,
    session: &str,
    epoch: u32,
    grant_sha256: &[u8; 32],
) -> Result<Vec<Grant>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM grants
         WHERE session_id = ?1 AND epoch = ?2 AND grant_sha256 = ?3 ORDER BY id"
    );
    let values = params![session, epoch, &grant_sha256[..]];
    rows(conn, &sql, values, read).internal(|| "cannot read the grants".into())
}

/// All grants, of one session or of all, the oldest first.
pub fn list(conn: &Connection, session: Option<&str>) -> Result<Vec<Grant>> {
    let sql =
        format!("SELECT {COLUMNS} FROM grants WHERE ?1 IS NULL OR session_id = ?1 ORDER BY id");
    rows(conn, &sql, [session], read).internal(|| "cannot read the grants".into())
}

/// Counts one use.
pub fn spend(tx: &Transaction<'_>, id: i64) -> Result<()> {
    let sql = "UPDATE grants SET used = used + 1, left_count = left_count - 1 WHERE id = ?1";
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute([id]));
    done.map(drop).internal(|| format!("cannot save grant {id}"))
}

/// Takes a grant back; one that was taken back keeps its time.
pub fn revoke(tx: &Transaction<'_>, id: i64, at_ms: i64) -> Result<()> {
    let sql = "UPDATE grants SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
    let done = tx.execute(sql, params![id, at_ms]);
    done.map(drop).internal(|| format!("cannot save grant {id}"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Grant> {
    Ok(Grant {
        id: row.get("id")?,
        session: row.get("session_id")?,
        epoch: row.get("epoch")?,
        approval: row.get("approval")?,
        grant_sha256: row.get("grant_sha256")?,
        created_ms: row.get("created_ms")?,
        expires_ms: row.get("expires_ms")?,
        expires_boot_ms: row.get("expires_boot_ms")?,
        boot_id: row.get("boot_id")?,
        left: row.get("left_count")?,
        used: row.get("used")?,
        revoked_ms: row.get("revoked_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sessions;
    use crate::store::tests::{session, with_store};

    #[test]
    fn a_grant_is_found_by_what_it_is_about_and_counts_its_uses() {
        with_store("grants", |store| {
            let new = Grant {
                id: 0,
                session: "a".into(),
                epoch: 2,
                approval: 1,
                grant_sha256: [2; 32],
                created_ms: 5,
                expires_ms: Some(50),
                expires_boot_ms: Some(40),
                boot_id: "boot".into(),
                left: Some(1),
                used: 0,
                revoked_ms: None,
            };
            let copy = new.clone();
            let id = store
                .write(move |tx| {
                    sessions::insert(tx, &session("a"))?;
                    insert(tx, &copy)
                })
                .unwrap();
            let known = Grant { id, ..new };
            let find = |epoch, key| store.read(|c| about(c, "a", epoch, &[key; 32])).unwrap();
            assert_eq!(find(2, 2), std::slice::from_ref(&known));
            assert!(find(1, 2).is_empty() && find(2, 3).is_empty());
            store.write(move |tx| spend(tx, id)).unwrap();
            assert!(store.write(move |tx| spend(tx, id)).is_err(), "no more than were granted");
            store.write(move |tx| revoke(tx, id, 9)).unwrap();
            store.write(move |tx| revoke(tx, id, 10)).unwrap();
            let known = Grant { left: Some(0), used: 1, revoked_ms: Some(9), ..known };
            assert_eq!(store.read(|c| get(c, id)).unwrap(), Some(known.clone()));
            assert_eq!(store.read(|c| list(c, None)).unwrap(), [known]);
            assert!(store.read(|c| list(c, Some("b"))).unwrap().is_empty());
        });
    }
}
