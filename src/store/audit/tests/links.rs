//! Tests of the chain: its state over failing writes, its key over restarts, old databases.

use super::*;
use crate::base::error::Error;
use crate::model::chain;
use crate::model::chain::START;
use crate::store::Store;
use crate::store::audit::beside::KeptKey;
use crate::store::tests::{put, space, together};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

/// Walks the rows as anybody could who knows the form: each hash fits, and each mark from the
/// secret's epoch on. Gives the number of rows.
pub fn walk(path: &Path, secret: Option<&Secret>) -> i64 {
    let conn = Connection::open(path).unwrap();
    let mut statement = conn.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq")).unwrap();
    let mut found = statement.query([]).unwrap();
    let (mut before, mut key, mut count) = (START, None, 0);
    while let Some(row) = found.next().unwrap() {
        count += 1;
        assert_eq!(row.get::<_, i64>(0).unwrap(), count);
        let fields = (0..22).map(|at| match row.get_ref(at).unwrap() {
            ValueRef::Null => chain::Field::Null,
            ValueRef::Integer(number) => chain::Field::Integer(number),
            ValueRef::Text(text) => chain::Field::Text(text),
            ValueRef::Blob(bytes) => chain::Field::Bytes(bytes),
            ValueRef::Real(_) => panic!("a real number"),
        });
        let hash = chain::hash(&before, fields);
        assert_eq!(row.get::<_, [u8; 32]>(22).unwrap(), hash, "row {count}");
        let args: Option<String> = row.get(8).unwrap();
        if let Some(secret) = secret
            && args.unwrap_or_default().contains(&format!("\"begins\":\"{}\"", secret.name()))
        {
            key = Some(secret.first_key());
        }
        let mac: Option<[u8; 32]> = row.get(23).unwrap();
        if secret.is_some() {
            assert_eq!(mac, key.map(|key: chain::Key| key.mac(&hash)), "row {count}");
        }
        key = key.map(|key| key.next());
        before = hash;
    }
    count
}

fn kept(path: &Path) -> (KeptKey, Head) {
    let beside = Beside::of(path);
    (beside.kept_key().unwrap(), beside.head().unwrap())
}

pub fn begin_with(store: &Store, secret: &Secret) -> i64 {
    let secret = secret.clone();
    store.write(move |tx| begin_key(tx, &secret, 1, Some("cli pid 1 (codepiper)"))).unwrap()
}

#[test]
fn writes_that_fail_leave_the_chain_and_the_key_as_they_were() {
    let root = space("audit-chain");
    let path = root.join("codepiper.db");
    let store = Store::open(&path).unwrap();
    let secret = Secret::random().unwrap();
    assert_eq!(begin_with(&store, &secret), 2);
    static NEXT: AtomicI64 = AtomicI64::new(0);
    fn one(tx: &Tx<'_>) -> Result<()> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        append(tx, &decision("a", &format!("r{number}"))).map(drop)
    }
    for _ in 0..3 {
        let told = together(
            &store,
            vec![
                one,
                |tx| one(tx).and(Err(Error::invalid("changed my mind"))),
                |tx| one(tx).and_then(|()| one(tx)),
                |tx| {
                    one(tx)?;
                    panic!("on purpose")
                },
                |tx| append(tx, &decision("a", "r0")).map(drop),
                |tx| put(tx, "k"),
                one,
            ],
        );
        let failed: Vec<bool> = told.iter().map(Result::is_err).collect();
        // The first round's r0 was stored just before; later rounds meet it too.
        assert_eq!(failed, [false, true, false, true, true, false, false]);
    }
    // A transaction that is lost as a whole takes its rows with it.
    let told = together(
        &store,
        vec![one, |tx| tx.execute_batch("ROLLBACK").internal(|| "cannot".into()), one],
    );
    assert!(told[0].is_err() && told[1].is_err() && told[2].is_ok());
    assert_eq!(walk(&path, Some(&secret)), 2 + 3 * 4 + 1);
    store.close().unwrap();
    let (key, head) = kept(&path);
    assert_eq!((key.seq, head.seq), (16, 15));
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_key_goes_on_over_restarts_also_when_its_file_is_behind() {
    let root = space("audit-restart");
    let path = root.join("codepiper.db");
    let (first, second) = (Secret::random().unwrap(), Secret::random().unwrap());
    let store = Store::open(&path).unwrap();
    begin_with(&store, &first);
    // The files are written after the answer, and before the next write.
    store.write(|tx| put(tx, "k")).unwrap();
    let behind = fs::read(root.join("audit.key")).unwrap();
    for number in 0..5 {
        let one = decision("a", &format!("r{number}"));
        store.write(move |tx| append(tx, &one)).unwrap();
    }
    store.close().unwrap();
    // As after a power cut: the rows are there, the key's file was not synced.
    fs::write(root.join("audit.key"), behind).unwrap();
    let store = Store::open(&path).unwrap();
    store.write(|tx| append(tx, &decision("a", "r9"))).unwrap();
    assert_eq!(walk(&path, Some(&first)), 8);
    assert_eq!(begin_with(&store, &second), 10);
    store.write(|tx| append(tx, &decision("a", "r10"))).unwrap();
    let ends = store.read(|c| get(c, 9)).unwrap().unwrap();
    assert_eq!(ends.entry.details, Some(json!({"ends": first.name()})));
    assert!(ends.mac.is_some(), "a key's last row is marked with it");
    store.close().unwrap();
    let (key, _) = kept(&path);
    assert_eq!((key.seq, key.name), (12, second.name()));
    assert!(!root.join("audit.key.new").exists());
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_key_that_was_saved_and_not_yet_in_force_is_found_at_the_next_start() {
    let root = space("audit-halfway");
    let path = root.join("codepiper.db");
    let (first, second) = (Secret::random().unwrap(), Secret::random().unwrap());
    let store = Store::open(&path).unwrap();
    begin_with(&store, &first);
    store.write(|tx| put(tx, "k")).unwrap();
    let old = fs::read(root.join("audit.key")).unwrap();
    begin_with(&store, &second);
    store.close().unwrap();
    // Killed between the commit and the rename.
    fs::rename(root.join("audit.key"), root.join("audit.key.new")).unwrap();
    fs::write(root.join("audit.key"), old).unwrap();
    let store = Store::open(&path).unwrap();
    store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
    store.close().unwrap();
    walk(&path, None);
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn without_its_key_nothing_is_recorded_until_a_new_one_begins() {
    let root = space("audit-lost");
    let path = root.join("codepiper.db");
    let secret = Secret::random().unwrap();
    let store = Store::open(&path).unwrap();
    begin_with(&store, &secret);
    store.close().unwrap();
    let file = root.join("audit.key");
    let good = fs::read_to_string(&file).unwrap();
    let later = good.replace("00003 ", "00009 ");
    let other = good.replace(&secret.name(), "0123456789abcdef");
    for (text, why) in [
        (None, "is missing"),
        (Some("x"), "is damaged"),
        (Some(later.as_str()), "rows are gone, or this is an older database"),
        (Some(other.as_str()), "is not the key of the audit log"),
    ] {
        fs::remove_file(&file).ok();
        if let Some(text) = text {
            fs::write(&file, text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&file, mode).unwrap();
        }
        let store = Store::open(&path).unwrap();
        let error = store.write(|tx| append(tx, &decision("a", "r1"))).unwrap_err();
        assert_eq!(error.code, Code::Denied);
        for part in [why, "nothing is decided", "codepiper audit key"] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
        store.write(|tx| put(tx, "k")).unwrap();
        assert_eq!(store.read(count).unwrap(), 2);
        store.close().unwrap();
    }
    let store = Store::open(&path).unwrap();
    let next = Secret::random().unwrap();
    assert_eq!(begin_with(&store, &next), 3);
    let begun = store.read(|c| get(c, 3)).unwrap().unwrap();
    assert!(begun.entry.reason.contains("the one before is lost"), "{}", begun.entry.reason);
    store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
    store.close().unwrap();
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn an_end_that_is_gone_or_rewritten_raises_an_alarm_at_the_next_start() {
    let root = space("audit-ends");
    let path = root.join("codepiper.db");
    let store = Store::open(&path).unwrap();
    store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
    store.write(|tx| append(tx, &decision("a", "r2"))).unwrap();
    store.close().unwrap();
    let check = |sql: &str, why: &str| {
        let plain = Connection::open(&path).unwrap();
        let triggers = "SELECT sql FROM sqlite_schema WHERE type = 'trigger'";
        let mut statement = plain.prepare(triggers).unwrap();
        let kept: Vec<String> =
            statement.query_map([], |r| r.get(0)).unwrap().map(|t| t.unwrap()).collect();
        drop(statement);
        for name in ["audit_no_update", "audit_no_delete", "audit_no_replace"] {
            plain.execute(&format!("DROP TRIGGER {name}"), []).unwrap();
        }
        plain.execute_batch(sql).unwrap();
        plain.execute_batch(&kept.join(";")).unwrap();
        drop(plain);
        let store = Store::open(&path).unwrap();
        let alarms = Filter { kind: Some(Kind::Alarm), limit: 9, ..Filter::default() };
        let found = store.read(|c| page(c, &alarms)).unwrap().entries;
        let newest = &found.last().unwrap().entry.reason;
        assert!(newest.contains(why), "{newest}");
        store.close().unwrap();
    };
    check("UPDATE audit SET hash = zeroblob(32) WHERE seq = 3", "the log was rewritten");
    check("DELETE FROM audit WHERE seq > 2", "rows are gone, or this is an older database");
    check("DELETE FROM audit", "had reached row 3 before");
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn old_decisions_are_the_first_rows_of_the_chain() {
    let root = space("audit-carry");
    let path = root.join("codepiper.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../../../tests/data/schema/v1.sql")).unwrap();
    for (id, rule) in [(3, Some("r1")), (7, None)] {
        let sql = "INSERT INTO decisions (id, session_id, request, at_ms, tool, input,
                       input_sha256, cwd, call_id, decision, rule, reason)
                   VALUES (?1, 'a', 'q' || ?1, 5, 'Bash', '{\"command\":\"ls\"}', zeroblob(32),
                       '/w', 'c1', 'deny', ?2, 'no')";
        old.execute(sql, params![id, rule]).unwrap();
    }
    drop(old);
    let store = Store::open(&path).unwrap();
    let all = store.read(|c| page(c, &Filter { limit: 9, ..Filter::default() })).unwrap().entries;
    assert_eq!(all.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(all[0].entry.kind, Kind::Chain);
    let told: Vec<_> =
        all[1..].iter().map(|e| (e.entry.request.clone(), e.entry.decider)).collect();
    assert_eq!(told, [(Some("q3".into()), Decider::Rule), (Some("q7".into()), Decider::Default)]);
    assert_eq!(all[1].entry.call.as_ref().unwrap().input, json!({"command": "ls"}));
    store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
    assert_eq!(walk(&path, None), 4);
    store.close().unwrap();
    fs::remove_dir_all(root).unwrap();
}
