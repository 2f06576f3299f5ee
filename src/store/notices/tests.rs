//! Notices in the database: what becomes one, what is counted, what is read, and what stays out.

use super::*;
use crate::model::approval::Answer;
use crate::model::approval::Approval;
use crate::model::approval::Status;
use crate::model::audit::Decider;
use crate::model::notice::Delivery;
use crate::model::notice::DeliveryState;
use crate::store::Store;
use crate::store::approvals;
use crate::store::sessions;
use crate::store::tests::{session, with_store};

fn dwell(session: &str, kind: Kind, approval: Option<i64>) -> Dwell {
    let (title, body) = (kind.title().to_string(), "it's about <b>".to_string());
    let session = session.to_string();
    Dwell { session, kind, title, body, approval, count: 1, created_ms: 10, due_ms: 20 }
}

fn with_session(name: &str, test: impl FnOnce(&Store)) {
    with_store(name, |store| {
        for id in ["a", "b"] {
            store.write(move |tx| sessions::insert(tx, &session(id))).unwrap();
        }
        test(store);
    });
}

fn raised(store: &Store, new: Dwell) -> Dwell {
    let (id, kind) = (new.session.clone(), new.kind);
    store.write(move |tx| raise(tx, &new)).unwrap();
    let found = store.read(dwells).unwrap();
    found.into_iter().find(|d| d.session == id && d.kind == kind).unwrap()
}

fn made(store: &Store, new: Dwell, now_ms: i64, read: Option<&'static str>) -> (i64, bool) {
    store.write(move |tx| insert(tx, &new, now_ms, read)).unwrap()
}

/// An open approval of a session; its number.
fn asked(store: &Store, session: &'static str, holder: &'static str) -> i64 {
    let new = Approval {
        id: 0,
        session: session.into(),
        decision: 1,
        holder: holder.into(),
        bound_sha256: [1; 32],
        grant_sha256: [2; 32],
        tool: "Bash".into(),
        call_id: None,
        agent_id: None,
        input_sha256: [3; 32],
        created_ms: 5,
        expires_ms: 50,
        answer: None,
    };
    store.write(move |tx| approvals::insert(tx, &new)).unwrap()
}

fn answered(store: &Store, session: &'static str, id: i64) -> usize {
    let answer = Answer {
        status: Status::Approved,
        at_ms: 9,
        decider: Decider::Person,
        reason: "yes".into(),
        client: None,
    };
    let both = move |tx: &Tx<'_>| {
        approvals::answer(tx, id, &answer)?;
        read(tx, Which::Approval(session, id), 9, "answered")
    };
    store.write(both).unwrap()
}

fn delivery(notice: i64, channel: &str) -> Delivery {
    let (state, tries, due_ms, at_ms, detail) = (DeliveryState::Waiting, 0, 30, None, None);
    let (channel, channel_name) = (channel.to_string(), format!("name of {channel}"));
    Delivery { notice, channel, channel_name, state, tries, due_ms, at_ms, detail }
}

#[test]
fn what_comes_up_twice_before_it_is_due_is_one_and_approvals_and_alarms_count() {
    with_session("notice-raise", |store| {
        let first = raised(store, dwell("a", Kind::Permission, None));
        assert_eq!((first.approval, first.count), (None, 1));
        let same = raised(store, dwell("a", Kind::Permission, Some(5)));
        assert_eq!((same.approval, same.count), (Some(5), 1), "the one that was meant");
        let later = Dwell { due_ms: 99, ..dwell("a", Kind::Permission, Some(6)) };
        let second = raised(store, later);
        assert_eq!((second.approval, second.count, second.due_ms), (Some(6), 2, 20));
        assert_eq!(raised(store, dwell("a", Kind::Permission, Some(6))).count, 2);
        assert_eq!(raised(store, dwell("a", Kind::Ungated, None)).count, 1);
        assert_eq!(raised(store, dwell("a", Kind::Ungated, None)).count, 2);
        assert_eq!(raised(store, dwell("a", Kind::Input, None)).count, 1);
        assert_eq!(raised(store, dwell("a", Kind::Input, None)).count, 1);
        store.write(|tx| raise(tx, &dwell("gone", Kind::Input, None))).unwrap();
        assert!(!store.read(dwells).unwrap().iter().any(|d| d.session == "gone"));
        let taken = store.write(|tx| take(tx, "a", Kind::Ungated)).unwrap().unwrap();
        assert_eq!(taken.count, 2);
        assert_eq!(store.write(|tx| take(tx, "a", Kind::Ungated)).unwrap(), None);
    });
}

#[test]
fn an_unread_notice_of_the_last_minute_counts_and_any_other_is_new() {
    with_session("notice-group", |store| {
        let (first, new) = made(store, dwell("a", Kind::Permission, Some(5)), 1000, None);
        assert!(new);
        let again = made(store, dwell("a", Kind::Permission, Some(6)), 61_000, None);
        assert_eq!(again, (first, false));
        let known = store.read(|c| get(c, first)).unwrap().unwrap();
        assert_eq!((known.count, known.approval, known.created_ms), (2, Some(6), 1000));
        let late = made(store, dwell("a", Kind::Permission, Some(7)), 121_001, None);
        assert!(late.1 && late.0 > first, "a minute after the newest");
        assert!(made(store, dwell("b", Kind::Permission, None), 121_002, None).1);
        assert!(made(store, dwell("a", Kind::Crashed, None), 121_002, None).1);
        let seen = made(store, dwell("a", Kind::Crashed, None), 121_003, Some("on screen"));
        assert!(seen.1, "one that is read does not hide in one that is not");
        store.write(move |tx| raise(tx, &dwell("a", Kind::Permission, None))).unwrap();
        assert!(store.read(dwells).unwrap().is_empty(), "it is known that it waits");
    });
}

#[test]
fn an_answer_reads_its_notice_and_stops_what_is_on_its_way() {
    with_session("notice-answer", |store| {
        let (one, two) = (asked(store, "a", "r1"), asked(store, "a", "r2"));
        raised(store, dwell("a", Kind::Permission, Some(one)));
        let pair = raised(store, dwell("a", Kind::Permission, Some(two)));
        answered(store, "a", two);
        assert_eq!(store.read(dwells).unwrap().len(), 1, "the other is open still");
        store.write(|tx| take(tx, "a", Kind::Permission)).unwrap();
        let (group, _) = made(store, pair, 100, None);
        let three = asked(store, "a", "r3");
        let (own, _) = made(store, dwell("a", Kind::Permission, Some(three)), 100_000, None);
        for notice in [group, own] {
            store.write(move |tx| deliveries::insert(tx, &delivery(notice, "c"))).unwrap();
        }
        assert_eq!(answered(store, "a", three), 1);
        let read = store.read(|c| get(c, own)).unwrap().unwrap().read;
        assert_eq!(read, Some((9, "answered".into())));
        let skipped = store.read(|c| deliveries::of(c, own)).unwrap().remove(0);
        assert_eq!((skipped.state, skipped.at_ms), (DeliveryState::Skipped, Some(9)));
        assert_eq!(store.read(|c| get(c, group)).unwrap().unwrap().read, None);
        assert_eq!(answered(store, "a", one), 1, "the last of the group");
        assert!(store.read(deliveries::waiting).unwrap().is_empty());
    });
}

#[test]
fn a_state_that_is_over_takes_its_notices_along_and_an_approval_s_stay() {
    with_session("notice-left", |store| {
        let asked = asked(store, "a", "r");
        raised(store, dwell("a", Kind::Permission, Some(asked)));
        raised(store, dwell("a", Kind::TurnCompleted, None));
        let left =
            |kind| store.write(move |tx| read(tx, Which::Stateful("a", kind), 3, "answered"));
        left(Kind::TurnCompleted).unwrap();
        left(Kind::Permission).unwrap();
        let kept: Vec<Kind> = store.read(dwells).unwrap().iter().map(|d| d.kind).collect();
        assert_eq!(kept, [Kind::Permission]);
        let (id, _) = made(store, dwell("a", Kind::Permission, Some(asked)), 10, None);
        store.write(move |tx| deliveries::insert(tx, &delivery(id, "c"))).unwrap();
        store.write(move |tx| let_be(tx, "a", asked, 12, "expired")).unwrap();
        assert!(store.read(dwells).unwrap().is_empty());
        assert_eq!(store.read(|c| get(c, id)).unwrap().unwrap().read, None, "a person missed it");
        let skipped = store.read(|c| deliveries::of(c, id)).unwrap().remove(0);
        assert_eq!(skipped.detail.as_deref(), Some("expired"));
    });
}

#[test]
fn lists_counts_and_changes_tell_the_same_and_go_with_the_session() {
    with_session("notice-list", |store| {
        let a = made(store, dwell("a", Kind::Crashed, None), 1, None).0;
        let b = made(store, dwell("b", Kind::Input, None), 2, None).0;
        let list = |page: Page| {
            let found = store.read(|c| super::list(c, &page)).unwrap();
            found.into_iter().map(|n| n.id).collect::<Vec<_>>()
        };
        let page = Page { limit: 9, ..Page::default() };
        assert_eq!(list(page.clone()), [b, a]);
        assert_eq!(list(Page { limit: 1, ..page.clone() }), [b]);
        assert_eq!(list(Page { before: Some(b), ..page.clone() }), [a]);
        assert_eq!(list(Page { session: Some("b".into()), ..page.clone() }), [b]);
        assert_eq!(list(Page { kind: Some(Kind::Crashed), ..page.clone() }), [a]);
        let (revision, newest) = store.read(super::newest).unwrap();
        assert_eq!(newest, b);
        let one = store.write(move |tx| read(tx, Which::One(a), 5, "list")).unwrap();
        assert_eq!((one, list(Page { unread: true, ..page.clone() })), (1, vec![b]));
        assert_eq!(store.write(move |tx| read(tx, Which::One(a), 6, "list")).unwrap(), 0);
        let changed = store.read(|c| super::changed(c, revision, 9)).unwrap();
        assert_eq!(changed.iter().map(|n| n.id).collect::<Vec<_>>(), [a]);
        assert_eq!(store.read(unread).unwrap(), [(b, "b".to_string())]);
        store.write(|tx| put_pref(tx, "b", Some(false), 7)).unwrap();
        assert_eq!(store.read(|c| pref(c, "b")).unwrap(), Some((false, 7)));
        store.write(|tx| put_pref(tx, "b", None, 8)).unwrap();
        assert_eq!(store.read(|c| pref(c, "b")).unwrap(), None);
        store.write(|tx| sessions::delete(tx, "b")).unwrap();
        assert!(store.read(unread).unwrap().is_empty());
        let next = made(store, dwell("a", Kind::Crashed, None), 9, None).0;
        assert!(next > b, "no number is given twice");
        assert!(store.read(super::newest).unwrap().0 > revision + 1);
    });
}

#[test]
fn only_the_newest_notices_are_kept() {
    with_session("notice-kept", |store| {
        let fill = |tx: &Tx<'_>| {
            for n in 0..limits::notices::KEPT + 5 {
                insert(tx, &dwell("a", Kind::Crashed, None), n * 100_000, None)?;
            }
            Ok(())
        };
        store.write(fill).unwrap();
        let all = store.read(unread).unwrap();
        assert_eq!(all.len() as i64, limits::notices::KEPT);
        assert_eq!(all[0].0, 6, "the oldest are gone");
    });
}

#[test]
fn a_row_of_a_kind_that_is_not_known_hides_no_other() {
    with_session("notice-unknown-kind", |store| {
        raised(store, dwell("a", Kind::Crashed, None));
        raised(store, dwell("b", Kind::Ended, None));
        made(store, dwell("a", Kind::Crashed, None), 100, None);
        made(store, dwell("b", Kind::Ended, None), 100, None);
        store.write(|tx| spoil(tx, "a")).unwrap();
        let sessions = |all: Vec<String>| assert_eq!(all, ["b"]);
        sessions(store.read(dwells).unwrap().into_iter().map(|d| d.session).collect());
        sessions(
            store.read(|c| changed(c, 0, 9)).unwrap().into_iter().map(|n| n.session).collect(),
        );
        let page = Page { limit: 9, ..Page::default() };
        sessions(store.read(|c| list(c, &page)).unwrap().into_iter().map(|n| n.session).collect());
        let taken = store.write(|tx| take(tx, "b", Kind::Ended)).unwrap();
        assert_eq!(taken.map(|d| d.session).as_deref(), Some("b"));
    });
}
