//! SQL for notices on their way to channels, and for their receipts.
//!
//! 1. A delivery that was made MUST be noted as such, whatever happened to its notice meanwhile.

use crate::base::error::{Context, Result};
use crate::model::notice::Delivery;
use crate::model::notice::DeliveryState;
use crate::store::notices;
use crate::store::rows;
use crate::store::tx::Tx;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

/// Puts one on its way.
pub fn insert(tx: &Tx<'_>, new: &Delivery) -> Result<()> {
    let sql = "INSERT INTO notice_deliveries
                   (notice_id, channel_id, channel_name, state, tries, due_ms, at_ms, detail)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let Delivery { notice, channel, channel_name, state, tries, due_ms, at_ms, detail } = new;
    let values = params![notice, channel, channel_name, state.word(), tries, due_ms, at_ms, detail];
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    done.map(drop).internal(|| format!("cannot save the delivery of the notice {notice}"))
}

/// Those that wait, the first due first.
pub fn waiting(conn: &Connection) -> Result<Vec<Delivery>> {
    let sql = "SELECT * FROM notice_deliveries WHERE state = 'waiting' ORDER BY due_ms";
    rows(conn, sql, [], read).internal(|| "cannot read the deliveries".into())
}

/// Those of a notice.
pub fn of(conn: &Connection, notice: i64) -> Result<Vec<Delivery>> {
    let sql = "SELECT * FROM notice_deliveries WHERE notice_id = ?1 ORDER BY channel_name";
    rows(conn, sql, [notice], read)
        .internal(|| format!("cannot read the deliveries of the notice {notice}"))
}

/// Notes what came of a try. One that was skipped meanwhile stays so, unless it was sent.
pub fn note(tx: &Tx<'_>, done: &Delivery) -> Result<()> {
    let sql = "UPDATE notice_deliveries
               SET state = ?3, tries = ?4, due_ms = ?5, at_ms = ?6, detail = ?7
               WHERE notice_id = ?1 AND channel_id = ?2 AND (state = 'waiting' OR ?3 = 'sent')";
    let Delivery { notice, channel, state, tries, due_ms, at_ms, detail, .. } = done;
    let values = params![notice, channel, state.word(), tries, due_ms, at_ms, detail];
    let noted = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    noted.internal(|| format!("cannot save the receipt of the notice {notice}"))?;
    notices::touch(tx, *notice)
}

/// What still waits of a notice is not needed any more.
pub fn skip(tx: &Tx<'_>, notice: i64, at_ms: i64, why: &str) -> Result<()> {
    let sql = "UPDATE notice_deliveries SET state = 'skipped', at_ms = ?2, detail = ?3
               WHERE notice_id = ?1 AND state = 'waiting'";
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(params![notice, at_ms, why]));
    done.map(drop).internal(|| format!("cannot skip the deliveries of the notice {notice}"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        notice: row.get("notice_id")?,
        channel: row.get("channel_id")?,
        channel_name: row.get("channel_name")?,
        state: row.get("state")?,
        tries: row.get("tries")?,
        due_ms: row.get("due_ms")?,
        at_ms: row.get("at_ms")?,
        detail: row.get("detail")?,
    })
}

impl FromSql for DeliveryState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<DeliveryState> {
        DeliveryState::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}
