//! The command line client under test; a failure prints everything one would ask for.

use crate::support::daemon::BINARY;
use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// A client that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One call of `codepiper`.
pub struct Cli<'a> {
    space: &'a Space,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    stdin: Vec<u8>,
}

/// What it printed, and how it ended.
#[derive(Debug)]
pub struct Out {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How it ended.
    pub status: ExitStatus,
}

impl Out {
    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}): {}", self.stdout),
        }
    }
}

impl Space {
    /// Answers the one approval that is pending, once there is one; its number.
    #[track_caller]
    pub fn answer(&self, words: &[&str]) -> String {
        let id = wait_for("an approval", SOON, || {
            let found = self.cli(&["approvals", "--json"]).run().json();
            let found = found["approvals"].as_array().filter(|list| list.len() == 1)?.clone();
            Some(found[0]["id"].to_string())
        });
        self.cli(&[&words[..1], &[id.as_str()], &words[1..]].concat()).expect(0);
        id
    }

    /// `codepiper ARGS` in the project directory; [`Cli::expect`] runs it.
    pub fn cli<S: AsRef<str>>(&self, args: &[S]) -> Cli<'_> {
        Cli {
            space: self,
            args: args.iter().map(|a| a.as_ref().to_string()).collect(),
            env: self.env.clone(),
            cwd: self.project.clone(),
            stdin: Vec::new(),
        }
    }
}

impl Cli<'_> {
    /// Sets one variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_string(), value.to_string());
        self
    }

    /// Gives it something to read; without, its input is empty.
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.to_vec();
        self
    }

    /// Runs it elsewhere than in the project.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// Runs it; any other exit code than `code` is a failure.
    #[track_caller]
    pub fn expect(self, code: i32) -> Out {
        let out = self.run();
        if out.status.code() != Some(code) {
            panic!(
                "codepiper {}\nin {}\nended with {}, expected exit code {code}\n\
                 --- stdout\n{}\n--- stderr\n{}\n{}",
                self.args.join(" "),
                self.cwd.display(),
                out.status,
                out.stdout,
                out.stderr,
                self.space.daemon_log()
            );
        }
        out
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self) -> Out {
        let mut command = Command::new(BINARY);
        command.args(&self.args).env_clear().envs(&self.env).current_dir(&self.cwd);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the client's binary");
        let (mut input, bytes) = (child.stdin.take().expect("a pipe"), self.stdin.clone());
        // A client that does not read its input has closed it; that is for the test to judge.
        let feed = thread::spawn(move || drop(input.write_all(&bytes)));
        let stdout = collect(child.stdout.take().expect("a pipe"));
        let stderr = collect(child.stderr.take().expect("a pipe"));
        let what = format!("codepiper {} to end", self.args.join(" "));
        let mut guard = Guard(child);
        let status = wait_for(&what, PATIENCE, || guard.0.try_wait().expect("a child of ours"));
        feed.join().expect("the feeding thread");
        let stdout = stdout.join().expect("the reading thread");
        Out { stdout, stderr: stderr.join().expect("the reading thread"), status }
    }
}

/// Ends a client that hangs when the test gives up on it.
struct Guard(std::process::Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
