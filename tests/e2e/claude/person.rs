//! A person at the session's terminal, attached in tmux.

use crate::claude::agent::Agent;
use crate::support::daemon::BINARY;
use crate::support::tmux::Tmux;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use std::time::Duration;
use std::time::Instant;

/// Claude takes no key in the first 150 ms of a dialog: nobody has read it by then.
const PRESS_AGAIN: Duration = Duration::from_millis(1500);

/// See the file's head.
pub struct Person<'a> {
    /// What the person looks at.
    pub terminal: Tmux<'a>,
}

impl<'a> Person<'a> {
    /// Attaches to a session whose agent takes prompts.
    #[track_caller]
    pub fn at(agent: &Agent<'a>) -> Person<'a> {
        Person::before(agent, "manual mode")
    }

    /// Attaches to a session and waits for this text.
    #[track_caller]
    pub fn before(agent: &Agent<'a>, text: &str) -> Person<'a> {
        let attach = format!("{BINARY} attach {}", agent.id);
        // The size it has: a dialog that is drawn anew forgets the keys before.
        let terminal = Tmux::start(agent.space, 120, 30, &attach);
        terminal.wait_text(text);
        terminal.still();
        Person { terminal }
    }

    /// Whether this text is on the screen.
    pub fn shows(&self, text: &str) -> bool {
        self.terminal.screen().contains(text)
    }

    /// Types a prompt, and returns when the agent has brought it to the model.
    #[track_caller]
    pub fn say(&self, agent: &Agent<'_>, prompt: &str) {
        self.terminal.text(prompt);
        self.terminal.wait_text(prompt);
        self.press("Enter", "the prompt to be sent", || !agent.model.heard(prompt).is_empty());
    }

    /// Presses a key until this has come of it.
    #[track_caller]
    pub fn press(&self, key: &str, what: &str, came: impl FnMut() -> bool) {
        press_until(what, || self.terminal.keys(&[key]), came);
    }

    /// Changes the agent's mode by its key, and returns the new one.
    #[track_caller]
    pub fn next_mode(&self) -> String {
        let before = self.mode();
        self.terminal.keys(&["BTab"]);
        wait_until("the next mode", SOON, || self.mode() != before);
        self.mode()
    }

    /// The agent's mode, as its last line names it.
    pub fn mode(&self) -> String {
        let screen = self.terminal.screen();
        let line = screen.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.split(" on").next().unwrap_or_default().trim().to_string()
    }
}

/// Presses until this has come of it.
#[track_caller]
pub fn press_until(what: &str, mut press: impl FnMut(), mut came: impl FnMut() -> bool) {
    let mut next = Instant::now();
    wait_until(what, SOON, || {
        if came() {
            return true;
        }
        if Instant::now() >= next {
            press();
            next = Instant::now() + PRESS_AGAIN;
        }
        false
    });
}
