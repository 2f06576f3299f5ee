//! Two sessions side by side, and the channels by which the agents' own programs find and drive
//! each other: no session has a part in another's. What goes through the kernel and through
//! codepiper is tried in tests/cage.

use crate::claude::agent::Agent;
use crate::claude::script::Script;
use crate::claude::script::bash;
use crate::codex::Codex;
use crate::codex::Ground;
use crate::codex::entry;
use crate::codex::shell;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use serde_json::Value;
use serde_json::json;
use std::fs;

/// What a script prints in a session beside at this level, in a directory of its own. It finds the
/// agents' programs.
#[track_caller]
fn beside(codex: &Codex<'_>, ground: &Ground, sandbox: &str, script: &str) -> String {
    let dir = ground.space.home.join("beside");
    fs::create_dir_all(&dir).expect("a directory in the home");
    let script = format!("({script}) >part 2>&1; mv part out; sleep 600");
    let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin", ground.space.home.display());
    let body = json!({"provider": "command", "cwd": dir, "sandbox": sandbox,
        "env": {"PATH": path}, "args": ["sh", "-c", script]});
    codex.daemon.post("/sessions", &body);
    let out = dir.join("out");
    let said = wait_for("the script beside", SOON, || fs::read_to_string(&out).ok());
    fs::remove_file(&out).expect("removed");
    said
}

fn conversation(session: &Value) -> String {
    session["metadata"]["providerSession"]["id"].as_str().expect("its id").to_string()
}

#[test]
fn no_session_types_into_a_codex_beside_by_its_queue() {
    let ground = Ground::new(&json!({"prompts": [
        entry("first", shell(&["touch first"])),
        entry("second", shell(&["touch second"])),
        entry("queued", shell(&["touch queued"])),
    ]}));
    let rule = json!({"action": "allow", "tool": "Bash", "command": "touch *"});
    let codex = Codex::start(&ground, &json!([rule]));
    codex.ask("do the first thing");
    let talk = conversation(&codex.daemon.session(&codex.id));
    let queue = format!("codex queue --thread {talk} --message 'do the queued thing'");

    let said = beside(&codex, &ground, "guard", &queue);
    assert!(said.contains("Queued message"), "{said}");
    // It looks into its queue when it has done something, and when it is started.
    codex.ask("do the second thing");
    codex.stop();
    ground.space.cli(&["resume", &codex.id]).expect(0);
    codex.open_folder();
    codex.ask("do the second thing");
    assert!(!ground.has("queued") && !ground.model.prompts().concat().contains("queued"));
    codex.stop();
}

/// Looks where Claude Code's sessions find each other: in its list, at the keys by which they are
/// driven, and at their sockets.
const LOOK: &str = "claude agents --json >list\nls ~/.claude/sessions >keys\n\
                    ls -A /tmp/cc-socks* /tmp/cc-daemon* /tmp/claude-host* | grep sock$ >sockets\n";

#[test]
fn each_claude_code_finds_itself_alone_where_its_sessions_find_each_other() {
    let space = Space::new();
    space.write("project/look", LOOK);
    let script = Script::new()
        .on("look for the first", &[bash("sh ./look")])
        .on("look for the second", &[bash("sh ./look")])
        .allow(&["sh ./look"]);
    let mut agent = Agent::start(&space, &script);
    let first = agent.id.clone();
    let second = agent.another(&[]);
    agent.daemon.wait_screen(&second, "manual mode");
    for (id, name) in [(first, "first"), (second, "second")] {
        agent.id = id;
        agent.ask(&format!("look for the {name}"));
        let read = |file: &str| fs::read_to_string(space.project.join(file)).expect("its look");
        let list: Value = serde_json::from_str(&read("list")).expect("JSON");
        let found = list.as_array().expect("a list");
        let (talk, pid) = (conversation(&agent.row()), found[0]["pid"].to_string());
        assert_eq!((found.len(), &found[0]["sessionId"]), (1, &json!(talk)), "{list}");
        assert_eq!(read("sockets"), format!("{pid}.sock\n"));
        let keys = read("keys");
        assert!(keys.contains(&pid) && keys.lines().all(|key| key.starts_with(&pid)), "{keys}");
    }
    // Nor do these: what lies there is each session's own.
    let shared = fs::read_dir(space.home.join(".claude/sessions")).into_iter().flatten().count();
    assert_eq!(shared, 0);
}
