//! SQL for events: appended with growing ids, read in pages.
//!
//! 1. What looks like a secret MUST NOT be stored, nor one that is known.

use crate::base::error::{Code, Context, Result};
use crate::model::event::{Event, Events, NewEvent, Page, Source};
use crate::model::redact;
use crate::store::broke;
use crate::store::row;
use crate::store::rows;
use crate::store::tx::Tx;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

/// Stores an event and gives its id. `NotFound` where its session is not there (any more).
pub fn append(tx: &Tx<'_>, event: &NewEvent) -> Result<i64> {
    let NewEvent { session, at_ms, source, kind, payload } = event;
    let sql = "INSERT INTO events (session_id, at_ms, source, kind, payload)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let payload = redact::value(&tx.masks.value(payload)).to_string();
    let values = params![session, at_ms, source.word(), kind, payload];
    match tx.prepare_cached(sql).and_then(|mut s| s.insert(values)) {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_FOREIGNKEY) => Err(e).code(Code::NotFound, || {
            format!("no session {session}; its event {kind:?} was not saved")
        }),
        done => done.internal(|| format!("cannot save the event {kind:?} of session {session}")),
    }
}

/// Reads one page.
///
/// With `since` it holds the oldest that fit, so that a reader can go on from the last id it saw;
/// without `since`, or with `newest_first`, the newest that fit.
pub fn page(conn: &Connection, page: &Page) -> Result<Events> {
    let from_newest = page.since.is_none() || page.newest_first;
    let sql = format!(
        "SELECT id, session_id, at_ms, source, kind, payload FROM events
         WHERE session_id = ?1 AND id > ?2 AND id < ?3
           AND (?4 IS NULL OR source = ?4) AND (?5 IS NULL OR kind = ?5)
         ORDER BY id {} LIMIT ?6",
        if from_newest { "DESC" } else { "ASC" }
    );
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let values = params![
        page.session,
        page.since.unwrap_or(0),
        page.before.unwrap_or(i64::MAX),
        page.source.map(Source::word),
        page.kind,
        limit.saturating_add(1),
    ];
    let cannot = || format!("cannot read the events of session {}", page.session);
    let mut events = rows(conn, &sql, values, read).internal(cannot)?;
    let has_more = events.len() > page.limit;
    events.truncate(page.limit);
    if from_newest != page.newest_first {
        events.reverse();
    }
    Ok(Events { events, has_more })
}

/// When the newest event of this kind was, Unix milliseconds.
pub fn newest_at(conn: &Connection, session: &str, kind: &str) -> Result<Option<i64>> {
    const SQL: &str = "SELECT at_ms FROM events WHERE session_id = ?1 AND kind = ?2
        ORDER BY id DESC LIMIT 1";
    let found = row(conn, SQL, [session, kind], |row| row.get(0));
    found.internal(|| format!("cannot read the events of session {session}"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    let event = NewEvent {
        session: row.get(1)?,
        at_ms: row.get(2)?,
        source: row.get(3)?,
        kind: row.get(4)?,
        payload: row.get::<_, Json>(5)?.0,
    };
    Ok(Event { id: row.get(0)?, event })
}

impl FromSql for Source {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Source> {
        Source::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// A column of JSON text.
pub(super) struct Json(pub serde_json::Value);

impl FromSql for Json {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Json> {
        let parsed = serde_json::from_str(value.as_str()?);
        parsed.map(Json).map_err(|e| FromSqlError::Other(e.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::sessions;
    use crate::store::tests::{event, session, with_store};

    fn check(store: &Store, page: Page, ids: &[i64], more: bool) {
        let found = store.read(|c| super::page(c, &page)).unwrap();
        let found_ids: Vec<_> = found.events.iter().map(|e| e.id).collect();
        assert_eq!((found_ids.as_slice(), found.has_more), (ids, more), "{page:?}");
    }

    #[test]
    fn pages_begin_and_end_where_they_were_asked_to() {
        with_store("events-pages", |store| {
            store
                .write(|tx| {
                    sessions::insert(tx, &session("a"))?;
                    sessions::insert(tx, &session("b"))?;
                    for i in 1..=10 {
                        // Ids 1 to 10; the even ones are b's.
                        let mut one = event(["b", "a"][i % 2], ["x", "y"][usize::from(i > 6)]);
                        one.source = [Source::Hook, Source::Session][usize::from(i == 5)];
                        assert_eq!(append(tx, &one)?, i as i64);
                    }
                    Ok(())
                })
                .unwrap();
            let all = || Page::newest("a", 100);
            check(store, all(), &[1, 3, 5, 7, 9], false);
            check(store, Page { limit: 2, ..all() }, &[7, 9], true);
            check(store, Page { limit: 5, ..all() }, &[1, 3, 5, 7, 9], false);
            check(store, Page { limit: 2, newest_first: true, ..all() }, &[9, 7], true);
            check(store, Page { limit: 2, since: Some(1), ..all() }, &[3, 5], true);
            check(store, Page { since: Some(9), ..all() }, &[], false);
            check(store, Page { limit: 2, before: Some(7), ..all() }, &[3, 5], true);
            check(store, Page { since: Some(2), before: Some(8), ..all() }, &[3, 5, 7], false);
            let newest_first = Page { newest_first: true, since: Some(1), limit: 2, ..all() };
            check(store, newest_first, &[9, 7], true);
            check(store, Page { source: Some(Source::Session), ..all() }, &[5], false);
            check(store, Page { kind: Some("y".into()), ..all() }, &[7, 9], false);
            check(store, Page { limit: 0, ..all() }, &[], true);
            check(store, Page::newest("nobody", 3), &[], false);
        });
    }

    #[test]
    fn an_event_comes_back_as_it_was() {
        with_store("events-same", |store| {
            let mut one = event("a", "PreToolUse");
            one.payload =
                serde_json::json!({"text": "Umlaut ü, NUL \u{0}, quote \"", "n": [1, 2.5]});
            for source in Source::ALL {
                one.source = source;
                let copy = one.clone();
                let id = store
                    .write(move |tx| {
                        let _ = sessions::delete(tx, "a")?;
                        sessions::insert(tx, &session("a"))?;
                        append(tx, &copy)
                    })
                    .unwrap();
                let back = store.read(|c| page(c, &Page::newest("a", 5))).unwrap().events;
                assert_eq!(back, [Event { id, event: one.clone() }], "ids are not given twice");
            }
        });
    }

    #[test]
    fn an_event_without_its_session_is_told_so() {
        with_store("events-orphan", |store| {
            let error = store.write(|tx| append(tx, &event("gone", "x"))).unwrap_err();
            assert_eq!(error.code, Code::NotFound);
            assert!(error.message.contains("no session gone"), "{error}");
        });
    }
}
