//! The promise: `sandbox check` tries from inside a session what the docs promise, and says what
//! does not hold.

use crate::support::daemon::Daemon;
use crate::support::space::Space;
use serde_json::Value;

/// What it says of a level.
fn check(space: &Space, level: &str) -> Value {
    space.cli(&["sandbox", "check", level, "--json"]).expect(0).json()
}

fn standings<'a>(said: &'a Value, wanted: &str) -> Vec<&'a str> {
    let all = said["promises"].as_array().expect("promises").iter();
    let fit = all.filter(|promise| promise["standing"] == wanted);
    fit.map(|promise| promise["means"].as_str().expect("text")).collect()
}

#[test]
fn each_level_holds_on_this_host_what_is_promised_of_it() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    let mut held = 0;
    for level in ["keys-only", "guard", "workspace", "strict"] {
        let said = check(&space, level);
        assert_eq!(said["level"], level, "{said}");
        assert!(standings(&said, "open").is_empty(), "{said:#}");
        let holds = standings(&said, "held").len();
        assert!(holds > held, "{level} holds no more than what is below it: {said:#}");
        held = holds;
    }
    let shown = space.cli(&["sandbox", "check", "guard"]).expect(0).stdout;
    assert!(shown.contains("ok   the agent cannot give codepiper orders"), "{shown}");
    assert!(daemon.get("/sessions")["sessions"].as_array().is_some_and(Vec::is_empty));
    let shown = space.cli(&["doctor"]).run().stdout;
    assert!(shown.contains("ok   sandbox: auto, not used since"), "{shown}");
}

#[test]
fn without_a_cage_its_tries_succeed() {
    let space = Space::new();
    let _daemon = Daemon::start(&space);
    let said = check(&space, "off");
    let tries = said["promises"].as_array().expect("promises").iter();
    let tries = tries.flat_map(|promise| promise["tries"].as_array().expect("tries"));
    let open: Vec<&str> = tries
        .filter(|one| one["result"] == "open")
        .map(|one| one["try"].as_str().expect("text"))
        .collect();
    for one in [
        "open a key or the database",
        "signal a process outside",
        "limit a process outside",
        "open its memory",
        "connect to an abstract socket",
        "connect to the control socket and keepers",
        "look at it in /proc",
        "open such files for writing",
        "make a file elsewhere",
        "make a git hook",
        "list a directory elsewhere",
        "connect to a port",
    ] {
        assert!(open.contains(&one), "{one} is not open: {said:#}");
    }
    let wrong = space.cli(&["sandbox", "check", "iron"]).expect(2).stderr;
    assert!(wrong.contains("no sandbox is called \"iron\""), "{wrong}");
}
