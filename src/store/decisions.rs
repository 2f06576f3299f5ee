//! SQL for decisions: appended, found again, never changed.
//!
//! 1. There MUST be no function here that changes or removes a decision.
//! 2. A request MUST have at most one decision in its session.

use crate::base::error::{Code, Context, Result};
use crate::model::call::{Action, NewDecision, Page, ToolCall, Verdict};
use crate::store::broke;
use crate::store::events::Json;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::ffi::{SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

const COLUMNS: &str = "id, session_id, request, at_ms, tool, input, input_sha256, cwd, call_id, \
    agent_id, decision, rule, reason, policy";

/// Stores a decision and gives its id. `Conflict` where this request has its decision already.
pub fn append(tx: &Transaction<'_>, decision: &NewDecision) -> Result<i64> {
    let NewDecision { session, at_ms, request, call, input_sha256, verdict } = decision;
    let sql = "INSERT INTO decisions (session_id, request, at_ms, tool, input, input_sha256, cwd,
                   call_id, agent_id, decision, rule, reason, policy)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let values = params![
        session,
        request,
        at_ms,
        call.tool,
        call.input.to_string(),
        &input_sha256[..],
        call.cwd,
        call.call_id,
        call.agent_id,
        verdict.action.word(),
        verdict.rule,
        verdict.reason,
        verdict.policy,
    ];
    match tx.prepare_cached(sql).and_then(|mut s| s.insert(values)) {
        Err(e) if taken(&e) => Err(e).code(Code::Conflict, || {
            format!("request {request} of session {session} has its decision already")
        }),
        done => done
            .internal(|| format!("cannot save the decision on {} of session {session}", call.tool)),
    }
}

/// The decision on a request that was seen before.
pub fn find(conn: &Connection, session: &str, request: &str) -> Result<Option<(i64, NewDecision)>> {
    let sql = format!("SELECT {COLUMNS} FROM decisions WHERE session_id = ?1 AND request = ?2");
    let found = row(conn, &sql, [session, request], read);
    found.internal(|| format!("cannot read the decisions of session {session}"))
}

/// The newest decision on one call of an agent, by the agent's id for it.
pub fn of_call(conn: &Connection, session: &str, call: &str) -> Result<Option<NewDecision>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE session_id = ?1 AND call_id = ?2
         ORDER BY id DESC LIMIT 1"
    );
    let found = row(conn, &sql, [session, call], read);
    let cannot = || format!("cannot read the decisions of session {session}");
    Ok(found.internal(cannot)?.map(|(_, decision)| decision))
}

/// The newest decisions that fit, the newest last.
pub fn page(conn: &Connection, page: &Page) -> Result<Vec<(i64, NewDecision)>> {
    // Two statements, so that the index on sessions is used where one is named.
    let session = if page.session.is_some() { "session_id = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE {session} AND (?2 IS NULL OR decision = ?2)
         ORDER BY id DESC LIMIT ?3"
    );
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let values = params![page.session, page.decision.map(Action::word), limit];
    let found = rows(conn, &sql, values, read);
    let mut newest = found.internal(|| "cannot read the decisions".into())?;
    newest.reverse();
    Ok(newest)
}

/// The unique key's own error, or the trigger's that stands before it.
fn taken(error: &rusqlite::Error) -> bool {
    broke(error, SQLITE_CONSTRAINT_TRIGGER) || broke(error, SQLITE_CONSTRAINT_UNIQUE)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(i64, NewDecision)> {
    let call = ToolCall {
        tool: row.get("tool")?,
        input: row.get::<_, Json>("input")?.0,
        cwd: row.get("cwd")?,
        call_id: row.get("call_id")?,
        agent_id: row.get("agent_id")?,
    };
    let verdict = Verdict {
        action: row.get("decision")?,
        policy: row.get("policy")?,
        rule: row.get("rule")?,
        version: None,
        reason: row.get("reason")?,
        effects: Vec::new(),
    };
    let decision = NewDecision {
        session: row.get("session_id")?,
        at_ms: row.get("at_ms")?,
        request: row.get("request")?,
        call,
        input_sha256: row.get("input_sha256")?,
        verdict,
    };
    Ok((row.get("id")?, decision))
}

impl FromSql for Action {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Action> {
        Action::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::file;
    use crate::store::tests::{decision, with_store};

    #[test]
    fn a_request_has_one_decision_for_ever() {
        with_store("decisions-once", |store| {
            let one = decision("a", "r1");
            let copy = one.clone();
            let id = store.write(move |tx| append(tx, &copy)).unwrap();
            let mut other = one.clone();
            other.verdict.action = Action::Allow;
            let error = store.write(move |tx| append(tx, &other)).unwrap_err();
            assert_eq!(error.code, Code::Conflict);
            assert_eq!(store.read(|c| find(c, "a", "r1")).unwrap(), Some((id, one)));
            assert_eq!(store.read(|c| find(c, "b", "r1")).unwrap(), None);
        });
    }

    #[test]
    fn pages_hold_the_newest_that_fit_the_newest_last() {
        with_store("decisions-page", |store| {
            store
                .write(|tx| {
                    for (i, session) in ["a", "b", "a", "a", "b"].into_iter().enumerate() {
                        let mut one = decision(session, &format!("r{i}"));
                        one.verdict.action = [Action::Deny, Action::Ask][usize::from(i == 3)];
                        assert_eq!(append(tx, &one)?, i as i64 + 1);
                    }
                    Ok(())
                })
                .unwrap();
            let check = |session: Option<&str>, decision, limit, ids: &[i64]| {
                let page = Page { session: session.map(str::to_string), decision, limit };
                let rows = store.read(|c| super::page(c, &page)).unwrap();
                assert_eq!(rows.iter().map(|r| r.0).collect::<Vec<_>>(), ids, "{page:?}");
            };
            check(None, None, 9, &[1, 2, 3, 4, 5]);
            check(None, None, 2, &[4, 5]);
            check(Some("a"), None, 2, &[3, 4]);
            check(Some("a"), Some(Action::Deny), 9, &[1, 3]);
            check(None, Some(Action::Ask), 9, &[4]);
        });
    }

    /// Statements by which somebody might change what was decided.
    const ATTACKS: [&str; 6] = [
        "UPDATE decisions SET decision = 'allow'",
        "UPDATE OR REPLACE decisions SET id = 2 WHERE id = 1",
        "DELETE FROM decisions",
        "INSERT OR REPLACE INTO decisions SELECT id, session_id, request, at_ms, tool, input,
             input_sha256, cwd, call_id, agent_id, 'allow', rule, reason, NULL FROM decisions",
        "INSERT OR REPLACE INTO decisions SELECT NULL, session_id, request, at_ms, tool, input,
             input_sha256, cwd, call_id, agent_id, 'allow', rule, reason, NULL FROM decisions",
        "INSERT INTO decisions SELECT * FROM decisions WHERE true
             ON CONFLICT DO UPDATE SET decision = 'allow'",
    ];

    #[test]
    fn the_writer_cannot_change_what_was_decided() {
        with_store("decisions-writer", |store| {
            store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
            let schema = [
                "DROP TRIGGER decisions_no_delete",
                "DROP TABLE decisions",
                "ALTER TABLE decisions RENAME TO other",
                "ATTACH ':memory:' AS other",
                "PRAGMA recursive_triggers=OFF",
                "PRAGMA writable_schema=ON",
                "DELETE FROM sqlite_sequence",
                "CREATE TRIGGER t BEFORE INSERT ON decisions BEGIN SELECT RAISE(IGNORE); END",
            ];
            for sql in ATTACKS.into_iter().chain(schema) {
                let done = store.write(move |tx| tx.execute_batch(sql).internal(|| sql.into()));
                assert!(done.is_err(), "{sql}");
            }
            let one = store.read(|c| find(c, "a", "r1")).unwrap();
            assert_eq!(one, Some((1, decision("a", "r1"))));
        });
    }

    #[test]
    fn nor_can_a_connection_without_our_settings() {
        with_store("decisions-other", |store| {
            store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
            let path = store.inner.health.path();
            let plain = Connection::open(path).unwrap();
            for sql in ATTACKS {
                let error = plain.execute(sql, []).unwrap_err().to_string();
                assert!(error.contains("append-only"), "{sql}: {error}");
            }
            let reader = file::connect_reader(path).unwrap();
            assert!(reader.execute("INSERT INTO settings VALUES ('a', '1')", []).is_err());
        });
    }
}
