//! SQL for the person's account: the password, the codes, and what the first password is set with.
//! What they mean is not known here.

use crate::base::error::{Context, Result};
use crate::model::login::Account;
use crate::store::row;
use rusqlite::Connection;
use rusqlite::Params;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

/// The account, once there is a password.
pub fn get(conn: &Connection) -> Result<Option<Account>> {
    let sql = "SELECT password, totp, version, last_step FROM account";
    row(conn, sql, [], read).internal(|| "cannot read the account".into())
}

/// Sets the password; the first one makes the account.
pub fn set_password(tx: &Transaction<'_>, password: &str, at_ms: i64) -> Result<()> {
    let sql = "INSERT INTO account (id, password, version, last_step, changed_ms)
               VALUES (1, ?1, 0, 0, ?2)
               ON CONFLICT (id) DO UPDATE SET password = excluded.password, changed_ms = ?2";
    change(tx, sql, params![password, at_ms]).map(drop)
}

/// Whether the account is still what a decision was made on, but for codes that were used since.
pub fn is_still(conn: &Connection, known: &Account) -> Result<bool> {
    let same = |now: Account| Account { last_step: 0, ..now };
    let known = same(known.clone());
    Ok(get(conn)?.map(same) == Some(known))
}

/// Uses the code of a step up; false where it, or a newer one, is used up already.
pub fn use_step(tx: &Transaction<'_>, step: i64) -> Result<bool> {
    let sql = "UPDATE account SET last_step = ?1 WHERE last_step < ?1";
    change(tx, sql, [step]).map(|rows| rows > 0)
}

/// Sets a TOTP secret, or takes it away, and with it the recovery codes.
pub fn set_totp(
    tx: &Transaction<'_>,
    totp: Option<&[u8]>,
    version: i64,
    last_step: i64,
    at_ms: i64,
) -> Result<()> {
    let sql = "UPDATE account SET totp = ?1, version = ?2, last_step = ?3, changed_ms = ?4";
    change(tx, sql, params![totp, version, last_step, at_ms])?;
    change(tx, "DELETE FROM recovery_codes", []).map(drop)
}

/// Adds a recovery code.
pub fn add_recovery(tx: &Transaction<'_>, mac: &[u8; 32]) -> Result<()> {
    change(tx, "INSERT INTO recovery_codes (mac) VALUES (?1)", [&mac[..]]).map(drop)
}

/// Uses a recovery code up; false where there is no such code any more.
pub fn use_recovery(tx: &Transaction<'_>, mac: &[u8; 32], at_ms: i64) -> Result<bool> {
    let sql = "UPDATE recovery_codes SET used_ms = ?2 WHERE mac = ?1 AND used_ms IS NULL";
    change(tx, sql, params![&mac[..], at_ms]).map(|rows| rows > 0)
}

/// Recovery codes that are left.
pub fn recovery_left(conn: &Connection) -> Result<i64> {
    let sql = "SELECT count(*) FROM recovery_codes WHERE used_ms IS NULL";
    let found = row(conn, sql, [], |row| row.get(0));
    Ok(found.internal(|| "cannot count the recovery codes".into())?.unwrap_or(0))
}

/// Keeps what the first password may be set with; it replaces the one before.
pub fn set_bootstrap(tx: &Transaction<'_>, sha256: &[u8; 32], expires_ms: i64) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO bootstrap (id, sha256, expires_ms) VALUES (1, ?1, ?2)";
    change(tx, sql, params![&sha256[..], expires_ms]).map(drop)
}

/// Uses it up; false where it is another one or its time is over.
pub fn use_bootstrap(tx: &Transaction<'_>, sha256: &[u8; 32], now_ms: i64) -> Result<bool> {
    let sql = "DELETE FROM bootstrap WHERE sha256 = ?1 AND expires_ms > ?2";
    change(tx, sql, params![&sha256[..], now_ms]).map(|rows| rows > 0)
}

/// There is a password; nothing else may set the first one.
pub fn drop_bootstrap(tx: &Transaction<'_>) -> Result<()> {
    change(tx, "DELETE FROM bootstrap", []).map(drop)
}

fn change(tx: &Transaction<'_>, sql: &str, values: impl Params) -> Result<usize> {
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    done.internal(|| "cannot save the account".into())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        password: row.get("password")?,
        totp: row.get("totp")?,
        version: row.get("version")?,
        last_step: row.get("last_step")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    #[test]
    fn codes_are_used_up_once_and_new_secrets_take_the_old_codes_away() {
        with_store("account", |store| {
            assert_eq!(store.read(get).unwrap(), None);
            store.write(|tx| set_password(tx, "phc", 5)).unwrap();
            let known = store.read(get).unwrap().unwrap();
            store
                .write(|tx| {
                    set_totp(tx, Some(b"sealed"), 1, 9, 6)?;
                    add_recovery(tx, &[1; 32])?;
                    add_recovery(tx, &[2; 32])
                })
                .unwrap();
            assert!(!store.read(move |c| is_still(c, &known)).unwrap());
            let known = store.read(get).unwrap().unwrap();
            let step = |step| store.write(move |tx| use_step(tx, step)).unwrap();
            assert_eq!([step(9), step(10), step(10), step(8)], [false, true, false, false]);
            assert!(store.read(move |c| is_still(c, &known)).unwrap(), "a code was used: no more");
            let code = |mac: u8| store.write(move |tx| use_recovery(tx, &[mac; 32], 7)).unwrap();
            assert_eq!([code(1), code(1), code(3)], [true, false, false]);
            assert_eq!(store.read(recovery_left).unwrap(), 1);
            store.write(|tx| set_totp(tx, None, 1, 9, 8)).unwrap();
            assert_eq!(store.read(recovery_left).unwrap(), 0);
            store.write(|tx| set_password(tx, "other", 9)).unwrap();
            let now = store.read(get).unwrap().unwrap();
            assert_eq!((now.password.as_str(), now.totp, now.version), ("other", None, 1));
        });
    }

    #[test]
    fn a_bootstrap_password_is_good_once_and_in_its_time() {
        with_store("bootstrap", |store| {
            let set = |sha: u8| store.write(move |tx| set_bootstrap(tx, &[sha; 32], 100)).unwrap();
            let use_ =
                |sha: u8, now| store.write(move |tx| use_bootstrap(tx, &[sha; 32], now)).unwrap();
            set(1);
            set(2);
            assert!(!use_(1, 50), "replaced");
            assert!(!use_(2, 100), "too late");
            assert!(use_(2, 99));
            assert!(!use_(2, 99), "used");
            set(3);
            store.write(|tx| drop_bootstrap(tx)).unwrap();
            assert!(!use_(3, 50));
        });
    }
}
