//! SQL for channels of notices. What is sealed in them is opaque here.

use crate::base::error::{Code, Context, Error, Result};
use crate::model::channel::Body;
use crate::model::channel::Channel;
use crate::model::channel::Kind;
use crate::model::notice::Kind as Event;
use crate::store::broke;
use crate::store::row;
use crate::store::rows;
use crate::store::sessions::Args;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

const COLUMNS: &str = "id, name, kind, body, target, has_token, with_call, allow_private, \
    after_ms, enabled, events, sealed, version, created_ms, updated_ms, last_state, last_ms, \
    last_detail";

/// Stores a new channel. `Conflict` where its name is taken.
pub fn insert(tx: &Transaction<'_>, new: &Channel) -> Result<()> {
    let sql = format!(
        "INSERT INTO notice_channels ({COLUMNS}) VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, NULL, NULL, NULL)"
    );
    let values = params![
        new.id,
        new.name,
        new.kind.word(),
        new.body.map(Body::word),
        new.target,
        new.has_token,
        new.with_call,
        new.allow_private,
        new.after_ms,
        new.enabled,
        events(new),
        new.sealed,
        new.version,
        new.created_ms,
        new.updated_ms,
    ];
    taken(tx.execute(&sql, values), new).map(drop)
}

/// Replaces a channel that is still of the version `was`. `Conflict` where it has changed meanwhile
/// or the name is another's, `NotFound` where it is gone.
pub fn update(tx: &Transaction<'_>, new: &Channel, was: i64) -> Result<()> {
    let sql = "UPDATE notice_channels SET name = ?2, body = ?3, target = ?4, has_token = ?5,
                   with_call = ?6, allow_private = ?7, after_ms = ?8, enabled = ?9, events = ?10,
                   sealed = ?11, version = ?12, updated_ms = ?13
               WHERE id = ?1 AND version = ?14";
    let values = params![
        new.id,
        new.name,
        new.body.map(Body::word),
        new.target,
        new.has_token,
        new.with_call,
        new.allow_private,
        new.after_ms,
        new.enabled,
        events(new),
        new.sealed,
        new.version,
        new.updated_ms,
        was,
    ];
    let name = &new.name;
    match taken(tx.execute(sql, values), new)? {
        0 if get(tx, &new.id)?.is_some() => Err(Error::conflict(format!(
            "the channel {name} was changed by somebody else meanwhile; try again"
        ))),
        0 => Err(missing(name)),
        _ => Ok(()),
    }
}

fn events(channel: &Channel) -> String {
    let words: Vec<&str> = channel.events.iter().map(|event| event.word()).collect();
    serde_json::Value::from(words).to_string()
}

fn taken(done: rusqlite::Result<usize>, new: &Channel) -> Result<usize> {
    match done {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_UNIQUE) => Err(e).code(Code::Conflict, || {
            format!("another channel is called {:?} already; choose another name", new.name)
        }),
        done => done.internal(|| format!("cannot save the channel {}", new.name)),
    }
}

/// Notes what came of its newest delivery: state, time and words. One that is gone has no place
/// for it.
pub fn note(tx: &Transaction<'_>, id: &str, last: (&str, i64, Option<&str>)) -> Result<()> {
    let sql = "UPDATE notice_channels SET last_state = ?2, last_ms = ?3, last_detail = ?4
               WHERE id = ?1";
    let done = tx.execute(sql, params![id, last.0, last.1, last.2]);
    done.map(drop).internal(|| format!("cannot note the delivery to the channel {id}"))
}

/// Removes a channel. Says whether there was one.
pub fn delete(tx: &Transaction<'_>, id: &str) -> Result<bool> {
    let done = tx.execute("DELETE FROM notice_channels WHERE id = ?1", [id]);
    Ok(done.internal(|| format!("cannot remove the channel {id}"))? > 0)
}

/// The channel with exactly this id.
pub fn get(conn: &Connection, id: &str) -> Result<Option<Channel>> {
    let sql = format!("SELECT {COLUMNS} FROM notice_channels WHERE id = ?1");
    row(conn, &sql, [id], read).internal(|| format!("cannot read the channel {id}"))
}

/// All channels, those that come first first.
pub fn list(conn: &Connection) -> Result<Vec<Channel>> {
    let sql = format!("SELECT {COLUMNS} FROM notice_channels ORDER BY after_ms, name");
    rows(conn, &sql, [], read).internal(|| "cannot read the channels".into())
}

/// What is told of a channel that is not there.
pub fn missing(words: &str) -> Error {
    Error::not_found(format!("Channel not found: {words}; see: codepiper notify list"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Channel> {
    let words = row.get::<_, Args>("events")?.0;
    let last: Option<String> = row.get("last_state")?;
    let (last_ms, detail): (Option<i64>, _) = (row.get("last_ms")?, row.get("last_detail")?);
    Ok(Channel {
        id: row.get("id")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        body: row.get("body")?,
        target: row.get("target")?,
        has_token: row.get("has_token")?,
        with_call: row.get("with_call")?,
        allow_private: row.get("allow_private")?,
        after_ms: row.get("after_ms")?,
        enabled: row.get("enabled")?,
        // One that only a newer codepiper knows is left out.
        events: words.iter().filter_map(|word| Event::from_word(word)).collect(),
        sealed: row.get("sealed")?,
        version: row.get("version")?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
        last: last.zip(last_ms).map(|(state, ms)| (state, ms, detail)),
    })
}

impl FromSql for Kind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Kind> {
        Kind::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Body {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Body> {
        Body::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    fn channel(id: &str, name: &str) -> Channel {
        Channel {
            id: id.into(),
            name: name.into(),
            kind: Kind::Webhook,
            body: Some(Body::Ntfy),
            target: "https://ntfy.sh".into(),
            has_token: true,
            with_call: true,
            allow_private: true,
            after_ms: 7,
            enabled: true,
            events: vec![Event::Permission, Event::Crashed],
            sealed: vec![1, 2, 3],
            version: 1,
            created_ms: 5,
            updated_ms: 6,
            last: None,
        }
    }

    #[test]
    fn a_channel_comes_back_as_it_was_and_a_change_counts_for_what_it_was_made_on() {
        with_store("channels", |store| {
            let insert = |new: Channel| store.write(move |tx| super::insert(tx, &new));
            let update = |new: Channel, was| store.write(move |tx| super::update(tx, &new, was));
            insert(channel("a", "one")).unwrap();
            insert(Channel { after_ms: 0, ..channel("b", "two") }).unwrap();
            assert_eq!(store.read(|c| get(c, "a")).unwrap(), Some(channel("a", "one")));
            assert_eq!(insert(channel("c", "one")).unwrap_err().code, Code::Conflict);
            let names: Vec<_> = store.read(list).unwrap().into_iter().map(|c| c.name).collect();
            assert_eq!(names, ["two", "one"]);
            let next = Channel { version: 2, sealed: vec![4], ..channel("a", "uno") };
            update(next.clone(), 1).unwrap();
            assert_eq!(update(next.clone(), 1).unwrap_err().code, Code::Conflict);
            assert_eq!(update(channel("x", "x"), 1).unwrap_err().code, Code::NotFound);
            store.write(|tx| note(tx, "a", ("failed", 9, Some("why")))).unwrap();
            let last = Some(("failed".into(), 9, Some("why".into())));
            assert_eq!(store.read(|c| get(c, "a")).unwrap(), Some(Channel { last, ..next }));
            assert!(store.write(|tx| delete(tx, "b")).unwrap());
            assert!(!store.write(|tx| delete(tx, "b")).unwrap());
        });
    }
}
