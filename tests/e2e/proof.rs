//! The proof of the gate, with the real agents: each is proven before its first session, and its
//! own program is found out when it runs without its hooks.

use crate::level;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// Puts `program` on the login shell's PATH under `name`, by way of a script where one is given.
fn install(space: &Space, name: &str, program: &Path, script: Option<&str>) {
    space.write("home/.profile", "PATH=\"$HOME/bin:/usr/local/bin:/usr/bin:/bin\"\n");
    let place = space.home.join("bin").join(name);
    fs::create_dir_all(space.home.join("bin")).expect("a directory in the home");
    let _ = fs::remove_file(&place);
    match script {
        None => symlink(program, place).expect("a link"),
        Some(script) => {
            let text = script.replace("PROGRAM", &path_text(program));
            space.write_program(&format!("home/bin/{name}"), &text);
        }
    }
}

/// The pinned program of an agent, installed once for all tests.
fn fetched(name: &str) -> PathBuf {
    let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fetch.sh");
    let out = Command::new(fetch).arg(name).output().expect("tests/e2e/fetch.sh");
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "fetch.sh: {stderr}");
    PathBuf::from(String::from_utf8(out.stdout).expect("a path").trim())
}

/// What `doctor --prove PROVIDER` says of the agent.
fn prove(space: &Space, provider: &str, label: &str) -> Value {
    let out = space.cli(&["doctor", "--prove", provider, "--json"]).run().json();
    let checks = out["checks"].as_array().expect("a list");
    checks.iter().find(|check| check["name"] == label).expect("its row").clone()
}

#[track_caller]
fn expect(row: &Value, ok: bool, words: &str) {
    assert_eq!(row["ok"], ok, "{row}");
    assert!(row["detail"].as_str().expect("text").contains(words), "no {words:?} in {row}");
}

#[test]
fn claude_code_is_proven_and_found_out_without_its_hooks() {
    let space = Space::new();
    let program = fetched("claude");
    install(&space, "claude", &program, None);
    let daemon = Daemon::start(&space);
    level::set(&space);
    expect(&prove(&space, "claude-code", "Claude Code"), true, "gate proven on 2.1.330 at ");
    assert_eq!(daemon.get("/sessions")["sessions"].as_array().map(Vec::len), Some(0));
    let kept = fs::read_dir(space.state.join("sessions")).expect("a directory").count();
    assert_eq!(kept, 0, "nothing is left of it");
    // The same program, by a launcher that takes the overlay away.
    let script = "#!/bin/bash\nargs=()\n\
        while [ $# -gt 0 ]; do case $1 in --settings) shift 2;; *) args+=(\"$1\"); shift;; esac; \
        done\nexec PROGRAM \"${args[@]}\"\n";
    install(&space, "claude", &program, Some(script));
    expect(&prove(&space, "claude-code", "Claude Code"), false, "ran a call without asking");
    let project = path_text(&space.project);
    let refused = space.cli(&["start", "-p", "claude-code", "-d", &project]).expect(5);
    assert!(refused.stderr.contains("Claude Code 2.1.330 is not started"), "{refused:?}");
}

#[test]
fn codex_is_proven_and_found_out_without_its_hooks() {
    let space = Space::new();
    let program = fetched("codex");
    install(&space, "codex", &program, None);
    let _daemon = Daemon::start(&space);
    level::set(&space);
    expect(&prove(&space, "codex", "Codex"), true, "gate proven on 0.169.0 at ");
    // One setting carries the trust without which no hook runs.
    let script = "#!/bin/bash\nargs=()\n\
        while [ $# -gt 0 ]; do case $1$2 in -chooks.state=*) shift 2;; \
        --config=hooks.state=*) shift;; *) args+=(\"$1\"); shift;; esac; done\n\
        exec PROGRAM \"${args[@]}\"\n";
    install(&space, "codex", &program, Some(script));
    expect(&prove(&space, "codex", "Codex"), false, "ran a call without asking");
}
