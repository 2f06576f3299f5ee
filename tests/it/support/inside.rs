//! A process inside a session that does what a test tells it: knocks at sockets, runs hooks.

use crate::support::daemon::Daemon;
use crate::support::http;
use crate::support::http::Reply;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use serde_json::json;
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

const PYTHON: &str = "/usr/bin/python3";

/// Longer than a hook's own deadline.
const PATIENCE: Duration = Duration::from_secs(40);

/// A session whose program is `inside.py`.
pub struct Inside {
    /// The session's id.
    pub id: String,
    /// Where it stands.
    pub dir: PathBuf,
    orders: Cell<u32>,
}

impl Inside {
    /// A plain `command` session in a directory of its own.
    #[track_caller]
    pub fn start(space: &Space, daemon: &Daemon<'_>, name: &str) -> Inside {
        let script = path_text(&space.write("inside.py", include_str!("inside.py")));
        let asked = json!({"provider": "command", "args": [PYTHON, script]});
        Inside::start_as(space, daemon, name, &asked)
    }

    /// The same under the name of an agent that has hooks; [`Inside::install_claude`] came before
    /// the daemon, which asks the login shell once.
    #[track_caller]
    pub fn start_claude(space: &Space, daemon: &Daemon<'_>, name: &str) -> Inside {
        Inside::start_as(space, daemon, name, &json!({"provider": "claude-code"}))
    }

    /// Puts a `claude` on the login shell's PATH.
    pub fn install_claude(space: &Space) {
        let script = path_text(&space.write("inside.py", include_str!("inside.py")));
        let version = "[ \"$1\" = --version ] && { echo '2.1.330 (Claude Code)'; exit; }";
        let program = format!("#!/bin/sh\n{version}\nexec {PYTHON} {script} \"$@\"\n");
        space.write("home/.profile", "PATH=\"$HOME/bin:$PATH\"\n");
        space.write_program("home/bin/claude", &program);
    }

    /// A session with these fields of the request, in a directory of its own.
    #[track_caller]
    pub fn start_as(space: &Space, daemon: &Daemon<'_>, name: &str, fields: &Value) -> Inside {
        let dir = space.root.join(name);
        fs::create_dir(&dir).expect("a directory");
        if fields["provider"] != "command" {
            // It does nothing by itself, so its gate cannot be proven; tests/it/proof.rs does that.
            daemon.request("PUT", "/settings/daemon", Some(&json!({"proveGate": false}))).ok();
        }
        let mut asked = fields.clone();
        asked["cwd"] = json!(dir);
        asked["name"] = json!(name);
        let started = daemon.post("/sessions", &asked);
        let id = started["session"]["id"].as_str().expect("an id").to_string();
        daemon.wait_screen(&id, "inside");
        Inside::of(&id, dir)
    }

    /// One that somebody else has started in this directory.
    pub fn of(id: &str, dir: PathBuf) -> Inside {
        Inside { id: id.to_string(), dir, orders: Cell::new(0) }
    }

    /// Gives an order; [`Inside::result`] waits for what becomes of it.
    pub fn tell(&self, order: &Value) -> u32 {
        let number = self.orders.get() + 1;
        self.orders.set(number);
        let new = self.dir.join(format!("{number}.new-order"));
        fs::write(&new, order.to_string()).expect("an order");
        fs::rename(new, self.dir.join(format!("{number}.order"))).expect("an order");
        number
    }

    /// What became of an order.
    #[track_caller]
    pub fn result(&self, number: u32) -> Value {
        let path = self.dir.join(format!("{number}.result"));
        let what = format!("the result of order {number} in {}", self.dir.display());
        let text = wait_for(&what, PATIENCE, || fs::read_to_string(&path).ok());
        serde_json::from_str(&text).expect("JSON")
    }

    /// An order and its result.
    #[track_caller]
    pub fn ask(&self, order: &Value) -> Value {
        self.result(self.tell(order))
    }

    /// Connects to `socket` in one of the ways of `inside.py`, sends, and returns what came back.
    #[track_caller]
    pub fn knock(&self, how: &str, socket: &Path, send: &str) -> String {
        let order = json!({"do": "connect", "how": how, "socket": socket, "send": send});
        self.ask(&order)["reply"].as_str().expect("text").to_string()
    }

    /// [`Inside::knock`] with an HTTP request; nothing came back is an error of the test.
    #[track_caller]
    pub fn request(&self, how: &str, socket: &Path, request: &str) -> Reply {
        let reply = self.knock(how, socket, request);
        http::parse(reply.as_bytes()).unwrap_or_else(|| panic!("no HTTP reply: {reply:?}"))
    }

    /// Runs the agent's hook with this standard input; `{code, stdout, stderr}`.
    #[track_caller]
    pub fn hook(&self, stdin: &Value) -> Value {
        self.ask(&json!({"do": "hook", "stdin": stdin}))
    }

    /// Runs a hook beside everything else; its order, for [`Inside::result`].
    pub fn hook_aside(&self, stdin: &Value) -> u32 {
        self.tell(&json!({"do": "hook", "stdin": stdin, "aside": true}))
    }

    /// Ends a hook that runs aside, as an agent does whose person said no.
    #[track_caller]
    pub fn withdraw(&self, order: u32) {
        self.ask(&json!({"do": "withdraw", "order": order}));
    }

    /// Reads its terminal from now on key by key, as an agent does.
    #[track_caller]
    pub fn listen(&self) {
        self.ask(&json!({"do": "listen"}));
    }

    /// Prints this, escape sequences as they are.
    #[track_caller]
    pub fn say(&self, text: &str) {
        self.ask(&json!({"do": "say", "text": text}));
    }

    /// Tells its own state as agents do, and returns when the daemon has heard it.
    #[track_caller]
    pub fn state(&self, daemon: &Daemon<'_>, state: &str) {
        self.say(&format!("\x1b]7501;state={state}:app=test\x1b\\"));
        let wanted = format!("state={state}");
        wait_until(&wanted, SOON, || daemon.session(&self.id)["agent"] == wanted.as_str());
    }

    /// Once `on` is typed, prints `say` at once; several of these take turns.
    #[track_caller]
    pub fn react(&self, on: &str, say: &str) {
        self.ask(&json!({"do": "react", "on": on, "say": say}));
    }

    /// All that was typed into its terminal since [`Inside::listen`].
    #[track_caller]
    pub fn typed(&self) -> String {
        self.ask(&json!({"do": "typed"}))["typed"].as_str().expect("text").to_string()
    }

    /// Returns when exactly this was typed.
    #[track_caller]
    pub fn wait_typed(&self, text: &str) {
        let mut last = String::new();
        wait_until(&format!("{text:?} to be typed"), SOON, || {
            last = self.typed();
            assert!(text.starts_with(&last), "typed was {last:?}, not {text:?}");
            last == text
        });
    }

    /// Says hello as an agent does, with this id of its conversation; its hooks have come then.
    #[track_caller]
    pub fn greet(&self, conversation: &str, more: &Value) {
        let mut hello = json!({
            "hook_event_name": "SessionStart", "session_id": conversation, "cwd": "/tmp",
            "transcript_path": "/tmp/t.jsonl", "source": "startup",
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            hello[name] = value.clone();
        }
        let ran = self.hook(&hello);
        assert_eq!(ran["code"], 0, "{ran}");
    }

    /// The program's arguments.
    #[track_caller]
    pub fn args(&self) -> Vec<String> {
        let facts = self.ask(&json!({"do": "facts"}));
        let args = facts["argv"].as_array().expect("a list").iter().skip(1);
        args.map(|arg| arg.as_str().expect("text").to_string()).collect()
    }

    /// A variable of the session's environment, if it is there.
    #[track_caller]
    pub fn try_variable(&self, name: &str) -> Option<String> {
        let facts = self.ask(&json!({"do": "facts"}));
        facts["env"][name].as_str().map(str::to_string)
    }

    /// A variable of the session's environment.
    #[track_caller]
    pub fn variable(&self, name: &str) -> String {
        self.try_variable(name).unwrap_or_else(|| panic!("no {name}"))
    }
}
