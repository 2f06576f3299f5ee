//! SQL for sets of policies: the sets, what they list, and the sessions that they are applied to.
//!
//! A set that comes with the program has no row and no members here, but it can be applied.

use crate::base::error::{Code, Context, Error, Result};
use crate::model::policy::PolicySet;
use crate::store::broke;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::ffi::{
    SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE,
};
use rusqlite::params;

const COLUMNS: &str = "id, name, description, created_ms, updated_ms";

/// Stores a new set. `Conflict` where its id or its name is taken.
pub fn insert(tx: &Transaction<'_>, set: &PolicySet) -> Result<()> {
    let sql = format!("INSERT INTO policy_sets ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)");
    let done = tx
        .execute(&sql, params![set.id, set.name, set.description, set.created_ms, set.updated_ms]);
    match done {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_PRIMARYKEY) => {
            Err(e).code(Code::Conflict, || format!("there is a policy set {} already", set.id))
        }
        done => taken(done, set).map(|_| ()),
    }
}

/// Replaces name and description of a set. `NotFound` where it is gone, `Conflict` where the name
/// is another's.
pub fn update(tx: &Transaction<'_>, set: &PolicySet) -> Result<()> {
    let sql = "UPDATE policy_sets SET name = ?2, description = ?3, updated_ms = ?4 WHERE id = ?1";
    let done = tx.execute(sql, params![set.id, set.name, set.description, set.updated_ms]);
    match taken(done, set)? {
        0 => Err(Error::not_found(format!("Policy set not found: {}", set.id))),
        _ => Ok(()),
    }
}

fn taken(done: rusqlite::Result<usize>, set: &PolicySet) -> Result<usize> {
    match done {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_UNIQUE) => Err(e).code(Code::Conflict, || {
            format!("another policy set is called {:?} already", set.name)
        }),
        done => done.internal(|| format!("cannot save the policy set {}", set.name)),
    }
}

/// Removes a set and takes it off all sessions; its policies stay. Says whether there was one.
pub fn delete(tx: &Transaction<'_>, id: &str) -> Result<bool> {
    let cannot = || format!("cannot remove the policy set {id}");
    tx.execute("DELETE FROM session_policy_sets WHERE set_id = ?1", [id]).internal(cannot)?;
    Ok(tx.execute("DELETE FROM policy_sets WHERE id = ?1", [id]).internal(cannot)? > 0)
}

/// The set with exactly this id.
pub fn get(conn: &Connection, id: &str) -> Result<Option<PolicySet>> {
    let sql = format!("SELECT {COLUMNS} FROM policy_sets WHERE id = ?1");
    row(conn, &sql, [id], read).internal(|| format!("cannot read the policy set {id}"))
}

/// The set with exactly this id, which must be there.
pub fn need(conn: &Connection, id: &str) -> Result<PolicySet> {
    get(conn, id)?.ok_or_else(|| Error::not_found(format!("Policy set not found: {id}")))
}

/// All sets by name.
pub fn list(conn: &Connection) -> Result<Vec<PolicySet>> {
    let sql = format!("SELECT {COLUMNS} FROM policy_sets ORDER BY name");
    rows(conn, &sql, [], read).internal(|| "cannot read the policy sets".into())
}

/// A policy in a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The set's id.
    pub set: String,
    /// The set's name.
    pub set_name: String,
    /// The policy's id.
    pub policy: String,
}

/// Which set lists which policy.
pub fn memberships(conn: &Connection) -> Result<Vec<Member>> {
    let sql = "SELECT m.set_id, s.name, m.policy_id FROM policy_set_members m
               JOIN policy_sets s ON s.id = m.set_id ORDER BY s.name, m.policy_id";
    let read =
        |row: &Row<'_>| Ok(Member { set: row.get(0)?, set_name: row.get(1)?, policy: row.get(2)? });
    rows(conn, sql, [], read).internal(|| "cannot read the policy sets".into())
}

/// Which session has which set, as pairs of ids.
pub fn applications(conn: &Connection) -> Result<Vec<(String, String)>> {
    let sql = "SELECT session_id, set_id FROM session_policy_sets ORDER BY session_id, set_id";
    let found = rows(conn, sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    found.internal(|| "cannot read the policy sets".into())
}

/// Puts a policy into a set. False where it is in it already; `NotFound` where one of them is gone.
pub fn add_member(tx: &Transaction<'_>, set: &str, policy: &str) -> Result<bool> {
    let sql = "INSERT INTO policy_set_members (set_id, policy_id) VALUES (?1, ?2)
               ON CONFLICT DO NOTHING";
    match tx.execute(sql, [set, policy]) {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_FOREIGNKEY) => {
            Err(e).code(Code::NotFound, || format!("the policy {policy} or the set {set} is gone"))
        }
        done => Ok(done.internal(|| format!("cannot put policy {policy} into the set {set}"))? > 0),
    }
}

/// Takes a policy out of a set. False where it was not in it.
pub fn remove_member(tx: &Transaction<'_>, set: &str, policy: &str) -> Result<bool> {
    let sql = "DELETE FROM policy_set_members WHERE set_id = ?1 AND policy_id = ?2";
    let done = tx.execute(sql, [set, policy]);
    Ok(done.internal(|| format!("cannot take policy {policy} out of the set {set}"))? > 0)
}

/// Lets a set hold for a session. False where it does already; `NotFound` where the session is
/// gone. Whether there is such a set is the caller's to know.
pub fn apply(tx: &Transaction<'_>, session: &str, set: &str) -> Result<bool> {
    let sql = "INSERT INTO session_policy_sets (session_id, set_id) VALUES (?1, ?2)
               ON CONFLICT DO NOTHING";
    match tx.execute(sql, [session, set]) {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_FOREIGNKEY) => {
            Err(e).code(Code::NotFound, || format!("Session not found: {session}"))
        }
        done => Ok(done.internal(|| format!("cannot apply the set {set} to {session}"))? > 0),
    }
}

/// Takes a set off a session. False where it did not hold for it.
pub fn unapply(tx: &Transaction<'_>, session: &str, set: &str) -> Result<bool> {
    let sql = "DELETE FROM session_policy_sets WHERE session_id = ?1 AND set_id = ?2";
    let done = tx.execute(sql, [session, set]);
    Ok(done.internal(|| format!("cannot take the set {set} off {session}"))? > 0)
}

/// The ids of the sets that hold for a session.
pub fn applied(conn: &Connection, session: &str) -> Result<Vec<String>> {
    let sql = "SELECT set_id FROM session_policy_sets WHERE session_id = ?1 ORDER BY set_id";
    let found = rows(conn, sql, [session], |row| row.get(0));
    found.internal(|| format!("cannot read the policy sets of session {session}"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<PolicySet> {
    Ok(PolicySet {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::policies;
    use crate::store::sessions;
    use crate::store::tests::{policy, policy_set, session, with_store};

    #[test]
    fn a_set_comes_back_as_it_was_and_ids_and_names_are_each_ones_own() {
        with_store("sets-same", |store| {
            let one = policy_set("one");
            let copy = one.clone();
            store.write(move |tx| insert(tx, &copy)).unwrap();
            assert_eq!(store.read(|c| get(c, "one")).unwrap(), Some(one.clone()));
            let same_id = PolicySet { name: "other".into(), ..one.clone() };
            let same_name = PolicySet { id: "two".into(), ..one.clone() };
            for (set, word) in [(same_id, "one"), (same_name, "called")] {
                let error = store.write(move |tx| insert(tx, &set)).unwrap_err();
                assert_eq!(error.code, Code::Conflict);
                assert!(error.message.contains(word), "{error}");
            }
            store.write(|tx| insert(tx, &policy_set("three"))).unwrap();
            let taken = PolicySet { name: one.name.clone(), ..policy_set("three") };
            let error = store.write(move |tx| update(tx, &taken)).unwrap_err();
            assert_eq!(error.code, Code::Conflict);
            let next = PolicySet { description: None, name: "neu".into(), ..one };
            let copy = next.clone();
            store.write(move |tx| update(tx, &copy)).unwrap();
            assert_eq!(store.read(list).unwrap(), [next, policy_set("three")]);
            let error = store.write(|tx| update(tx, &policy_set("none"))).unwrap_err();
            assert_eq!(error.code, Code::NotFound);
        });
    }

    #[test]
    fn a_removed_set_leaves_its_policies_and_no_session() {
        with_store("sets-gone", |store| {
            store
                .write(|tx| {
                    sessions::insert(tx, &session("a"))?;
                    policies::insert(tx, &policy("p"))?;
                    insert(tx, &policy_set("s"))?;
                    assert!(add_member(tx, "s", "p")?);
                    assert!(!add_member(tx, "s", "p")?);
                    assert!(apply(tx, "a", "s")?);
                    assert!(apply(tx, "a", "built-in")?);
                    assert!(!apply(tx, "a", "s")?);
                    Ok(())
                })
                .unwrap();
            assert_eq!(store.read(|c| applied(c, "a")).unwrap(), ["built-in", "s"]);
            let member =
                Member { set: "s".into(), set_name: policy_set("s").name, policy: "p".into() };
            assert_eq!(store.read(memberships).unwrap(), [member]);
            assert!(store.write(|tx| delete(tx, "s")).unwrap());
            assert!(!store.write(|tx| delete(tx, "s")).unwrap());
            assert_eq!(store.read(|c| applied(c, "a")).unwrap(), ["built-in"]);
            assert!(store.read(|c| policies::get(c, "p")).unwrap().is_some());
            assert!(!store.write(|tx| remove_member(tx, "s", "p")).unwrap());
            assert!(store.write(|tx| unapply(tx, "a", "built-in")).unwrap());
            assert!(!store.write(|tx| unapply(tx, "a", "built-in")).unwrap());
        });
    }

    #[test]
    fn what_is_gone_can_be_neither_listed_nor_decided_by() {
        with_store("sets-orphans", |store| {
            store.write(|tx| insert(tx, &policy_set("s"))).unwrap();
            let error = store.write(|tx| add_member(tx, "s", "none")).unwrap_err();
            assert_eq!(error.code, Code::NotFound);
            let error = store.write(|tx| apply(tx, "nobody", "s")).unwrap_err();
            assert_eq!(error.message, "Session not found: nobody");
            store.write(|tx| sessions::insert(tx, &session("a"))).unwrap();
            store.write(|tx| apply(tx, "a", "s")).unwrap();
            store.write(|tx| sessions::delete(tx, "a")).unwrap();
            assert_eq!(store.read(applications).unwrap(), []);
        });
    }
}
