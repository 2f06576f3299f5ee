//! The command line: reads words, asks the daemon over its control socket and prints the answers.
//! It knows neither the server nor the database; what it needs of them comes in as [`Outside`].

pub mod about;
pub mod approvals;
pub mod attach;
pub mod audit;
pub mod audit_show;
pub mod auth;
pub mod banner;
pub mod client;
pub mod command;
pub mod daemon_cmd;
pub mod describe;
pub mod env_file;
pub mod env_set;
#[cfg(test)]
pub mod fake;
pub mod follow;
pub mod freeze;
pub mod grants;
pub mod help;
pub mod hook;
pub mod input;
pub mod key;
pub mod keyboard;
pub mod link;
pub mod log;
pub mod logs;
pub mod message;
pub mod near;
pub mod notices;
pub mod notify;
pub mod open;
pub mod out;
pub mod policy;
pub mod policy_default;
pub mod policy_eval;
pub mod policy_explain;
pub mod policy_file;
pub mod policy_load;
pub mod policy_replay;
pub mod policy_set;
pub mod policy_words;
pub mod prompt;
pub mod replay;
pub mod resume;
pub mod rules;
pub mod sandbox;
pub mod sandbox_check;
pub mod screen;
pub mod sessions;
pub mod show_env;
pub mod start;
pub mod tail;
pub mod text;
pub mod timeline;
pub mod verb;
pub mod visit;
#[cfg(test)]
mod visits;
pub mod wait;

use crate::base::error::{Code, Error, Result};
use crate::cli::client::Client;
use crate::cli::command::Args;
use crate::cli::command::Command;
use crate::cli::command::Parsed;
use crate::cli::out::Out;
use crate::config::web::Flags;
use crate::model::audit::Asked;
use crate::model::audit::Report;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

/// What `codepiper daemon` was asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonOptions {
    /// Listen here instead of in the state directory.
    pub socket: Option<PathBuf>,
    /// Log to `daemon.log` in the state directory instead of stderr.
    pub log_file: bool,
    /// The web doors, as far as the command line names them.
    pub web: Flags,
}

/// The parts of the program that the command line starts but does not know.
pub struct Outside<'a> {
    /// The API as a table, for `help api`.
    pub api_table: &'a str,
    /// Runs the daemon until it ends; its exit code.
    pub serve: fn(DaemonOptions) -> i32,
    /// Runs an agent's hook; its exit code.
    pub hook_forward: fn() -> i32,
    /// Runs a session's keeper; its exit code.
    pub keeper: fn() -> i32,
    /// Checks the audit log in a database, without a daemon.
    pub verify: fn(&Path, &Asked) -> Result<Report>,
    /// Which build this is.
    pub build: &'a str,
    /// Which version this is.
    pub version: &'a str,
}

/// One command being carried out.
pub struct Invocation<'a> {
    /// What the user typed.
    pub args: Args,
    /// The daemon.
    pub client: Client,
    /// Standard output.
    pub out: Out,
    /// The rest of the program.
    pub outside: &'a Outside<'a>,
}

/// Every command, family by family; the order is the one of `codepiper help`.
pub const TABLES: &[&[Command]] = &[
    start::COMMANDS,
    attach::COMMANDS,
    sessions::COMMANDS,
    resume::COMMANDS,
    env_set::COMMANDS,
    freeze::COMMANDS,
    wait::COMMANDS,
    logs::COMMANDS,
    input::COMMANDS,
    tail::COMMANDS,
    replay::COMMANDS,
    approvals::COMMANDS,
    grants::COMMANDS,
    notices::COMMANDS,
    notify::COMMANDS,
    sandbox::COMMANDS,
    sandbox_check::COMMANDS,
    policy::COMMANDS,
    policy_set::COMMANDS,
    audit::COMMANDS,
    auth::COMMANDS,
    key::COMMANDS,
    daemon_cmd::COMMANDS,
    open::COMMANDS,
    about::COMMANDS,
    help::COMMANDS,
];

/// Runs the command line `words` (without the program's name) and returns the exit code.
pub fn run(words: impl IntoIterator<Item = OsString>, outside: &Outside<'_>) -> i32 {
    let words: Vec<OsString> = words.into_iter().collect();
    let json = words.iter().take_while(|w| *w != "--").any(|w| w == "--json");
    let result = command::parse(TABLES, words).and_then(|parsed| match parsed {
        Parsed::Help(command) => {
            Out::new(false, false).bytes(help::text(command, outside).as_bytes()).map(|()| 0)
        }
        Parsed::Version => Out::new(false, false).line(&help::version_line(outside)).map(|()| 0),
        Parsed::Run(command, args) => {
            let out = Out::new(args.has("--json"), args.has("--no-color"));
            let client = Client::find(args.value("--socket"))?;
            (command.run)(&Invocation { args, client, out, outside })
        }
    });
    match result {
        Ok(code) => code,
        // The reader has seen enough (`codepiper sessions | head -1`): that is no error.
        Err(error) if out::is_closed_pipe(&error) => 0,
        Err(error) => {
            report(&error, json);
            exit_code(error.code)
        }
    }
}

/// Tells the user on stderr, as the API would where `--json` was asked for.
pub fn report(error: &Error, json: bool) {
    if json {
        let body = serde_json::json!({"error": error.message, "code": error.code.word()});
        eprintln!("{body}");
    } else {
        eprintln!("codepiper: {}", text::clean_lines(&error.chain()));
    }
}

/// What a shell sees of an error; the list is `codepiper help exit-codes`.
pub fn exit_code(code: Code) -> i32 {
    match code {
        Code::Invalid => 2,
        Code::Unreachable => 3,
        Code::NotFound => 4,
        Code::Denied | Code::Unauthorized => 5,
        Code::Timeout => 124,
        Code::Conflict | Code::Failed | Code::Busy | Code::Wait(_) | Code::Internal => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::Fake;
    use std::sync::Mutex;

    static SERVED: Mutex<Vec<DaemonOptions>> = Mutex::new(Vec::new());

    const OUTSIDE: Outside<'static> = Outside {
        api_table: "GET /health",
        serve: |options| {
            SERVED.lock().unwrap().push(options);
            0
        },
        hook_forward: || 2,
        keeper: || 9,
        verify: |_, _| Ok(Report::default()),
        build: "b1",
        version: "0.0.1",
    };

    fn check(fake: &Fake, line: &str, code: i32) {
        let socket = ["--socket", fake.path.to_str().unwrap()];
        let words = socket.into_iter().chain(line.split(' ')).map(OsString::from);
        assert_eq!(run(words, &OUTSIDE), code, "{line}");
    }

    #[test]
    fn each_error_of_the_api_has_its_exit_code() {
        for (status, word, code) in [
            (400, "invalid", 2),
            (404, "not_found", 4),
            (403, "denied", 5),
            (409, "conflict", 1),
            (408, "timeout", 124),
            (500, "internal", 1),
        ] {
            let body = format!("{{\"error\":\"no\",\"code\":\"{word}\"}}");
            let fake = Fake::api(move |_, _| (status, body.clone()));
            check(&fake, "show x", code);
            check(&fake, "show x --json", code);
        }
    }

    #[test]
    fn a_wrong_line_is_2_and_a_missing_daemon_3() {
        let run = |line: &str| run(line.split(' ').map(OsString::from), &OUTSIDE);
        assert_eq!(run("nonsense"), 2);
        assert_eq!(run("--socket /nonexistent sessions"), 3);
        assert_eq!(run("--socket /nonexistent daemon status"), 3);
        assert_eq!(run("--socket /nonexistent daemon stop"), 0, "it does not run: nothing to do");
        assert_eq!(run("help exit-codes"), 0);
        assert_eq!(run("help nonsense"), 2);
        assert_eq!(run("hook-forward"), 2);
        assert_eq!(run("keeper"), 9);
    }

    #[test]
    fn the_daemon_gets_its_options() {
        let line = ["daemon", "start", "--socket", "/tmp/x.sock", "--log-file"];
        assert_eq!(run(line.map(OsString::from), &OUTSIDE), 0);
        let expected = DaemonOptions {
            socket: Some("/tmp/x.sock".into()),
            log_file: true,
            web: Flags::default(),
        };
        assert!(SERVED.lock().unwrap().contains(&expected));
    }
}
