//! SQL for proofs of the gate: one row for each program, provider and build, the newest one wins.

use crate::base::error::{Context, Result};
use crate::model::proof::{Outcome, Proof, Subject};
use crate::store::row;
use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

/// Stores a proof in the place of an earlier one on the same subject.
pub fn put(tx: &Transaction<'_>, proof: &Proof) -> Result<()> {
    let Proof { subject, version, outcome, detail, at_ms } = proof;
    let sql =
        "INSERT INTO proofs (provider, program_sha256, build, version, outcome, detail, at_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (provider, program_sha256, build) DO UPDATE SET
                   version = excluded.version, outcome = excluded.outcome,
                   detail = excluded.detail, at_ms = excluded.at_ms";
    let Subject { provider, program_sha256, build } = subject;
    let values =
        params![provider, &program_sha256[..], build, version, outcome.word(), detail, at_ms];
    let done = tx.execute(sql, values);
    done.map(|_| ()).internal(|| format!("cannot save the proof of {provider}"))
}

/// The proof on exactly this subject.
pub fn get(conn: &Connection, subject: &Subject) -> Result<Option<Proof>> {
    let sql = "SELECT version, outcome, detail, at_ms FROM proofs
               WHERE provider = ?1 AND program_sha256 = ?2 AND build = ?3";
    let Subject { provider, program_sha256, build } = subject;
    let found = row(conn, sql, params![provider, &program_sha256[..], build], |row| {
        Ok(Proof {
            subject: subject.clone(),
            version: row.get(0)?,
            outcome: row.get(1)?,
            detail: row.get(2)?,
            at_ms: row.get(3)?,
        })
    });
    found.internal(|| format!("cannot read the proof of {provider}"))
}

impl FromSql for Outcome {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Outcome> {
        Outcome::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    #[test]
    fn a_proof_is_about_one_program_provider_and_build_and_the_newest_wins() {
        with_store("proofs", |store| {
            let subject =
                Subject { provider: "p".into(), program_sha256: [1; 32], build: "b".into() };
            let mut proof = Proof {
                subject: subject.clone(),
                version: "1.2.3".into(),
                outcome: Outcome::Unclear,
                detail: "it hangs".into(),
                at_ms: 5,
            };
            for outcome in [Outcome::Unclear, Outcome::Disproved, Outcome::Proven] {
                proof.outcome = outcome;
                proof.at_ms += 1;
                let copy = proof.clone();
                store.write(move |tx| put(tx, &copy)).unwrap();
                assert_eq!(store.read(|c| get(c, &subject)).unwrap(), Some(proof.clone()));
            }
            for other in [
                Subject { provider: "q".into(), ..subject.clone() },
                Subject { program_sha256: [2; 32], ..subject.clone() },
                Subject { build: "c".into(), ..subject.clone() },
            ] {
                assert_eq!(store.read(|c| get(c, &other)).unwrap(), None, "{other:?}");
            }
        });
    }
}
