//! SQL for reading the audit log page by page.
//!
//! 1. One page MUST NOT cost more than [`limits::AUDIT_SCAN`] rows that are looked into.

use crate::base::error::{Context, Result};
use crate::limits;
use crate::model::audit::{Entry, Filter, Kind, Page};
use crate::model::call::Action;
use crate::store::audit::COLUMNS;
use crate::store::audit::read;
use rusqlite::Connection;
use rusqlite::params;

/// The rows that fit, the newest last.
pub fn page(conn: &Connection, filter: &Filter) -> Result<Page> {
    within(conn, filter, limits::AUDIT_SCAN).internal(|| "cannot read the audit log".into())
}

/// The same, where `scan` rows may be looked into.
pub(super) fn within(conn: &Connection, filter: &Filter, scan: usize) -> rusqlite::Result<Page> {
    let mut page = found(conn, filter, scan)?;
    if filter.after.is_none() {
        page.entries.reverse();
    }
    Ok(page)
}

fn found(conn: &Connection, filter: &Filter, scan: usize) -> rusqlite::Result<Page> {
    let order = if filter.after.is_some() { "ASC" } else { "DESC" };
    let (hit, looks) = match (&filter.tool, &filter.text) {
        (None, None) => ("TRUE", false),
        _ => (HIT, true),
    };
    // One more than is wanted says whether there are more.
    let most = if looks { scan } else { filter.limit.saturating_add(1) };
    let sql = format!(
        "SELECT {COLUMNS}, {hit} AS hit FROM audit WHERE {} ORDER BY seq {order} LIMIT ?6",
        wanted(filter)
    );
    let plain = filter.text.as_deref().map(pattern);
    // The arguments are JSON, where a quote has a backslash before it.
    let in_json = filter.text.as_ref().map(|text| {
        let quoted = serde_json::Value::from(text.as_str()).to_string();
        pattern(&quoted[1..quoted.len() - 1])
    });
    let values = params![
        filter.session,
        filter.decision.map(Action::word),
        filter.since_ms,
        filter.after,
        filter.before,
        i64::try_from(most).unwrap_or(i64::MAX),
        filter.until_ms,
        filter.tool,
        plain,
        in_json,
    ];
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    let (mut entries, mut looked, mut last) = (Vec::<Entry>::new(), 0, None);
    while let Some(row) = rows.next()? {
        if entries.len() == filter.limit {
            return Ok(Page { more: entries.last().map(|entry| entry.seq), entries });
        }
        looked += 1;
        last = Some(row.get("seq")?);
        if row.get("hit")? {
            entries.push(read(row)?);
        }
    }
    let cut = looks && looked == most;
    Ok(Page { entries, more: last.filter(|_| cut) })
}

/// Whether a row has the tool and the text that are asked for.
const HIT: &str = "((?8 IS NULL OR coalesce(tool = ?8, FALSE)) AND (?9 IS NULL \
    OR coalesce(tool LIKE ?9 ESCAPE '\\', FALSE) OR coalesce(args LIKE ?10 ESCAPE '\\', FALSE) \
    OR reason LIKE ?9 ESCAPE '\\' OR coalesce(policy LIKE ?9 ESCAPE '\\', FALSE) \
    OR coalesce(rule LIKE ?9 ESCAPE '\\', FALSE)))";

/// Anything with this text in it.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// The condition of a filter, over its values in the order of [`found`]. Only what is asked for
/// stands in it, so that each kind of question finds its index.
pub(super) fn wanted(filter: &Filter) -> String {
    // All values are named, whether or not they are asked for.
    let mut text = "?6 IS NOT NULL AND ?10 IS ?10".to_string();
    let mut add = |asked: bool, condition: &str| {
        if asked {
            text.push_str(" AND ");
            text.push_str(condition);
        }
    };
    add(filter.session.is_some(), "session_id = ?1");
    add(filter.decision.is_some(), "decision = ?2");
    add(filter.since_ms.is_some(), "at_ms >= ?3");
    add(filter.until_ms.is_some(), "at_ms <= ?7");
    add(filter.after.is_some(), "seq > ?4");
    add(filter.before.is_some(), "seq < ?5");
    if let Some(kind) = filter.kind {
        // Written out: the index on the rare kinds is used where the kind is known to be one.
        add(true, &format!("kind = '{}'", kind.word()));
        add(kind != Kind::Decision, "kind <> 'decision'");
    }
    text
}
