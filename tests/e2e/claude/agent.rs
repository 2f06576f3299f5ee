//! A session with the real agent: its program, a home that asks no questions, a key that is none.

use crate::model::Model;
use crate::policy;
use crate::scenario;
use crate::support::cli::Cli;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const FETCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fetch.sh");

/// A Claude Code session under a daemon.
pub struct Agent<'a> {
    space: &'a Space,
    /// The daemon; tests kill it.
    pub daemon: Daemon<'a>,
    /// What the agent talks to.
    pub model: Model,
    /// The session.
    pub id: String,
    /// What it was given by name.
    pub env: Vec<(&'static str, String)>,
}

impl<'a> Agent<'a> {
    /// Starts model, daemon and agent, and returns when the agent takes prompts.
    #[track_caller]
    pub fn start(space: &'a Space) -> Agent<'a> {
        // Only the shape of a key; the agent wants to have been told to trust its last 20 bytes.
        let key = format!("sk-ant-mock-{}", "0123456789".repeat(8));
        furnish_home(space, &key[key.len() - 20..]);
        let model = Model::start(space, &scenario(space));
        let daemon = Daemon::start(space);
        let load = space.cli(&["policy", "load", "-", "--name", "mine"]);
        load.stdin(policy().to_string().as_bytes()).expect(0);
        let env = vec![
            ("ANTHROPIC_BASE_URL", model.url.clone()),
            ("ANTHROPIC_API_KEY", key),
            ("DISABLE_TELEMETRY", "1".to_string()),
            ("DISABLE_AUTOUPDATER", "1".to_string()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_string()),
        ];
        let project = path_text(&space.project);
        let line = ["start", "-p", "claude-code", "-d", &project, "-b", "api", "--json"];
        let started = given(space, &line, &env).expect(0).json();
        let id = started["session"]["id"].as_str().expect("an id").to_string();
        daemon.wait_screen(&id, "manual mode");
        Agent { space, daemon, model, id, env }
    }

    /// Gives the agent a prompt, as a person would from another terminal.
    #[track_caller]
    pub fn say(&self, prompt: &str) {
        self.space.cli(&["send", &self.id, prompt]).expect(0);
    }

    /// Starts the daemon again after a kill and returns when it holds the session again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.daemon.start_binary(BINARY);
        self.daemon.wait_screen(&self.id, "❯");
    }

    /// Returns when the agent's hook runs and waits for its answer.
    #[track_caller]
    pub fn wait_hook(&self) {
        wait_hook(self.space);
    }

    /// How many decisions of this kind the session's record holds.
    #[track_caller]
    pub fn decisions(&self, decision: &str) -> usize {
        let query = format!("/policy-decisions?sessionId={}&decision={decision}", self.id);
        self.daemon.get(&query)["decisions"].as_array().expect("a list").len()
    }

    /// Ends the session as a user does.
    #[track_caller]
    pub fn stop(&self) {
        self.space.cli(&["stop", &self.id]).expect(0);
        assert_eq!(self.daemon.session(&self.id)["status"], "STOPPED");
    }
}

/// Returns when a hook of the space's session runs and waits for its answer.
#[track_caller]
pub fn wait_hook(space: &Space) {
    // The hook runs the pinned copy below our state directory: no other test's can match.
    let state = path_text(&space.state);
    wait_until("hook-forward to run", SOON, || {
        let mut lines = processes();
        lines.any(|line| line.starts_with(&state) && line.contains("hook-forward"))
    });
}

/// A client's line with each of the variables given by name.
pub fn given<'a>(space: &'a Space, line: &[&str], env: &[(&'static str, String)]) -> Cli<'a> {
    let mut line = line.to_vec();
    line.extend(env.iter().flat_map(|(name, _)| ["--env", *name]));
    env.iter().fold(space.cli(&line), |call, (name, value)| call.env(name, value))
}

/// The agent's program, installed once for all tests.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let out = Command::new(FETCH).arg("claude").output().expect("tests/e2e/fetch.sh");
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "fetch.sh: {stderr}");
        String::from_utf8(out.stdout).expect("a path").trim().to_string()
    })
}

/// A home past all first-run dialogs, whose login shell finds the agent.
fn furnish_home(space: &Space, key_end: &str) {
    let project = path_text(&space.project);
    let settings = json!({
        "hasCompletedOnboarding": true,
        "theme": "dark",
        "hasSeenAutoDefaultNotice": true,
        "customApiKeyResponses": {"approved": [key_end], "rejected": []},
        "projects": {project: {"hasTrustDialogAccepted": true}},
    });
    space.write("home/.claude.json", &settings.to_string());
    space.write("home/.profile", "PATH=\"$HOME/bin:/usr/local/bin:/usr/bin:/bin\"\n");
    let bin = space.home.join("bin");
    fs::create_dir(&bin).expect("a directory in the home");
    std::os::unix::fs::symlink(PathBuf::from(program()), bin.join("claude")).expect("a link");
}

/// The command lines of all processes.
fn processes() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| {
        let bytes = fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    })
}
