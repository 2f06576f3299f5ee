//! The dashboard in Chromium: from the bootstrap password to a session, a terminal and approvals.
//! What a person does is told in `browser/story.mjs`; here is the machine that they do it to.

use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");

/// The directory of the driver, installed once.
fn driver() -> PathBuf {
    let fetch = format!("{TESTS}/fetch.sh");
    let out = Command::new(fetch).arg("browser").output().expect("tests/e2e/fetch.sh");
    assert!(out.status.success(), "fetch.sh: {}", String::from_utf8_lossy(&out.stderr));
    let program = String::from_utf8(out.stdout).expect("a path");
    Path::new(program.trim()).parent().expect("a directory").to_path_buf()
}

/// Two ports that nobody listens on.
fn ports() -> [u16; 2] {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
    let held = [listen(), listen()];
    held.each_ref().map(|listener| listener.local_addr().expect("its address").port())
}

/// A call of a Claude without dialogs: it is held until a person answers.
fn call(inside: &Inside, command: &str) -> u32 {
    inside.hook_aside(&json!({
        "hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "tool_name": "Bash", "tool_use_id": command,
        "tool_input": {"command": command, "description": "harmless"},
    }))
}

fn verdict(inside: &Inside, order: u32) -> Value {
    let said = inside.result(order);
    let said: Value = serde_json::from_str(said["stdout"].as_str().expect("text")).expect("JSON");
    said["hookSpecificOutput"].clone()
}

#[test]
fn a_person_sets_it_up_signs_in_types_and_answers_in_a_browser() {
    let mut space = Space::new();
    let [port, ws_port] = ports();
    for (name, value) in [
        ("CODEPIPER_WEB", "1".to_string()),
        ("CODEPIPER_PORT", port.to_string()),
        ("CODEPIPER_WS_PORT", ws_port.to_string()),
    ] {
        space.env.insert(name.to_string(), value);
    }
    Inside::install_claude(&space);
    let daemon = Daemon::start(&space);
    let shell = daemon.start_session(&["bash", "--norc"]);
    let named = json!({"name": "shell"});
    daemon.request("PUT", &format!("/sessions/{shell}/name"), Some(&named)).ok();
    let headless = json!({"provider": "claude-code", "args": ["-p", "hi"]});
    let claude = Inside::start_as(&space, &daemon, "claude", &headless);
    let (yes, no) = (call(&claude, "touch approved"), call(&claude, "touch denied"));
    wait_until("two approvals", SOON, || {
        daemon.get("/approvals")["approvals"].as_array().is_some_and(|all| all.len() == 2)
    });
    let bootstrap = daemon.post("/auth/cli/bootstrap", &json!({}));
    let story = Command::new("node")
        .arg(format!("{TESTS}/browser/story.mjs"))
        .env("PLAYWRIGHT", driver())
        .env("URL", format!("http://127.0.0.1:{port}"))
        .env("WS_URL", format!("ws://127.0.0.1:{ws_port}"))
        .env("BOOTSTRAP", bootstrap["bootstrapPassword"].as_str().expect("text"))
        .env("SHELL_ID", &shell)
        .output()
        .expect("node");
    let [said, wrong] = [&story.stdout, &story.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(story.status.success(), "{said}{wrong}\n{}", space.daemon_log());
    assert_eq!(verdict(&claude, yes)["permissionDecision"], "allow");
    let denied = verdict(&claude, no);
    assert_eq!(denied["permissionDecision"], "deny");
    assert_eq!(denied["permissionDecisionReason"], "not on a Friday");
}
