//! The promise: any shell script in a session can ask the gate, and `hook-forward --help` has all
//! that its author must know.

use crate::hook_gate::set_policy;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use serde_json::json;
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
