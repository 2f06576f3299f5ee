//! SQL for approvals: asked once, answered once. Knows nothing of who waits for the answer.
//!
//! 1. An approval that has its answer MUST keep it.

use crate::base::error::{Context, Error, Result};
use crate::model::approval::{Answer, Approval, Status};
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

const COLUMNS: &str = "id, session_id, decision, holder, bound_sha256, grant_sha256, tool, \
    call_id, agent_id, input_sha256, created_ms, expires_ms, status, answered_ms, decider, \
    reason, client";

/// Stores a question; its `id` and `answer` are not looked at. Gives its id.
pub fn insert(tx: &Transaction<'_>, new: &Approval) -> Result<i64> {
    let sql = "INSERT INTO approvals (session_id, decision, holder, bound_sha256, grant_sha256,
                   tool, call_id, agent_id, input_sha256, created_ms, expires_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let values = params![
        new.session,
        new.decision,
        new.holder,
        &new.bound_sha256[..],
        &new.grant_sha256[..],
        new.tool,
        new.call_id,
        new.agent_id,
        &new.input_sha256[..],
        new.created_ms,
        new.expires_ms,
    ];
    let stored = tx.prepare_cached(sql).and_then(|mut s| s.insert(values));
    stored.internal(|| format!("cannot save the approval of session {}", new.session))
}

/// The approval with this id.
pub fn get(conn: &Connection, id: i64) -> Result<Option<Approval>> {
    one(conn, "id = ?1", params![id])
}

/// The approval that a request of a hook carries the answer of.
pub fn of_holder(conn: &Connection, session: &str, holder: &str) -> Result<Option<Approval>> {
    one(conn, "session_id = ?1 AND holder = ?2", params![session, holder])
}

/// The newest approval of a call, by the agent's id for it.
pub fn of_call(conn: &Connection, session: &str, call: &str) -> Result<Option<Approval>> {
    one(conn, "session_id = ?1 AND call_id = ?2", params![session, call])
}

/// The newest `limit` approvals, of one session or of all; only those without an answer where
/// `open` says so. The newest is last.
pub fn list(
    conn: &Connection,
    session: Option<&str>,
    open: bool,
    limit: usize,
) -> Result<Vec<Approval>> {
    let of = if session.is_some() { "session_id = ?1" } else { "?1 IS NULL" };
    let open = if open { "AND status IS NULL" } else { "" };
    let sql =
        format!("SELECT {COLUMNS} FROM approvals WHERE {of} {open} ORDER BY id DESC LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = rows(conn, &sql, params![session, limit], read);
    let mut found = found.internal(|| "cannot read the approvals".into())?;
    found.reverse();
    Ok(found)
}

/// Stores the answer. `Conflict` where there is one.
pub fn answer(tx: &Transaction<'_>, id: i64, answer: &Answer) -> Result<()> {
    let sql = "UPDATE approvals
               SET status = ?2, answered_ms = ?3, decider = ?4, reason = ?5, client = ?6
               WHERE id = ?1 AND status IS NULL";
    let Answer { status, at_ms, decider, reason, client } = answer;
    let values = params![id, status.word(), at_ms, decider.word(), reason, client];
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    match done.internal(|| format!("cannot save the answer to approval {id}"))? {
        0 => Err(Error::conflict(format!("approval {id} has its answer already"))),
        _ => Ok(()),
    }
}

fn one(conn: &Connection, fits: &str, values: impl rusqlite::Params) -> Result<Option<Approval>> {
    let sql = format!("SELECT {COLUMNS} FROM approvals WHERE {fits} ORDER BY id DESC LIMIT 1");
    row(conn, &sql, values, read).internal(|| "cannot read the approvals".into())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Approval> {
    let answer = match row.get::<_, Option<Status>>("status")? {
        None => None,
        Some(status) => Some(Answer {
            status,
            at_ms: row.get("answered_ms")?,
            decider: row.get("decider")?,
            reason: row.get("reason")?,
            client: row.get("client")?,
        }),
    };
    Ok(Approval {
        id: row.get("id")?,
        session: row.get("session_id")?,
        decision: row.get("decision")?,
        holder: row.get("holder")?,
        bound_sha256: row.get("bound_sha256")?,
        grant_sha256: row.get("grant_sha256")?,
        tool: row.get("tool")?,
        call_id: row.get("call_id")?,
        agent_id: row.get("agent_id")?,
        input_sha256: row.get("input_sha256")?,
        created_ms: row.get("created_ms")?,
        expires_ms: row.get("expires_ms")?,
        answer,
    })
}

impl FromSql for Status {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Status> {
        Status::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use crate::model::audit::Decider;
    use crate::store::sessions;
    use crate::store::tests::{session, with_store};

    /// A pending one with a value in every field that it may have then.
    fn pending(session: &str) -> Approval {
        Approval {
            id: 0,
            session: session.into(),
            decision: 7,
            holder: "r".into(),
            bound_sha256: [1; 32],
            grant_sha256: [2; 32],
            tool: "Bash".into(),
            call_id: Some("toolu_1".into()),
            agent_id: Some("agent".into()),
            input_sha256: [3; 32],
            created_ms: 5,
            expires_ms: 50,
            answer: None,
        }
    }

    fn yes() -> Answer {
        Answer {
            status: Status::Approved,
            at_ms: 9,
            decider: Decider::Person,
            reason: "fine".into(),
            client: Some("cli pid 1 (codepiper)".into()),
        }
    }

    #[test]
    fn an_approval_comes_back_as_it_was_and_is_answered_once() {
        with_store("approvals-once", |store| {
            let id = store
                .write(|tx| {
                    sessions::insert(tx, &session("a"))?;
                    insert(tx, &pending("a"))
                })
                .unwrap();
            let known = Approval { id, ..pending("a") };
            assert_eq!(store.read(|c| get(c, id)).unwrap(), Some(known.clone()));
            store.write(move |tx| answer(tx, id, &yes())).unwrap();
            let late = Answer { status: Status::Denied, ..yes() };
            let error = store.write(move |tx| answer(tx, id, &late)).unwrap_err();
            assert_eq!(error.code, Code::Conflict);
            let known = Approval { answer: Some(yes()), ..known };
            assert_eq!(store.read(|c| get(c, id)).unwrap(), Some(known));
            assert_eq!(store.read(|c| get(c, id + 1)).unwrap(), None);
        });
    }

    #[test]
    fn a_hook_finds_its_own_and_no_other() {
        with_store("approvals-held", |store| {
            let ids = store
                .write(|tx| {
                    sessions::insert(tx, &session("a"))?;
                    sessions::insert(tx, &session("b"))?;
                    let held = |session: &str, holder: &str, call: &str| Approval {
                        holder: holder.into(),
                        call_id: Some(call.into()),
                        ..pending(session)
                    };
                    let all = [held("a", "r1", "c1"), held("a", "r2", "c1"), held("b", "r1", "c1")];
                    all.iter().map(|one| insert(tx, one)).collect::<Result<Vec<_>>>()
                })
                .unwrap();
            assert!(store.write(|tx| insert(tx, &pending("a"))).is_ok());
            assert!(
                store.write(|tx| insert(tx, &pending("a"))).is_err(),
                "one request, one answer"
            );
            let held = |session: &str, holder: &str| {
                store.read(|c| of_holder(c, session, holder)).unwrap().map(|a| a.id)
            };
            let found = [held("a", "r1"), held("b", "r1"), held("b", "r2")];
            assert_eq!(found, [Some(ids[0]), Some(ids[2]), None]);
            let newest = store.read(|c| of_call(c, "a", "c1")).unwrap();
            assert_eq!(newest.map(|a| a.id), Some(ids[1]));
            let id = ids[1];
            store.write(move |tx| answer(tx, id, &yes())).unwrap();
            let open = |session: Option<&str>, limit| {
                let found = store.read(|c| list(c, session, true, limit)).unwrap();
                found.iter().map(|a| a.id).collect::<Vec<_>>()
            };
            assert_eq!(open(Some("a"), 9), [ids[0], ids[2] + 1]);
            assert_eq!(open(None, 2), [ids[2], ids[2] + 1]);
            store.write(|tx| sessions::delete(tx, "a")).unwrap();
            assert_eq!(open(None, 9), [ids[2]], "approvals go with their session");
        });
    }
}
