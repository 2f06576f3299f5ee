//! Tests of the store as a whole: durability, group commit, a full disk.

use super::*;
use crate::model::audit::{Decider, Kind, NewEntry};
use crate::model::call::{Action, ToolCall};
use crate::model::event::{NewEvent, Source};
use crate::model::policy::{PolicySet, Scope, StoredPolicy};
use crate::model::session::{Billing, Dangerous, Sandbox, Session, State};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A fresh directory of this test's own.
pub(super) fn space(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("cp-store-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Runs a test with an open store, and closes it.
pub(super) fn with_store(name: &str, test: impl FnOnce(&Store)) {
    let root = space(name);
    let store = Store::open(&root.join("codepiper.db")).unwrap();
    test(&store);
    store.close().unwrap();
    fs::remove_dir_all(root).unwrap();
}

/// A session with a value in every field.
pub(super) fn session(id: &str) -> Session {
    Session {
        id: id.into(),
        provider: "command".into(),
        cwd: "/work dir/ü".into(),
        state: State::Running,
        reason: Some("signal 9".into()),
        name: Some("it's me".into()),
        created_ms: 1_700_000_000_000,
        updated_ms: 1_700_000_000_001,
        ended_ms: Some(1_700_000_000_002),
        program: "/usr/bin/bash".into(),
        args: vec!["-c".into(), "echo \"a b\"\n".into(), String::new()],
        pid: Some(4711),
        keeper: Some((4710, 123_456_789_012)),
        boot_id: "boot".into(),
        cols: 120,
        rows: 30,
        exit: Some(crate::model::session::Exit::Signal(9)),
        stop_wanted: true,
        epoch: 2,
        log_end: 5_000_000_000,
        log_degraded: true,
        secret_sha256: Some([7; 32]),
        hook_build: Some("b1".into()),
        agent_session: Some("agent".into()),
        transcript_path: Some("/t.jsonl".into()),
        guarded: true,
        billing: Billing::Api,
        forked_from: Some("talk".into()),
        project_settings: true,
        sandbox: Sandbox {
            asked: "auto".into(),
            held: "guard no-pidns".into(),
            grants: vec!["docker".into()],
        },
        given: vec!["TOKEN".into()],
        env_sets: vec!["set-1".into(), "set-2".into()],
        hook_sha256: Some([7; 32]),
        alarm: Some("a tool ran without a decision".into()),
        program_sha256: Some([8; 32]),
        frozen: true,
        dangerous: Some(Dangerous { until_ms: 1_700_000_000_003, until_boot_ms: 77 }),
    }
}

/// An event of the daemon.
pub(super) fn event(session: &str, kind: &str) -> NewEvent {
    NewEvent {
        session: session.into(),
        at_ms: 5,
        source: Source::Session,
        kind: kind.into(),
        payload: json!({"pid": 4711}),
    }
}

/// A decision with a value in every field that one may have.
pub(super) fn decision(session: &str, request: &str) -> NewEntry {
    NewEntry {
        session: Some(session.into()),
        request: Some(request.into()),
        call: Some(ToolCall {
            tool: "Bash".into(),
            input: json!({"command": "rm -rf /"}),
            cwd: "/work".into(),
            call_id: Some("toolu_1".into()),
            agent_id: Some("agent_1".into()),
        }),
        input_sha256: Some([9; 32]),
        effects: vec!["write /".into()],
        policy: Some("p1".into()),
        rule: Some("r1".into()),
        version: Some(3),
        decision: Some(Action::Deny),
        client: Some("hook pid 34 (claude)".into()),
        ..NewEntry::new(Kind::Decision, 5, Decider::Rule, "no")
    }
}

/// A global policy with a value in every field.
pub(super) fn policy(id: &str) -> StoredPolicy {
    StoredPolicy {
        id: id.into(),
        name: format!("policy {id}"),
        description: Some("what it's for".into()),
        enabled: true,
        priority: -3,
        scope: Scope::Global,
        rules: json!([{"action": "deny", "tool": ["Bash", "ü"]}]),
        version: 2,
        created_ms: 5,
        updated_ms: 6,
    }
}

/// A set with a value in every field.
pub(super) fn policy_set(id: &str) -> PolicySet {
    PolicySet {
        id: id.into(),
        name: format!("set {id}"),
        description: Some("what it's for".into()),
        created_ms: 5,
        updated_ms: 6,
    }
}

pub(super) fn put(tx: &rusqlite::Transaction<'_>, key: &str) -> Result<()> {
    settings::put(tx, key, &json!(1))
}

pub(super) fn keys(store: &Store) -> Vec<String> {
    store.read(settings::all).unwrap().keys().cloned().collect()
}

/// Keeps the writer thread busy until the returned end is dropped.
fn hold(store: &Store) -> (Sender<()>, JoinHandle<Option<Result<()>>>) {
    let (hold, held_up) = crossbeam_channel::bounded(0);
    let (entered, inside) = crossbeam_channel::bounded(1);
    let store = store.clone();
    let wait = move |_: &Tx<'_>| {
        entered.send(()).unwrap();
        let _ = held_up.recv();
        Ok(())
    };
    let blocker = thread::spawn("t-hold", move || store.write(wait)).unwrap();
    inside.recv().unwrap();
    (hold, blocker)
}

/// Runs writes that are sure to share one transaction: the thread is held until all are queued.
/// What each caller was told comes back in order.
pub(super) fn together(store: &Store, writes: Vec<fn(&Tx<'_>) -> Result<()>>) -> Vec<Result<()>> {
    let (hold, blocker) = hold(store);
    let mut answers = Vec::new();
    for work in writes {
        let (job, answer) = Job::with_answer(work);
        store.enqueue(job, Duration::ZERO).unwrap();
        answers.push(answer);
    }
    drop(hold);
    let _ = blocker.join().unwrap().unwrap();
    answers.into_iter().map(|a| a.recv().unwrap()).collect()
}

#[test]
fn a_full_queue_is_busy_and_what_was_taken_is_done() {
    with_store("queue", |store| {
        let (hold, blocker) = hold(store);
        let mut answers = Vec::new();
        for i in 0..limits::WRITE_QUEUE {
            let key = format!("k{i}");
            let (job, answer) = Job::with_answer(move |tx| put(tx, &key));
            store.enqueue(job, Duration::ZERO).unwrap();
            answers.push(answer);
        }
        let (late, _) = Job::with_answer(|tx| put(tx, "late"));
        let error = store.enqueue(late, Duration::from_millis(10)).unwrap_err();
        assert_eq!(error.code, Code::Busy);
        drop(hold);
        let _ = blocker.join().unwrap().unwrap();
        assert!(answers.into_iter().all(|a| a.recv().unwrap().is_ok()));
        assert_eq!(keys(store).len(), limits::WRITE_QUEUE);
    });
}

#[test]
fn a_failing_and_a_panicking_write_fail_alone() {
    with_store("alone", |store| {
        let told = together(
            store,
            vec![
                |tx| put(tx, "a"),
                |tx| put(tx, "half").and(Err(Error::invalid("changed my mind"))),
                |tx| put(tx, "b"),
                |tx| {
                    put(tx, "torn")?;
                    panic!("on purpose")
                },
                |tx| tx.execute_batch("not SQL").internal(|| "cannot do it".into()),
                |tx| put(tx, "c"),
            ],
        );
        assert!(told[0].is_ok() && told[2].is_ok() && told[5].is_ok());
        assert_eq!(told[1].as_ref().unwrap_err().message, "changed my mind");
        assert_eq!(told[3].as_ref().unwrap_err().message, "a write panicked: on purpose");
        assert_eq!(told[4].as_ref().unwrap_err().message, "cannot do it");
        assert_eq!(keys(store), ["a", "b", "c"]);
    });
}

#[test]
fn a_write_that_ends_the_transaction_is_found_out() {
    with_store("ends", |store| {
        let told = together(
            store,
            vec![
                |tx| put(tx, "before"),
                |tx| tx.execute_batch("ROLLBACK").internal(|| "cannot".into()),
                |tx| put(tx, "after"),
            ],
        );
        assert!(told[0].is_err(), "it was rolled back, so it must not be told otherwise");
        assert!(told[2].is_ok(), "it had not run yet");
        assert_eq!(keys(store), ["after"]);
    });
}

#[test]
fn an_answered_write_is_in_every_later_read_and_in_the_file() {
    let root = space("durable");
    let path = root.join("codepiper.db");
    let store = Store::open(&path).unwrap();
    for i in 0..50 {
        let key = format!("k{i:02}");
        store.write(move |tx| put(tx, &key)).unwrap();
        assert_eq!(keys(&store).len(), i + 1);
        // What a kill -9 at this moment would leave: the files as they are.
        let copy = root.join("copy.db");
        fs::copy(&path, &copy).unwrap();
        fs::copy(root.join("codepiper.db-wal"), root.join("copy.db-wal")).unwrap();
        if i % 10 == 0 {
            let after = Store::open(&copy).unwrap();
            assert_eq!(keys(&after).len(), i + 1);
            after.close().unwrap();
        }
    }
    store.close().unwrap();
    assert!(!root.join("codepiper.db-wal").exists(), "closing folds the log into the file");
    assert_eq!(store.write(|tx| put(tx, "x")).unwrap_err().code, Code::Unreachable);
    assert_eq!(store.read(settings::all).unwrap_err().code, Code::Unreachable);
    store.close().unwrap();
    let again = Store::open(&path).unwrap();
    assert_eq!(keys(&again).len(), 50);
    again.close().unwrap();
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let (health, mut conn, root) = bare("commit");
    conn.commit_hook(Some(|| true)).unwrap();
    let store = Store::start(health, Vec::new(), conn).unwrap();
    for one in together(&store, vec![|tx| put(tx, "a"), |tx| put(tx, "b")]) {
        assert!(one.unwrap_err().message.starts_with("nothing was saved"));
    }
    assert!(keys(&store).is_empty());
    store.close().unwrap();
    fs::remove_dir_all(root).unwrap();
}

/// A fresh database with a writer connection that a test may still prepare.
pub(super) fn bare(name: &str) -> (Arc<Health>, Connection, PathBuf) {
    let root = space(name);
    let health = Arc::new(Health::new(&root.join("codepiper.db")));
    file::create(&health).unwrap();
    let conn = file::connect_writer(health.path()).unwrap();
    (health, conn, root)
}

#[test]
fn a_full_disk_is_said_and_saved_writes_stay() {
    let (health, conn, root) = bare("full");
    let pages: i64 = conn.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
    conn.pragma_update(None, "max_page_count", pages + 8).unwrap();
    let store = Store::start(health, Vec::new(), conn).unwrap();
    let mut saved = 0;
    let error = loop {
        let big = json!("x".repeat(4000));
        match store.write(move |tx| settings::put(tx, &format!("k{saved}"), &big)) {
            Ok(()) => saved += 1,
            Err(error) => break error,
        }
        assert!(saved < 100);
    };
    assert_eq!(error.code, Code::Busy);
    let start = format!("cannot save the setting k{saved}: the disk is full");
    assert!(error.message.starts_with(&start), "{error}");
    assert!(error.message.contains(root.to_str().unwrap()), "{error}");
    assert_eq!(keys(&store).len(), saved);
    assert_eq!(store.damage(), None, "a full disk is no damage");
    store.write(|tx| settings::put(tx, "k0", &json!(null))).unwrap();
    store.write(|tx| put(tx, "small")).unwrap();
    store.close().unwrap();
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn two_threads_lose_nothing() {
    with_store("threads", |store| {
        store.write(|tx| sessions::insert(tx, &session("a"))).unwrap();
        let handles = ["one", "two"].map(|name| {
            let store = store.clone();
            let run = move || -> Vec<i64> {
                let append = |_| store.write(move |tx| events::append(tx, &event("a", name)));
                (0..200).map(append).collect::<Result<_>>().unwrap()
            };
            thread::spawn(name, run).unwrap()
        });
        let mut ids: Vec<i64> = Vec::new();
        for handle in handles {
            let mine = handle.join().unwrap().unwrap();
            assert!(mine.is_sorted(), "one caller's writes stay in their order");
            ids.extend(mine);
        }
        ids.sort_unstable();
        assert_eq!(ids, (1..=400).collect::<Vec<_>>());
        let page = crate::model::event::Page::newest("a", 1000);
        assert_eq!(store.read(|c| events::page(c, &page)).unwrap().events.len(), 400);
    });
}

#[test]
fn a_write_inside_a_write_is_an_error_and_not_a_deadlock() {
    with_store("nested", |store| {
        let inner = store.clone();
        let error = store.write(move |_| inner.write(|tx| put(tx, "a"))).unwrap_err();
        assert!(error.message.contains("use its transaction"), "{error}");
    });
}
