//! The machine that a story in the browser happens to: a daemon with its web door open, and a
//! script of Node that drives Chromium. The script says what only this side can do.

use crate::support::daemon::Daemon;
use crate::support::inside::Inside;
use crate::support::space::Space;
use serde_json::Value;
use serde_json::json;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e");
/// Where pictures of the views are kept for the eye.
const SCREENS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/screens");

/// A space whose daemon has its web door open.
pub struct World {
    /// Where it lives.
    pub space: Space,
    ports: [u16; 2],
}

impl World {
    /// Two free ports, and a `claude` that does what a test tells it.
    pub fn new() -> World {
        let (mut space, ports) = (Space::new(), ports());
        for (name, value) in [
            ("CODEPIPER_WEB", "1".to_string()),
            ("CODEPIPER_PORT", ports[0].to_string()),
            ("CODEPIPER_WS_PORT", ports[1].to_string()),
        ] {
            space.env.insert(name.to_string(), value);
        }
        Inside::install_claude(&space);
        World { space, ports }
    }

    /// Runs `browser/NAME.mjs` to its end. It finds the addresses, a bootstrap password and `facts`
    /// in its environment. What it prints as `{"do": …}` goes to `serve`, whose answer it reads.
    #[track_caller]
    pub fn tell<'a>(
        &'a self,
        daemon: &mut Daemon<'a>,
        name: &str,
        facts: &[(&str, &str)],
        mut serve: impl FnMut(&mut Daemon<'a>, &Value) -> Value,
    ) {
        let bootstrap = daemon.post("/auth/cli/bootstrap", &json!({}));
        let mut story = Command::new("node")
            .arg(format!("{TESTS}/browser/{name}.mjs"))
            .env("PLAYWRIGHT", driver())
            .env("SHOTS", SCREENS)
            .env("URL", format!("http://127.0.0.1:{}", self.ports[0]))
            .env("WS_URL", format!("ws://127.0.0.1:{}", self.ports[1]))
            .env("BOOTSTRAP", bootstrap["bootstrapPassword"].as_str().expect("text"))
            .envs(facts.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let mut answers = story.stdin.take().expect("a pipe");
        let said = BufReader::new(story.stdout.take().expect("a pipe"));
        for line in said.lines().map(|line| line.expect("text")) {
            match serde_json::from_str::<Value>(&line) {
                Ok(order) if order["do"].is_string() => {
                    let answer = serve(daemon, &order);
                    writeln!(answers, "{answer}").expect("the story listens");
                }
                _ => println!("{name}: {line}"),
            }
        }
        let status = story.wait().expect("its end");
        assert!(status.success(), "{name}: {status}\n{}", self.space.daemon_log());
    }
}

/// The directory of the driver, installed once.
fn driver() -> PathBuf {
    let fetch = format!("{TESTS}/fetch.sh");
    let out = Command::new(fetch).arg("browser").output().expect("tests/e2e/fetch.sh");
    assert!(out.status.success(), "fetch.sh: {}", String::from_utf8_lossy(&out.stderr));
    let program = String::from_utf8(out.stdout).expect("a path");
    Path::new(program.trim()).parent().expect("a directory").to_path_buf()
}

/// Two ports that nobody listens on.
fn ports() -> [u16; 2] {
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
    let held = [listen(), listen()];
    held.each_ref().map(|listener| listener.local_addr().expect("its address").port())
}

/// What an agent's hook is told of a call.
pub fn event(name: &str, tool: &str, input: &Value, call: Option<&str>) -> Value {
    let mut event = json!({
        "hook_event_name": name, "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/tmp/t.jsonl", "tool_name": tool, "tool_input": input,
    });
    if let Some(call) = call {
        event["tool_use_id"] = json!(call);
    }
    event
}

/// A call of a Claude without dialogs: it is held until a person answers.
pub fn call(inside: &Inside, command: &str) -> u32 {
    let input = json!({"command": command, "description": "harmless"});
    inside.hook_aside(&event("PreToolUse", "Bash", &input, Some(command)))
}

/// What became of a call.
pub fn verdict(inside: &Inside, order: u32) -> Value {
    let said = inside.result(order);
    let said: Value = serde_json::from_str(said["stdout"].as_str().expect("text")).expect("JSON");
    said["hookSpecificOutput"].clone()
}

/// A call in a session with dialogs: its dialog is up until somebody answers.
pub fn open_dialog(inside: &Inside, tool: &str, input: &Value, call: &str) -> u32 {
    inside.hook(&event("PreToolUse", tool, input, Some(call)));
    inside.hook_aside(&event("PermissionRequest", tool, input, None))
}
