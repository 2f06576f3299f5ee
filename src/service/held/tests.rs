//! What is typed, held, refused and given back, in each stance of the agent.

use super::*;
use crate::base::time;
use std::sync::mpsc;
use std::time::Duration;

const REST: Stance = Stance {
    known: true,
    up: true,
    silent: false,
    blocked: false,
    doubtful: false,
    at_rest: true,
    busy: false,
    settled: true,
};
const WORK: Stance = Stance { at_rest: false, settled: false, ..REST };
const BLOCKED: Stance = Stance { blocked: true, ..WORK };
const NOT_UP: Stance = Stance { up: false, silent: true, ..WORK };
const BEHIND: Stance = Stance { known: false, ..REST };

type Answers = mpsc::Receiver<Result<bool>>;

fn typing(when: When, text: &str) -> (Typing, Answers) {
    let (tell, told) = mpsc::channel();
    let told_by: Told = Box::new(move |result| tell.send(result).unwrap());
    let what = What::Line(text.to_string());
    let owner = Owner { told: told_by, ticket: Arc::default() };
    (Typing { what, when, owner }, told)
}

/// What becomes of one input in a stance: typed, held, or why it is refused.
fn fate(when: When, stance: &Stance, after: Duration) -> String {
    let (mut held, now) = (Held::new("0b7e4c1e-9d43"), time::now());
    let (typing, told) = typing(when, "x");
    held.push(typing, now);
    match (held.next(stance, now + after), told.try_recv()) {
        (Some((_, waited)), Err(_)) => format!("typed, waited {waited}"),
        (None, Err(_)) => format!("{} held", held.len()),
        (None, Ok(Err(error))) => error.to_string(),
        _ => panic!("typed and refused"),
    }
}

#[test]
fn each_stance_of_the_agent_lets_through_what_it_should() {
    let check = |when, stance: &Stance, wanted: &str| {
        let fate = fate(when, stance, Duration::ZERO);
        assert!(fate.contains(wanted), "{when:?} {stance:?}: {fate}");
    };
    let unsettled = Stance { settled: false, ..REST };
    for when in [When::Open, When::AtRest, When::Queued] {
        check(when, &REST, "typed, waited false");
        check(when, &NOT_UP, "1 held");
        check(when, &BEHIND, "1 held");
    }
    for stance in [BLOCKED, Stance { up: false, ..BLOCKED }] {
        check(When::Open, &stance, "an answer in its terminal: codepiper attach 0b7e4c1e");
        check(When::AtRest, &stance, "an answer in its terminal");
        check(When::Queued, &stance, "1 held");
        check(When::AtDialog, &stance, "typed");
    }
    check(When::Open, &WORK, "typed");
    check(When::AtRest, &WORK, "the agent works");
    check(When::Queued, &WORK, "1 held");
    check(When::Open, &unsettled, "typed");
    for when in [When::Open, When::AtRest, When::Queued] {
        check(when, &Stance { busy: true, ..WORK }, "1 held");
        check(when, &Stance { busy: true, ..unsettled }, "1 held");
    }
    check(When::AtRest, &unsettled, "1 held");
    check(When::Queued, &unsettled, "1 held");
    check(When::AtDialog, &REST, "asks nothing");
    check(When::AtDialog, &WORK, "asks nothing");
    check(When::AtDialog, &NOT_UP, "typed");
    check(When::AtDialog, &Stance { up: false, ..REST }, "asks nothing");
    check(When::AtDialog, &Stance { up: false, ..WORK }, "asks nothing");
    check(When::AtDialog, &Stance { silent: true, ..WORK }, "asks nothing");
    check(When::AtDialog, &Stance { known: false, ..BLOCKED }, "1 held");
}

#[test]
fn nobody_waits_for_ever_and_is_told_what_to_look_at() {
    for when in [When::Open, When::AtRest] {
        let told = fate(when, &NOT_UP, limits::AGENT_UP);
        assert!(told.contains("not up") && told.contains("codepiper attach"), "{told}");
    }
    let told = fate(When::Open, &Stance { busy: true, ..WORK }, limits::AGENT_UP);
    assert!(told.contains("still at the command"), "{told}");
    assert_eq!(fate(When::Queued, &WORK, limits::AGENT_UP), "1 held");
    let told = fate(When::Queued, &BLOCKED, limits::PARK_WAIT);
    assert!(told.contains("not come to rest") && told.contains("nothing was typed"), "{told}");
}

#[test]
fn a_question_that_was_answered_a_moment_ago_refuses_nothing() {
    let still_drawn = Stance { blocked: true, doubtful: true, ..REST };
    let (mut held, now) = (Held::new("id"), time::now());
    let (typing, told) = typing(When::Open, "x");
    held.push(typing, now);
    assert!(held.next(&still_drawn, now).is_none() && told.try_recv().is_err());
    assert_eq!(held.deadline(), Some(now + limits::REDRAWN));
    assert!(held.next(&REST, now).is_some_and(|(_, waited)| waited));

    let refused = fate(When::Open, &still_drawn, limits::REDRAWN);
    assert!(refused.contains("an answer in its terminal"), "{refused}");
}

#[test]
fn queued_input_goes_in_order_and_withdrawn_input_not_at_all() {
    let (mut held, now) = (Held::new("id"), time::now());
    let mut answers = Vec::new();
    for text in ["first", "second", "third"] {
        let (typing, told) = typing(When::Queued, text);
        answers.push((typing.owner.ticket.clone(), told));
        held.push(typing, now);
    }
    assert!(held.next(&WORK, now).is_none());
    answers[1].0.withdraw();
    for text in ["first", "third"] {
        let (typing, waited) = held.next(&REST, now).unwrap();
        assert_eq!((typing.what, waited), (What::Line(text.into()), true));
    }
    assert!(held.next(&REST, now).is_none() && held.is_empty() && held.deadline().is_none());
    assert!(answers[1].1.try_recv().is_err(), "nobody is there to be told");
}

#[test]
fn what_is_too_much_and_what_is_left_is_given_back() {
    let (mut held, now) = (Held::new("id"), time::now());
    let mut answers = Vec::new();
    for _ in 0..=limits::HELD {
        let (typing, told) = typing(When::Queued, "x");
        held.push(typing, now);
        answers.push(told);
    }
    let full = answers.pop().unwrap().try_recv().unwrap().unwrap_err();
    assert_eq!(full.code, Code::Busy);
    held.close(Code::Conflict, "the session has ended");
    assert!(answers.iter().all(|told| told.try_recv().unwrap().is_err()));
    let (large, told) = typing(When::Open, &"x".repeat(limits::INPUT_WAITING + 1));
    held.push(large, now);
    assert_eq!(told.try_recv().unwrap().unwrap_err().code, Code::Busy);
}
