//! What policy leaves to a person is asked in the agent's own dialog, in every mode of the agent.

use crate::claude::agent::Agent;
use crate::claude::script::Script;
use crate::claude::script::call;
use crate::claude::script::touch;
use crate::support::daemon::BINARY;
use crate::support::space::Space;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::json;
use std::time::Duration;
use std::time::Instant;

/// Claude takes no key in the first moment of a dialog: nobody has read it by then.
const PRESS_AGAIN: Duration = Duration::from_millis(1500);

/// A person at the session's terminal.
struct Person<'a>(Tmux<'a>);

impl<'a> Person<'a> {
    fn at(agent: &Agent<'a>) -> Person<'a> {
        let attach = format!("{BINARY} attach {}", agent.id);
        let terminal = Tmux::start(agent.space, 120, 40, &attach);
        terminal.wait_text("manual mode");
        Person(terminal)
    }

    /// Presses a key until this has come of it.
    #[track_caller]
    fn press(&self, key: &str, what: &str, mut came: impl FnMut() -> bool) {
        let mut next = Instant::now();
        wait_until(what, SOON, || {
            if came() {
                return true;
            }
            if Instant::now() >= next {
                self.0.keys(&[key]);
                next = Instant::now() + PRESS_AGAIN;
            }
            false
        });
    }

    /// Changes the agent's mode by its key, and returns the new one.
    #[track_caller]
    fn next_mode(&self) -> String {
        let before = self.mode();
        self.0.keys(&["BTab"]);
        wait_until("the next mode", SOON, || self.mode() != before);
        self.mode()
    }

    /// The agent's mode, as its last line names it.
    fn mode(&self) -> String {
        let screen = self.0.screen();
        let line = screen.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.split(" on").next().unwrap_or_default().trim().to_string()
    }
}

#[test]
fn an_asked_tool_opens_the_agents_dialog_and_runs_only_after_a_yes() {
    let space = Space::new();
    let script = Script::new()
        .on("do the first thing", &[touch("first")])
        .on("do the second thing", &[touch("second")])
        .on("do the allowed thing", &[touch("allowed")])
        .rule(json!({
            "action": "ask", "tool": "Bash", "command": "touch first", "reason": "have a look",
        }))
        .allow(&["touch allowed"]);
    let agent = Agent::start(&space, &script);
    let person = Person::at(&agent);

    agent.say("do the first thing");
    person.0.wait_text("Do you want to proceed?");
    person.0.wait_text("have a look");
    agent.wait_status("NEEDS_PERMISSION");
    assert!(!agent.made("first"), "it has not run before the yes");
    person.press("Enter", "the allowed tool to run", || agent.made("first"));
    assert!(!agent.model.result_of("do the first thing").is_error);

    // No rule is about it.
    agent.say("do the second thing");
    person.0.wait_text("Do you want to proceed?");
    person.press("Escape", "the dialog to go", || !person.0.screen().contains("Do you want"));
    agent.wait_status("NEEDS_INPUT");
    assert!(!agent.ask("do the allowed thing").is_error, "the agent goes on");
    assert!(!agent.made("second"), "it has not run after the no");
    assert_eq!(agent.verdicts(), ["ask", "ask", "allow"]);
    assert_eq!(agent.events("PermissionRequest").len(), 2);
    agent.stop();
}

#[test]
fn no_mode_and_no_key_of_the_agents_goes_past_the_gate() {
    let space = Space::new();
    let file = json!({"file_path": space.project.join("new.txt"), "content": "mine"});
    let script = Script::new()
        .on("write it", &[call("Write", file)])
        .on("do the allowed thing", &[touch("allowed")])
        .allow(&["touch allowed"]);
    let agent = Agent::start(&space, &script);
    let person = Person::at(&agent);

    // The key that hands the conversation to a process of Claude's own, elsewhere.
    person.0.keys(&["Left"]);
    agent.say("/background");
    person.0.wait_text("Unknown command: /background");

    let modes: Vec<String> = (0..4).map(|_| person.next_mode()).collect();
    let named = |at: usize, word: &str| modes[at].contains(word);
    assert!(named(0, "accept edits") && named(1, "plan") && named(2, "manual"), "{modes:?}");
    assert!(named(3, "accept edits"), "there are no others: {modes:?}");

    // In the mode that accepts edits by itself.
    agent.say("write it");
    person.0.wait_text("Do you want to create");
    person.press("Escape", "the dialog to go", || !person.0.screen().contains("Do you want"));

    assert!(!agent.ask("do the allowed thing").is_error);
    let agents: Vec<_> = agent.tree().into_iter().filter(|p| p.comm == "claude").collect();
    assert_eq!(agents.len(), 1, "one conversation, one process: {agents:?}");
    assert!(!agent.made("new.txt"));
    agent.stop();
}
