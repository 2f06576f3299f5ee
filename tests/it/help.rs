//! The client explains itself, and says what it does not understand.

use crate::support::space::Space;

#[test]
fn help_names_the_first_commands_and_needs_no_daemon() {
    let space = Space::new();
    let help = space.cli(&["help"]).expect(0);
    for verb in ["daemon", "start", "attach", "sessions", "logs", "stop"] {
        assert!(help.stdout.contains(verb), "no {verb} in:\n{}", help.stdout);
    }
    assert!(!space.state.exists(), "help leaves no state behind");
}

#[test]
fn help_lists_the_exit_codes_that_scripts_rely_on() {
    let out = Space::new().cli(&["help", "exit-codes"]).expect(0);
    for code in ["0", "1", "2", "3", "4", "5", "124"] {
        let listed = out.stdout.split_whitespace().any(|word| word == code);
        assert!(listed, "no {code} in:\n{}", out.stdout);
    }
}

#[test]
fn an_unknown_command_is_a_usage_error_that_names_it() {
    let out = Space::new().cli(&["frobnicate"]).expect(2);
    assert!(out.stderr.contains("frobnicate"), "{}", out.stderr);
    assert!(out.stdout.is_empty(), "errors go to standard error: {}", out.stdout);
}

#[test]
fn without_a_daemon_a_command_ends_with_3_and_the_way_out() {
    let space = Space::new();
    let out = space.cli(&["sessions"]).expect(3);
    assert!(out.stderr.contains("codepiper daemon"), "{}", out.stderr);
}
