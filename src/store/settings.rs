//! SQL for settings: JSON values under names. Which names there are is not known here.

use crate::base::error::{Context, Result};
use crate::store::events::Json;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use serde_json::Map;
use serde_json::Value;

/// The value of one setting, where it has been set.
pub fn get(conn: &Connection, key: &str) -> Result<Option<Value>> {
    let sql = "SELECT value FROM settings WHERE key = ?1";
    let found = row(conn, sql, [key], |row| row.get::<_, Json>(0));
    Ok(found.internal(|| format!("cannot read the setting {key}"))?.map(|json| json.0))
}

/// Sets one; `null` takes it back.
pub fn put(tx: &Transaction<'_>, key: &str, value: &Value) -> Result<()> {
    let done = if value.is_null() {
        tx.execute("DELETE FROM settings WHERE key = ?1", [key])
    } else {
        let sql = "INSERT INTO settings (key, value) VALUES (?1, ?2)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        tx.execute(sql, [key, &value.to_string()])
    };
    done.map(|_| ()).internal(|| format!("cannot save the setting {key}"))
}

/// Sets one to `null`, where that is a value of its own.
pub fn put_null(tx: &Transaction<'_>, key: &str) -> Result<()> {
    let sql = "INSERT INTO settings (key, value) VALUES (?1, 'null')
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    tx.execute(sql, [key]).map(|_| ()).internal(|| format!("cannot save the setting {key}"))
}

/// All that have been set.
pub fn all(conn: &Connection) -> Result<Map<String, Value>> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Json>(1)?.0));
    let found = rows(conn, "SELECT key, value FROM settings", [], read);
    Ok(found.internal(|| "cannot read the settings".into())?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;
    use serde_json::json;

    #[test]
    fn a_setting_is_what_was_put_last_and_null_takes_it_back() {
        with_store("settings", |store| {
            let put = |key: &'static str, value: Value| {
                store.write(move |tx| super::put(tx, key, &value)).unwrap();
            };
            put("web.port", json!(3000));
            put("web.port", json!(4000));
            put("roots", json!(["/a", "/b"]));
            assert_eq!(store.read(|c| get(c, "web.port")).unwrap(), Some(json!(4000)));
            let all = Value::Object(store.read(super::all).unwrap());
            assert_eq!(all, json!({"roots": ["/a", "/b"], "web.port": 4000}));
            put("roots", Value::Null);
            assert_eq!(store.read(|c| get(c, "roots")).unwrap(), None);
            store.write(|tx| put_null(tx, "web.port")).unwrap();
            assert_eq!(store.read(|c| get(c, "web.port")).unwrap(), Some(Value::Null));
        });
    }
}
