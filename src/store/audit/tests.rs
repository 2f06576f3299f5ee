//! Tests of the audit log's rows; those of its chain are in tests/chain.rs.

use super::*;
use crate::model::audit::Filter;
use crate::store::audit::page::page;
use crate::store::audit::page::wanted;
use crate::store::audit::page::within;
use crate::store::file;
use crate::store::tests::{decision, with_store};
use serde_json::json;

mod forger;
mod links;

#[test]
fn a_request_has_one_decision_for_ever() {
    with_store("audit-once", |store| {
        let one = decision("a", "r1");
        let copy = one.clone();
        let seq = store.write(move |tx| append(tx, &copy)).unwrap();
        let mut other = one.clone();
        other.decision = Some(Action::Allow);
        let error = store.write(move |tx| append(tx, &other)).unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        let back = store.read(|c| find(c, "a", "r1")).unwrap().unwrap();
        assert_eq!((back.seq, back.entry), (seq, one));
        assert_eq!(store.read(|c| find(c, "b", "r1")).unwrap(), None);
        links::walk(store.inner.health.path(), None);
        let next = store.write(|tx| append(tx, &decision("b", "r1"))).unwrap();
        assert_eq!(next, seq + 1, "a refused row leaves no gap");
    });
}

#[test]
fn a_row_comes_back_as_it_was_and_knows_when_it_was_written() {
    with_store("audit-same", |store| {
        let mut alarm =
            NewEntry::new(Kind::Alarm, 7, Decider::Daemon, "its hooks.json was changed");
        alarm.details = Some(json!({"door": "control", "pid": 4}));
        alarm.about = Some(1);
        for entry in [decision("a", "r1"), alarm] {
            let copy = entry.clone();
            let seq = store.write(move |tx| append(tx, &copy)).unwrap();
            let back = store.read(|c| get(c, seq)).unwrap().unwrap();
            assert_eq!(back.entry, entry);
            assert!(back.boot_ms > Some(0) && back.boot_id.is_some() && back.mac.is_none());
            let head = store.read(head).unwrap().unwrap();
            assert_eq!((head.seq, head.hash), (seq, back.hash));
            assert_eq!(Head::parse(&head.to_string()), Some(head));
        }
        assert_eq!(store.read(|c| about(c, 1)).unwrap().len(), 1);
        assert_eq!(store.read(count).unwrap(), 3, "the first row is the log's own");
        for bad in ["", "1", "0:00", "1:xx", "-1:00", "a:b:c"] {
            assert_eq!(Head::parse(bad), None, "{bad}");
        }
    });
}

#[test]
fn pages_hold_those_that_fit_the_newest_last() {
    with_store("audit-page", |store| {
        store
            .write(|tx| {
                for (i, session) in ["a", "b", "a", "a", "b"].into_iter().enumerate() {
                    let mut one = decision(session, &format!("r{i}"));
                    one.decision = Some([Action::Deny, Action::Ask][usize::from(i == 3)]);
                    one.at_ms = 100 * i as i64;
                    assert_eq!(append(tx, &one)?, i as i64 + 2);
                }
                append(tx, &NewEntry::new(Kind::Alarm, 9, Decider::Daemon, "x")).map(drop)
            })
            .unwrap();
        let check = |filter: Filter, seqs: &[i64]| {
            let found = store.read(|c| page(c, &filter)).unwrap().entries;
            assert_eq!(found.iter().map(|e| e.seq).collect::<Vec<_>>(), seqs, "{filter:?}");
        };
        let of = |limit| Filter { limit, ..Filter::default() };
        let session = |id: &str| Some(id.to_string());
        check(of(9), &[1, 2, 3, 4, 5, 6, 7]);
        check(of(2), &[6, 7]);
        check(Filter { session: session("a"), ..of(2) }, &[4, 5]);
        check(Filter { session: session("a"), decision: Some(Action::Deny), ..of(9) }, &[2, 4]);
        check(Filter { decision: Some(Action::Ask), ..of(9) }, &[5]);
        check(Filter { kind: Some(Kind::Alarm), ..of(9) }, &[7]);
        check(Filter { kind: Some(Kind::Decision), before: Some(5), ..of(2) }, &[3, 4]);
        check(Filter { after: Some(2), ..of(3) }, &[3, 4, 5]);
        check(Filter { after: Some(7), ..of(3) }, &[]);
        check(Filter { since_ms: Some(200), before: Some(7), ..of(9) }, &[1, 4, 5, 6]);
    });
}

#[test]
fn a_search_finds_text_wherever_it_stands_and_says_where_to_go_on() {
    with_store("audit-search", |store| {
        let texts = ["ls", "git push \"x\"", "git pull", "rm 50%", "git fetch", "make"];
        store
            .write(move |tx| {
                for (i, text) in texts.into_iter().enumerate() {
                    let mut one = decision("a", &format!("r{i}"));
                    one.at_ms = 100 * i as i64;
                    let call = one.call.as_mut().unwrap();
                    call.input = json!({"command": text});
                    call.tool = if i == 4 { "Fetch" } else { "Bash" }.into();
                    one.rule = (i == 0).then(|| "GIT rule".into());
                    append(tx, &one)?;
                }
                Ok(())
            })
            .unwrap();
        let of = |text: &str, limit| {
            let text = (!text.is_empty()).then(|| text.to_string());
            Filter { text, limit, ..Filter::default() }
        };
        let check = |filter: Filter, scan: usize, seqs: &[i64], more: Option<i64>| {
            let found = store.read(|c| Ok(within(c, &filter, scan).unwrap())).unwrap();
            let found_seqs: Vec<i64> = found.entries.iter().map(|e| e.seq).collect();
            assert_eq!((found_seqs.as_slice(), found.more), (seqs, more), "{filter:?}");
        };
        check(of("git", 9), 99, &[2, 3, 4, 6], None);
        check(of("GIT P", 9), 99, &[3, 4], None);
        check(of("push \"x\"", 9), 99, &[3], None);
        check(of("50%", 9), 99, &[5], None);
        check(of("5_%", 9), 99, &[], None);
        check(of("git", 2), 99, &[4, 6], Some(4));
        check(Filter { before: Some(4), ..of("git", 2) }, 99, &[2, 3], Some(2));
        check(Filter { after: Some(0), ..of("git", 2) }, 99, &[2, 3], Some(3));
        // Not all is looked into at once.
        check(of("git", 9), 2, &[6], Some(6));
        check(Filter { before: Some(6), ..of("push", 9) }, 2, &[], Some(4));
        check(Filter { before: Some(4), ..of("push", 9) }, 2, &[3], Some(2));
        check(Filter { tool: Some("Fetch".into()), ..of("", 9) }, 99, &[6], None);
        check(Filter { tool: Some("Fetch".into()), ..of("push", 9) }, 99, &[], None);
        check(Filter { until_ms: Some(200), since_ms: Some(100), ..of("", 9) }, 99, &[3, 4], None);
        check(of("", 3), 99, &[5, 6, 7], Some(5));
        check(Filter { before: Some(5), ..of("", 3) }, 99, &[2, 3, 4], Some(2));
    });
}

#[test]
fn the_newest_decision_on_a_call_counts_and_an_answer_is_none() {
    with_store("audit-call", |store| {
        store
            .write(|tx| {
                append(tx, &decision("a", "r1"))?;
                let mut second = decision("a", "r2");
                second.decision = Some(Action::Allow);
                append(tx, &second)?;
                let answer = NewEntry { kind: Kind::Answer, ..decision("a", "r3") };
                append(tx, &answer).map(drop)
            })
            .unwrap();
        let found = store.read(|c| of_call(c, "a", "toolu_1")).unwrap().unwrap();
        assert_eq!((found.seq, found.entry.decision), (3, Some(Action::Allow)));
        assert_eq!(store.read(|c| of_call(c, "b", "toolu_1")).unwrap(), None);
    });
}

#[test]
fn secrets_are_gone_before_a_row_is_stored_and_hashed() {
    with_store("audit-secrets", |store| {
        let mut one = decision("a", "r1");
        one.call.as_mut().unwrap().input = json!({"command": "login --password=hunter2"});
        one.reason = "login --password=hunter2 is not allowed".into();
        one.effects = vec!["exec login --password=hunter2".into()];
        store.write(move |tx| append(tx, &one)).unwrap();
        let path = store.inner.health.path();
        for file in [path.to_path_buf(), path.with_file_name("codepiper.db-wal")] {
            let bytes = std::fs::read(file).unwrap();
            assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
        }
        let back = store.read(|c| find(c, "a", "r1")).unwrap().unwrap().entry;
        assert_eq!(back.reason, "login --password=[redacted:password] is not allowed");
        links::walk(path, None);
    });
}

/// Every question that may be asked of a long log finds its index.
#[test]
fn no_question_reads_the_whole_log() {
    with_store("audit-plans", |store| {
        let of = || Filter { limit: 5, ..Filter::default() };
        // Without any wish the newest rows are the first of the scan.
        let filters = [
            (of(), "SCAN audit"),
            (Filter { session: Some("a".into()), ..of() }, "audit_by_"),
            (Filter { decision: Some(Action::Ask), ..of() }, "audit_by_decision"),
            (Filter { kind: Some(Kind::Alarm), ..of() }, "audit_by_kind"),
            (Filter { after: Some(5), ..of() }, "PRIMARY KEY"),
        ];
        for (filter, index) in filters {
            let order = if filter.after.is_some() { "ASC" } else { "DESC" };
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT {COLUMNS} FROM audit WHERE {} ORDER BY seq {order}
                 LIMIT 5",
                wanted(&filter)
            );
            let plan: Vec<String> = store
                .read(|c| {
                    let mut statement = c.prepare(&sql).internal(|| "no plan".into())?;
                    let none: [Option<i64>; 10] = [None; 10];
                    let found = statement.query_map(none, |row| row.get::<_, String>(3));
                    found.and_then(Iterator::collect).internal(|| "no plan".into())
                })
                .unwrap();
            let plan = plan.join("; ");
            assert!(plan.contains(index) && !plan.contains("B-TREE"), "{filter:?}: {plan}");
        }
    });
}

/// Statements by which somebody might change what was recorded.
const ATTACKS: [&str; 7] = [
    "UPDATE audit SET decision = 'allow'",
    "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2",
    "DELETE FROM audit",
    "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 2",
    "INSERT INTO audit SELECT * FROM audit WHERE true ON CONFLICT DO UPDATE SET decision = 'allow'",
    "INSERT INTO audit (seq, at_ms, kind, effects, reason, decider, hash)
         VALUES (9, 1, 'decision', '[]', '', 'rule', zeroblob(32))",
    "INSERT INTO audit (at_ms, kind, effects, reason, decider, hash)
         VALUES (1, 'decision', '[]', '', 'rule', zeroblob(32))",
];

#[test]
fn the_writer_cannot_change_what_was_recorded() {
    with_store("audit-writer", |store| {
        store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
        let schema = [
            "DROP TRIGGER audit_no_delete",
            "DROP TABLE audit",
            "ALTER TABLE audit RENAME TO other",
            "ATTACH ':memory:' AS other",
            "PRAGMA recursive_triggers=OFF",
            "PRAGMA writable_schema=ON",
            "DELETE FROM sqlite_sequence",
            "CREATE TRIGGER t BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END",
        ];
        for sql in ATTACKS.into_iter().chain(schema) {
            let done = store.write(move |tx| tx.execute_batch(sql).internal(|| sql.into()));
            assert!(done.is_err(), "{sql}");
        }
        let one = store.read(|c| find(c, "a", "r1")).unwrap().unwrap();
        assert_eq!((one.seq, one.entry), (2, decision("a", "r1")));
        assert_eq!(store.read(count).unwrap(), 2);
    });
}

#[test]
fn nor_can_a_connection_without_our_settings() {
    with_store("audit-other", |store| {
        store.write(|tx| append(tx, &decision("a", "r1"))).unwrap();
        let path = store.inner.health.path();
        let plain = Connection::open(path).unwrap();
        for sql in ATTACKS {
            let error = plain.execute(sql, []).unwrap_err().to_string();
            assert!(error.contains("append-only"), "{sql}: {error}");
        }
        let reader = file::connect_reader(path).unwrap();
        assert!(reader.execute("INSERT INTO settings VALUES ('a', '1')", []).is_err());
    });
}
