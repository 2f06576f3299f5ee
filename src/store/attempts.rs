//! SQL for the counts of attempts to log in, under names. What is too many is not known here.

use crate::auth::limiter::Count;
use crate::base::error::{Context, Result};
use crate::store::row;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

/// The count under a name.
pub fn get(conn: &Connection, name: &str) -> Result<Count> {
    let sql = "SELECT tries, last_ms FROM login_attempts WHERE name = ?1";
    let read = |row: &Row<'_>| Ok(Count { tries: row.get("tries")?, last_ms: row.get("last_ms")? });
    let found = row(conn, sql, [name], read);
    Ok(found.internal(|| "cannot read the attempts to log in".into())?.unwrap_or_default())
}

/// Keeps a count, and of all counts the `most` that were changed last.
pub fn put(tx: &Transaction<'_>, name: &str, count: Count, most: usize) -> Result<()> {
    let sql = "INSERT INTO login_attempts (name, tries, last_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET tries = excluded.tries, last_ms = excluded.last_ms";
    let trim = "DELETE FROM login_attempts WHERE name IN
                    (SELECT name FROM login_attempts ORDER BY last_ms DESC LIMIT -1 OFFSET ?1)";
    let put = tx.execute(sql, params![name, count.tries, count.last_ms]);
    let done = put.and_then(|_| tx.execute(trim, [most as i64]));
    done.map(drop).internal(|| "cannot count an attempt to log in".into())
}

/// Forgets a count.
pub fn forget(tx: &Transaction<'_>, name: &str) -> Result<()> {
    let done = tx.execute("DELETE FROM login_attempts WHERE name = ?1", [name]);
    done.map(drop).internal(|| "cannot forget attempts to log in".into())
}

/// Forgets all counts.
pub fn clear(tx: &Transaction<'_>) -> Result<()> {
    let done = tx.execute("DELETE FROM login_attempts", []);
    done.map(drop).internal(|| "cannot forget attempts to log in".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    #[test]
    fn counts_are_kept_and_the_oldest_go_first() {
        with_store("attempts", |store| {
            let put = |name: &'static str, last_ms| {
                store.write(move |tx| put(tx, name, Count { tries: 2, last_ms }, 2)).unwrap();
            };
            let tries = |name: &'static str| store.read(|c| get(c, name)).unwrap().tries;
            put("a", 5);
            put("b", 3);
            put("c", 4);
            assert_eq!([tries("a"), tries("b"), tries("c")], [2, 0, 2]);
            store.write(|tx| forget(tx, "a")).unwrap();
            assert_eq!([tries("a"), tries("c")], [0, 2]);
            store.write(|tx| clear(tx)).unwrap();
            assert_eq!(tries("c"), 0);
        });
    }
}
