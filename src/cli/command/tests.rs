//! Tests of the parser, on the real table of commands.

use super::*;
use crate::cli::TABLES;

fn run(words: &[&str]) -> Result<(&'static str, Args)> {
    match parse(TABLES, words.iter().map(OsString::from).collect())? {
        Parsed::Run(command, args) => Ok((command.name, args)),
        Parsed::Help(command) => Ok((command.map_or("help", |c| c.name), Args::default())),
        Parsed::Version => Ok(("version", Args::default())),
    }
}

fn error(words: &[&str]) -> String {
    run(words).unwrap_err().message
}

#[test]
fn ids_stand_before_or_behind_flags_and_global_options_anywhere() {
    for line in ["tail -f -n 3 abc", "tail abc -fn3", "--json tail abc --lines=3 --follow"] {
        let (name, args) = run(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!((name, args.words.as_slice()), ("tail", &["abc".to_string()][..]), "{line}");
        assert!(args.has("--follow") && args.value("--lines") == Some("3"), "{line}");
    }
    assert!(run(&["stop", "a", "--socket", "/x", "b"]).unwrap().1.words == ["a", "b"]);
}

#[test]
fn text_behind_the_id_is_text_even_with_dashes() {
    let (_, args) = run(&["send", "--wait", "id", "--no-newline", "-x", "--help"]).unwrap();
    assert_eq!(args.words, ["id", "--no-newline", "-x", "--help"]);
    assert!(args.has("--wait") && !args.has("--no-newline"));
    assert_eq!(run(&["send", "id", "--", "--", "x"]).unwrap().1.words, ["id", "--", "x"]);
    assert_eq!(run(&["send", "id", "-"]).unwrap().1.words, ["id", "-"]);
}

#[test]
fn a_program_stands_behind_the_dashes_with_its_own_flags() {
    let (_, args) = run(&["start", "-p", "command", "-d", ".", "--", "ls", "-h"]).unwrap();
    assert_eq!((args.words, args.dashes), (vec!["ls".to_string(), "-h".to_string()], true));
    assert!(error(&["start", "-p", "command", "ls"]).contains("behind --"));
    assert!(run(&["start", "-p", "claude-code"]).unwrap().1.words.is_empty());
}

#[test]
fn unknown_flags_and_commands_are_named_with_the_nearest_and_the_help() {
    let text = error(&["stop", "--jsn", "x"]);
    assert!(text.contains("\"--jsn\"") && text.contains("did you mean --json"), "{text}");
    assert!(text.ends_with("codepiper help stop"), "{text}");
    assert!(error(&["stop", "-x", "id"]).contains("unknown option \"-x\"; see"));
    assert!(error(&["--what", "stop"]).contains("codepiper help"));
    assert!(error(&["sesions"]).contains("did you mean sessions?"));
    assert!(error(&["att"]).contains("did you mean attach?"));
    assert!(!error(&["frobnicate"]).contains("did you mean"));
    assert!(!error(&["keepe"]).contains("keeper"), "hidden commands are not offered");
}

#[test]
fn missing_and_surplus_words_show_the_usage() {
    assert!(error(&["show"]).contains("usage: codepiper show"));
    assert!(error(&["show", "a", "b"]).contains("unexpected word \"b\""));
    assert!(error(&["send", "id"]).contains("usage: codepiper send"));
    assert!(error(&["tail", "x", "--lines"]).contains("--lines"));
    assert!(error(&["tail", "x", "--raw=1"]).contains("--raw"));
    assert_eq!(run(&["resize", "id", "-1", "70000"]).unwrap().1.words[1], "-1");
}

#[test]
fn a_verb_has_words_and_options_of_its_own() {
    let (name, args) = run(&["policy", "--json", "ls", "--enabled", "true"]).unwrap();
    assert_eq!((name, args.verb.map(|v| v.name)), ("policy", Some("list")));
    assert!(args.words.is_empty() && args.has("--json"), "the verb is no word");
    assert_eq!(args.value("--enabled"), Some("true"));
    assert_eq!(run(&["policy", "show", "list"]).unwrap().1.words, ["list"]);
    assert!(error(&["policy"]).contains("usage: codepiper policy list|show|"));
    assert!(error(&["policy", "lits"]).contains("did you mean list?"));
    assert!(error(&["policy", "frobnicate"]).contains("codepiper help policy"));
    assert!(error(&["policy", "show"]).contains("usage: codepiper policy show ID"));
    assert!(error(&["policy", "show", "a", "b"]).contains("unexpected word \"b\""));
    assert!(error(&["policy", "show", "a", "--rules", "x"]).contains("unknown option \"--rules\""));
    assert!(error(&["policy", "--rules", "x", "create"]).contains("unknown option"));
    assert_eq!(run(&["policy", "show", "--help"]).unwrap().0, "policy");
}

#[test]
fn help_and_version_are_found_anywhere_before_the_dashes() {
    assert_eq!(run(&[]).unwrap().0, "help");
    assert_eq!(run(&["tail", "x", "y", "z", "--help"]).unwrap().0, "tail");
    assert_eq!(run(&["-h"]).unwrap().0, "help");
    assert_eq!(run(&["sessions", "-V"]).unwrap().0, "version");
    assert_eq!(run(&["start", "-p", "c", "--", "ls", "--help"]).unwrap().0, "start");
}

#[test]
fn words_that_are_not_utf8_are_refused() {
    use std::os::unix::ffi::OsStringExt;
    let words = vec![OsString::from("show"), OsString::from_vec(vec![0xff, b'x'])];
    assert!(parse(TABLES, words).err().unwrap().message.contains("not UTF-8"));
}
