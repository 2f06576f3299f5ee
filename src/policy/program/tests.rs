//! What the files say, and what a command is by them.

use super::reading::*;
use super::*;
use crate::policy::Place;
use crate::policy::path::Ground;
use crate::policy::path::normal;
use crate::policy::shell::lex;

/// How a command is read in `/p`: the inert words, and what is written.
fn reading(text: &str) -> Reading {
    let ground = Ground::new(&Place { project: "/p", home: "/h", own: &[], resolve: &normal });
    let list = lex::split(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let dirs = [ground.spot("/p", "/").unwrap()];
    read(&list[0].words, &list[0].many, &dirs, &ground)
}

#[test]
fn every_line_of_the_files_is_understood() {
    for table in [&PROGRAMS, &WRAPPERS] {
        assert!(!table.names.is_empty());
        for profile in &table.profiles {
            assert!(profile.behind.is_none_or(|name| table.names.contains_key(name)));
        }
    }
    assert!(PROGRAMS.names.len() > 300, "{}", PROGRAMS.names.len());
}

#[test]
fn what_is_behind_a_strange_word_is_strange() {
    for (text, inert) in [
        ("ls -la src", vec![false, true, true]),
        ("ls -la --odd src -l", vec![false, true, false, false, false]),
        ("git log -3 --output x", vec![false, false, true, false, false]),
        ("git stash list", vec![false, false, true]),
        ("golangci-lint run ./...", vec![false, true, true]),
        ("grep -e .env src", vec![false, true, true, true]),
        ("grep .env .env", vec![false, true, false]),
        ("cargo test -p a b -- --nocapture", vec![false, false, true, true, true, true, true]),
        ("odd a b", vec![false, false, false]),
    ] {
        assert_eq!(reading(text).inert, inert, "{text}");
    }
    assert!(reading("ls -la src").is_understood && reading("ls -la src").is_known);
    assert!(!reading("ls --odd").is_understood && !reading("odd").is_known);
    assert!(!reading("make test").is_known, "a task may run what it is fed");
}

#[test]
fn what_is_written_is_an_effect() {
    for (text, want) in [
        ("mkdir -p a {b,c}/d", vec!["/p/a", "/p/b/d", "/p/c/d", "/p/{b,c}/d"]),
        ("cp a b c", vec!["/p/c", "/p/c/a", "/p/c/b"]),
        ("mv x/a b", vec!["/p/b", "/p/b/a", "/p/x/a"]),
        ("sed -i s/a/b/ c", vec!["/p/c"]),
        ("sed s/a/b/ c", vec![]),
        ("sort -oa b", vec!["/p/a"]),
        ("go build -o=/x ./a", vec!["/x"]),
        ("tee /dev/null", vec![]),
        ("chmod +x a", vec!["/p/a"]),
    ] {
        let writes = reading(text).writes;
        let written: Vec<&str> =
            writes.iter().map(|effect| effect.spot().unwrap().written.as_str()).collect();
        assert_eq!(written, want, "{text}");
        assert!(writes.iter().all(|effect| effect.writes()));
    }
}

#[test]
fn wrappers_are_taken_away_only_if_they_are_understood() {
    let words = |text: &str| lex::split(text).expect(text)[0].words.clone();
    for (text, want) in [
        ("timeout -k 5 9 make", Inner::Command(4)),
        ("nice -5 make", Inner::Command(2)),
        ("env CI=1 NO_COLOR=1 make", Inner::Command(3)),
        ("git --no-pager log", Inner::Verb(2)),
        ("git log", Inner::Verb(1)),
        ("bash -e -lc 'ls; pwd'", Inner::Script("ls; pwd".to_string())),
    ] {
        assert_eq!(unwrap(&words(text)), Some((want, None)), "{text}");
    }
    assert_eq!(unwrap(&words("git -C a log")), Some((Inner::Verb(3), Some("a"))));
    for text in [
        "timeout 9",
        "timeout x make",
        "timeout --odd 9 make",
        "env -i make",
        "bash x",
        "bash -c",
        "ls",
        "bash -c ls x",
        "git -c a=b log",
        "git -C a -C b log",
        "command -v x",
        "xargs ls",
        "sudo ls",
    ] {
        assert_eq!(unwrap(&words(text)), None, "{text}");
    }
}
