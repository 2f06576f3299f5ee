//! hook-forward while a person is asked.

use super::*;

const HOLD: &str = r#"{"decision":"hold"}"#;

fn dialog(behavior: &str) -> String {
    let inner = format!(
        r#"{{"hookEventName":"PermissionRequest","decision":{{"behavior":"{behavior}"}}}}"#
    );
    let output = format!(r#"{{"hookSpecificOutput":{inner}}}"#);
    reply(200, &format!(r#"{{"decision":"{behavior}","output":{output}}}"#))
}

#[test]
fn told_to_hold_it_asks_again_with_the_same_bytes_past_its_first_deadline() {
    for (name, answer) in [("PreToolUse", verdict("deny")), ("PermissionRequest", dialog("allow"))]
    {
        let hold = || Act::Say(reply(200, HOLD));
        let daemon = Daemon::start(free_path(), vec![hold(), hold(), Act::Say(answer)]);
        let outcome = Run::new(&daemon.path, event(name), LONG).go();
        assert_eq!((outcome.code, outcome.stdout.is_empty()), (0, false), "{name}: {outcome:?}");
        let requests = daemon.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|request| *request == requests[0]), "one question");
    }
    // The first deadline no longer counts, the last one does.
    let daemon = Daemon::start(free_path(), vec![Act::Say(reply(200, HOLD))]);
    let run = Run { hold: 4 * SHORT, ..Run::new(&daemon.path, event("PreToolUse"), SHORT) };
    let begun = time::now();
    check_blocked("nobody answers", run.go());
    assert!(begun.elapsed() >= 4 * SHORT, "{:?}", begun.elapsed());
}

#[test]
fn what_goes_wrong_while_it_holds_blocks_at_the_gate_and_leaves_the_dialog_alone() {
    check_fails("garbage after hold", |stdin| {
        let acts = vec![Act::Say(reply(200, HOLD)), Act::Say(reply(200, "{}"))];
        let daemon = Daemon::start(free_path(), acts);
        Run::new(&daemon.path, stdin, LONG).go()
    });
    check_fails("gone after hold", |stdin| {
        let daemon = Daemon::start(free_path(), vec![Act::Say(reply(200, HOLD)), Act::Hang]);
        Run { hold: SHORT, ..Run::new(&daemon.path, stdin, SHORT) }.go()
    });
    check_fails("withdrawn while held", |stdin| {
        let waker = Arc::new(Waker::new().unwrap());
        let acts = vec![Act::Say(reply(200, HOLD)), Act::Ring(Arc::clone(&waker))];
        let daemon = Daemon::start(free_path(), acts);
        Run { withdrawn: waker, ..Run::new(&daemon.path, stdin, LONG) }.go()
    });
}

#[test]
fn a_verdict_at_the_dialog_is_printed_and_no_opinion_is_silence() {
    for behavior in ["allow", "deny"] {
        let daemon = Daemon::saying(dialog(behavior));
        let outcome = Run::new(&daemon.path, event("PermissionRequest"), LONG).go();
        let want = format!(
            "{{\"hookSpecificOutput\":{{\"decision\":{{\"behavior\":\"{behavior}\"}},\
             \"hookEventName\":\"PermissionRequest\"}}}}"
        );
        assert_eq!(String::from_utf8(outcome.stdout).unwrap(), want);
        assert_eq!(outcome.code, 0);
    }
    let silent_reply = reply(200, r#"{"decision":"ask","output":null}"#);
    let daemon = Daemon::saying(silent_reply);
    assert_eq!(Run::new(&daemon.path, event("PermissionRequest"), LONG).go(), silent());
    // The answer to another event is none here.
    let daemon = Daemon::saying(verdict("allow"));
    assert_eq!(Run::new(&daemon.path, event("PermissionRequest"), LONG).go(), silent());
}
