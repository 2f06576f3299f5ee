//! `claude -p` under the gate: only codepiper can ask its person, and the end is an end.

use crate::claude::agent::Agent;
use crate::claude::agent::Home;
use crate::claude::script::Script;
use crate::claude::script::touch;
use crate::support::daemon::read_only_home;
use crate::support::space::Space;
use serde_json::json;

#[test]
fn without_a_terminal_what_is_asked_waits_for_its_person_and_the_end_is_told() {
    let space = Space::new();
    let calls = [touch("allowed"), touch("denied"), touch("asked")];
    let script = Script::new()
        .on("do three things", &calls)
        .allow(&["touch allowed"])
        .rule(json!({"action": "deny", "tool": "Bash", "command": "touch denied"}));
    let args = ["-p", "do three things"];
    let agent = Agent::launch(&space, &script, &Home::default(), &args);

    space.answer(&["deny"]);
    let end = space.cli(&["wait", &agent.id, "--for", "ended", "--timeout", "60s"]).expect(0);
    assert!(end.stdout.contains("exit code 0"), "{}", end.stdout);
    let row = agent.row();
    assert_eq!((&row["status"], &row["exitCode"]), (&json!("STOPPED"), &json!(0)), "{row}");
    assert_eq!(agent.verdicts(), ["allow", "deny", "ask"]);
    assert!(agent.made("allowed") && !agent.made("denied") && !agent.made("asked"));
    let log = String::from_utf8_lossy(&agent.daemon.log(&agent.id)).into_owned();
    assert!(log.contains("Outcome:"), "its answer is in the log: {log}");
    assert_eq!(agent.events("SessionEnd").len(), 1);
}

#[test]
fn a_home_that_nobody_can_write_to_is_no_way_around_the_gate() {
    let space = Space::new();
    let script = Script::new()
        .on("do both things", &[touch("allowed"), touch("denied")])
        .allow(&["touch allowed"])
        .rule(json!({"action": "deny", "tool": "Bash", "command": "touch denied"}));
    let mut agent = Agent::start(&space, &script);
    agent.daemon.kill9();
    agent.restart_as(&read_only_home(&space));
    let id = agent.another(&["-p", "do both things"]);
    space.cli(&["wait", &id, "--for", "ended", "--timeout", "60s"]).expect(0);
    assert!(agent.made("allowed") && !agent.made("denied"));
    let page = agent.daemon.get(&format!("/policy-decisions?sessionId={id}"));
    assert_eq!(page["decisions"].as_array().map(Vec::len), Some(2), "{page}");
    agent.stop();
}
