//! SQL for what the caged sessions of a project are granted. What a name means is the cage's.

use crate::base::error::{Context, Result};
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

/// Something that a project is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectGrant {
    /// The project's directory.
    pub project: String,
    /// The grant's name, or a path.
    pub name: String,
    /// Unix milliseconds.
    pub created_ms: i64,
}

/// What a project is granted.
pub fn of(conn: &Connection, project: &str) -> Result<Vec<String>> {
    let sql = "SELECT name FROM project_grants WHERE project = ?1 ORDER BY name";
    rows(conn, sql, [project], |row: &Row<'_>| row.get("name"))
        .internal(|| "cannot read the grants of projects".into())
}

/// All of them.
pub fn list(conn: &Connection) -> Result<Vec<ProjectGrant>> {
    let sql = "SELECT project, name, created_ms FROM project_grants ORDER BY project, name";
    let read = |row: &Row<'_>| {
        Ok(ProjectGrant {
            project: row.get("project")?,
            name: row.get("name")?,
            created_ms: row.get("created_ms")?,
        })
    };
    rows(conn, sql, [], read).internal(|| "cannot read the grants of projects".into())
}

/// Grants these; those it was granted before stay as they are. Gives those that are new.
pub fn add(
    tx: &Transaction<'_>,
    project: &str,
    names: &[String],
    now_ms: i64,
) -> Result<Vec<String>> {
    let sql = "INSERT INTO project_grants (project, name, created_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT DO NOTHING";
    let mut added = Vec::new();
    for name in names {
        let count = tx.execute(sql, params![project, name, now_ms]);
        if count.internal(|| "cannot grant a project something".into())? > 0 {
            added.push(name.clone());
        }
    }
    Ok(added)
}

/// Takes one back. Says whether there was one.
pub fn remove(tx: &Transaction<'_>, project: &str, name: &str) -> Result<bool> {
    let sql = "DELETE FROM project_grants WHERE project = ?1 AND name = ?2";
    let count = tx.execute(sql, [project, name]);
    Ok(count.internal(|| "cannot take a project's grant back".into())? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_store;

    #[test]
    fn a_project_keeps_what_it_is_granted_until_it_is_taken_back() {
        with_store("project-grants", |store| {
            let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
            let add = |project: &'static str, add_: Vec<String>, now| {
                store.write(move |tx| add(tx, project, &add_, now)).unwrap()
            };
            assert_eq!(add("/a", names(&["docker", "/x"]), 1), names(&["docker", "/x"]));
            assert_eq!(add("/a", names(&["docker", "gpg"]), 2), names(&["gpg"]));
            assert_eq!(store.read(|c| of(c, "/a")).unwrap(), names(&["/x", "docker", "gpg"]));
            assert!(store.read(|c| of(c, "/b")).unwrap().is_empty());
            assert!(store.write(|tx| remove(tx, "/a", "docker")).unwrap());
            assert!(!store.write(|tx| remove(tx, "/a", "docker")).unwrap());
            assert_eq!(store.read(list).unwrap().len(), 2);
        });
    }
}
