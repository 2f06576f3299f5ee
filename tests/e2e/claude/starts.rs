//! Starts that need a person first, and what the agent must not inherit.

use crate::claude::agent::Agent;
use crate::claude::agent::Home;
use crate::claude::person::Person;
use crate::claude::script::Script;
use crate::claude::script::touch;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use std::time::Duration;

/// Longer than an agent's hooks get to report.
const PAST_THE_HELLO: Duration = Duration::from_secs(30);

/// Waits until the session says that it needs a person, and why.
#[track_caller]
fn wait_stuck(agent: &Agent<'_>, words: &str, deadline: Duration) {
    wait_for(&format!("a session that needs a person: {words}"), deadline, || {
        let row = agent.row();
        let why = row["reason"].as_str().unwrap_or_default();
        (row["status"] == "NEEDS_INPUT" && why.contains(words)).then_some(())
    });
}

#[test]
fn a_directory_that_is_not_trusted_yet_waits_for_a_person_and_says_so() {
    let space = Space::new();
    let home = Home { trusted: false, ..Home::default() };
    let agent = Agent::launch(&space, &Script::new(), &home, &[]);

    wait_stuck(&agent, "before it begins", SOON);
    assert_eq!(agent.row()["guarded"], false);

    let person = Person::before(&agent, "Yes, I trust this folder");
    person.press("Down", "the other answer", || person.shows("❯ Yes"));
    person.press("Enter", "the agent to begin", || person.shows("manual mode"));
    wait_until("the hooks to report", SOON, || agent.row()["guarded"] == true);
    wait_until("the reason to go", SOON, || agent.row()["reason"] == Value::Null);
    agent.stop();
}

#[test]
fn an_agent_that_is_not_logged_in_needs_a_person_and_says_so() {
    let space = Space::new();
    let home = Home { key: false, ..Home::default() };
    let agent = Agent::launch(&space, &Script::new(), &home, &[]);
    agent.daemon.wait_screen(&agent.id, "manual mode");

    agent.say("do something");
    wait_stuck(&agent, "not logged in", SOON);
    agent.stop();
}

#[test]
fn an_agent_whose_hooks_do_not_report_does_not_look_like_a_working_one() {
    let space = Space::new();
    // The first run of all asks for colours and more before it does anything.
    let agent = Agent::launch(&space, &Script::new(), &Home { new: true, ..Home::default() }, &[]);

    wait_stuck(&agent, "hooks have not reported", PAST_THE_HELLO);
    assert_eq!(agent.row()["guarded"], false);
    agent.stop();
}

#[test]
fn marks_of_another_agent_do_not_reach_the_session() {
    let mut space = Space::new();
    let marks = [
        ("CLAUDECODE", "1"),
        ("CLAUDE_CODE_CHILD_SESSION", "1"),
        ("CLAUDE_CODE_SIMPLE", "1"),
        ("CLAUDE_CODE_ENTRYPOINT", "cli"),
        ("AI_AGENT", "claude"),
    ];
    space.env.extend(marks.map(|(name, value)| (name.to_string(), value.to_string())));
    let exports = marks.map(|(name, value)| format!("export {name}={value}\n"));
    space.write("home/.bash_profile", &format!("{}. ~/.profile\n", exports.concat()));
    let script = Script::new().on("do it", &[touch("allowed")]).allow(&["touch allowed"]);
    let agent = Agent::start(&space, &script);

    assert!(!agent.ask("do it").is_error);
    let environ = format!("/proc/{}/environ", agent.row()["pid"]);
    let environ = String::from_utf8_lossy(&std::fs::read(environ).expect("its own")).into_owned();
    for (name, _) in marks {
        let found = environ.split('\0').any(|pair| pair.starts_with(&format!("{name}=")));
        assert!(!found, "{name} has reached the agent");
    }
    let row = agent.row();
    let transcript = row["transcriptPath"].as_str().expect("a path");
    let what = format!("a line about it in {transcript}");
    wait_until(&what, SOON, || {
        std::fs::read_to_string(transcript).is_ok_and(|text| text.contains("touch allowed"))
    });
    agent.stop();
}
