//! Tests of the check against a forger: one who opens the database with plain SQLite, takes its
//! guards off, changes what he likes, makes every hash anew, and writes the head's file to fit.

use super::links::begin_with;
use super::*;
use crate::model::audit::{Asked, Report};
use crate::model::chain;
use crate::model::chain::{START, Secret};
use crate::store::Store;
use crate::store::audit::verify::verify;
use crate::store::tests::{put, space};
use std::fs;
use std::path::Path;
use std::path::PathBuf;

const ROWS: i64 = 12;

/// A log with a key from its second row on.
struct Log {
    root: PathBuf,
    path: PathBuf,
    secret: Secret,
}

impl Log {
    fn new(name: &str) -> Log {
        let root = space(&format!("forger-{name}"));
        let path = root.join("codepiper.db");
        let (store, secret) = (Store::open(&path).unwrap(), Secret::random().unwrap());
        begin_with(&store, &secret);
        let log = Log { root, path, secret };
        log.add(&store, 3..=ROWS);
        store.close().unwrap();
        log
    }

    fn add(&self, store: &Store, rows: std::ops::RangeInclusive<i64>) {
        for row in rows {
            let mut one = decision("a", &format!("r{row}"));
            one.reason = format!("the reason of row {row}");
            assert_eq!(store.write(move |tx| append(tx, &one)).unwrap(), row);
        }
        store.write(|tx| put(tx, "k")).unwrap();
    }

    fn check(&self, asked: &Asked) -> Report {
        verify(&self.path, asked).unwrap()
    }

    fn with_key(&self) -> Report {
        self.check(&Asked { secret: Some(self.secret.clone()), head: None })
    }

    /// Changes rows as a forger does. With `hide` every hash and the head's file are made anew.
    fn forge(&self, sql: &str, hide: bool) {
        let conn = Connection::open(&self.path).unwrap();
        let guards: Vec<String> = {
            let sql = "SELECT sql FROM sqlite_schema WHERE type = 'trigger'";
            let mut statement = conn.prepare(sql).unwrap();
            let found = statement.query_map([], |row| row.get(0)).unwrap();
            found.map(|sql| sql.unwrap()).collect()
        };
        for name in ["audit_no_update", "audit_no_delete", "audit_no_replace"] {
            conn.execute(&format!("DROP TRIGGER {name}"), []).unwrap();
        }
        conn.execute_batch(sql).unwrap();
        if hide {
            self.rehash(&conn);
        }
        conn.execute_batch(&guards.join(";")).unwrap();
    }

    fn rehash(&self, conn: &Connection) {
        let mut before = START;
        let mut last = 0;
        let count: i64 = conn.query_row("SELECT max(seq) FROM audit", [], |r| r.get(0)).unwrap();
        for seq in 1..=count {
            let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq = ?1");
            let hash = conn.query_row(&sql, [seq], |row| {
                let fields = (0..22).map(|at| match row.get_ref(at).unwrap() {
                    ValueRef::Null => chain::Field::Null,
                    ValueRef::Integer(number) => chain::Field::Integer(number),
                    ValueRef::Text(text) => chain::Field::Text(text),
                    ValueRef::Blob(bytes) => chain::Field::Bytes(bytes),
                    ValueRef::Real(_) => panic!("a real number"),
                });
                Ok(chain::hash(&before, fields))
            });
            let Ok(hash) = hash else { continue };
            conn.execute("UPDATE audit SET hash = ?1 WHERE seq = ?2", params![&hash[..], seq])
                .unwrap();
            (before, last) = (hash, seq);
        }
        let head = Head { seq: last, hash: before };
        fs::write(self.root.join("audit.head"), format!("{head}\n")).unwrap();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Moves rows from `seq` on by one place, up or down.
fn shift(from: i64, by: i64) -> String {
    format!(
        "UPDATE audit SET seq = -seq WHERE seq >= {from};
         UPDATE audit SET seq = -seq + {by} WHERE seq < 0;"
    )
}

const SWAP: &str =
    "UPDATE audit SET seq = -5 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6;
    UPDATE audit SET seq = 6 WHERE seq = -5;";

fn check(name: &str, sql: &str, what: &str, row: i64) {
    let log = Log::new(name);
    assert_eq!(log.with_key().findings, []);
    log.forge(sql, true);
    let report = log.with_key();
    let first = report.findings.first().unwrap_or_else(|| panic!("{name} was not noticed"));
    assert_eq!((first.what, first.seq), (what, row), "{name}: {:?}", report.findings);
}

#[test]
fn an_untouched_log_is_whole_with_and_without_its_key_and_while_it_is_written() {
    let log = Log::new("none");
    for asked in [
        Asked::default(),
        Asked { secret: Some(log.secret.clone()), head: None },
        Asked { secret: None, head: log.check(&Asked::default()).head },
    ] {
        let report = log.check(&asked);
        assert_eq!((report.findings, report.rows), (vec![], ROWS));
        assert_eq!(report.key, Some(log.secret.name()));
        assert_eq!(report.keyed, asked.secret.map(|_| (2, ROWS)));
    }
    let store = Store::open(&log.path).unwrap();
    let writer = store.clone();
    let busy = std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            for row in 0..200 {
                let one = decision("b", &format!("busy{row}"));
                writer.write(move |tx| append(tx, &one)).unwrap();
            }
        });
        while !busy.is_finished() {
            assert_eq!(log.with_key().findings, [], "rows are written meanwhile");
        }
        busy.join()
    });
    busy.unwrap();
    store.close().unwrap();
}

#[test]
fn who_makes_the_hashes_anew_is_found_by_the_key() {
    let edit = "UPDATE audit SET decision = 'allow' WHERE seq = 7";
    check("edited", edit, "edited", 7);
    check("before", "UPDATE audit SET reason = 'x' WHERE seq = 1", "edited", 2);
    check("time", "UPDATE audit SET at_ms = at_ms - 60000 WHERE seq = 12", "edited", 12);
    check("null", "UPDATE audit SET client = NULL WHERE seq = 9", "edited", 9);
    check("mark", "UPDATE audit SET mac = NULL WHERE seq = 9", "edited", 9);
    let delete = format!("DELETE FROM audit WHERE seq = 7; {}", shift(8, -1));
    check("deleted", &delete, "removed", 7);
    let insert = format!(
        "{} INSERT INTO audit SELECT 7, at_ms, boot_ms, boot_id, kind, session_id, 'forged', tool,
             args, args_sha256, cwd, call_id, agent_id, effects, policy, rule, policy_version,
             'allow', reason, decider, client, about, hash, mac FROM audit WHERE seq = 6;",
        shift(7, 1)
    );
    check("inserted", &insert, "inserted", 7);
    check("cut", "DELETE FROM audit WHERE seq > 9", "cut", 10);
    check("gap", "DELETE FROM audit WHERE seq = 7", "removed", 7);
}

#[test]
fn swapped_rows_are_told_by_their_times_or_as_edited() {
    let log = Log::new("swapped");
    let apart = "UPDATE audit SET boot_ms = boot_ms + seq * 1000;";
    log.forge(SWAP, true);
    let report = log.with_key();
    assert_eq!((report.findings[0].what, report.findings[0].seq), ("edited", 5));
    let log = Log::new("swapped-late");
    log.forge(&format!("{apart} {SWAP}"), true);
    let report = log.with_key();
    let reordered = report.findings.iter().find(|f| f.what == "reordered");
    assert_eq!(reordered.map(|f| f.seq), Some(6), "{:?}", report.findings);
}

#[test]
fn who_does_not_is_found_without_a_key_too() {
    for (sql, what, row) in [
        ("UPDATE audit SET decision = 'allow' WHERE seq = 7", "edited", 7),
        ("DELETE FROM audit WHERE seq = 7", "removed", 7),
        ("DELETE FROM audit WHERE seq > 9", "cut", 10),
        ("DELETE FROM audit WHERE seq < 4", "removed", 1),
        ("DELETE FROM audit", "removed", 1),
        (SWAP, "edited", 5),
    ] {
        let log = Log::new("plain");
        log.forge(sql, false);
        let report = log.check(&Asked::default());
        let first = report.findings.first().unwrap_or_else(|| panic!("{sql} was not noticed"));
        assert_eq!((first.what, first.seq), (what, row), "{sql}: {:?}", report.findings);
    }
}

#[test]
fn an_older_database_is_found_by_the_key_and_a_whole_older_directory_by_a_noted_head() {
    let log = Log::new("older");
    let old: Vec<(PathBuf, Vec<u8>)> = ["codepiper.db", "audit.key", "audit.head"]
        .map(|name| log.root.join(name))
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .into();
    let store = Store::open(&log.path).unwrap();
    log.add(&store, ROWS + 1..=ROWS + 5);
    store.close().unwrap();
    let noted = log.with_key().head;
    let put_back = |names: &[&str]| {
        for (path, bytes) in &old {
            if names.contains(&path.file_name().unwrap().to_str().unwrap()) {
                fs::write(path, bytes).unwrap();
            }
        }
    };
    put_back(&["codepiper.db", "audit.head"]);
    let report = log.with_key();
    assert_eq!((report.findings[0].what, report.findings[0].seq), ("cut", ROWS + 1));
    put_back(&["audit.key"]);
    assert_eq!(log.with_key().findings, [], "nothing inside the directory can tell");
    let asked = Asked { secret: Some(log.secret.clone()), head: noted };
    assert_eq!(log.check(&asked).findings[0].what, "cut");
}

#[test]
fn a_changed_key_file_or_a_key_of_the_forgers_own_does_not_help() {
    let key = |log: &Log| log.root.join("audit.key");
    let cut = "DELETE FROM audit WHERE seq > 9";
    // The number in the file made to fit: the key itself tells which row it is for.
    let log = Log::new("number");
    log.forge(cut, true);
    let text = fs::read_to_string(key(&log)).unwrap();
    fs::write(key(&log), text.replace("0013 ", "0010 ")).unwrap();
    assert_eq!(log.with_key().findings[0].what, "cut");
    let log = Log::new("gone");
    log.forge(cut, true);
    fs::remove_file(key(&log)).unwrap();
    assert_eq!(log.with_key().findings[0].what, "key");
    assert_eq!(log.check(&Asked::default()).findings[0].what, "key");
    // A key of his own from the cut on, begun by the program itself.
    let log = Log::new("own");
    log.forge(cut, true);
    fs::remove_file(key(&log)).unwrap();
    let store = Store::open(&log.path).unwrap();
    begin_with(&store, &Secret::random().unwrap());
    store.close().unwrap();
    let report = log.with_key();
    assert_eq!((report.findings[0].what, report.findings[0].seq), ("cut", 10));
}

#[test]
fn a_key_that_has_ended_speaks_for_its_rows_and_a_foreign_one_for_none() {
    let log = Log::new("ended");
    let store = Store::open(&log.path).unwrap();
    let next = Secret::random().unwrap();
    begin_with(&store, &next);
    store.write(|tx| append(tx, &decision("a", "late"))).unwrap();
    store.close().unwrap();
    let report = log.with_key();
    assert_eq!((report.findings, report.keyed), (vec![], Some((2, ROWS + 1))));
    let of = |secret| Asked { secret: Some(secret), head: None };
    assert_eq!(log.check(&of(next)).keyed, Some((ROWS + 2, ROWS + 3)));
    let foreign = log.check(&of(Secret::random().unwrap()));
    assert_eq!((foreign.findings[0].what, foreign.keyed), ("key", None));
}

#[test]
fn missing_guards_and_missing_databases_are_told() {
    let log = Log::new("guards");
    let conn = Connection::open(&log.path).unwrap();
    conn.execute("DROP TRIGGER audit_no_update", []).unwrap();
    drop(conn);
    assert_eq!(log.check(&Asked::default()).findings[0].what, "unguarded");
    let error = verify(Path::new("/nonexistent/codepiper.db"), &Asked::default()).unwrap_err();
    assert_eq!(error.code, Code::NotFound);
}
