//! The schema's versions: numbered steps from each one to the next, a backup before the first.

use crate::base::error::{Context, Error, Result};
use crate::store::fault::{Health, beside};
use crate::store::file;
use crate::store::steps::STEPS;
use crate::store::steps::Step;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

/// A fresh database.
pub(super) const SCHEMA: &str = include_str!("../../schema.sql");

/// The version that `steps` end at.
pub(super) fn version_after(steps: &[Step]) -> i32 {
    1 + steps.len() as i32
}

/// Refuses a version that this program does not know.
pub(super) fn check_version(path: &Path, version: i32) -> Result<()> {
    let known = version_after(STEPS);
    if version > known {
        return Err(Error::conflict(format!(
            "{} has schema version {version}, this codepiper knows up to {known}; use a newer \
             codepiper",
            path.display()
        )));
    }
    Ok(())
}

/// Refuses a version that is not the newest: only a daemon brings an older one there.
pub(super) fn current(path: &Path, version: i32) -> Result<()> {
    check_version(path, version)?;
    let known = version_after(STEPS);
    match version == known {
        true => Ok(()),
        false => Err(Error::conflict(format!(
            "{} has schema version {version} and not {known} yet; start the daemon once",
            path.display()
        ))),
    }
}

/// Brings a database to the newest version. Where there is something to do, a copy of it is kept
/// as `<name>.v<N>.bak` first; without that copy nothing is changed.
pub(super) fn run(health: &Health, from: i32, steps: &[Step]) -> Result<()> {
    if from >= version_after(steps) {
        return Ok(());
    }
    let path = health.path();
    let Some(due) = usize::try_from(from - 1).ok().and_then(|done| steps.get(done..)) else {
        return Err(Error::conflict(format!(
            "{} has schema version {from}, which no codepiper ever made; move it aside",
            path.display()
        )));
    };
    let opened = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let conn = health.wrap(opened, &format!("cannot open {}", path.display()))?;
    backup(health, &conn, from)?;
    for (step, version) in due.iter().zip(from + 1..) {
        health.wrap(
            apply(&conn, step, version),
            &format!(
                "cannot bring {} to schema version {version}; it is as it was, the backup is {}",
                path.display(),
                backup_path(path, from).display()
            ),
        )?;
        log::info!("brought {} to schema version {version}", path.display());
    }
    // The file's head tells its version to whoever looks at it without the log.
    let folded = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    health.wrap(folded, "cannot fold the write-ahead log into the database")
}

fn apply(conn: &Connection, step: &Step, version: i32) -> rusqlite::Result<()> {
    conn.execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=FULL")?;
    let tx = conn.unchecked_transaction()?;
    tx.execute_batch(step.sql)?;
    (step.carry)(&tx)?;
    tx.execute_batch(step.then)?;
    if tx.prepare("PRAGMA foreign_key_check")?.exists([])? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
        let text = "the step leaves rows that point nowhere".to_string();
        return Err(rusqlite::Error::SqliteFailure(code, Some(text)));
    }
    tx.pragma_update(None, "user_version", version)?;
    tx.commit()
}

fn backup_path(path: &Path, version: i32) -> PathBuf {
    beside(path, &format!(".v{version}.bak"))
}

/// Copies the database as it is now. SQLite does not sync the copy, so that is done here, before it
/// gets its name.
fn backup(health: &Health, conn: &Connection, version: i32) -> Result<()> {
    let target = backup_path(health.path(), version);
    let new = beside(&target, ".new");
    let cannot = || {
        let path = health.path().display();
        format!("cannot back {path} up to {}, so it was not changed", target.display())
    };
    let copy = || -> Result<()> {
        file::empty(&new)?;
        let name = new.to_str().ok_or_else(|| Error::invalid("the path is not UTF-8"))?;
        health.wrap(conn.execute("VACUUM INTO ?1", [name]).map(|_| ()), &cannot())?;
        let placed = File::open(&new).and_then(|f| f.sync_all());
        placed.and_then(|()| fs::rename(&new, &target)).internal(cannot)
    };
    let copied = copy();
    if copied.is_err() {
        let _ = fs::remove_file(&new);
    }
    copied
}

/// Version and shape of an open database: each table, index and trigger with its SQL, brought to
/// one form.
pub(super) fn shape(conn: &Connection) -> rusqlite::Result<(i32, BTreeMap<String, String>)> {
    let version = conn.pragma_query_value(None, "user_version", |r| r.get(0))?;
    let mut statement = conn.prepare(
        "SELECT type || ' ' || name, sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, normal(&r.get::<_, String>(1)?))))?;
    Ok((version, rows.collect::<rusqlite::Result<_>>()?))
}

/// What is missing from a database of the newest version, or is not as schema.sql has it. What a
/// user has added (an index, statistics) is no damage.
pub(super) fn missing(conn: &Connection) -> Result<Option<String>> {
    let cannot = || "cannot read the schema".to_string();
    let (_, is) = shape(conn).internal(cannot)?;
    let memory = Connection::open_in_memory().internal(cannot)?;
    memory.execute_batch(SCHEMA).internal(cannot)?;
    let (_, should) = shape(&memory).internal(cannot)?;
    let wrong = should.iter().filter_map(|(name, sql)| match is.get(name) {
        None => Some(format!("the {name} is missing")),
        Some(other) if other != sql => Some(format!("the {name} is not as it should be")),
        Some(_) => None,
    });
    let wrong: Vec<_> = wrong.collect();
    Ok((!wrong.is_empty()).then(|| wrong.join(", ")))
}

/// SQL without comments and without the white space that means nothing, so that a reworded comment
/// or an ALTER's own layout makes no difference.
fn normal(sql: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    let (mut quoted, mut space) = (false, false);
    while let Some(c) = chars.next() {
        if !quoted && c == '-' && chars.peek() == Some(&'-') {
            chars.by_ref().find(|c| *c == '\n');
            space = true;
        } else if !quoted && c.is_whitespace() {
            space = true;
        } else {
            if space && word(c) && out.ends_with(word) {
                out.push(' ');
            }
            space = false;
            quoted ^= c == '\'';
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use crate::model::policy::Scope;
    use crate::store::Store;
    use crate::store::policies;
    use crate::store::settings;
    use crate::store::tests::space;

    /// A database as the first release made it.
    fn shipped(path: &Path) -> Connection {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch("PRAGMA journal_mode=WAL").unwrap();
        conn.execute_batch(include_str!("../../tests/data/schema/v1.sql")).unwrap();
        conn.execute("INSERT INTO settings VALUES ('kept', '1')", []).unwrap();
        conn
    }

    fn version(path: &Path) -> i32 {
        shape(&Connection::open(path).unwrap()).unwrap().0
    }

    #[test]
    fn both_roads_end_at_the_same_schema() {
        let root = space("roads");
        let health = Health::new(&root.join("codepiper.db"));
        drop(shipped(health.path()));
        run(&health, 1, STEPS).unwrap();
        let old = Connection::open(health.path()).unwrap();
        let fresh = Connection::open_in_memory().unwrap();
        fresh.execute_batch(SCHEMA).unwrap();
        let (old, fresh) = (shape(&old).unwrap(), shape(&fresh).unwrap());
        assert_eq!(old, fresh);
        assert_eq!(fresh.0, version_after(STEPS));
        assert!(fresh.1.len() >= 9, "{fresh:?}");
        let id = file::APPLICATION_ID;
        assert!(SCHEMA.contains(&format!("PRAGMA application_id = {id};")));
        let store = Store::open(health.path()).unwrap();
        assert!(store.read(|c| settings::get(c, "kept")).unwrap().is_some());
        store.close().unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn rules_in_the_old_setting_become_a_global_policy() {
        let rules = r#"[{"action":"deny","tool":"Bash"}]"#;
        let stored = [(Some(rules), true), (Some("\"none\""), false), (None, false)];
        for (at, (setting, wanted)) in stored.into_iter().enumerate() {
            let root = space(&format!("setting-{at}"));
            let path = root.join("codepiper.db");
            let old = shipped(&path);
            if let Some(value) = setting {
                let sql = "INSERT INTO settings VALUES ('policy', ?1)";
                old.execute(sql, [value]).unwrap();
            }
            drop(old);
            let store = Store::open(&path).unwrap();
            assert_eq!(store.read(|c| settings::get(c, "policy")).unwrap(), None);
            let all = store.read(policies::list).unwrap();
            assert_eq!(all.len(), usize::from(wanted), "{setting:?}");
            for one in all {
                assert_eq!((one.id.as_str(), one.name.as_str()), ("settings", "settings"));
                assert_eq!((one.enabled, one.version), (true, 1));
                assert_eq!(one.scope, Scope::Global);
                assert_eq!(one.rules.to_string(), rules);
                assert!(one.created_ms > 1_700_000_000_000, "{}", one.created_ms);
            }
            store.close().unwrap();
            fs::remove_dir_all(root).unwrap();
        }
    }

    #[test]
    fn steps_run_in_order_after_a_backup() {
        let root = space("steps");
        let health = Health::new(&root.join("codepiper.db"));
        // Left open: the last writes are in the log only, and belong into the backup too.
        let open = shipped(health.path());
        let steps = [
            Step::sql(
                "ALTER TABLE settings ADD COLUMN made_ms INTEGER; UPDATE settings SET made_ms = 2",
            ),
            Step::sql(
                "UPDATE settings SET made_ms = made_ms * 10; CREATE TABLE extra (a TEXT) STRICT",
            ),
            Step::sql("CREATE TABLE more (a TEXT) STRICT"),
            Step::sql("CREATE TABLE most (a TEXT) STRICT"),
            // One more than there are: a version that this program does not know.
            Step::sql("CREATE TABLE last (a TEXT) STRICT"),
        ];
        run(&health, 1, &steps).unwrap();
        drop(open);
        assert_eq!(version(health.path()), version_after(&steps));
        let conn = Connection::open(health.path()).unwrap();
        let made = "SELECT made_ms FROM settings";
        assert_eq!(conn.query_row(made, [], |r| r.get::<_, i64>(0)).unwrap(), 20);
        let backup = root.join("codepiper.db.v1.bak");
        assert_eq!(version(&backup), 1);
        let store = Store::open(&backup).unwrap();
        assert!(store.read(|c| settings::get(c, "kept")).unwrap().is_some());
        store.close().unwrap();
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&backup.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(file::look(health.path()).unwrap_err().code, Code::Conflict);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_failing_step_leaves_the_database_as_it_was() {
        let root = space("failing");
        let health = Health::new(&root.join("codepiper.db"));
        drop(shipped(health.path()));
        let bad = [
            "CREATE TABLE half (a TEXT) STRICT; INSERT INTO nowhere VALUES (1)",
            "CREATE TABLE half (a TEXT) STRICT;
             INSERT INTO events (session_id, at_ms, source, kind, payload)
             VALUES ('gone', 1, 'hook', 'x', '{}')",
        ];
        for step in bad {
            let error = run(&health, 1, &[Step::sql(step)]).unwrap_err();
            assert!(error.message.contains("it is as it was, the backup is"), "{error}");
            assert_eq!(version(health.path()), 1);
            let conn = Connection::open(health.path()).unwrap();
            assert!(!shape(&conn).unwrap().1.contains_key("table half"));
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn without_a_backup_nothing_is_changed() {
        let root = space("nobackup");
        let health = Health::new(&root.join("codepiper.db"));
        drop(shipped(health.path()));
        fs::create_dir(root.join("codepiper.db.v1.bak.new")).unwrap();
        let error = run(&health, 1, &[Step::sql("CREATE TABLE extra (a TEXT)")]).unwrap_err();
        assert!(error.message.contains("codepiper.db"), "{error}");
        assert_eq!(version(health.path()), 1);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn comments_and_layout_make_no_difference_and_words_do() {
        assert_eq!(normal("CREATE TABLE  a (b, -- c\n d )"), "CREATE TABLE a(b,d)");
        assert_eq!(normal("x '-- no  comment' y"), "x'-- no  comment'y");
        assert_ne!(normal("a b"), normal("ab"));
    }
}
