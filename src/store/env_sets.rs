//! SQL for env sets. What is sealed in them is opaque here.

use crate::base::error::{Code, Context, Error, Result};
use crate::model::env_set::EnvSet;
use crate::store::broke;
use crate::store::row;
use crate::store::rows;
use crate::store::sessions::Args;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
use rusqlite::params;

const COLUMNS: &str = "id, name, description, names, sealed, version, created_ms, updated_ms";

/// Stores a new set. `Conflict` where its name is taken.
pub fn insert(tx: &Transaction<'_>, set: &EnvSet) -> Result<()> {
    let sql = format!("INSERT INTO env_sets ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    let names = serde_json::Value::from(set.names.clone()).to_string();
    let EnvSet { id, name, description, sealed, version, created_ms, updated_ms, .. } = set;
    let values = params![id, name, description, names, sealed, version, created_ms, updated_ms];
    taken(tx.execute(&sql, values), set).map(drop)
}

/// Replaces a set that is still of the version `was`. `Conflict` where it has changed meanwhile or
/// the name is another's, `NotFound` where it is gone.
pub fn update(tx: &Transaction<'_>, set: &EnvSet, was: i64) -> Result<()> {
    let sql = "UPDATE env_sets SET name = ?2, description = ?3, names = ?4, sealed = ?5,
               version = ?6, updated_ms = ?7 WHERE id = ?1 AND version = ?8";
    let names = serde_json::Value::from(set.names.clone()).to_string();
    let EnvSet { id, name, description, sealed, version, updated_ms, .. } = set;
    let values = params![id, name, description, names, sealed, version, updated_ms, was];
    match taken(tx.execute(sql, values), set)? {
        0 if get(tx, id)?.is_some() => Err(Error::conflict(format!(
            "the env set {name} was changed by somebody else meanwhile; try again"
        ))),
        0 => Err(missing(id)),
        _ => Ok(()),
    }
}

fn taken(done: rusqlite::Result<usize>, set: &EnvSet) -> Result<usize> {
    match done {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_UNIQUE) => Err(e).code(Code::Conflict, || {
            format!("another env set is called {:?} already; choose another name", set.name)
        }),
        done => done.internal(|| format!("cannot save the env set {}", set.name)),
    }
}

/// Removes a set. Says whether there was one.
pub fn delete(tx: &Transaction<'_>, id: &str) -> Result<bool> {
    let done = tx.execute("DELETE FROM env_sets WHERE id = ?1", [id]);
    Ok(done.internal(|| format!("cannot remove the env set {id}"))? > 0)
}

/// The set with exactly this id.
pub fn get(conn: &Connection, id: &str) -> Result<Option<EnvSet>> {
    let sql = format!("SELECT {COLUMNS} FROM env_sets WHERE id = ?1");
    row(conn, &sql, [id], read).internal(|| format!("cannot read the env set {id}"))
}

/// All sets by name.
pub fn list(conn: &Connection) -> Result<Vec<EnvSet>> {
    let sql = format!("SELECT {COLUMNS} FROM env_sets ORDER BY name");
    rows(conn, &sql, [], read).internal(|| "cannot read the env sets".into())
}

/// What is told of a set that is not there.
pub fn missing(words: &str) -> Error {
    Error::not_found(format!("Env set not found: {words}; see: codepiper env-set list"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<EnvSet> {
    Ok(EnvSet {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        names: row.get::<_, Args>("names")?.0,
        sealed: row.get("sealed")?,
        version: row.get("version")?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    fn set(id: &str, name: &str) -> EnvSet {
        EnvSet {
            id: id.into(),
            name: name.into(),
            description: Some("what it's for".into()),
            names: vec!["A".into(), "B".into()],
            sealed: vec![1, 2, 3],
            version: 1,
            created_ms: 5,
            updated_ms: 6,
        }
    }

    #[test]
    fn a_set_comes_back_as_it_was_and_its_name_is_its_own() {
        with_store("env-sets", |store| {
            let insert = |set: EnvSet| store.write(move |tx| super::insert(tx, &set));
            insert(set("a", "one")).unwrap();
            insert(set("b", "two")).unwrap();
            assert_eq!(store.read(|c| get(c, "a")).unwrap(), Some(set("a", "one")));
            let error = insert(set("c", "one")).unwrap_err();
            assert!(error.code == Code::Conflict && error.message.contains("\"one\""), "{error}");
            let names: Vec<_> = store.read(list).unwrap().into_iter().map(|s| s.name).collect();
            assert_eq!(names, ["one", "two"]);
            assert!(store.write(|tx| delete(tx, "b")).unwrap());
            assert!(!store.write(|tx| delete(tx, "b")).unwrap());
        });
    }

    #[test]
    fn a_change_counts_only_for_what_it_was_made_on() {
        with_store("env-sets-change", |store| {
            let first = set("a", "one");
            store.write(move |tx| insert(tx, &first)).unwrap();
            let change = |set: EnvSet, was| store.write(move |tx| update(tx, &set, was));
            let next = EnvSet { sealed: vec![4], version: 2, ..set("a", "uno") };
            change(next.clone(), 1).unwrap();
            assert_eq!(store.read(|c| get(c, "a")).unwrap(), Some(next.clone()));
            assert_eq!(change(next, 1).unwrap_err().code, Code::Conflict);
            assert_eq!(change(set("x", "x"), 1).unwrap_err().code, Code::NotFound);
        });
    }
}
