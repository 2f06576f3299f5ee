//! SQL for policies. What their rules mean is not known here, and which policies are in which set
//! is in policy_sets.rs.

use crate::base::error::{Code, Context, Error, Result};
use crate::model::policy::{Scope, StoredPolicy};
use crate::store::broke;
use crate::store::events::Json;
use crate::store::row;
use crate::store::rows;
use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY};
use rusqlite::params;
use rusqlite::types::FromSqlError;

/// Every column, with the table's name for joins.
const COLUMNS: &str = "p.id, p.name, p.description, p.enabled, p.priority, p.scope, p.session_id, \
    p.rules, p.version, p.created_ms, p.updated_ms";

/// What the session in `?1` is decided by, enabled policies only.
const HOLDS: &str = "p.enabled = 1 AND (p.scope = 'global' OR p.session_id = ?1 OR p.id IN (
    SELECT m.policy_id FROM policy_set_members m
    JOIN session_policy_sets s ON s.set_id = m.set_id WHERE s.session_id = ?1))";

/// The order of lists: what is named first comes first, then the newest.
const ORDER: &str = "p.priority DESC, p.created_ms DESC, p.rowid DESC";

/// A policy without its rules: enough to find one by what a person typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The session that owns it, where one does.
    pub session: Option<String>,
}

/// Stores a new policy. `Conflict` where its id is taken, `NotFound` where its session is gone.
pub fn insert(tx: &Transaction<'_>, policy: &StoredPolicy) -> Result<()> {
    let StoredPolicy { id, name, description, enabled, priority, scope, rules, version, .. } =
        policy;
    let sql = "INSERT INTO policies (id, name, description, enabled, priority, scope, session_id,
                   rules, version, created_ms, updated_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let values = params![
        id,
        name,
        description,
        enabled,
        priority,
        scope.word(),
        scope.session(),
        rules.to_string(),
        version,
        policy.created_ms,
        policy.updated_ms,
    ];
    match tx.execute(sql, values) {
        Err(e) if broke(&e, SQLITE_CONSTRAINT_PRIMARYKEY) => {
            Err(e).code(Code::Conflict, || format!("there is a policy {id} already"))
        }
        Err(e) if broke(&e, SQLITE_CONSTRAINT_FOREIGNKEY) => {
            let session = scope.session().unwrap_or_default();
            Err(e).code(Code::NotFound, || format!("Session not found: {session}"))
        }
        done => done.map(|_| ()).internal(|| format!("cannot save the policy {name}")),
    }
}

/// Replaces everything of a policy but its id and its birth. `NotFound` where it is gone.
pub fn update(tx: &Transaction<'_>, policy: &StoredPolicy) -> Result<()> {
    let StoredPolicy { id, name, description, enabled, priority, scope, rules, version, .. } =
        policy;
    let sql = "UPDATE policies SET name = ?2, description = ?3, enabled = ?4, priority = ?5,
                   scope = ?6, session_id = ?7, rules = ?8, version = ?9, updated_ms = ?10
               WHERE id = ?1";
    let values = params![
        id,
        name,
        description,
        enabled,
        priority,
        scope.word(),
        scope.session(),
        rules.to_string(),
        version,
        policy.updated_ms,
    ];
    match tx.execute(sql, values).internal(|| format!("cannot save the policy {name}"))? {
        0 => Err(Error::not_found(format!("Policy not found: {id}"))),
        _ => Ok(()),
    }
}

/// Removes a policy, also from the sets that list it. Says whether there was one.
pub fn delete(tx: &Transaction<'_>, id: &str) -> Result<bool> {
    let done = tx.execute("DELETE FROM policies WHERE id = ?1", [id]);
    Ok(done.internal(|| format!("cannot remove the policy {id}"))? > 0)
}

/// The policy with exactly this id.
pub fn get(conn: &Connection, id: &str) -> Result<Option<StoredPolicy>> {
    let sql = format!("SELECT {COLUMNS} FROM policies p WHERE p.id = ?1");
    row(conn, &sql, [id], read).internal(|| format!("cannot read the policy {id}"))
}

/// All policies, the highest priority first.
pub fn list(conn: &Connection) -> Result<Vec<StoredPolicy>> {
    let sql = format!("SELECT {COLUMNS} FROM policies p ORDER BY {ORDER}");
    rows(conn, &sql, [], read).internal(|| "cannot read the policies".into())
}

/// All policies without their rules.
pub fn heads(conn: &Connection) -> Result<Vec<Head>> {
    let read =
        |row: &Row<'_>| Ok(Head { id: row.get(0)?, name: row.get(1)?, session: row.get(2)? });
    let sql = "SELECT id, name, session_id FROM policies ORDER BY id";
    rows(conn, sql, [], read).internal(|| "cannot read the policies".into())
}

/// Those that decide in a session: enabled, and global, its own, or in a set applied to it. Each
/// once, the highest priority first.
pub fn effective(conn: &Connection, session: &str) -> Result<Vec<StoredPolicy>> {
    let sql = format!("SELECT {COLUMNS} FROM policies p WHERE {HOLDS} ORDER BY {ORDER}");
    let found = rows(conn, &sql, [session], read);
    found.internal(|| format!("cannot read the policies of session {session}"))
}

/// The ids of [`effective`], in the same order.
pub fn effective_ids(conn: &Connection, session: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT p.id FROM policies p WHERE {HOLDS} ORDER BY {ORDER}");
    let found = rows(conn, &sql, [session], |row| row.get(0));
    found.internal(|| format!("cannot read the policies of session {session}"))
}

/// The sessions that have not ended in which a policy decides.
pub fn held_sessions(conn: &Connection, id: &str) -> Result<Vec<String>> {
    let sql = "SELECT s.id FROM sessions s JOIN policies p ON p.id = ?1
               WHERE s.state NOT IN ('STOPPED', 'CRASHED') AND p.enabled = 1
                 AND (p.scope = 'global' OR p.session_id = s.id OR EXISTS (
                     SELECT 1 FROM policy_set_members m
                     JOIN session_policy_sets a ON a.set_id = m.set_id
                     WHERE m.policy_id = p.id AND a.session_id = s.id))
               ORDER BY s.rowid DESC";
    let found = rows(conn, sql, [id], |row| row.get(0));
    found.internal(|| format!("cannot read the sessions of policy {id}"))
}

/// What a policy called `id` stands beside: all others without their rules, and the bytes that
/// their rules take.
pub fn others(conn: &Connection, id: &str) -> Result<(Vec<Head>, usize)> {
    let heads = heads(conn)?.into_iter().filter(|head| head.id != id).collect();
    let sql = "SELECT coalesce(sum(length(CAST(rules AS BLOB))), 0) FROM policies WHERE id <> ?1";
    let found = row(conn, sql, [id], |row| row.get::<_, i64>(0));
    let bytes = found.internal(|| "cannot measure the policies".into())?;
    Ok((heads, bytes.map_or(0, |bytes| bytes as usize)))
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredPolicy> {
    let word: String = row.get("scope")?;
    let scope = Scope::from_word(&word, row.get("session_id")?).ok_or(FromSqlError::InvalidType)?;
    Ok(StoredPolicy {
        id: row.get("id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        enabled: row.get("enabled")?,
        priority: row.get("priority")?,
        scope,
        rules: row.get::<_, Json>("rules")?.0,
        version: row.get("version")?,
        created_ms: row.get("created_ms")?,
        updated_ms: row.get("updated_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::policy_sets;
    use crate::store::sessions;
    use crate::store::tests::{policy, policy_set, session, with_store};

    fn save(store: &Store, policy: StoredPolicy) -> Result<()> {
        store.write(move |tx| insert(tx, &policy))
    }

    fn check(store: &Store, session: &str, ids: &[&str]) {
        let found = store.read(|c| effective(c, session)).unwrap();
        assert_eq!(found.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ids, "{session}");
        assert_eq!(store.read(|c| effective_ids(c, session)).unwrap(), ids);
    }

    #[test]
    fn a_policy_comes_back_as_it_was_and_its_update_keeps_its_birth() {
        with_store("policies-same", |store| {
            store.write(|tx| sessions::insert(tx, &session("a"))).unwrap();
            let scopes = [Scope::Global, Scope::Session("a".into()), Scope::Set];
            for (at, scope) in scopes.into_iter().enumerate() {
                let mut one = policy(&format!("p{at}"));
                one.scope = scope;
                save(store, one.clone()).unwrap();
                assert_eq!(store.read(|c| get(c, &one.id)).unwrap(), Some(one.clone()));
                assert_eq!(save(store, one.clone()).unwrap_err().code, Code::Conflict);
                let mut next = one.clone();
                next.description = None;
                next.enabled = !one.enabled;
                next.rules = serde_json::json!([]);
                next.version += 1;
                next.updated_ms += 9;
                let copy = StoredPolicy { created_ms: 77, ..next.clone() };
                store.write(move |tx| update(tx, &copy)).unwrap();
                assert_eq!(store.read(|c| get(c, &one.id)).unwrap(), Some(next));
            }
            let error = store.write(|tx| update(tx, &policy("none"))).unwrap_err();
            assert_eq!(error.code, Code::NotFound);
            let mut orphan = policy("orphan");
            orphan.scope = Scope::Session("nobody".into());
            assert_eq!(save(store, orphan).unwrap_err().message, "Session not found: nobody");
        });
    }

    #[test]
    fn a_session_is_decided_by_what_is_enabled_and_global_its_own_or_in_its_sets_each_once() {
        with_store("policies-effective", |store| {
            store
                .write(|tx| {
                    for id in ["a", "b"] {
                        sessions::insert(tx, &session(id))?;
                    }
                    let mut all = [("g", 0), ("own", 5), ("in-set", 3), ("idle", 1), ("off", 9)]
                        .map(|(id, priority)| StoredPolicy { priority, ..policy(id) });
                    all[1].scope = Scope::Session("a".into());
                    all[2].scope = Scope::Set;
                    all[3].scope = Scope::Set;
                    all[4].enabled = false;
                    all.iter().try_for_each(|one| insert(tx, one))?;
                    for set in ["s1", "s2"] {
                        policy_sets::insert(tx, &policy_set(set))?;
                        for member in ["g", "in-set", "off"] {
                            policy_sets::add_member(tx, set, member)?;
                        }
                        policy_sets::apply(tx, "b", set)?;
                    }
                    Ok(())
                })
                .unwrap();
            check(store, "a", &["own", "g"]);
            check(store, "b", &["in-set", "g"]);
            check(store, "nobody", &["g"]);
            store.write(|tx| policy_sets::unapply(tx, "b", "s1")).unwrap();
            check(store, "b", &["in-set", "g"]);
            store.write(|tx| policy_sets::unapply(tx, "b", "s2")).unwrap();
            check(store, "b", &["g"]);
            let listed = store.read(list).unwrap();
            let ids: Vec<&str> = listed.iter().map(|p| p.id.as_str()).collect();
            assert_eq!(ids, ["off", "own", "in-set", "idle", "g"]);
        });
    }

    #[test]
    fn a_removed_policy_says_where_it_held_and_a_session_takes_its_own_along() {
        with_store("policies-gone", |store| {
            store
                .write(|tx| {
                    let mut ended = session("ended");
                    ended.state = crate::model::session::State::Stopped;
                    sessions::insert(tx, &ended)?;
                    sessions::insert(tx, &session("a"))?;
                    insert(tx, &policy("g"))?;
                    insert(tx, &StoredPolicy { enabled: false, ..policy("off") })?;
                    let own = Scope::Session("a".into());
                    insert(tx, &StoredPolicy { scope: own, ..policy("own") })?;
                    insert(tx, &StoredPolicy { scope: Scope::Set, ..policy("member") })?;
                    policy_sets::insert(tx, &policy_set("s"))?;
                    policy_sets::add_member(tx, "s", "member")?;
                    policy_sets::apply(tx, "a", "s").map(drop)
                })
                .unwrap();
            let held = |id: &str| store.read(|c| held_sessions(c, id)).unwrap();
            assert_eq!((held("g"), held("own")), (vec!["a".to_string()], vec!["a".to_string()]));
            assert_eq!((held("member").len(), held("off").len()), (1, 0));
            let bytes = policy("x").rules.to_string().len();
            let (heads, taken) = store.read(|c| others(c, "g")).unwrap();
            assert_eq!((heads.len(), taken), (3, 3 * bytes));
            assert!(heads.iter().all(|h| h.id != "g" && h.name == format!("policy {}", h.id)));
            store.write(|tx| sessions::delete(tx, "a")).unwrap();
            assert_eq!(store.read(|c| get(c, "own")).unwrap(), None);
            assert!(store.write(|tx| delete(tx, "member")).unwrap());
            assert!(!store.write(|tx| delete(tx, "member")).unwrap());
            assert_eq!(store.read(policy_sets::memberships).unwrap(), []);
        });
    }
}
