//! The agents' own sandboxes, inside ours: they hold what they hold without it.

use crate::claude::agent::Agent;
use crate::claude::agent::Home;
use crate::claude::script::Script;
use crate::claude::script::bash;
use crate::codex::Codex;
use crate::codex::Ground;
use crate::codex::entry;
use crate::codex::shell;
use crate::level;
use crate::support::space::Space;
use crate::tools;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Writes to the project and beside it, where only the agent's own sandbox keeps it from that, and
/// tells by what it can see of it that it runs in one.
const WORK: &str = "touch inside && echo made it\ntouch ~/outside || echo kept out\n\
                    env | grep -o '^SANDBOX_RUNTIME=1\\|^CODEX_SANDBOX_NETWORK_DISABLED=1'\n";
const COMMAND: &str = "sh ./work";

#[track_caller]
fn assert_nested(told: &str, mark: &str, project: &Path, session: &Value) {
    for words in ["made it", "kept out", mark] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    assert!(project.join("inside").exists());
    assert_eq!(session["sandbox"]["verified"], level::expected(), "{session}");
}

fn rule() -> Value {
    json!({"action": "allow", "tool": "Bash", "command": COMMAND})
}

#[test]
fn claude_codes_sandbox_keeps_a_tool_to_the_project() {
    let space = Space::new();
    tools::install(&space, &["bwrap", "socat"]);
    space.write("project/work", WORK);
    let script = Script::new().on("do the work", &[bash(COMMAND)]).rule(rule());
    // With this it does not even start where its sandbox cannot.
    let settings = json!({"sandbox": {"enabled": true, "failIfUnavailable": true}});
    let agent = Agent::launch(&space, &script, &Home { settings, ..Home::default() }, &[]);
    agent.daemon.wait_screen(&agent.id, "manual mode");

    let told = agent.ask("do the work").text;
    assert_nested(&told, "SANDBOX_RUNTIME", &space.project, &agent.row());
    assert_eq!(agent.verdicts(), ["allow"], "it was judged none the less");
    agent.stop();
}

#[test]
fn codexs_sandbox_keeps_a_tool_to_the_project() {
    let ground = Ground::new(&json!({"prompts": [entry("the work", shell(&[COMMAND]))]}));
    fs::write(ground.space.project.join("work"), WORK).expect("a file in the project");
    let codex = Codex::start(&ground, &json!([rule()]));

    let told = codex.ask("do the work");
    let session = codex.daemon.session(&codex.id);
    let mark = "CODEX_SANDBOX_NETWORK_DISABLED";
    assert_nested(&told, mark, &ground.space.project, &session);
    assert_eq!(codex.decisions("allow"), 1, "it was judged none the less");
    codex.stop();
}
