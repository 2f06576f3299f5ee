//! SQL for sessions: whole rows in, whole rows out.

use crate::base::error::{Code, Context, Error, Result};
use crate::model::session::{Billing, Dangerous, Exit, Sandbox, Session, State};
use crate::store::broke;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY;
use rusqlite::params_from_iter;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, Value, ValueRef};

/// The columns in the order of [`values`]; the id comes first.
const COLUMNS: &str = "id, provider, cwd, state, reason, name, created_ms, updated_ms, ended_ms, \
    program, args, pid, keeper_pid, keeper_start, boot_id, cols, rows, exit_code, exit_signal, \
    stop_wanted, epoch, log_end, log_degraded, secret_sha256, hook_build, agent_session, \
    transcript_path, guarded, billing, hook_sha256, alarm, program_sha256, forked_from, given, \
    project_settings, frozen, dangerous_until_ms, dangerous_until_boot_ms, env_sets, \
    sandbox_asked, sandbox_held, sandbox_grants";

/// Stores a new session. `Conflict` where its id is taken.
pub fn insert(tx: &Transaction<'_>, session: &Session) -> Result<()> {
    let sql = format!("INSERT INTO sessions ({COLUMNS}) VALUES ({})", places());
    let cannot = || format!("cannot save the session {}", session.id);
    let done =
        tx.prepare_cached(&sql).and_then(|mut s| s.execute(params_from_iter(values(session))));
    match done {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_PRIMARYKEY) => {
            Err(e).code(Code::Conflict, || format!("there is a session {} already", session.id))
        }
        done => done.map(|_| ()).internal(cannot),
    }
}

/// Replaces a session's whole row. `NotFound` where there is none.
pub fn update(tx: &Transaction<'_>, session: &Session) -> Result<()> {
    let sql = format!("UPDATE sessions SET ({COLUMNS}) = ({}) WHERE id = ?1", places());
    let cannot = || format!("cannot save the session {}", session.id);
    let mut statement = tx.prepare_cached(&sql).internal(cannot)?;
    match statement.execute(params_from_iter(values(session))).internal(cannot)? {
        0 => Err(Error::not_found(format!("no session {}", session.id))),
        _ => Ok(()),
    }
}

/// Removes a session and its events; its rows of the audit log stay. Says whether there was one.
pub fn delete(tx: &Transaction<'_>, id: &str) -> Result<bool> {
    let done = tx.execute("DELETE FROM sessions WHERE id = ?1", [id]);
    Ok(done.internal(|| format!("cannot remove the session {id}"))? > 0)
}

/// The session with exactly this id.
pub fn get(conn: &Connection, id: &str) -> Result<Option<Session>> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    let found = row(conn, &sql, [id], read);
    found.internal(|| format!("cannot read the session {id}"))
}

/// All sessions, the newest first.
pub fn list(conn: &Connection) -> Result<Vec<Session>> {
    select(conn, "")
}

/// The sessions whose program may still be running, the newest first.
pub fn live(conn: &Connection) -> Result<Vec<Session>> {
    select(conn, "WHERE state NOT IN ('STOPPED', 'CRASHED')")
}

fn select(conn: &Connection, filter: &str) -> Result<Vec<Session>> {
    // By when they were added, not by the clock: that may have been set back.
    let sql = format!("SELECT {COLUMNS} FROM sessions {filter} ORDER BY rowid DESC");
    rows(conn, &sql, [], read).internal(|| "cannot read the sessions".into())
}

fn places() -> String {
    let count = COLUMNS.split(',').count();
    (1..=count).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ")
}

fn values(s: &Session) -> Vec<Value> {
    let text = |t: &str| Value::Text(t.to_string());
    let maybe = |t: &Option<String>| t.clone().map_or(Value::Null, Value::Text);
    let number = |n: Option<i64>| n.map_or(Value::Null, Value::Integer);
    let (code, signal) = match s.exit {
        Some(Exit::Code(code)) => (Some(code), None),
        Some(Exit::Signal(signal)) => (None, Some(signal)),
        None => (None, None),
    };
    vec![
        text(&s.id),
        text(&s.provider),
        text(&s.cwd),
        text(s.state.word()),
        maybe(&s.reason),
        maybe(&s.name),
        s.created_ms.into(),
        s.updated_ms.into(),
        number(s.ended_ms),
        text(&s.program),
        Value::Text(serde_json::Value::from(s.args.clone()).to_string()),
        number(s.pid.map(i64::from)),
        number(s.keeper.map(|k| i64::from(k.0))),
        number(s.keeper.map(|k| k.1.cast_signed())),
        text(&s.boot_id),
        i64::from(s.cols).into(),
        i64::from(s.rows).into(),
        number(code.map(i64::from)),
        number(signal.map(i64::from)),
        i64::from(s.stop_wanted).into(),
        i64::from(s.epoch).into(),
        // 2^63 bytes of output are never reached; a number beyond fails the column's check.
        s.log_end.cast_signed().into(),
        i64::from(s.log_degraded).into(),
        s.secret_sha256.map_or(Value::Null, |hash| Value::Blob(hash.to_vec())),
        maybe(&s.hook_build),
        maybe(&s.agent_session),
        maybe(&s.transcript_path),
        i64::from(s.guarded).into(),
        text(s.billing.word()),
        s.hook_sha256.map_or(Value::Null, |hash| Value::Blob(hash.to_vec())),
        maybe(&s.alarm),
        s.program_sha256.map_or(Value::Null, |hash| Value::Blob(hash.to_vec())),
        maybe(&s.forked_from),
        Value::Text(serde_json::Value::from(s.given.clone()).to_string()),
        i64::from(s.project_settings).into(),
        i64::from(s.frozen).into(),
        number(s.dangerous.map(|d| d.until_ms)),
        number(s.dangerous.map(|d| d.until_boot_ms)),
        Value::Text(serde_json::Value::from(s.env_sets.clone()).to_string()),
        text(&s.sandbox.asked),
        text(&s.sandbox.held),
        Value::Text(serde_json::Value::from(s.sandbox.grants.clone()).to_string()),
    ]
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    let keeper = match (row.get("keeper_pid")?, row.get::<_, Option<i64>>("keeper_start")?) {
        (Some(pid), Some(start)) => Some((pid, start.cast_unsigned())),
        _ => None,
    };
    let exit = match (row.get("exit_code")?, row.get::<_, Option<i32>>("exit_signal")?) {
        (Some(code), _) => Some(Exit::Code(code)),
        (None, signal) => signal.map(Exit::Signal),
    };
    let until = (row.get("dangerous_until_ms")?, row.get("dangerous_until_boot_ms")?);
    let dangerous = match until {
        (Some(until_ms), Some(until_boot_ms)) => Some(Dangerous { until_ms, until_boot_ms }),
        _ => None,
    };
    Ok(Session {
        id: row.get("id")?,
        provider: row.get("provider")?,
        cwd: row.get("cwd")?,
        state: row.get("state")?,
        reason: row.get("reason")?,
        name: row.get("name")?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
        ended_ms: row.get("ended_ms")?,
        program: row.get("program")?,
        args: row.get::<_, Args>("args")?.0,
        pid: row.get("pid")?,
        keeper,
        boot_id: row.get("boot_id")?,
        cols: row.get("cols")?,
        rows: row.get("rows")?,
        exit,
        stop_wanted: row.get("stop_wanted")?,
        epoch: row.get("epoch")?,
        log_end: row.get::<_, i64>("log_end")?.cast_unsigned(),
        log_degraded: row.get("log_degraded")?,
        secret_sha256: row.get("secret_sha256")?,
        hook_build: row.get("hook_build")?,
        agent_session: row.get("agent_session")?,
        transcript_path: row.get("transcript_path")?,
        guarded: row.get("guarded")?,
        billing: row.get("billing")?,
        hook_sha256: row.get("hook_sha256")?,
        alarm: row.get("alarm")?,
        program_sha256: row.get("program_sha256")?,
        given: row.get::<_, Args>("given")?.0,
        env_sets: row.get::<_, Args>("env_sets")?.0,
        project_settings: row.get("project_settings")?,
        forked_from: row.get("forked_from")?,
        frozen: row.get("frozen")?,
        dangerous,
        sandbox: Sandbox {
            asked: row.get("sandbox_asked")?,
            held: row.get("sandbox_held")?,
            grants: row.get::<_, Args>("sandbox_grants")?.0,
        },
    })
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<State> {
        State::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Billing {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Billing> {
        Billing::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A list of texts as a column holds it.
pub(super) struct Args(pub Vec<String>);

impl FromSql for Args {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Args> {
        let list: serde_json::Value =
            serde_json::from_str(value.as_str()?).map_err(|e| FromSqlError::Other(e.into()))?;
        let words = list.as_array().into_iter().flatten();
        let args = words.map(|v| v.as_str().map(str::to_string));
        args.collect::<Option<_>>().map(Args).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::audit;
    use crate::store::events;
    use crate::store::tests::{decision, event, session, with_store};

    #[test]
    fn a_session_comes_back_as_it_was_in_every_state() {
        with_store("sessions-same", |store| {
            for (i, state) in State::ALL.into_iter().enumerate() {
                let mut full = session(&format!("s{i}"));
                full.state = state;
                full.created_ms = i as i64;
                let bare = Session {
                    id: format!("bare{i}"),
                    reason: None,
                    name: None,
                    ended_ms: None,
                    args: Vec::new(),
                    pid: None,
                    keeper: None,
                    exit: None,
                    secret_sha256: None,
                    hook_build: None,
                    agent_session: None,
                    transcript_path: None,
                    ..full.clone()
                };
                for one in [full, bare] {
                    let copy = one.clone();
                    store.write(move |tx| insert(tx, &copy)).unwrap();
                    let back = store.read(|c| get(c, &one.id)).unwrap();
                    assert_eq!(back, Some(one));
                }
            }
            let ids: Vec<_> = store.read(live).unwrap().into_iter().map(|s| s.id).collect();
            assert_eq!(ids, ["bare3", "s3", "bare2", "s2", "bare1", "s1", "bare0", "s0"]);
            assert_eq!(store.read(list).unwrap()[0].id, "bare5");
        });
    }

    #[test]
    fn update_replaces_the_row_and_needs_one() {
        with_store("sessions-update", |store| {
            let mut one = session("a");
            let first = one.clone();
            store.write(move |tx| insert(tx, &first)).unwrap();
            one.exit = Some(Exit::Code(3));
            one.state = State::Crashed;
            one.secret_sha256 = None;
            one.log_end = 1 << 40;
            let next = one.clone();
            store.write(move |tx| update(tx, &next)).unwrap();
            assert_eq!(store.read(|c| get(c, "a")).unwrap(), Some(one.clone()));
            let again = one.clone();
            let error = store.write(move |tx| insert(tx, &again)).unwrap_err();
            assert_eq!(error.code, Code::Conflict);
            one.id = "b".into();
            let error = store.write(move |tx| update(tx, &one)).unwrap_err();
            assert_eq!((error.code, error.message.as_str()), (Code::NotFound, "no session b"));
        });
    }

    #[test]
    fn removing_a_session_takes_its_events_and_leaves_its_decisions() {
        with_store("sessions-delete", |store| {
            store
                .write(|tx| {
                    for id in ["a", "b"] {
                        insert(tx, &session(id))?;
                        events::append(tx, &event(id, "started"))?;
                        audit::append(tx, &decision(id, "r1"))?;
                    }
                    Ok(())
                })
                .unwrap();
            assert!(store.write(|tx| delete(tx, "a")).unwrap());
            assert!(!store.write(|tx| delete(tx, "a")).unwrap());
            let of = |id: &str| {
                let page = crate::model::event::Page::newest(id, 10);
                store.read(|c| events::page(c, &page)).unwrap().events.len()
            };
            assert_eq!((of("a"), of("b")), (0, 1));
            assert!(store.read(|c| audit::find(c, "a", "r1")).unwrap().is_some());
        });
    }
}
