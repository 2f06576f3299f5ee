//! The promise: one session's secret cannot speak for another. It stands in the environment of the
//! session's programs, where other processes of the same user can read it; what keeps sessions
//! apart is who descends from whom. Runs as an ordinary user also where the tests run as root.

use crate::hook_calls::order;
use crate::hook_calls::stdin;
use crate::support::daemon::BINARY;
use crate::support::inside::Inside;
use crate::support::space::Space;
use crate::support::space::path_text;
use crate::support::wait::SOON;
use crate::support::wait::wait_until;
use codepiper::sys::proc;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// `nobody` of every distribution.
const NOBODY: u32 = 65534;

/// A daemon of a user without any rights beyond those of a user.
struct Ordinary<'a> {
    space: &'a Space,
    uid: u32,
    binary: PathBuf,
    daemon: Option<Child>,
}

impl Ordinary<'_> {
    fn start(space: &Space) -> Ordinary<'_> {
        let uid = if proc::uid() == 0 { NOBODY } else { proc::uid() };
        // Where the tests were built that user may not go.
        let binary = space.root.join("codepiper");
        fs::copy(BINARY, &binary).expect("a copy");
        fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).expect("mode 0755");
        for dir in [&space.root, &space.home, &space.project] {
            chown(dir, Some(uid), Some(uid)).expect("a directory for that user");
        }
        let mut user = Ordinary { space, uid, binary, daemon: None };
        let mut daemon = user.command(&["daemon"]);
        daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        user.daemon = Some(daemon.spawn().expect("the daemon"));
        wait_until("the daemon to answer", SOON, || {
            user.command(&["daemon", "status"]).output().expect("the client").status.success()
        });
        user
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(args).env_clear().envs(&self.space.env).current_dir(&self.space.project);
        if proc::uid() == 0 {
            command.uid(self.uid).gid(self.uid);
        }
        command
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let out = self.command(&[args, &["--json"]].concat()).output().expect("the client");
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{args:?}: {stderr}{}", self.space.daemon_log());
        serde_json::from_slice(&out.stdout).expect("JSON")
    }

    /// A session whose program does what it is told.
    #[track_caller]
    fn session(&self, name: &str) -> Inside {
        let script = path_text(&self.space.write("inside.py", include_str!("support/inside.py")));
        let dir = self.space.root.join(name);
        fs::create_dir(&dir).expect("a directory");
        chown(&dir, Some(self.uid), Some(self.uid)).expect("a directory for that user");
        let cwd = path_text(&dir);
        let words = ["start", "-p", "command", "-d", &cwd, "--json", "--", "/usr/bin/python3"];
        let out = self.command(&[&words[..], &[&script]].concat()).output().expect("the client");
        let started: Value = serde_json::from_slice(&out.stdout).expect("JSON");
        Inside::of(started["session"]["id"].as_str().expect("an id"), dir)
    }
}

impl Drop for Ordinary<'_> {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

#[test]
fn a_secret_read_from_another_sessions_environment_is_of_no_use() {
    let space = Space::new();
    let user = Ordinary::start(&space);
    let (own, other) = (user.session("own"), user.session("other"));
    let facts = other.ask(&json!({"do": "facts"}));
    let secret = facts["env"]["CODEPIPER_SECRET"].as_str().expect("a secret");
    let pid = user.json(&["show", &other.id])["session"]["pid"].as_i64().expect("a pid");
    let uid = own.ask(&json!({"do": "run", "argv": ["/usr/bin/id", "-u"]}));
    assert_eq!(uid["stdout"], format!("{}\n", user.uid), "an ordinary user: {uid}");
    assert_ne!(user.uid, 0);

    // The kernel lets a user's processes read each other's environment, unless it is told not to.
    let environ = format!("/proc/{pid}/environ");
    let read = own.ask(&json!({"do": "run", "argv": ["/bin/cat", environ]}));
    let text = read["stdout"].as_str().expect("text");
    let seen = text.split('\0').find_map(|line| line.strip_prefix("CODEPIPER_SECRET="));
    match seen {
        Some(seen) => assert_eq!(seen, secret),
        None => assert_ne!(read["code"], 0, "readable, and yet no secret in it: {read}"),
    }

    // Whether it was read or told: with id and secret of the other, asking and telling.
    let stolen = [("CODEPIPER_SESSION", other.id.as_str()), ("CODEPIPER_SECRET", secret)];
    let refused = own.ask(&order(&stdin("PreToolUse"), &stolen));
    assert_eq!((&refused["code"], &refused["stdout"]), (&json!(2), &json!("")), "{refused}");
    let why = refused["stderr"].as_str().expect("text");
    assert!(why.contains("does not belong to this session"), "{why}");
    assert!(!why.contains(secret), "the secret is told");
    own.ask(&order(&stdin("SessionStart"), &stolen));
    let shown = user.json(&["show", &other.id]);
    assert_eq!(shown["session"]["guarded"], false, "a false SessionStart: {shown}");
    let decided = user.json(&["logs", &other.id]).to_string();
    assert!(!decided.contains("SessionStart") && !decided.contains("decisionId"), "{decided}");
    assert!(decided.contains("refused"), "the attempt is recorded: {decided}");

    // The other one itself is believed.
    let asked = other.ask(&order(&stdin("PreToolUse"), &[]));
    assert_eq!(asked["code"], 0, "{asked}");
}
