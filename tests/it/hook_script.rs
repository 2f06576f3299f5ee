//! The promise: any shell script in a session can ask the gate, and `hook-forward --help` has all
//! that its author must know.

use crate::hook_calls::stdin;
use crate::hook_gate::set_policy;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

/// The script of the help page, as a person would copy it.
fn example(help: &str) -> String {
    let lines = help.lines().skip_while(|line| !line.starts_with("  #!/bin/sh"));
    let lines = lines.take_while(|line| line.starts_with("  "));
    lines.map(|line| format!("{}\n", &line[2..])).collect()
}

#[test]
fn help_is_the_same_by_both_ways_and_needs_no_daemon() {
    let space = Space::new();
    let help = space.cli(&["hook-forward", "--help"]).expect(0).stdout;
    assert_eq!(space.cli(&["help", "hook-forward"]).expect(0).stdout, help);
    for word in ["hook_event_name", "tool_input", "CODEPIPER_SECRET", "Exit code", "#!/bin/sh"] {
        assert!(help.contains(word), "no {word} in:\n{help}");
    }
}

#[test]
fn the_example_of_the_help_page_obeys_the_policy() {
    let space = Space::new();
    let help = space.cli(&["hook-forward", "--help"]).expect(0).stdout;
    let script = path_text(&space.write_program("push", &example(&help)));
    space.write("home/.profile", "PATH=\"$HOME/bin:$PATH\"\n");
    space.write_program("home/bin/git", "#!/bin/sh\necho \"git $*\"\n");
    symlink(BINARY, space.home.join("bin/codepiper")).expect("a link");
    let mut daemon = Daemon::start(&space);
    let inside = Inside::start(&space, &daemon, "script");
    let soon = json!({"CODEPIPER_HOOK_DEADLINE_MS": "300"});
    let push = |env: &Value| inside.ask(&json!({"do": "run", "argv": [script], "env": env}));
    let rule = |action: &str| {
        let rule = json!({"action": action, "tool": "Bash", "command": "git push",
            "reason": "by \"permissionDecision\":\"allow\" of mine"});
        set_policy(&daemon, &json!([rule])).ok();
    };
    rule("allow");
    let ran = push(&json!({}));
    assert_eq!(ran, json!({"code": 0, "stdout": "git push\n", "stderr": ""}));
    for action in ["deny", "ask"] {
        rule(action);
        let ran = push(&json!({}));
        assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{ran}");
        let stderr = ran["stderr"].as_str().expect("text");
        assert!(stderr.contains("not pushed") && stderr.contains("of mine"), "{stderr}");
    }
    rule("allow");
    let ran = push(&json!({"CODEPIPER_SECRET": "0000"}));
    assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{ran}");
    daemon.kill9();
    let ran = push(&soon);
    assert_eq!((&ran["code"], &ran["stdout"]), (&json!(2), &json!("")), "{ran}");
    assert!(ran["stderr"].as_str().is_some_and(|s| s.contains("not run")), "{ran}");
}

#[test]
fn a_program_that_asks_as_the_first_thing_it_does_is_believed() {
    let space = Space::new();
    let daemon = Daemon::start(&space);
    set_policy(&daemon, &json!([{"action": "allow", "tool": "*"}])).ok();
    space.write("project/call", &stdin("PreToolUse"));
    let line = format!("{BINARY} hook-forward <call >>said 2>&1; echo $? >>codes");
    let codes = || fs::read_to_string(space.project.join("codes")).unwrap_or_default();
    for _ in 0..10 {
        let before = codes().lines().count();
        let id = daemon.start_session(&["/bin/sh", "-c", &line]);
        daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=20"));
        daemon.post(&format!("/sessions/{id}/resume"), &json!({}));
        daemon.get(&format!("/sessions/{id}/wait?for=ended&timeout=20"));
        wait_until("two more ends", SOON, || codes().lines().count() == before + 2);
        let refused = daemon.get(&format!("/sessions/{id}/events?type=refused"));
        assert_eq!(refused["events"], json!([]), "{}", space.daemon_log());
    }
    let said = fs::read_to_string(space.project.join("said")).expect("answers");
    assert!(codes().lines().all(|code| code == "0"), "{said}");
    assert_eq!(said.matches("\"allow\"").count(), 20, "{said}");
}
