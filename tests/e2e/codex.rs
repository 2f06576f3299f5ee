//! A session with the real Codex: its program, a home of its own, and no key at all.

use crate::level;
use crate::model::Model;
use crate::support::daemon::BINARY;
use crate::support::daemon::Daemon;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

const FETCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fetch.sh");

/// Before a person presses a key once more.
const KEY_PAUSE: Duration = Duration::from_secs(1);

/// A model whose tools Codex offers one by one, and one that calls them from its scripts.
pub const PLAIN: &str = "gpt-5.5";
/// See [`PLAIN`].
pub const SCRIPTING: &str = "gpt-6.1-sol";

/// Where a Codex session can run: a space whose home is not below /tmp, which Codex does not take
/// for its own files, with a project, a scripted model and Codex's settings in it.
pub struct Ground {
    // In this order they go: whatever still writes into the home is ended before it is removed.
    /// The space.
    pub space: Space,
    /// What the agent talks to.
    pub model: Model,
    /// Where sessions work: the space's project, or a place in it.
    pub cwd: PathBuf,
    /// Variables that sessions are given by name.
    pub given: Vec<(&'static str, String)>,
    home: Home,
}

struct Home(PathBuf);

impl Ground {
    /// Makes one for a scenario.
    #[track_caller]
    pub fn new(scenario: &Value) -> Ground {
        let mut space = Space::new();
        let name = space.root.file_name().expect("a name").to_owned();
        let home = cache().join("homes").join(name);
        fs::create_dir_all(home.join("bin")).expect("a home in the cache");
        space.env.insert("HOME".into(), path_text(&home));
        space.home.clone_from(&home);
        space.project = home.join("project");
        symlink(program(), home.join("bin/codex")).expect("a link");
        let path = "PATH=\"$HOME/bin:/usr/local/bin:/usr/bin:/bin\"\n";
        fs::write(home.join(".profile"), path).expect("a login shell's file");
        let git = Command::new("git").arg("init").arg("-q").arg(&space.project).status();
        assert!(git.expect("git").success());
        let model = Model::start_openai(&space, scenario);
        let cwd = space.project.clone();
        let ground = Ground { space, model, cwd, given: Vec::new(), home: Home(home) };
        ground.configure(PLAIN, "");
        ground
    }

    /// Writes Codex's settings: this model, and `more` behind it. The person trusts the project.
    pub fn configure(&self, model: &str, more: &str) {
        let (url, project) = (&self.model.url, path_text(&self.space.project));
        let text = format!(
            "model = \"{model}\"\nmodel_provider = \"mock\"\ncheck_for_update_on_startup = false\n\
             [model_providers.mock]\nname = \"mock\"\nbase_url = \"{url}/v1\"\n\
             wire_api = \"responses\"\nsupports_websockets = false\n\
             [analytics]\nenabled = false\n\
             [notice.model_migrations]\n\"gpt-5.5\" = \"gpt-6-sol\"\n\
             [projects.\"{project}\"]\ntrust_level = \"trusted\"\n{more}"
        );
        let dir = self.codex_home();
        fs::create_dir_all(&dir).expect("a directory in the home");
        fs::write(dir.join("config.toml"), text).expect("settings");
    }

    /// Codex's own directory.
    pub fn codex_home(&self) -> PathBuf {
        self.home.0.join(".codex")
    }

    /// Whether there is such a file in the project.
    pub fn has(&self, name: &str) -> bool {
        self.space.project.join(name).exists()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("KEEP").is_some() {
            eprintln!("kept for a look: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A Codex session under a daemon.
pub struct Codex<'a> {
    ground: &'a Ground,
    /// The daemon; tests kill it.
    pub daemon: Daemon<'a>,
    /// The session.
    pub id: String,
}

impl<'a> Codex<'a> {
    /// Starts daemon and agent with Codex's interface, and returns when it takes prompts.
    #[track_caller]
    pub fn start(ground: &'a Ground, policy: &Value) -> Codex<'a> {
        let codex = Codex::start_with(ground, policy, &[]);
        codex.open_folder();
        codex
    }

    /// Starts it with these arguments, and returns as soon as it runs.
    #[track_caller]
    pub fn start_with(ground: &'a Ground, policy: &Value, args: &[&str]) -> Codex<'a> {
        let daemon = Daemon::start(&ground.space);
        let load = ground.space.cli(&["policy", "load", "-", "--name", "mine"]);
        load.stdin(policy.to_string().as_bytes()).expect(0);
        // Its proof is a test of its own.
        ground.space.cli(&["settings", "proveGate", "false"]).expect(0);
        level::set(&ground.space);
        let mut codex = Codex { ground, daemon, id: String::new() };
        codex.id = codex.another(args);
        codex
    }

    /// Starts a further session under the same daemon.
    #[track_caller]
    pub fn another(&self, args: &[&str]) -> String {
        let Ground { space, cwd, given, .. } = self.ground;
        let cwd = path_text(cwd);
        let mut line = vec!["start", "-p", "codex", "-d", &cwd, "--json"];
        line.extend(given.iter().flat_map(|(name, _)| ["--env", *name]));
        line.push("--");
        line.extend(args);
        let call = space.cli(&line);
        let call = given.iter().fold(call, |call, (name, value)| call.env(name, value));
        let started = call.expect(0).json();
        started["session"]["id"].as_str().expect("an id").to_string()
    }

    /// Answers the question that Codex asks about every untrusted folder, as a person does: it
    /// throws away keys that were pressed before it was ready to be asked.
    #[track_caller]
    pub fn open_folder(&self) {
        self.press_enter_on("Open restricted", &["keys", "--at-dialog"]);
        self.wait_idle();
    }

    /// Returns when a dialog with this text has come and gone by Enter, pressed in this way.
    #[track_caller]
    pub fn press_enter_on(&self, text: &str, how: &[&str]) {
        self.daemon.wait_screen(&self.id, text);
        let mut pressed: Option<Instant> = None;
        wait_until(&format!("{text:?} to go"), SOON, || {
            if pressed.is_none_or(|at| at.elapsed() > KEY_PAUSE) {
                self.ground.space.cli(&[how, &[&self.id, "enter"]].concat()).expect(0);
                pressed = Some(Instant::now());
            }
            !self.daemon.screen(&self.id).contains(text)
        });
    }

    /// Returns when the agent takes prompts: it says so to its terminal.
    #[track_caller]
    pub fn wait_idle(&self) {
        wait_until("codex to be idle", SOON, || {
            let log = self.daemon.log(&self.id);
            let text = String::from_utf8_lossy(&log);
            let last = text.rsplit("]7501;state=").next().unwrap_or_default();
            last.starts_with("idle") || last.starts_with("done")
        });
    }

    /// Gives the agent a prompt, as a person would from another terminal.
    #[track_caller]
    pub fn say(&self, prompt: &str) {
        self.ground.space.cli(&["send", &self.id, prompt]).expect(0);
    }

    /// The same, and what the agent then tells the model of the tool that it called.
    #[track_caller]
    pub fn ask(&self, prompt: &str) -> String {
        self.say(prompt);
        let told = self.ground.model.texts(prompt, 0).join("\n");
        self.wait_idle();
        told
    }

    /// Starts the daemon again after a kill and returns when it holds the session again.
    #[track_caller]
    pub fn restart(&mut self) {
        self.daemon.start_binary(BINARY);
        self.daemon.wait_screen(&self.id, "›");
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
        self.ground.space.cli(&["stop", &self.id]).expect(0);
        assert_eq!(self.daemon.session(&self.id)["status"], "STOPPED");
    }
}

/// A scenario's entry: asked for this thing, the model calls these tools and tells what came of it.
pub fn entry(thing: &str, tools: Value) -> Value {
    json!({"match": thing, "steps": [answer(tools), {"text": "Outcome: ${tool_result}"}]})
}

/// An answer of the model that calls tools.
pub fn answer(tools: Value) -> Value {
    json!({"text": "As you wish.", "tools": tools})
}

/// Calls of the shell, one for each command.
pub fn shell(commands: &[&str]) -> Value {
    let call = |cmd: &&str| json!({"name": "exec_command", "input": {"cmd": cmd}});
    commands.iter().map(call).collect()
}

/// A script of the model's, which calls tools itself.
pub fn script(code: &str) -> Value {
    json!([{"name": "exec", "input": code}])
}

/// What fetch.sh keeps its programs in.
fn cache() -> PathBuf {
    let dir = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
    dir.unwrap_or_else(home).join("codepiper-e2e")
}

/// The agent's program, installed once for all tests.
fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let out = Command::new(FETCH).arg("codex").output().expect("tests/e2e/fetch.sh");
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "fetch.sh: {stderr}");
        String::from_utf8(out.stdout).expect("a path").trim().to_string()
    })
}
