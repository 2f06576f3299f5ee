//! What policy says holds, and a daemon that comes and goes changes nothing about it.

use crate::claude::agent::Agent;
use crate::claude::script::Script;
use crate::claude::script::call;
use crate::claude::script::touch;
use crate::support::daemon::BINARY;
use crate::support::daemon::other_build;
use crate::support::space::Space;
use serde_json::json;

const REASON: &str = "this file is not yours to make";

/// Something allowed and something denied, at once and after a while.
fn script() -> Script {
    Script::new()
        .on("do the allowed thing", &[touch("allowed")])
        .on("do the denied thing", &[touch("denied")])
        .held("do the held allowed thing", &[touch("allowed")])
        .held("do the held denied thing", &[touch("denied")])
        .allow(&["touch allowed"])
        .rule(json!({
            "action": "deny", "tool": "Bash", "command": "touch denied", "reason": REASON,
        }))
}

#[test]
fn an_allowed_tool_runs_and_a_denied_one_does_not_and_the_model_is_told_why() {
    let space = Space::new();
    let agent = Agent::start(&space, &script());

    let result = agent.ask("do the allowed thing");
    assert!(!result.is_error, "{result:?}");
    assert!(agent.made("allowed"), "the allowed tool has run");

    let result = agent.ask("do the denied thing");
    assert!(result.is_error && result.text.contains(REASON), "{result:?}");
    assert!(!agent.made("denied"), "the denied tool has not run");

    assert_eq!(agent.row()["guarded"], true);
    assert_eq!(agent.verdicts(), ["allow", "deny"]);
    agent.stop();
}

#[test]
fn a_daemon_killed_or_upgraded_while_a_tool_waits_still_decides() {
    let space = Space::new();
    let mut agent = Agent::start(&space, &script());
    let other = other_build(&space);

    let rounds =
        [("do the held allowed thing", &*other, false), ("do the held denied thing", BINARY, true)];
    for (prompt, binary, is_error) in rounds {
        agent.say(prompt);
        agent.model.wait_asked(prompt);
        agent.daemon.kill9();
        agent.let_go(prompt);
        agent.wait_hook();
        agent.restart_as(binary);
        let result = agent.model.result_of(prompt);
        assert_eq!(result.is_error, is_error, "{prompt}: {result:?}");
        assert_eq!(result.text.contains(REASON), is_error, "{prompt}: {result:?}");
    }
    assert!(agent.made("allowed"), "the allowed tool has run");
    assert!(!agent.made("denied"), "the denied tool has not run");

    // The newer build at rest: the session's hooks still run the copy that it was started with.
    agent.daemon.kill9();
    agent.restart_as(&other);
    assert_ne!(agent.daemon.get("/version")["build"], codepiper::BUILD);
    assert!(agent.ask("do the denied thing").text.contains(REASON));
    assert!(!agent.ask("do the allowed thing").is_error);
    assert_eq!(agent.verdicts(), ["allow", "deny", "deny", "allow"]);
    assert_eq!(agent.row()["guarded"], true);
    agent.stop();
}

#[test]
fn a_file_tool_that_is_denied_touches_no_file() {
    let space = Space::new();
    let file = |name: &str| space.project.join(name);
    let write = call("Write", json!({"file_path": file("new.txt"), "content": "mine"}));
    let edit = json!({"file_path": file("old.txt"), "old_string": "yours", "new_string": "mine"});
    let script = Script::new()
        .on("write it", &[write])
        .on("edit it", &[call("Edit", edit)])
        .rule(json!({"action": "deny", "tool": ["Write", "Edit"], "reason": REASON}));
    space.write("project/old.txt", "yours");
    let agent = Agent::start(&space, &script);

    for prompt in ["write it", "edit it"] {
        let result = agent.ask(prompt);
        assert!(result.is_error && result.text.contains(REASON), "{prompt}: {result:?}");
    }
    assert!(!agent.made("new.txt"));
    assert_eq!(std::fs::read_to_string(file("old.txt")).expect("the file"), "yours");
    assert_eq!(agent.verdicts(), ["deny", "deny"]);
    agent.stop();
}

#[test]
fn a_file_is_denied_by_its_path_whatever_else_is_allowed() {
    let space = Space::new();
    let write = |file: &str| call("Write", json!({"file_path": file, "content": "mine"}));
    let edit = json!({"file_path": "sub/secret.txt", "old_string": "yours", "new_string": "mine"});
    let script = Script::new()
        .on("write it", &[write("secret.txt")])
        .on("edit it", &[call("Edit", edit)])
        .on("write another", &[write("sub/../other.txt")])
        .rule(json!({"action": "deny", "write": "**/secret.txt", "reason": REASON}))
        .rule(json!({"action": "allow", "tool": ["Write", "Edit"]}));
    let secret = space.write("project/sub/secret.txt", "yours");
    let agent = Agent::start(&space, &script);

    for prompt in ["write it", "edit it"] {
        let result = agent.ask(prompt);
        assert!(result.is_error && result.text.contains(REASON), "{prompt}: {result:?}");
    }
    assert!(!agent.ask("write another").is_error && agent.made("other.txt"));
    assert!(!agent.made("secret.txt"));
    assert_eq!(std::fs::read_to_string(secret).expect("the file"), "yours");
    assert_eq!(agent.verdicts(), ["deny", "deny", "allow"]);
    agent.stop();
}
