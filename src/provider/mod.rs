//! Agents as rows of one table: what each can do and how it is started under the gate. Pure: it
//! says what to run and which files to write, and does neither.

pub mod canonical;
pub mod claude;
pub mod codex;
pub mod env;
pub mod hook;
pub mod option;
pub mod proof;

use crate::base::error::{Error, Result};
use crate::model::call::Verdict;
use crate::provider::claude::hook as claude_hook;
use crate::provider::claude::proof as claude_proof;
use crate::provider::codex::hook as codex_hook;
use crate::provider::codex::proof as codex_proof;
use crate::provider::proof::Rehearsal;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;

/// One agent, or kind of program.
#[derive(Debug)]
pub struct Provider {
    /// The word of the API and the CLI.
    pub id: &'static str,
    /// For people.
    pub label: &'static str,
    /// What its sessions run in; always a terminal of our own.
    pub runtime: &'static str,
    /// The program to look for; `None` where the user names it as the first argument.
    pub program: Option<&'static str>,
    /// What works with it here.
    pub capabilities: Capabilities,
    /// Variables with which it bills by token.
    pub keys: &'static [&'static str],
    /// Versions we know, where it has some.
    pub versions: Option<Versions>,
    /// The gate holds also with a repository's own settings, if a person lets those in.
    pub project_settings: bool,
    /// Names of the files that a start writes for it; they must stay as they are.
    pub files: &'static [&'static str],
    /// How its gate is proven, where it has one.
    pub rehearsal: Option<Rehearsal>,
    start: fn(&LaunchRequest<'_>) -> Result<Launch>,
    answer: fn(&Verdict) -> Option<Value>,
    dialog: fn(&[String]) -> bool,
}

/// What works with a provider in this codepiper: not what the program could do, but what a client
/// may offer a person. The JSON names are the API's.
#[derive(Debug)]
pub struct Capabilities {
    /// Its hooks bring every tool call to the gate.
    pub native_hooks: bool,
    /// Its SessionStart hook comes when it starts, not only with the first prompt.
    pub greets: bool,
    /// What the policy wants to be asked becomes an approval.
    pub asks: bool,
    /// The gate can be told to allow everything.
    pub dangerous_mode: bool,
    /// Started again with another `--model` it goes on with its conversation.
    pub model_switch: bool,
    /// Its transcript is read as it grows.
    pub transcript: bool,
    /// How policy reaches it: `native-hooks` or `none`.
    pub policy_channel: &'static str,
    /// Where its numbers come from: `none`.
    pub metrics_channel: &'static str,
}

/// A version: major, minor, patch.
pub type Version = (u32, u32, u32);

/// The versions of an agent that the gate stands on.
#[derive(Debug, Clone, Copy)]
pub struct Versions {
    /// Older ones let a call run when its hook crashes.
    pub oldest: Version,
    /// The one whose behaviour was measured.
    pub proven: Version,
}

const ANTHROPIC: &[&str] = &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"];
const OPENAI: &[&str] = &["OPENAI_API_KEY", "CODEX_API_KEY"];

/// All providers.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        id: "command",
        label: "Any command",
        runtime: "pty",
        program: None,
        capabilities: Capabilities {
            native_hooks: false,
            greets: false,
            asks: false,
            dangerous_mode: false,
            model_switch: false,
            transcript: false,
            policy_channel: "none",
            metrics_channel: "none",
        },
        // Any agent may be started in it by a person.
        keys: &[ANTHROPIC[0], ANTHROPIC[1], OPENAI[0], OPENAI[1]],
        versions: None,
        project_settings: false,
        files: &[],
        rehearsal: None,
        start: start_command,
        // For an agent that a person starts in it with codepiper's hooks in its own settings.
        answer: claude_hook::answer,
        dialog: |_| true,
    },
    Provider {
        id: "claude-code",
        label: "Claude Code",
        runtime: "pty",
        program: Some("claude"),
        capabilities: Capabilities {
            native_hooks: true,
            greets: true,
            asks: true,
            dangerous_mode: true,
            model_switch: true,
            transcript: false,
            policy_channel: "native-hooks",
            metrics_channel: "none",
        },
        keys: ANTHROPIC,
        // `onFailure` came with 2.1.295; the rest was measured on 2.1.330.
        versions: Some(Versions { oldest: (2, 1, 295), proven: (2, 1, 330) }),
        project_settings: true,
        files: &[claude::OVERLAY_FILE],
        rehearsal: Some(claude_proof::REHEARSAL),
        start: claude::start,
        answer: claude_hook::answer,
        dialog: |args| !claude::is_headless(args),
    },
    Provider {
        id: "codex",
        label: "Codex",
        runtime: "pty",
        program: Some("codex"),
        capabilities: Capabilities {
            native_hooks: true,
            greets: false,
            asks: true,
            dangerous_mode: true,
            model_switch: false,
            transcript: false,
            policy_channel: "native-hooks",
            metrics_channel: "none",
        },
        keys: OPENAI,
        versions: Some(Versions { oldest: (0, 169, 0), proven: (0, 169, 0) }),
        project_settings: false,
        files: &[],
        rehearsal: Some(codex_proof::REHEARSAL),
        start: codex::start,
        answer: codex_hook::answer,
        dialog: |_| false,
    },
];

/// The provider with this id, or an error that names all.
pub fn find(id: &str) -> Result<&'static Provider> {
    PROVIDERS.iter().find(|p| p.id == id).ok_or_else(|| {
        let ids: Vec<&str> = PROVIDERS.iter().map(|p| p.id).collect();
        Error::invalid(format!("unknown provider {id:?}; known are {}", ids.join(", ")))
    })
}

impl Provider {
    /// Whether `text`, read back from the disk, is the file that was written for these hooks.
    pub fn check_file(&self, text: &str, hook_program: &str, hook_socket: &str) -> Result<()> {
        claude::check_overlay(text, hook_program, hook_socket)
    }

    /// What hook-forward prints for a verdict; `None` for silence, which only a yes may be.
    pub fn answer(&self, verdict: &Verdict) -> Option<Value> {
        (self.answer)(verdict)
    }

    /// Whether a session with these arguments opens a dialog of its own for what it is told to ask,
    /// and tells its hooks while that stands. Where it does not, the call is held before it runs.
    pub fn opens_dialog(&self, args: &[String]) -> bool {
        (self.dialog)(args)
    }

    /// Its row of `GET /providers`.
    pub fn to_json(&self) -> Value {
        let c = &self.capabilities;
        json!({
            "id": self.id,
            "label": self.label,
            "runtime": self.runtime,
            "capabilities": {
                "nativeHooks": c.native_hooks,
                "supportsAsk": c.asks,
                "supportsDangerousMode": c.dangerous_mode,
                "supportsModelSwitch": c.model_switch,
                "supportsTranscriptTailing": c.transcript,
                "policyChannel": c.policy_channel,
                "metricsChannel": c.metrics_channel,
            },
        })
    }
}

/// The first `1.2.3` in what a program prints for `--version`.
pub fn parse_version(text: &str) -> Option<Version> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find_map(|word| {
        let mut parts = word.split('.').map(|part| part.parse().ok());
        let version = (parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    })
}

/// What a start depends on, all of it passed in. It holds the secret, so there is no `Debug`.
#[derive(Clone, Copy)]
pub struct LaunchRequest<'a> {
    /// Our id of the session, a UUID.
    pub session: &'a str,
    /// The user's arguments.
    pub args: &'a [String],
    /// Variables that the user gave by name.
    pub given: &'a BTreeMap<String, String>,
    /// Absolute path of the pinned copy that hooks run.
    pub hook_program: &'a str,
    /// Absolute path of the hook socket.
    pub hook_socket: &'a str,
    /// The session's secret in text form.
    pub secret: &'a str,
    /// Absolute path of a private directory for the files of this start.
    pub dir: &'a str,
    /// The agent's own id of the conversation to go on with, at resume.
    pub resume: Option<&'a str>,
    /// That conversation is left as it is, and goes on as a new one.
    pub fork: bool,
    /// The directory it works in, as the kernel spells it: without links.
    pub cwd: &'a str,
    /// A person lets the settings of the repository in, with what code they name.
    pub project_settings: bool,
}

/// What to run. `Debug` would show the secret, so there is none.
#[derive(Clone, PartialEq)]
pub struct Launch {
    /// The program, as a name to look up in PATH or as a path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables on top of [`env::base`]; they win.
    pub env: Vec<(&'static str, String)>,
    /// Files to write, with mode 0600, before the program starts.
    pub files: Vec<LaunchFile>,
    /// Directories in the request's that the program writes to; made before it starts.
    pub dirs: Vec<String>,
}

/// A file that a start needs. After writing, what is read back must pass
/// [`Provider::check_file`]: an agent skips a settings file with an error in it, gate and all.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchFile {
    /// Absolute path.
    pub path: String,
    /// Contents.
    pub text: String,
}

/// Says how to start a session of `provider`. Refuses what would start it outside of the gate.
pub fn launch(provider: &Provider, request: &LaunchRequest<'_>) -> Result<Launch> {
    if request.project_settings && !provider.project_settings {
        return Err(Error::invalid(format!(
            "--project-settings is not for a {} session: {}; leave it out",
            provider.id,
            match provider.capabilities.native_hooks {
                true => "what a repository brings could run beside its gate unseen",
                false => "it reads no settings that we keep out",
            }
        )));
    }
    (provider.start)(request)
}

fn start_command(request: &LaunchRequest<'_>) -> Result<Launch> {
    let missing = || Error::invalid("a command is missing; give it behind --, such as `-- bash`");
    let (program, args) = request.args.split_first().ok_or_else(missing)?;
    if program.is_empty() {
        return Err(missing());
    }
    let (program, args) = (program.clone(), args.to_vec());
    Ok(Launch { program, args, env: hook_env(request), files: Vec::new(), dirs: Vec::new() })
}

/// How hook-forward finds its daemon and proves its session. Also for plain commands: an agent
/// started in a shell by a person may have codepiper's hooks in its own settings.
fn hook_env(request: &LaunchRequest<'_>) -> Vec<(&'static str, String)> {
    vec![
        (env::HOOK_SOCKET, request.hook_socket.to_string()),
        (env::SESSION, request.session.to_string()),
        (env::SECRET, request.secret.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_found_by_its_own_id() {
        for provider in PROVIDERS {
            assert_eq!(find(provider.id).unwrap().label, provider.label);
            assert_eq!(provider.to_json()["runtime"], "pty");
        }
        let error = find("claude").unwrap_err();
        assert!(error.message.contains("command, claude-code"), "{error}");
    }

    #[test]
    fn the_capabilities_are_those_of_the_api() {
        let row = find("claude-code").unwrap().to_json();
        assert_eq!(
            row.to_string(),
            r#"{"capabilities":{"metricsChannel":"none","nativeHooks":true,"#.to_string()
                + r#""policyChannel":"native-hooks","supportsAsk":true,"#
                + r#""supportsDangerousMode":true,"supportsModelSwitch":true,"#
                + r#""supportsTranscriptTailing":false},"#
                + r#""id":"claude-code","label":"Claude Code","runtime":"pty"}"#
        );
    }

    #[test]
    fn a_command_is_the_users_own_words() {
        let args: Vec<String> = ["bash", "-c", "--settings x"].map(String::from).to_vec();
        let given = BTreeMap::new();
        let request = LaunchRequest {
            session: "s",
            args: &args,
            given: &given,
            hook_program: "/h/codepiper-1",
            hook_socket: "/h/hook.sock",
            secret: "5ec2e7",
            dir: "/d",
            resume: None,
            fork: false,
            cwd: "/p",
            project_settings: false,
        };
        for id in ["command", "codex"] {
            let open = LaunchRequest { project_settings: true, ..request };
            let error = launch(find(id).unwrap(), &open).err().expect("refused");
            assert!(error.message.contains("--project-settings"), "{error}");
        }
        let launch = launch(find("command").unwrap(), &request).unwrap();
        assert_eq!((launch.program.as_str(), launch.args.len()), ("bash", 2));
        assert!(launch.files.is_empty());
        assert!(launch.env.contains(&("CODEPIPER_SECRET", "5ec2e7".to_string())));
        for none in [vec![], vec![String::new()]] {
            let request = LaunchRequest { args: &none, ..request };
            let error = start_command(&request).err().unwrap();
            assert!(error.message.contains("-- bash"), "{error}");
        }
    }

    #[test]
    fn versions_are_read_from_what_programs_print() {
        assert_eq!(parse_version("2.1.330 (Claude Code)\n"), Some((2, 1, 330)));
        assert_eq!(parse_version("codex-cli 0.169.0"), Some((0, 169, 0)));
        for bad in ["", "2.1", "v2", "1.2.3.4", "99999999999.1.1", "a.b.c"] {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
        let versions = find("claude-code").unwrap().versions.unwrap();
        assert!(versions.oldest < versions.proven);
    }
}
