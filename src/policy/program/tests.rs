//! What the files say, and what a command is by them.

use super::reading::*;
use super::*;
use crate::policy::Place;
use crate::policy::path::Ground;
use crate::policy::path::normal;
use crate::policy::shell::lex;

/// How a command is read in `/p`: the inert words, and what is written.
fn reading(text: &str) -> Reading {
    let ground = Ground::new(&Place { project: "/p", home: "/h", resolve: &normal });
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
