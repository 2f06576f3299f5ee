//! SQL for everything that is sealed, wherever it stands: what a change of the master key goes
//! through. What it means is not known here.

use crate::base::error::{Context, Result};
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

/// A column that holds sealed values.
struct Column {
    table: &'static str,
    purpose: &'static str,
    /// Row, version and value of each.
    all: &'static str,
    /// Puts ?3 in the place of the value ?4 of the row ?1 and version ?2.
    replace: &'static str,
}

/// All of them; a test finds one that is missing.
const COLUMNS: [Column; 5] = [
    Column {
        table: "account",
        purpose: "TOTP secret",
        all: "SELECT '1', version, totp FROM account WHERE totp IS NOT NULL",
        replace: "UPDATE account SET totp = ?3 WHERE ?1 = '1' AND version = ?2 AND totp = ?4",
    },
    Column {
        table: "web_sessions",
        purpose: "new TOTP secret",
        all: "SELECT id, pending_version, pending FROM web_sessions WHERE pending IS NOT NULL",
        replace: "UPDATE web_sessions SET pending = ?3
                  WHERE id = ?1 AND pending_version = ?2 AND pending = ?4",
    },
    Column {
        table: "env_sets",
        purpose: "variables",
        all: "SELECT id, version, sealed FROM env_sets",
        replace: "UPDATE env_sets SET sealed = ?3 WHERE id = ?1 AND version = ?2 AND sealed = ?4",
    },
    Column {
        table: "notice_channels",
        purpose: "channel",
        all: "SELECT id, version, sealed FROM notice_channels",
        replace: "UPDATE notice_channels SET sealed = ?3
                  WHERE id = ?1 AND version = ?2 AND sealed = ?4",
    },
    Column {
        table: "mac_keys",
        purpose: "digest key",
        all: "SELECT purpose, version, sealed FROM mac_keys",
        replace: "UPDATE mac_keys SET sealed = ?3
                  WHERE purpose = ?1 AND version = ?2 AND sealed = ?4",
    },
];

/// A sealed value with all that says where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The table.
    pub table: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// The row's key.
    pub row: String,
    /// Which value in that place it is.
    pub version: i64,
    /// The value.
    pub blob: Vec<u8>,
}

/// Everything that is sealed.
pub fn all(conn: &Connection) -> Result<Vec<Sealed>> {
    let mut found = Vec::new();
    for Column { table, purpose, all, .. } in &COLUMNS {
        let read = |row: &Row<'_>| {
            let (row, version, blob) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Sealed { table, purpose, row, version, blob })
        };
        found.extend(rows(conn, all, [], read).internal(|| format!("cannot read {table}"))?);
    }
    Ok(found)
}

/// Puts another blob in the place of one; false where that one is not there any more.
pub fn replace(tx: &Transaction<'_>, old: &Sealed, new: &[u8]) -> Result<bool> {
    let Some(column) = COLUMNS.iter().find(|column| column.table == old.table) else {
        return Ok(false);
    };
    let values = params![old.row, old.version, new, old.blob];
    let done = tx.execute(column.replace, values);
    Ok(done.internal(|| format!("cannot seal {} anew", old.table))? > 0)
}

/// A key of digests, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacKey {
    /// What the digests are for.
    pub purpose: String,
    /// Which of that.
    pub version: i64,
    /// The key.
    pub sealed: Vec<u8>,
}

/// All keys of digests that are kept.
pub fn mac_keys(conn: &Connection) -> Result<Vec<MacKey>> {
    let read = |row: &Row<'_>| {
        Ok(MacKey { purpose: row.get(0)?, version: row.get(1)?, sealed: row.get(2)? })
    };
    let found = rows(conn, "SELECT purpose, version, sealed FROM mac_keys", [], read);
    found.internal(|| "cannot read the keys of digests".into())
}

/// Keeps a key of digests; one that is kept already stays.
pub fn keep_mac_key(tx: &Transaction<'_>, key: &MacKey) -> Result<()> {
    let sql = "INSERT INTO mac_keys (purpose, version, sealed) VALUES (?1, ?2, ?3)
               ON CONFLICT DO NOTHING";
    let done = tx.execute(sql, params![key.purpose, key.version, key.sealed]);
    done.map(drop).internal(|| "cannot keep the key of digests".into())
}

/// Lets go of those of other versions: what they were for is gone.
pub fn drop_mac_keys(tx: &Transaction<'_>, purpose: &str, but: i64) -> Result<()> {
    let sql = "DELETE FROM mac_keys WHERE purpose = ?1 AND version <> ?2";
    let done = tx.execute(sql, params![purpose, but]);
    done.map(drop).internal(|| "cannot let go of a key of digests".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::migrate::SCHEMA;
    use crate::store::tests::with_store;

    #[test]
    fn each_column_that_holds_sealed_values_is_known() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(SCHEMA).unwrap();
        let sql = "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
                   WHERE t.type = 'table' AND c.type = 'BLOB' ORDER BY 1";
        let blobs: Vec<String> = rows(&conn, sql, [], |row| row.get(0)).unwrap();
        let digest =
            |name: &String| ["sha256", ".hash", ".mac"].iter().any(|end| name.ends_with(end));
        let sealed: Vec<String> = blobs.into_iter().filter(|name| !digest(name)).collect();
        let known = [
            "account.totp",
            "env_sets.sealed",
            "mac_keys.sealed",
            "notice_channels.sealed",
            "web_sessions.pending",
        ];
        assert_eq!(sealed, known);
        let mut tables = COLUMNS.map(|column| column.table);
        tables.sort_unstable();
        assert_eq!(tables, known.map(|name| name.split_once('.').unwrap().0));
    }

    #[test]
    fn a_value_is_replaced_only_where_it_is_still_the_same() {
        with_store("sealed", |store| {
            let key = MacKey { purpose: "device".into(), version: 1, sealed: vec![1] };
            let (kept, other) = (key.clone(), MacKey { sealed: vec![9], ..key.clone() });
            store.write(move |tx| keep_mac_key(tx, &kept)).unwrap();
            store.write(move |tx| keep_mac_key(tx, &other)).unwrap();
            assert_eq!(
                store.read(mac_keys).unwrap(),
                std::slice::from_ref(&key),
                "the first stays"
            );
            let old = store.read(all).unwrap().remove(0);
            let (first, again) = (old.clone(), old.clone());
            assert!(store.write(move |tx| replace(tx, &first, &[2])).unwrap());
            assert!(!store.write(move |tx| replace(tx, &again, &[3])).unwrap());
            assert_eq!(store.read(all).unwrap()[0].blob, [2]);
            store.write(|tx| drop_mac_keys(tx, "device", 2)).unwrap();
            assert!(store.read(mac_keys).unwrap().is_empty());
        });
    }
}
