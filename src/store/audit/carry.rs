//! Brings the decisions of a database of version 1 over: they become the first rows of the chain.

use crate::model::audit::{Decider, Kind, NewEntry};
use crate::model::call::ToolCall;
use crate::store::audit::chain::{Chain, Moment, begin, insert};
use crate::store::events::Json;
use rusqlite::Connection;
use rusqlite::Row;

/// Appends all of them in their order, behind a first row of their own.
pub(in crate::store) fn decisions(conn: &Connection) -> rusqlite::Result<()> {
    let mut chain = Chain::START;
    begin(conn, &mut chain)?;
    let mut statement = conn.prepare("SELECT * FROM decisions ORDER BY id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        insert(conn, &mut chain, &read(row)?, Moment::unknown())?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<NewEntry> {
    let call = ToolCall {
        tool: row.get("tool")?,
        input: row.get::<_, Json>("input")?.0,
        cwd: row.get("cwd")?,
        call_id: row.get("call_id")?,
        agent_id: row.get("agent_id")?,
    };
    let rule: Option<String> = row.get("rule")?;
    let decider = if rule.is_some() { Decider::Rule } else { Decider::Default };
    let reason: String = row.get("reason")?;
    Ok(NewEntry {
        session: row.get("session_id")?,
        request: row.get("request")?,
        call: Some(call),
        input_sha256: row.get("input_sha256")?,
        decision: row.get("decision")?,
        rule,
        ..NewEntry::new(Kind::Decision, row.get("at_ms")?, decider, reason)
    })
}
