//! Where commands run, as far as the `cd`s before them say.

use super::*;
use crate::policy::Place;
use crate::policy::path::normal;

/// The possible directories of each command.
fn dirs(text: &str) -> Vec<Vec<String>> {
    let resolve = |path: &str| normal(path);
    let ground = Ground::new(&Place { project: "/p", home: "/h", own: &[], resolve: &resolve });
    let commands = commands(text, ground.spot("/p", "/"), &ground).expect(text);
    commands.iter().map(|c| c.dirs.iter().map(|dir| dir.written.clone()).collect()).collect()
}

#[test]
fn a_command_runs_wherever_the_cds_before_it_may_have_led() {
    for (text, want) in [
        ("a", vec![vec!["/p"]]),
        ("cd x && a", vec![vec!["/p"], vec!["/p/x"]]),
        ("cd x; a", vec![vec!["/p"], vec!["/p", "/p/x"]]),
        ("cd x\na", vec![vec!["/p"], vec!["/p", "/p/x"]]),
        ("cd x || a", vec![vec!["/p"], vec!["/p", "/p/x"]]),
        ("cd x && cd y && a", vec![vec!["/p"], vec!["/p/x"], vec!["/p/x/y"]]),
        ("cd x && a; b", vec![vec!["/p"], vec!["/p/x"], vec!["/p", "/p/x"]]),
        ("a || cd x && b", vec![vec!["/p"], vec!["/p"], vec!["/p", "/p/x"]]),
        ("cd x | a", vec![vec!["/p"], vec!["/p", "/p/x"]]),
        ("cd x && a | b", vec![vec!["/p"], vec!["/p/x"], vec!["/p", "/p/x"]]),
        ("cd /srv && a", vec![vec!["/p"], vec!["/srv"]]),
        ("cd && a", vec![vec!["/p"], vec!["/h"]]),
        ("cd x && cd x/.. && a", vec![vec!["/p"], vec!["/p/x"], vec!["/p/x"]]),
    ] {
        assert_eq!(dirs(text), want, "{text}");
    }
}

#[test]
fn nobody_knows_where_the_shell_stands_after_what_is_not_a_plain_cd() {
    for text in ["cd -", "cd a b", "cd -P a", "cd +1", "cd ''", "pushd a", "popd", ". x", "eval x"]
    {
        assert_eq!(dirs(&format!("{text} && a; b"))[1..], [Vec::<String>::new(), vec![]], "{text}");
        assert_eq!(dirs(&format!("{text}; cd x && a"))[2], Vec::<String>::new(), "{text}");
    }
    assert_eq!(dirs("command -v x && a")[1], ["/p"]);
}

#[test]
fn only_a_cd_within_the_project_does_not_leave_it() {
    let resolve = |path: &str| normal(path);
    let ground = Ground::new(&Place { project: "/p", home: "/h", own: &[], resolve: &resolve });
    let leaves = |text: &str| {
        let list = commands(text, ground.spot("/p", "/"), &ground).expect(text);
        list.iter().any(|command| command.leaves)
    };
    for text in ["cd x", "cd x/..", "cd /p", "cd /p/x && cd ..", "ls /etc"] {
        assert!(!leaves(text), "{text}");
    }
    for text in ["cd", "cd ..", "cd /", "cd -", "cd x y", "cd x; cd .."] {
        assert!(leaves(text), "{text}");
    }
}

#[test]
fn so_many_cds_that_nobody_could_tell_are_not_understood() {
    let ground_of = |path: &str| normal(path);
    let ground = Ground::new(&Place { project: "/p", home: "/h", own: &[], resolve: &ground_of });
    let text = "cd x;".repeat(limits::gate::COMMAND_DIRS);
    assert!(commands(&text, ground.spot("/p", "/"), &ground).is_err());
}
