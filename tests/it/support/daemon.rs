//! The daemon under test: started in a space, killed, started again.

use crate::support::http;
use crate::support::http::Reply;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::Shown;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use codepiper::sys::signal::Name;
use serde_json::Value;
use std::fs::File;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

/// The binary that cargo built for this test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_codepiper");

/// A running daemon, in the foreground of its own session, its output in `daemon.out`.
pub struct Daemon<'a> {
    space: &'a Space,
    child: Option<Child>,
}

impl<'a> Daemon<'a> {
    /// Starts one and returns when it answers.
    #[track_caller]
    pub fn start(space: &'a Space) -> Daemon<'a> {
        let mut daemon = Daemon { space, child: None };
        daemon.start_binary(BINARY);
        daemon
    }

    /// Starts the daemon of this binary, for upgrades; the one before must be gone.
    #[track_caller]
    pub fn start_binary(&mut self, binary: &str) {
        assert!(self.child.is_none(), "a daemon runs already");
        let out = self.space.root.join("daemon.out");
        let out = File::options().create(true).append(true).open(out).expect("daemon.out");
        let mut command = Command::new(binary);
        command.arg("daemon").env_clear().envs(&self.space.env).current_dir(&self.space.root);
        command.stdin(Stdio::null()).stdout(out.try_clone().expect("a copy")).stderr(out);
        self.child = Some(command.spawn().expect("the daemon's binary"));
        let health = wait_for("the daemon to answer /health", SOON, || {
            if let Some(status) = self.ended() {
                panic!("the daemon ended with {status}\n{}", self.space.daemon_log());
            }
            self.try_request("GET", "/health", None)
        });
        assert_eq!(health.status, 200, "{}", health.text());
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.as_ref().expect("a running daemon").id() as i32
    }

    /// kill -9, and nothing else: keepers and sessions go on.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running daemon");
        child.kill().expect("SIGKILL");
        child.wait().expect("its end");
    }

    /// Asks it to end and returns how it did.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        proc::signal(self.pid(), Name::SIGTERM).expect("SIGTERM");
        let status = wait_for("the daemon to end after SIGTERM", SOON, || self.ended());
        self.child = None;
        status
    }

    /// kill -9 and a new one.
    #[track_caller]
    pub fn crash_and_restart(&mut self) {
        self.kill9();
        self.start_binary(BINARY);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("a child of ours")
    }

    /// A request on the control socket; `None` when nobody answers.
    pub fn try_request(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Reply> {
        http::try_request(&self.space.control(), method, path, body)
    }

    /// A request that must be answered, well or not.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let Some(reply) = self.try_request(method, path, body) else {
            panic!("no answer to {method} {path}\n{}", self.space.daemon_log());
        };
        reply
    }

    /// GET that must go well.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.request("GET", path, None).ok()
    }

    /// POST that must go well.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.request("POST", path, Some(body)).ok()
    }

    /// Starts a `command` session in the project and returns its id.
    #[track_caller]
    /// Sessions are started without a cage from now on: what is tried holds there as well.
    pub fn uncage(&self) {
        self.request("PUT", "/settings/daemon", Some(&serde_json::json!({"sandbox": "off"})));
        assert_eq!(self.get("/settings/daemon")["settings"]["sandbox"], "off");
    }

    /// A session's keeper.
    pub fn keeper(&self, id: &str) -> i32 {
        let program = self.session(id)["pid"].as_i64().expect("a running program") as i32;
        let line = proc::ancestry(program).expect("its ancestors");
        line.iter().find(|s| s.comm == codepiper::keeper::NAME).expect("a keeper").pid
    }

    pub fn start_session(&self, program: &[&str]) -> String {
        let cwd = self.space.project.to_str().expect("text");
        let body = serde_json::json!({"provider": "command", "cwd": cwd, "args": program});
        let reply = self.post("/sessions", &body);
        reply["session"]["id"].as_str().expect("an id").to_string()
    }

    /// The session as the API shows it.
    #[track_caller]
    pub fn session(&self, id: &str) -> Value {
        self.get(&format!("/sessions/{id}"))["session"].clone()
    }

    /// The text on the session's screen.
    #[track_caller]
    pub fn screen(&self, id: &str) -> String {
        let output = self.get(&format!("/sessions/{id}/output"));
        output["output"].as_str().expect("text").to_string()
    }

    /// Returns when the session's screen shows `text`, with the whole screen.
    #[track_caller]
    pub fn wait_screen(&self, id: &str, text: &str) -> String {
        let mut last = Shown::default();
        let what = format!("{text:?} on the screen of {id}");
        wait_until(&what, SOON, || {
            last.0 = self.screen(id);
            last.0.contains(text)
        });
        std::mem::take(&mut last.0)
    }

    /// The session's whole log, all pages of it, from its oldest kept byte.
    #[track_caller]
    pub fn log(&self, id: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut from: u64 = 0;
        loop {
            let page = self.request("GET", &format!("/sessions/{id}/log?from={from}"), None);
            assert_eq!(page.status, 200, "{}", page.text());
            if page.body.is_empty() {
                return bytes;
            }
            let first = page.header("X-CodePiper-From").expect("an offset");
            from = first.parse::<u64>().expect("a number") + page.body.len() as u64;
            bytes.extend(page.body);
        }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // While it still answers it knows its sessions; the space ends them and their keepers.
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A program that runs the daemon where nobody can write to the home: it and what it starts see it
/// read-only, others do not.
pub fn read_only_home(space: &Space) -> String {
    let script = format!(
        "#!/bin/sh\nexec unshare --map-current-user --user --mount sh -c '\
         mount --bind \"$HOME\" \"$HOME\" && mount -o remount,bind,ro \"$HOME\" && \
         exec {BINARY} \"$@\"' sh \"$@\"\n"
    );
    path_text(&space.write_program("daemon-with-a-read-only-home", &script))
}

/// A second build: the same program under another name for itself, as long as the first.
pub fn other_build(space: &Space) -> String {
    let (version, hash) = codepiper::BUILD.split_once('-').expect("a build's name");
    let mut bytes = std::fs::read(BINARY).expect("the binary");
    let (ours, theirs) = (codepiper::BUILD.as_bytes(), format!("{version}-{:0>16}", "f00d"));
    assert_eq!((hash.len(), theirs.len()), (16, ours.len()));
    let mut found = 0;
    for at in 0..bytes.len() - ours.len() {
        if bytes[at..].starts_with(ours) {
            bytes[at..at + ours.len()].copy_from_slice(theirs.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "the build's name stands in the binary");
    let path = space.write_program("other", "");
    std::fs::write(&path, bytes).expect("a file in the space");
    path_text(&path)
}
