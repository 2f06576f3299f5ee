//! Logging in as the service does it, without a door.

use super::stand::App;
use super::stand::PASSWORD;
use super::stand::Stand;
use super::stand::visitor;
use super::*;
use crate::auth::limiter::Count;
use crate::base::error::Code;
use crate::model::login::Visitor;
use crate::service::Service;
use crate::store::attempts;
use crate::sys::poll::Waker;
use std::sync::Arc;
use std::sync::mpsc;

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

fn login(stand: &Stand, password: &str, factor: &Factor) -> Result<Entered> {
    stand.service.log_in(&visitor(), &secret(password), factor)
}

fn is_login(entered: Result<Entered>) -> bool {
    matches!(entered, Ok(Entered::Login(_)))
}

/// One attempt from this address, through the count; what came of it. What is tested is not the
/// hash.
fn attempt(stand: &Stand, address: &str, good: bool) -> Result<()> {
    let (tell, told) = mpsc::channel();
    let visitor = Visitor { address: address.into(), ..visitor() };
    let judge = move |_: &Service, _: &Visitor| if good { Ok(()) } else { Err(refused()) };
    stand.service.attempt(visitor, judge, move |done| tell.send(done).unwrap());
    told.recv().unwrap()
}

#[test]
fn the_first_password_takes_the_bootstrap_password_once() {
    let stand = Stand::new("bootstrap");
    let (old, _) = stand.service.bootstrap_if_needed().unwrap().unwrap();
    let (new, _) = stand.service.bootstrap("test").unwrap();
    let set_up = |words: &Secret| stand.service.set_up(&visitor(), words, &secret(PASSWORD));
    assert_eq!(set_up(&old).err().unwrap().code, Code::Unauthorized, "there is a newer one");
    assert_eq!(set_up(&secret("nonsense")).err().unwrap().code, Code::Unauthorized);
    let wins: usize = std::thread::scope(|scope| {
        let each: Vec<_> = (0..4).map(|_| scope.spawn(|| set_up(&new).is_ok())).collect();
        each.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
    });
    assert_eq!(wins, 1, "of setups at once one wins");
    assert!(set_up(&new).is_err());
    assert!(stand.service.bootstrap_if_needed().unwrap().is_none());
    assert_eq!(stand.service.bootstrap("test").err().unwrap().code, Code::Conflict);
    assert_eq!(stand.recorded("first password").len(), 1);
}

#[test]
fn w3_no_state_has_a_password_alone_open_a_login() {
    let (stand, mut app, _) = Stand::ready("alone");
    assert!(login(&stand, PASSWORD, &Factor::Missing).is_err());
    stand.service.reset_password(Some(secret("battery staple")), "test").unwrap();
    assert!(login(&stand, "battery staple", &Factor::Missing).is_err(), "a code is still asked");
    assert!(login(&stand, PASSWORD, &Factor::Code(app.new_code())).is_err(), "the old password");
    assert!(is_login(login(&stand, "battery staple", &Factor::Code(app.last_code()))));
    stand.service.reset_password(Some(secret(PASSWORD)), "test").unwrap();
    stand.service.reset_mfa("test").unwrap();
    assert!(stand.service.web_sessions().unwrap().is_empty(), "resets end all sessions");
    let entered = login(&stand, PASSWORD, &Factor::Code(app.new_code())).unwrap();
    assert!(matches!(entered, Entered::Onboarding(_)), "the next login can only enroll");
    let (mut app, _) = stand.enroll();
    assert!(is_login(login(&stand, PASSWORD, &Factor::Code(app.new_code()))));
}

#[test]
fn w8_a_code_opens_one_login_however_many_try_it_at_once() {
    let (stand, mut app, _) = Stand::ready("once");
    let code = app.new_code();
    // The hash is not what is tested: each thread comes to the same point with the same account.
    let known = stand.service.store().read(crate::store::account::get).unwrap().unwrap();
    let try_it = || {
        let checked = stand.service.check(&known, &Factor::Code(code.clone())).unwrap();
        let known = known.clone();
        stand.service.store().write(move |tx| checked.spend(tx, &known)).unwrap()
    };
    let wins: usize = std::thread::scope(|scope| {
        let each: Vec<_> = (0..20).map(|_| scope.spawn(try_it)).collect();
        each.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
    });
    assert_eq!(wins, 1);
    let replayed = login(&stand, PASSWORD, &Factor::Code(code)).err().unwrap();
    assert_eq!(replayed.message, refused().message);
}

#[test]
fn a_recovery_code_stands_in_once_and_ends_with_its_app() {
    let (stand, _, enrolled) = Stand::ready("recovery");
    let codes = &enrolled.recovery_codes;
    assert_eq!((codes.len(), codes[0].expose().len()), (10, 19));
    let recover = |code: &str| login(&stand, PASSWORD, &Factor::Recovery(secret(code)));
    assert!(recover("aaaa-aaaa-aaaa-aaaa").is_err());
    assert!(is_login(recover(&codes[0].expose().to_uppercase().replace('-', " "))));
    assert!(recover(codes[0].expose()).is_err(), "used");
    assert_eq!(stand.service.login_status().unwrap().recovery_codes, 9);
    assert_eq!(stand.recorded("recovery code").len(), 1);
    stand.service.reset_mfa("test").unwrap();
    stand.enroll();
    assert!(recover(codes[1].expose()).is_err(), "of another app");
}

#[test]
fn w20_everything_that_does_not_fit_looks_the_same_and_is_told_apart_in_the_log() {
    let (stand, app, _) = Stand::ready("same");
    let nobody = Stand::new("same-none");
    let errors = [
        login(&stand, "wrong horse", &Factor::Missing),
        login(&stand, "wrong horse", &Factor::Code(app.last_code())),
        login(&stand, PASSWORD, &Factor::Code(app.wrong_code())),
        login(&stand, PASSWORD, &Factor::Code(app.last_code())),
        login(&stand, PASSWORD, &Factor::Recovery(secret("x"))),
        login(&stand, PASSWORD, &Factor::Missing),
        login(&stand, &"x".repeat(900_000), &Factor::Missing),
        login(&nobody, PASSWORD, &Factor::Code(app.last_code())),
    ];
    for error in errors.map(|entered| entered.err().unwrap()) {
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::Unauthorized, "wrong password or code")
        );
    }
    assert_eq!(stand.recorded("a wrong password").len(), 3);
    assert_eq!(stand.recorded("the right password with a wrong code").len(), 4);
}

/// Wrong attempts from this address until one has to wait; how many were looked at.
fn until_it_waits(stand: &Stand, address: &str) -> usize {
    let judged = |_: &usize| match attempt(stand, address, false).err().unwrap().code {
        Code::Unauthorized => true,
        Code::Wait(seconds) => {
            assert!(seconds > 0);
            false
        }
        code => panic!("{code:?}"),
    };
    (0..20).take_while(judged).count()
}

#[test]
fn w8_attempts_are_counted_before_they_are_judged_and_over_restarts() {
    let mut stand = Stand::new("counted");
    // On a machine that stands still for a second, one more is let in.
    let judged = until_it_waits(&stand, "192.0.2.1");
    assert!((5..=8).contains(&judged), "{judged} were judged");
    assert_eq!(stand.recorded("have to wait").len(), judged - 4);
    stand.restart();
    let known = stand.service.store().read(|c| attempts::get(c, "192.0.2.1")).unwrap();
    assert_eq!(known.tries as usize, judged, "they are remembered");
    assert!(attempt(&stand, "192.0.2.2", true).is_ok(), "others go on");
    // All come at once, before any is judged.
    let verdicts: Vec<bool> = std::thread::scope(|scope| {
        let one = || attempt(&stand, "::1", false).err().unwrap().code == Code::Unauthorized;
        let each: Vec<_> = (0..20).map(|_| scope.spawn(one)).collect();
        each.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let judged = verdicts.iter().filter(|judged| **judged).count();
    assert!((1..=8).contains(&judged), "{judged} were judged");
}

#[test]
fn w8_a_good_login_forgives_its_address_and_a_reset_everybody() {
    let (stand, _, _) = Stand::ready("forgiven");
    let tries = |stand: &Stand| stand.service.store().read(|c| attempts::get(c, "192.0.2.1"));
    for good in [false, false, true] {
        assert_eq!(attempt(&stand, "192.0.2.1", good).is_ok(), good);
    }
    assert_eq!(tries(&stand).unwrap().tries, 0);
    let many = Count { tries: 30, last_ms: crate::base::time::unix_ms() };
    let put = move |tx: &crate::store::tx::Tx<'_>| attempts::put(tx, "192.0.2.1", many, 9);
    stand.service.store().write(put).unwrap();
    let waits = attempt(&stand, "192.0.2.1", true).err().unwrap();
    assert!(matches!(waits.code, Code::Wait(800..=900)), "{waits:?}");
    stand.service.reset_mfa("test").unwrap();
    assert!(attempt(&stand, "192.0.2.1", true).is_ok());
}

#[test]
fn a_full_line_is_told_to_wait_and_what_panics_in_it_harms_nobody() {
    let stand = Stand::new("line");
    let (enter, entered) = crossbeam_channel::bounded::<()>(0);
    let (tell, told) = mpsc::channel();
    stand.service.in_turn(
        move |_| {
            let _ = entered.recv();
            Ok(())
        },
        |_| panic!("on purpose"),
    );
    let waiting = crate::limits::login::HASHES_WAITING;
    // The first may or may not have left the line by then.
    for _ in 0..waiting + 2 {
        let tell = tell.clone();
        stand.service.in_turn(|_| Ok(()), move |done| tell.send(done).unwrap());
    }
    let full = told.recv().unwrap().unwrap_err();
    assert_eq!(full.code, Code::Wait(crate::limits::login::HASH_RETRY));
    drop(enter);
    drop(tell);
    let done = told.iter().filter(Result::is_ok).count();
    assert!((waiting - 1..=waiting).contains(&done), "{done}");
}

#[test]
fn w14_whoever_watches_a_login_is_woken_when_it_ends() {
    let (stand, mut app, _) = Stand::ready("watch");
    let service = &stand.service;
    let open = |app: &mut App| {
        let Ok(Entered::Login(opened)) = login(&stand, PASSWORD, &Factor::Code(app.new_code()))
        else {
            panic!("no login");
        };
        let session = service.web_session(opened.token.expose()).unwrap().unwrap();
        assert!(session.proves(opened.proof.expose()) && !session.proves(opened.token.expose()));
        session.id
    };
    let watch = |id: &str| {
        let waker = Arc::new(Waker::new().unwrap());
        (service.watch_login(id, waker.clone()).unwrap(), waker)
    };
    let rang = |waker: &Waker| {
        let mut watches = [crate::sys::poll::Watch::new(waker, true, false)];
        crate::sys::poll::wait(&mut watches, Some(std::time::Duration::ZERO)).unwrap() == 1
    };
    let id = open(&mut app);
    let (mine, waker) = watch(&id);
    let (other, quiet) = watch(&service.web_sessions().unwrap()[1].id);
    assert!(!mine.is_over() && !rang(&waker));
    service.end_web_session(&id, "test", "logged out").unwrap();
    assert!(mine.is_over() && rang(&waker));
    assert!(!other.is_over() && !rang(&quiet), "another login goes on");
    let (late, waker) = watch(&id);
    assert!(late.is_over() && rang(&waker), "it has ended before");
    service.end_web_sessions(None, "test").unwrap();
    assert!(other.is_over() && rang(&quiet));
    let id = open(&mut app);
    let (reset, waker) = watch(&id);
    service.reset_password(None, "test").unwrap();
    assert!(reset.is_over() && rang(&waker));
    assert_eq!(service.end_web_session(&id, "test", "x").err().unwrap().code, Code::NotFound);
}

#[test]
fn nothing_that_opens_anything_stands_in_the_files() {
    let (stand, app, enrolled) = Stand::ready("files");
    let (token, proof) = (enrolled.opened.token.expose(), enrolled.opened.proof.expose());
    let secrets = [token, proof, PASSWORD, enrolled.recovery_codes[0].expose()].map(str::to_string);
    let known = stand.service.store().read(crate::store::account::get).unwrap().unwrap();
    let opened = enter::totp_place(known.version);
    let totp = stand.service.logins.keys.open(opened, &known.totp.unwrap()).unwrap();
    drop(app);
    for name in ["codepiper.db", "codepiper.db-wal"] {
        let bytes = std::fs::read(stand.service.paths.home().join(name)).unwrap();
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(secrets.iter().all(|secret| !holds(secret.as_bytes())), "{name}");
        assert!(!holds(&totp), "{name}");
        assert!(!holds(&data_encoding::BASE32_NOPAD.encode(&totp).into_bytes()), "{name}");
    }
}
