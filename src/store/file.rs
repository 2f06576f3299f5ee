//! The database file: what stands at its path, how it is born, and how connections to it are made.
//!
//! 1. A file that is not ours MUST NOT be written to, not even by SQLite's recovery: it is judged
//!    by its first bytes before SQLite opens it.
//! 2. The database and what SQLite puts beside it MUST have mode 0600 from their first instant.
//!    (SQLite gives its side files the mode of the database.)

use crate::base::error::{Context, Error, Result};
use crate::limits;
use crate::store::audit::chain;
use crate::store::audit::chain::Chain;
use crate::store::fault::{Health, beside};
use crate::store::migrate;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// `PRAGMA application_id` of our databases; schema.sql has the same number.
pub(super) const APPLICATION_ID: i32 = 0x6370_6970;

/// The fixed head of every SQLite file (https://sqlite.org/fileformat2.html, 1.3).
const HEAD_BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What stands at the database's path.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// A database of ours, of this version or an older one.
    Ours,
    /// Something that should be a database and is not.
    Damaged(String),
}

/// Looks at the path without opening a database. Another program's database and one of a newer
/// codepiper are errors: both are fine where they are, and not for us.
pub(super) fn look(path: &Path) -> Result<Found> {
    let shown = path.display();
    let cannot = || format!("cannot look at {shown}");
    let log_left = fs::metadata(beside(path, "-wal")).is_ok_and(|m| m.len() > 0);
    let size = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => return Err(Error::conflict(format!("{shown} is not a file; move it aside"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
        Err(e) => return Err(e).internal(cannot),
    };
    if size == 0 && log_left {
        // SQLite would take the log for a stale one and delete it, even to read.
        return Ok(Found::Damaged("it is missing or empty while its -wal is not".into()));
    }
    if size == 0 {
        return Ok(Found::Nothing);
    }
    let mut head = [0; HEAD_BYTES];
    let read = File::open(path).and_then(|mut f| f.read_exact(&mut head));
    match read {
        Ok(()) if head.starts_with(MAGIC) => {}
        Ok(()) => return Ok(Found::Damaged("it is not an SQLite database".into())),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Ok(Found::Damaged("it is cut off".into()));
        }
        Err(e) => return Err(e).internal(cannot),
    }
    let number = |at| i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (version, application) = (number(60), number(68));
    if application != APPLICATION_ID {
        return Err(foreign(path, application));
    }
    migrate::check_version(path, version)?;
    Ok(Found::Ours)
}

fn foreign(path: &Path, application: i32) -> Error {
    let shown = path.display();
    let whose = match application {
        0 => "another program, perhaps the original codepiper".to_string(),
        id => format!("another program (application id {id:#010x})"),
    };
    Error::conflict(format!(
        "{shown} is a database of {whose}; it was not touched; move it aside: \
         mv {shown} {shown}.original"
    ))
}

/// Makes an empty database at `path`: built beside it and renamed, so that it is whole or absent.
pub(super) fn create(health: &Health) -> Result<()> {
    let path = health.path();
    let new = beside(path, ".new");
    let built = build(health, &new);
    if built.is_err() {
        let _ = fs::remove_file(&new);
    }
    built
}

fn build(health: &Health, new: &Path) -> Result<()> {
    let path = health.path();
    let cannot = || format!("cannot create {}", path.display());
    empty(new)?;
    let made = connect(new, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|conn| {
        // Syncing the finished file once below is enough: until then nobody knows it.
        conn.execute_batch("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; BEGIN")?;
        conn.execute_batch(migrate::SCHEMA)?;
        chain::begin(&conn, &mut Chain::START.clone())?;
        conn.execute_batch("COMMIT; PRAGMA journal_mode=WAL")?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        conn.close().map_err(|(_, e)| e)
    });
    health.wrap(made, &cannot())?;
    let place = || {
        File::open(new)?.sync_all()?;
        fs::rename(new, path)?;
        match path.parent().filter(|p| !p.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    };
    place().internal(cannot)
}

/// An empty private file, in place of one that an interrupted attempt has left.
pub(super) fn empty(path: &Path) -> Result<()> {
    let cannot = || format!("cannot create {}", path.display());
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).internal(cannot)?,
        _ => {}
    }
    let made = File::options().write(true).create_new(true).mode(0o600).open(path);
    made.map(|_| ()).internal(cannot)
}

/// A connection with what every one of ours needs. No mutex: each is used by one thread at a time.
pub(super) fn connect(path: &Path, mode: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(limits::DB_BUSY)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // A connection that finds damage and is dropped must not write the log into the file.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    let cache = limits::DB_CACHE_KIB;
    conn.execute_batch(&format!(
        "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-{cache}"
    ))?;
    Ok(conn)
}

/// A connection that cannot write.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.execute_batch("PRAGMA query_only=ON")?;
    Ok(conn)
}

/// The connection for the writer thread: WAL, every commit synced, triggers that also see REPLACE.
pub(super) fn connect_writer(path: &Path) -> rusqlite::Result<Connection> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;
         PRAGMA recursive_triggers=ON",
    )?;
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;
    use crate::store::Store;
    use crate::store::events;
    use crate::store::sessions;
    use crate::store::tests::{bare, event, keys, put, session, space};
    use crate::store::tx::Tx;
    use std::os::unix::fs::FileExt;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_private_from_birth_and_leave_no_traces() {
        let root = space("born");
        let health = Health::new(&root.join("codepiper.db"));
        fs::write(root.join("codepiper.db.new"), "left by a crash").unwrap();
        create(&health).unwrap();
        let writer = connect_writer(health.path()).unwrap();
        writer.execute("INSERT INTO settings VALUES ('a', '1')", []).unwrap();
        let mut seen = Vec::new();
        for entry in fs::read_dir(&root).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
            seen.push(entry.file_name().into_string().unwrap());
        }
        seen.sort();
        assert_eq!(seen, ["codepiper.db", "codepiper.db-shm", "codepiper.db-wal"]);
        let pragma = |name| writer.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).unwrap();
        assert_eq!(pragma("synchronous"), 2);
        assert_eq!(pragma("foreign_keys"), 1);
        assert_eq!(pragma("recursive_triggers"), 1);
        assert_eq!(pragma("trusted_schema"), 0);
        drop(writer);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_not_ours_is_told_apart_without_opening_it() {
        let root = space("look");
        let path = root.join("codepiper.db");
        let damaged = |text: &str| Found::Damaged(text.to_string());
        assert_eq!(look(&path).unwrap(), Found::Nothing);
        fs::write(&path, "").unwrap();
        assert_eq!(look(&path).unwrap(), Found::Nothing);
        fs::write(root.join("codepiper.db-wal"), "x").unwrap();
        assert_eq!(look(&path).unwrap(), damaged("it is missing or empty while its -wal is not"));
        fs::write(&path, "short").unwrap();
        assert_eq!(look(&path).unwrap(), damaged("it is cut off"));
        fs::write(&path, [b'x'; 5000]).unwrap();
        assert_eq!(look(&path).unwrap(), damaged("it is not an SQLite database"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(look(&path).unwrap_err().message.contains("not a file"));
        fs::remove_dir_all(root).unwrap();
    }

    /// Checks that a store says it is damaged, and lets nothing be written.
    fn check_damaged(store: &Store, path: &Path, what: &str) {
        let damage = store.damage().unwrap();
        assert!(damage.contains(what), "{what}: {damage}");
        for part in [path.to_str().unwrap(), "running sessions go on", "aside"] {
            assert!(damage.contains(part), "{part}: {damage}");
        }
        let error = store.write(|tx| put(tx, "a")).unwrap_err();
        assert_eq!((error.code, error.message), (Code::Denied, damage));
    }

    #[test]
    fn what_is_no_database_opens_read_only_and_is_left_alone() {
        let root = space("nodb");
        let path = root.join("codepiper.db");
        fs::write(root.join("codepiper.db.v3.bak"), "").unwrap();
        fs::write(root.join("codepiper.db.v12.bak"), "").unwrap();
        let torn = [&b"SQLite format 3\0"[..], &[0xff; 44], &[0, 0, 0, 1, 0, 0, 0, 0]].concat();
        let torn = [torn, APPLICATION_ID.to_be_bytes().to_vec(), vec![0xff; 4000]].concat();
        let what = ["not an SQLite database", "file is not a database"];
        for (bytes, what) in [vec![b'x'; 5000], torn].into_iter().zip(what) {
            fs::write(&path, &bytes).unwrap();
            let store = Store::open(&path).unwrap();
            check_damaged(&store, &path, what);
            assert!(store.damage().unwrap().contains("codepiper.db.v12.bak"), "the newest backup");
            assert_eq!(store.read(sessions::list).unwrap_err().code, Code::Denied);
            assert_eq!(store.check().unwrap_err().code, Code::Denied);
            store.close().unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_log_without_its_database_is_not_thrown_away() {
        let root = space("lostdb");
        let path = root.join("codepiper.db");
        let log = root.join("codepiper.db-wal");
        for start_over in [false, true] {
            let store = Store::open(&path).unwrap();
            store.write(|tx| put(tx, "a")).unwrap();
            let bytes = fs::read(&log).unwrap();
            store.close().unwrap();
            fs::write(&log, &bytes).unwrap();
            fs::remove_file(&path).unwrap();
            if start_over {
                fs::write(&path, "").unwrap();
            }
            let store = Store::open(&path).unwrap();
            check_damaged(&store, &path, "missing or empty while its -wal is not");
            assert_eq!(store.read(sessions::list).unwrap_err().code, Code::Denied);
            store.close().unwrap();
            assert_eq!(fs::read(&log).unwrap(), bytes);
            fs::remove_file(&log).unwrap();
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_missing_table_or_trigger_is_damage_and_the_rest_can_be_read() {
        for (name, sql, what) in [
            ("table", "DROP TABLE events", "the table events is missing"),
            ("trigger", "DROP TRIGGER audit_no_delete", "the trigger audit_no_delete is"),
            (
                "other",
                "ALTER TABLE settings ADD COLUMN x ANY",
                "the table settings is not as it should",
            ),
        ] {
            let (_, conn, root) = bare(&format!("lacks-{name}"));
            conn.execute("INSERT INTO settings (key, value) VALUES ('k', '1')", []).unwrap();
            conn.execute_batch(sql).unwrap();
            drop(conn);
            let path = root.join("codepiper.db");
            let store = Store::open(&path).unwrap();
            check_damaged(&store, &path, what);
            assert_eq!(keys(&store), ["k"]);
            if name == "table" {
                let page = crate::model::event::Page::newest("a", 1);
                let error = store.read(|c| events::page(c, &page)).unwrap_err();
                assert_eq!((error.code, Some(error.message)), (Code::Denied, store.damage()));
            }
            store.close().unwrap();
            fs::remove_dir_all(root).unwrap();
        }
    }

    #[test]
    fn damage_inside_is_found_by_the_check_and_stops_writes() {
        let root = space("inside");
        let path = root.join("codepiper.db");
        let store = Store::open(&path).unwrap();
        let fill = |tx: &Tx<'_>| {
            sessions::insert(tx, &session("a"))?;
            (0..2000).try_for_each(|_| events::append(tx, &event("a", "x")).map(|_| ()))
        };
        store.write(fill).unwrap();
        store.check().unwrap();
        store.close().unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let middle = file.metadata().unwrap().len() / 8192 * 4096;
        file.write_all_at(&[0xa5; 8192], middle).unwrap();
        let store = Store::open(&path).unwrap();
        assert_eq!(store.damage(), None, "opening does not read it all");
        let error = store.check().unwrap_err();
        assert_eq!((error.code, Some(error.message)), (Code::Denied, store.damage()));
        check_damaged(&store, &path, "is damaged");
        assert_eq!(store.read(sessions::list).unwrap().len(), 1, "what can be read is shown");
        store.close().unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn databases_that_are_not_for_us_are_refused_and_not_touched() {
        let original = "CREATE TABLE sessions (id TEXT PRIMARY KEY, provider TEXT, status TEXT)";
        let other = "CREATE TABLE t (a); PRAGMA application_id = 42";
        let newer = format!("{}; PRAGMA user_version = 99", migrate::SCHEMA);
        for (name, sql, part) in [
            ("original", original, "perhaps the original codepiper"),
            ("other", other, "application id 0x0000002a"),
            ("newer", &newer, "schema version 99, this codepiper knows up to 5; use a newer"),
        ] {
            let root = space(&format!("refused-{name}"));
            let path = root.join("codepiper.db");
            let conn = Connection::open(&path).unwrap();
            conn.execute_batch(&format!("PRAGMA journal_mode=WAL; {sql}")).unwrap();
            drop(conn);
            let before = fs::read(&path).unwrap();
            let error = Store::open(&path).err().unwrap();
            assert_eq!(error.code, Code::Conflict);
            assert!(error.message.contains(part), "{error}");
            assert!(error.message.contains(path.to_str().unwrap()), "{error}");
            assert_eq!(fs::read(&path).unwrap(), before);
            assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
            fs::remove_dir_all(root).unwrap();
        }
    }
}
