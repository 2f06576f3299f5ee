//! SQL for the audit log: appended, found again, never changed.
//!
//! 1. There MUST be no function here that changes or removes a row.
//! 2. A request MUST have at most one row in its session.
//! 3. What looks like a secret MUST be replaced before a row is hashed and stored.
//! 4. A row MUST NOT be stored without its mark where the log has a key: then nothing is.
//!
//! The chain over the rows is made in [`chain`], kept beside the database by [`beside`], brought
//! over from older databases by [`carry`], and checked in [`verify`].

pub(super) mod beside;
pub(super) mod carry;
pub(super) mod chain;
pub mod page;
pub mod verify;

use crate::base::error::{Code, Context, Result};
use crate::base::time;
use crate::model::audit::{Decider, Entry, Head, Kind, NewEntry};
use crate::model::call::{Action, ToolCall};
use crate::model::chain::Secret;
use crate::store::audit::beside::Beside;
use crate::store::audit::chain::{Chain, Moment, insert};
use crate::store::broke;
use crate::store::events::Json;
use crate::store::fault::Health;
use crate::store::row;
use crate::store::rows;
use crate::store::tx::Tx;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::ffi::{SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_UNIQUE};
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use serde_json::json;

/// All columns, in the order of schema.sql.
const COLUMNS: &str = "seq, at_ms, boot_ms, boot_id, kind, session_id, request, tool, args, \
    args_sha256, cwd, call_id, agent_id, effects, policy, rule, policy_version, decision, reason, \
    decider, client, about, hash, mac";

/// The end of the chain for a writer that begins. What is wrong with it is logged, and recorded
/// where rows can still be added; the writer refuses every row where the key is lost.
pub(super) fn open(health: &Health, conn: &Connection) -> Result<Chain> {
    let (chain, wrong) = Beside::of(health.path()).load(health, conn)?;
    for what in &wrong {
        log::error!("ALARM: {what}");
    }
    let mut ours = chain.clone();
    let usable = chain.lost().is_none();
    let add = |ours: &mut Chain| -> rusqlite::Result<()> {
        let tx = conn.unchecked_transaction()?;
        if ours.seq == 0 {
            chain::begin(&tx, ours)?;
        }
        for what in wrong.iter().filter(|_| usable) {
            let alarm = NewEntry::new(Kind::Alarm, time::unix_ms(), Decider::Daemon, what.as_str());
            insert(&tx, ours, &alarm, Moment::now())?;
        }
        tx.commit()
    };
    if chain.seq == 0 || (usable && !wrong.is_empty()) {
        health.wrap(add(&mut ours), "cannot go on with the audit log")?;
        Beside::of(health.path()).settle(&chain, &ours);
    }
    Ok(ours)
}

/// Stores a row and gives its sequence number. `Conflict` where this request has its row already,
/// `Denied` where the log's key is lost.
pub fn append(tx: &Tx<'_>, entry: &NewEntry) -> Result<i64> {
    let mut chain = tx.chain.borrow_mut();
    chain.usable()?;
    let entry = &*tx.masks.entry(entry);
    match insert(tx, &mut chain, entry, Moment::now()) {
        Err(e) if entry.request.is_some() && taken(&e) => Err(e).code(Code::Conflict, || {
            let (session, request) = (&entry.session, entry.request.as_deref().unwrap_or(""));
            let session = session.as_deref().unwrap_or("");
            format!("request {request} of session {session} has its decision already")
        }),
        done => done.internal(|| format!("cannot save to the audit log: {}", entry.kind.word())),
    }
}

/// Begins a key: the rows from here on are marked with what comes from this secret. The last row
/// of the key before says that it ends, where that key is there to mark it. Gives the sequence
/// number of the first row that the new key marks.
pub fn begin_key(tx: &Tx<'_>, secret: &Secret, at_ms: i64, client: Option<&str>) -> Result<i64> {
    let mut chain = tx.chain.borrow_mut();
    let say = |chain: &mut Chain, field: &str, name: &str, reason: String| {
        let mut entry = NewEntry::new(Kind::Chain, at_ms, Decider::Person, reason);
        entry.details = Some(json!({field: name}));
        entry.client = client.map(str::to_string);
        insert(tx, chain, &entry, Moment::now()).internal(|| "cannot begin a key".into())
    };
    let mut reason = "a key of the log begins".to_string();
    if let Some(lost) = chain.lost() {
        reason = format!("{reason}; the one before is lost: {lost}");
    }
    if let Some(name) = chain.key_name() {
        say(&mut chain, "ends", &name, "a key of the log ends".to_string())?;
    }
    chain.take_key(secret);
    say(&mut chain, "begins", &secret.name(), reason)
}

/// The row of a request that was seen before.
pub fn find(conn: &Connection, session: &str, request: &str) -> Result<Option<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE session_id = ?1 AND request = ?2");
    let found = row(conn, &sql, [session, request], read);
    found.internal(|| format!("cannot read the audit log of session {session}"))
}

/// The newest decision on one call of an agent, by the agent's id for it.
pub fn of_call(conn: &Connection, session: &str, call: &str) -> Result<Option<Entry>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE session_id = ?1 AND call_id = ?2
            AND kind = 'decision' ORDER BY seq DESC LIMIT 1"
    );
    let found = row(conn, &sql, [session, call], read);
    found.internal(|| format!("cannot read the audit log of session {session}"))
}

/// The newest decision on a call that came without its id: of this session, subagent and tool, with
/// exactly this input.
pub fn of_input(
    conn: &Connection,
    session: &str,
    agent: Option<&str>,
    tool: &str,
    args_sha256: &[u8; 32],
) -> Result<Option<Entry>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE session_id = ?1 AND kind = 'decision'
            AND agent_id IS ?2 AND tool = ?3 AND args_sha256 = ?4 ORDER BY seq DESC LIMIT 1"
    );
    let found = row(conn, &sql, params![session, agent, tool, &args_sha256[..]], read);
    found.internal(|| format!("cannot read the audit log of session {session}"))
}

/// The rows that go on from this one, oldest first: the answers to a decision that asked.
pub fn about(conn: &Connection, seq: i64) -> Result<Vec<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE about = ?1 ORDER BY seq");
    rows(conn, &sql, [seq], read).internal(|| "cannot read the audit log".into())
}

/// The rows about changes of one policy, oldest first.
pub fn of_policy(conn: &Connection, id: &str) -> Result<Vec<Entry>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE kind = 'policy' AND kind <> 'decision'
            AND json_extract(args, '$.id') = ?1 AND policy IS NOT NULL ORDER BY seq"
    );
    rows(conn, &sql, [id], read).internal(|| "cannot read the audit log".into())
}

/// The version of an env set that the newest row about it has; `None` where no row is.
pub fn env_set_version(conn: &Connection, id: &str) -> Result<Option<i64>> {
    const SQL: &str = "SELECT json_extract(args, '$.version') FROM audit
        WHERE kind = 'setting' AND kind <> 'decision' AND json_extract(args, '$.id') = ?1
            AND json_extract(args, '$.envSet') IS NOT NULL ORDER BY seq DESC LIMIT 1";
    let found = row(conn, SQL, [id], |row| row.get::<_, Option<i64>>(0));
    found.map(Option::flatten).internal(|| format!("cannot read the audit log of env set {id}"))
}

/// One row.
pub fn get(conn: &Connection, seq: i64) -> Result<Option<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq = ?1");
    row(conn, &sql, [seq], read).internal(|| format!("cannot read row {seq} of the audit log"))
}

/// The newest row's place in the chain; `None` of a log without any row.
pub fn head(conn: &Connection) -> Result<Option<Head>> {
    let sql = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let found = row(conn, sql, [], |row| Ok(Head { seq: row.get(0)?, hash: row.get(1)? }));
    found.internal(|| "cannot read the head of the audit log".into())
}

/// How many rows there are.
pub fn count(conn: &Connection) -> Result<i64> {
    let found = row(conn, "SELECT count(*) FROM audit", [], |row| row.get(0));
    Ok(found.internal(|| "cannot count the audit log".into())?.unwrap_or(0))
}

/// The unique key's own error, or the trigger's that stands before it.
fn taken(error: &rusqlite::Error) -> bool {
    broke(error, SQLITE_CONSTRAINT_TRIGGER) || broke(error, SQLITE_CONSTRAINT_UNIQUE)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let args = row.get::<_, Option<Json>>("args")?.map(|json| json.0);
    let tool: Option<String> = row.get("tool")?;
    let (call, details) = match tool {
        None => (None, args),
        Some(tool) => {
            let call = ToolCall {
                tool,
                input: args.unwrap_or_default(),
                cwd: row.get::<_, Option<_>>("cwd")?.unwrap_or_default(),
                call_id: row.get("call_id")?,
                agent_id: row.get("agent_id")?,
            };
            (Some(call), None)
        }
    };
    let effects = row.get::<_, Json>("effects")?.0;
    let effects = effects.as_array().into_iter().flatten();
    let entry = NewEntry {
        at_ms: row.get("at_ms")?,
        kind: row.get("kind")?,
        session: row.get("session_id")?,
        request: row.get("request")?,
        call,
        details,
        input_sha256: row.get("args_sha256")?,
        effects: effects.filter_map(|e| e.as_str().map(str::to_string)).collect(),
        policy: row.get("policy")?,
        rule: row.get("rule")?,
        version: row.get("policy_version")?,
        decision: row.get("decision")?,
        reason: row.get("reason")?,
        decider: row.get("decider")?,
        client: row.get("client")?,
        about: row.get("about")?,
    };
    Ok(Entry {
        seq: row.get("seq")?,
        entry,
        hash: row.get("hash")?,
        mac: row.get("mac")?,
        boot_ms: row.get("boot_ms")?,
        boot_id: row.get("boot_id")?,
    })
}

impl FromSql for Action {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Action> {
        Action::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Kind> {
        Kind::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Decider {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Decider> {
        Decider::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests;
