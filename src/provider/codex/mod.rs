//! Codex: its command line, which carries the hooks that put every tool call before the gate.
//! Measured on 0.169.0; knows nothing of files or processes.
//!
//! 1. Each hook MUST come with its trust and be switched on: Codex runs no other, and says nothing.
//!    The person's own configuration is read below ours and could switch ours off, key by key.
//! 2. Whatever ends our program at PreToolUse but its own exit 0 MUST block the call: Codex goes on
//!    when a hook is missing, crashes or fails, so a shell of ours around it says exit 2.
//! 3. The project MUST be untrusted for the session, whatever the person trusts: in a trusted one
//!    `.codex/` starts tool servers and sets variables of tools without any hook, also when it
//!    appears while the session runs. The price is Codex's dialog "Folder access", whose only way
//!    on is "Open restricted"; no other setting keeps the directory out.
//! 4. Nothing MUST be typed into a tool that was judged already: no hook sees `write_stdin`, so
//!    tools get no terminal, and without one Codex closes their input.
//! 5. What the model's provider runs itself MUST be off: no hook sees a web search.
//! 6. What is queued for the conversation MUST come from nobody beside: `codex queue` types into
//!    any whose database it can write, so each session has one of its own. Codex fills a new one
//!    from the conversations' files.
//! 7. No argument or variable of the user's MUST undo that.

mod args;
pub mod hook;
pub mod proof;

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::provider::Launch;
use crate::provider::LaunchRequest;
use crate::provider::canonical;
use crate::provider::codex::args::UserArgs;
use crate::provider::hook::GATE;
use crate::provider::hook_env;
use serde_json::Value;
use serde_json::json;
use std::path::Path;

/// The hidden verb of our program that hooks run.
const HOOK_VERB: &str = "hook-forward";

/// Events that are asked for, each under Codex's two names, with its time-out in seconds. All are
/// longer than hook-forward's own deadlines; Codex lets a call run when the hook is late. The two
/// of 3 s are Codex's own limit: with a longer one they are another hook than the trusted one.
const EVENTS: &[(&str, &str, u32)] = &[
    ("SessionStart", "session_start", 10),
    ("UserPromptSubmit", "user_prompt_submit", 10),
    ("PreToolUse", "pre_tool_use", HELD),
    ("PermissionRequest", "permission_request", HELD),
    ("PostToolUse", "post_tool_use", 10),
    ("Stop", "stop", 10),
    ("Interrupt", "interrupt", 3),
    ("SubagentStart", "subagent_start", 10),
    ("SubagentStop", "subagent_stop", 10),
    ("PreCompact", "pre_compact", 10),
    ("PostCompact", "post_compact", 10),
    ("SessionEnd", "session_end", 3),
];

/// The time-out of hooks that may be held for a person's answer.
const HELD: u32 = 630;
/// What Codex shows beside such a hook while it runs.
const WAITS: &str = "waiting for codepiper's policy";

/// What else the gate stands on; see the file's head. `--disable` beats every other setting of a
/// feature. The last one would install tool servers that a repository's skills name.
const SETTINGS: &[&str] = &[
    "--disable=unified_exec_tty",
    "--config=web_search=\"disabled\"",
    "--disable=skill_mcp_dependency_install",
];

/// How to start Codex under the gate.
pub(crate) fn start(request: &LaunchRequest<'_>) -> Result<Launch> {
    let user = args::sort(request.args)?;
    for (name, value) in request.given {
        args::check_variable(name)?;
        if name == "CODEX_HOME" && Path::new(value).starts_with(request.cwd) {
            return Err(Error::invalid(
                "CODEX_HOME cannot be inside of the project: what a repository brings would count \
                 as your own configuration; name a directory elsewhere",
            ));
        }
    }
    let mut args = vec!["--no-daemon".to_string()];
    let usual = [("--ask-for-approval", "on-request"), ("--sandbox", "workspace-write")];
    let usual = usual.iter().filter(|(option, _)| !user.has(option));
    args.extend(usual.map(|(option, value)| format!("{option}={value}")));
    args.extend(hook_args(request.hook_program)?);
    args.push(untrusted(request.cwd));
    args.extend(SETTINGS.iter().map(|s| s.to_string()));
    let database = format!("{}/codex", request.dir);
    args.push(format!("--config=sqlite_home={}", quoted(&database)));
    args.extend(user_args(user, conversation(request)?));
    let program = "codex".to_string();
    Ok(Launch { program, args, env: hook_env(request), files: Vec::new(), dirs: vec![database] })
}

/// The words that go on with a conversation; none for a new one.
fn conversation(request: &LaunchRequest<'_>) -> Result<Vec<String>> {
    let Some(conversation) = request.resume else { return Ok(Vec::new()) };
    if !id::is_uuid(conversation) {
        return Err(Error::invalid(format!("codex's conversation {conversation:?} is no UUID")));
    }
    let command = if request.fork { "fork" } else { "resume" };
    Ok(vec![command.to_string(), conversation.to_string()])
}

/// The user's part of the line. Of the options only those in front of `resume` are all known there
/// with `exec`, and only those behind it without.
fn user_args(user: UserArgs, conversation: Vec<String>) -> Vec<String> {
    let UserArgs { exec, global, local, words } = user;
    let exec_word = exec.then(|| "exec".to_string());
    let mut args: Vec<String> = match exec {
        true => global.into_iter().chain(exec_word).chain(local).chain(conversation).collect(),
        false => conversation.into_iter().chain(global).collect(),
    };
    if !words.is_empty() {
        args.push("--".to_string());
        args.extend(words);
    }
    args
}

/// The option that keeps a repository's `.codex/` out. Codex looks from the working directory up
/// and asks for the trust of each directory by its own path before it asks for the repository's.
fn untrusted(cwd: &str) -> String {
    let places = Path::new(cwd)
        .ancestors()
        .map(|dir| format!("{}={{trust_level=\"untrusted\"}}", quoted(&dir.to_string_lossy())));
    format!("--config=projects={{{}}}", places.collect::<Vec<_>>().join(","))
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    // It wants one more character written as an escape than JSON.
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
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
    let tells = format!("{hook_program} {HOOK_VERB}");
    // Codex's own shell is the person's, whichever that is: it gets nothing to read but a word in
    // single quotes. Without a word on stderr exit 2 would let the call run.
    let asks =
        format!("/bin/sh -c '{tells} || {{ echo codepiper: the call was not run >&2; exit 2; }}'");
    let mut args = vec!["--enable=hooks".to_string()];
    let mut states = Vec::new();
    for (event, key, timeout) in EVENTS {
        let command = if *event == GATE { &asks } else { &tells };
        let shown = (*timeout == HELD).then_some(WAITS);
        let more = shown.map_or(String::new(), |text| format!(",statusMessage=\"{text}\""));
        let hook = format!("{{type=\"command\",command=\"{command}\",timeout={timeout}{more}}}");
        args.push(format!("--config=hooks.{event}=[{{hooks=[{hook}]}}]"));
        let hash = trusted_hash(key, command, *timeout, shown);
        let place = format!("/<session-flags>/config.toml:{key}:0:0");
        states.push(format!("\"{place}\"={{trusted_hash=\"{hash}\",enabled=true}}"));
    }
    args.push(format!("--config=hooks.state={{{}}}", states.join(",")));
    Ok(args)
}

/// What Codex wants to have been told of a hook that it runs: SHA-256 of its own normal form.
fn trusted_hash(key: &str, command: &str, timeout: u32, shown: Option<&str>) -> String {
    let mut hook =
        json!({"async": false, "command": command, "timeout": timeout, "type": "command"});
    if let Some(text) = shown {
        hook["statusMessage"] = json!(text);
    }
    let identity = json!({"event_name": key, "hooks": [hook]});
    format!("sha256:{}", id::hex(&canonical::sha256(&identity)))
}

#[cfg(test)]
mod tests;
