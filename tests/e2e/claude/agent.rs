//! A session with the real agent: its program, a home that asks no questions, a key that is none.

use crate::claude::script::Script;
use crate::level;
use crate::model::Model;
use crate::model::ToolResult;
use crate::model::hold_name;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const FETCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fetch.sh");

/// Only the shape of a key; the agent wants to have been told to trust its last 20 bytes.
const KEY: &str = "sk-ant-mock-0123456789012345678901234567890123456789";

/// Longer than hook-forward's own deadline of 20 s plus the agent's way back to the model.
pub const PAST_THE_DEADLINE: Duration = Duration::from_secs(50);

/// A Claude Code session under a daemon.
pub struct Agent<'a> {
    /// Where it all happens.
    pub space: &'a Space,
    /// The daemon; tests kill it.
    pub daemon: Daemon<'a>,
    /// What the agent talks to.
    pub model: Model,
    /// The session.
    pub id: String,
}

/// What the home of the agent's user holds.
pub struct Home {
    /// The person's own settings, beside the model's address.
    pub settings: Value,
    /// The project was trusted before.
    pub trusted: bool,
    /// There is a key to talk to the model with.
    pub key: bool,
    /// The agent was never started here.
    pub new: bool,
}

impl Default for Home {
    fn default() -> Home {
        Home { settings: json!({}), trusted: true, key: true, new: false }
    }
}

impl<'a> Agent<'a> {
    /// Starts model, daemon and agent, and returns when the agent takes prompts.
    #[track_caller]
    pub fn start(space: &'a Space, script: &Script) -> Agent<'a> {
        let agent = Agent::launch(space, script, &Home::default(), &[]);
        agent.daemon.wait_screen(&agent.id, "manual mode");
        agent
    }

    /// The same for an agent that may not get so far: in this home, with these arguments.
    #[track_caller]
    pub fn launch(space: &'a Space, script: &Script, home: &Home, args: &[&str]) -> Agent<'a> {
        let model = Model::start(space, &script.scenario());
        furnish(space, home, &model.url);
        let daemon = Daemon::start(space);
        // tests/e2e/proof.rs has the proof; here it would only make each start longer.
        space.cli(&["settings", "proveGate", "false"]).expect(0);
        level::set(space);
        let load = space.cli(&["policy", "load", "-", "--name", "mine"]);
        load.stdin(script.policy().to_string().as_bytes()).expect(0);
        let mut agent = Agent { space, daemon, model, id: String::new() };
        agent.id = agent.another(args);
        agent
    }

    /// One more session of the same daemon, and its id.
    #[track_caller]
    pub fn another(&self, args: &[&str]) -> String {
        let project = path_text(&self.space.project);
        let start = ["start", "-p", "claude-code", "-d", &project, "--json", "--"];
        let started = self.space.cli(&[&start, args].concat()).expect(0).json();
        started["session"]["id"].as_str().expect("an id").to_string()
    }

    /// Gives the agent a prompt, as a person would from another terminal.
    #[track_caller]
    pub fn say(&self, prompt: &str) {
        self.space.cli(&["send", &self.id, prompt]).expect(0);
    }

    /// A prompt and what came of the tool that it led to.
    #[track_caller]
    pub fn ask(&self, prompt: &str) -> ToolResult {
        self.say(prompt);
        self.model.result_of(prompt)
    }

    /// Lets the model's answer to a held prompt go.
    pub fn let_go(&self, prompt: &str) {
        self.model.let_go(&hold_name(prompt));
    }

    /// The session as the API shows it.
    #[track_caller]
    pub fn row(&self) -> Value {
        self.daemon.session(&self.id)
    }

    /// Returns when the session is in this state.
    #[track_caller]
    pub fn wait_status(&self, status: &str) {
        wait_until(&format!("the session to be {status}"), SOON, || self.row()["status"] == status);
    }

    /// Starts the daemon again after a kill and returns when it holds the session again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.restart_as(BINARY);
    }

    /// The same with another program.
    #[track_caller]
    pub fn restart_as(&mut self, binary: &str) {
        self.daemon.start_binary(binary);
        wait_until("the session to be adopted", SOON, || self.row()["adopting"] == false);
    }

    /// Returns the process of the agent's hook once it runs and waits for its answer.
    #[track_caller]
    pub fn wait_hook(&self) -> i32 {
        wait_hook(self.space)
    }

    /// The decisions in the session's record.
    #[track_caller]
    pub fn decisions(&self) -> Vec<Value> {
        let page = self.daemon.get(&format!("/policy-decisions?sessionId={}", self.id));
        page["decisions"].as_array().expect("a list").clone()
    }

    /// The words of these decisions, oldest first.
    #[track_caller]
    pub fn verdicts(&self) -> Vec<String> {
        let word = |row: &Value| row["decision"].as_str().expect("a word").to_string();
        self.decisions().iter().map(word).collect()
    }

    /// The events of this type in the session's record.
    #[track_caller]
    pub fn events(&self, kind: &str) -> Vec<Value> {
        self.events_of(&self.id, kind)
    }

    /// The same in another session's.
    #[track_caller]
    pub fn events_of(&self, session: &str, kind: &str) -> Vec<Value> {
        let page = self.daemon.get(&format!("/sessions/{session}/events?limit=1000"));
        let all = page["events"].as_array().expect("a list").clone();
        all.into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// Whether this file is in the project.
    pub fn made(&self, file: &str) -> bool {
        self.space.project.join(file).exists()
    }

    /// All processes of the session's keeper.
    #[track_caller]
    pub fn tree(&self) -> Vec<proc::Stat> {
        let program = self.row()["pid"].as_i64().expect("a pid") as i32;
        proc::descendants(proc::stat(program).expect("the program").ppid)
    }

    /// Ends the session as a user does.
    #[track_caller]
    pub fn stop(&self) {
        self.space.cli(&["stop", &self.id]).expect(0);
        assert_eq!(self.row()["status"], "STOPPED");
    }
}

/// Returns the process of a hook of the space's session once it runs and waits for its answer.
#[track_caller]
pub fn wait_hook(space: &Space) -> i32 {
    // The hook runs the pinned copy below our state directory: no other test's can match.
    let state = path_text(&space.state);
    wait_for("hook-forward to run", SOON, || {
        let of_ours = |line: &str| line.starts_with(&state) && line.contains("hook-forward");
        processes().find(|(_, line)| of_ours(line)).map(|(pid, _)| pid)
    })
}

/// The agent's program, installed once for all tests.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let out = Command::new(FETCH).arg("claude").output().expect("tests/e2e/fetch.sh");
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "fetch.sh: {stderr}");
        String::from_utf8(out.stdout).expect("a path").trim().to_string()
    })
}

/// A home past all first-run dialogs, whose login shell finds the agent.
pub fn furnish(space: &Space, home: &Home, model: &str) {
    let trust = json!({"hasTrustDialogAccepted": home.trusted});
    let state = json!({
        "hasCompletedOnboarding": !home.new,
        "theme": "dark",
        "hasSeenAutoDefaultNotice": true,
        "customApiKeyResponses": {"approved": [&KEY[KEY.len() - 20..]], "rejected": []},
        "projects": {path_text(&space.project): trust},
    });
    space.write("home/.claude.json", &state.to_string());
    let mut settings = home.settings.clone();
    let vars = agent_env(model, home.key);
    for (name, value) in vars {
        settings["env"][name] = value.into();
    }
    space.write("home/.claude/settings.json", &settings.to_string());
    space.write("home/.profile", "PATH=\"$HOME/bin:/usr/local/bin:/usr/bin:/bin\"\n");
    let bin = space.home.join("bin");
    fs::create_dir_all(&bin).expect("a directory in the home");
    link(Path::new(program()), &bin.join("claude"));
}

/// Where the agent finds its model, and that it speaks to nobody else.
pub fn agent_env(model: &str, key: bool) -> Vec<(&'static str, String)> {
    let mut env = vec![
        ("ANTHROPIC_BASE_URL", model.to_string()),
        ("DISABLE_TELEMETRY", "1".to_string()),
        ("DISABLE_AUTOUPDATER", "1".to_string()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_string()),
    ];
    if key {
        env.push(("ANTHROPIC_API_KEY", KEY.to_string()));
    }
    env
}

fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(PathBuf::from(to), at).expect("a link");
}

/// All processes with their command lines.
fn processes() -> impl Iterator<Item = (i32, String)> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let bytes = fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&bytes).replace('\0', " ")))
    })
}
