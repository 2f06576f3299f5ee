//! Codex: its command line, which carries the hooks that put every tool call before the gate.
//! Measured on 0.169.0; knows nothing of files or processes.
//!
//! 1. Each hook MUST come with its trust: Codex runs an untrusted one not at all, and says nothing.
//! 2. No argument or variable of the user's MUST undo that.

pub mod hook;

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::provider::Launch;
use crate::provider::LaunchRequest;
use crate::provider::canonical;
use crate::provider::hook_env;
use serde_json::json;

/// The hidden verb of our program that hooks run.
const HOOK_VERB: &str = "hook-forward";

/// Events that are asked for, each under Codex's two names, with its time-out in seconds. All are
/// longer than hook-forward's own deadlines; Codex lets a call run when the hook is late.
const EVENTS: &[(&str, &str, u32)] = &[
    ("SessionStart", "session_start", 10),
    ("UserPromptSubmit", "user_prompt_submit", 10),
    ("PreToolUse", "pre_tool_use", 60),
    ("PermissionRequest", "permission_request", 10),
    ("PostToolUse", "post_tool_use", 10),
    ("Stop", "stop", 10),
    ("Interrupt", "interrupt", 10),
    ("SubagentStart", "subagent_start", 10),
    ("SubagentStop", "subagent_stop", 10),
    ("PreCompact", "pre_compact", 10),
    ("PostCompact", "post_compact", 10),
    ("SessionEnd", "session_end", 10),
];

/// How to start Codex under the gate.
pub(crate) fn start(request: &LaunchRequest<'_>) -> Result<Launch> {
    let mut args: Vec<String> =
        ["--no-daemon", "-a", "on-request", "-s", "workspace-write"].map(String::from).to_vec();
    args.extend(hook_args(request.hook_program)?);
    if let Some(conversation) = request.resume {
        if !id::is_uuid(conversation) {
            let message = format!("codex's conversation {conversation:?} is no UUID");
            return Err(Error::invalid(message));
        }
        args.extend(["resume".to_string(), conversation.to_string()]);
    }
    args.extend(request.args.iter().cloned());
    let program = "codex".to_string();
    Ok(Launch { program, args, env: hook_env(request), files: Vec::new() })
}

/// The options that register each event's hook and say that it is trusted.
fn hook_args(hook_program: &str) -> Result<Vec<String>> {
    // Codex hands the command to a shell.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._+".contains(c);
    if !hook_program.starts_with('/') || !hook_program.chars().all(plain) {
        return Err(Error::invalid(format!(
            "hooks cannot run {hook_program:?}: codex takes only an absolute path of letters, \
             digits and -._+; set CODEPIPER_HOME to another directory"
        )));
    }
    let command = format!("{hook_program} {HOOK_VERB}");
    let mut args = vec!["--enable".to_string(), "hooks".to_string()];
    let mut trust = Vec::new();
    for (event, key, timeout) in EVENTS {
        let hook = format!("{{type=\"command\",command=\"{command}\",timeout={timeout}}}");
        args.extend(["-c".to_string(), format!("hooks.{event}=[{{hooks=[{hook}]}}]")]);
        let hash = trusted_hash(key, &command, *timeout);
        let place = format!("/<session-flags>/config.toml:{key}:0:0");
        trust.push(format!("\"{place}\"={{trusted_hash=\"{hash}\"}}"));
    }
    args.extend(["-c".to_string(), format!("hooks.state={{{}}}", trust.join(","))]);
    Ok(args)
}

/// What Codex wants to have been told of a hook that it runs: SHA-256 of its own normal form.
fn trusted_hash(key: &str, command: &str, timeout: u32) -> String {
    let hook = json!({"async": false, "command": command, "timeout": timeout, "type": "command"});
    let identity = json!({"event_name": key, "hooks": [hook]});
    format!("sha256:{}", id::hex(&canonical::sha256(&identity)))
}
