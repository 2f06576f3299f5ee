//! Claude Code: its command line, and the settings overlay that puts every tool call before the
//! gate. Measured on 2.1.330; knows nothing of files or processes.
//!
//! 1. A session MUST start with our overlay, in mode manual, with no settings but the user's own:
//!    a repository's settings may hold hooks that rewrite what was judged, or switch all hooks
//!    off. Of a repository only the words are read: CLAUDE.md and the files that it imports.
//! 2. No argument or variable of the user's MUST undo that.
//! 3. The overlay MUST be checked as it lies on the disk: Claude skips a settings file with an
//!    error in it and goes on without hooks.
//! 4. No key and no command in the terminal MUST move the conversation to a process without the
//!    gate, or to a mode in which it was not measured.

pub mod hook;
pub mod proof;

use crate::base::error::{Error, Result};
use crate::base::id;
use crate::base::json;
use crate::provider::Launch;
use crate::provider::LaunchFile;
use crate::provider::LaunchRequest;
use crate::provider::env;
use crate::provider::hook::GATE;
use crate::provider::hook_env;
use serde_json::Map;
use serde_json::json;

/// The overlay's name in the directory of the start.
pub const OVERLAY_FILE: &str = "claude-settings.json";
/// The hidden verb of our program that hooks run.
const HOOK_VERB: &str = "hook-forward";
/// Options and variables that would undo the gate, with reasons.
const REFUSED: &str = include_str!("refused.txt");

/// Claude's time-out for PreToolUse in seconds where a person is waited for in it, see
/// [`is_headless`]: longer than hook-forward's own ([`crate::limits::gate::HOLD_GATE`]).
const HELD_GATE: u32 = 630;

/// Events that the overlay asks for, with Claude's time-out in seconds. All are longer than
/// hook-forward's own deadlines ([`crate::limits::gate::HOOK_DEADLINE`],
/// [`crate::limits::gate::HOOK_TELL`], [`crate::limits::gate::HOLD_DIALOG`]).
/// SessionEnd would get 1.5 s otherwise, and UserPromptSubmit holds the person's prompt back.
/// Left out: MessageDisplay runs for every piece of text, WorktreeCreate replaces what Claude
/// would do, and PostToolBatch says nothing that PostToolUse has not said.
const EVENTS: &[(&str, u32)] = &[
    ("SessionStart", 10),
    ("PreToolUse", 30),
    // The dialog stands meanwhile, and its person may answer it; codepiper's own end comes first.
    ("PermissionRequest", 86_400),
    ("PermissionDenied", 10),
    ("PostToolUse", 10),
    ("PostToolUseFailure", 10),
    ("UserPromptSubmit", 10),
    ("Notification", 10),
    ("ConfigChange", 10),
    ("Stop", 10),
    ("StopFailure", 10),
    ("SubagentStart", 10),
    ("SubagentStop", 10),
    ("PreCompact", 10),
    ("PostCompact", 10),
    ("PostModelSwitch", 10),
    ("SessionEnd", 10),
];

/// Makes Claude read the CLAUDE.md of directories given by `--add-dir`. With the user's settings
/// alone it reads no project's, and it would not know the house rules of the code it works on.
const PROJECT_WORDS: (&str, &str) = ("CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD", "1");

/// How to start Claude Code under the gate.
pub(crate) fn start(request: &LaunchRequest<'_>) -> Result<Launch> {
    check_args(request.args)?;
    for name in request.given.keys() {
        if let Some(reason) = refusal(&format!("${name}")) {
            return Err(Error::invalid(format!("{name} cannot be given to claude: {reason}")));
        }
    }
    let conversation = request.resume.unwrap_or(request.session);
    if !id::is_uuid(conversation) {
        return Err(Error::invalid(format!("claude's conversation {conversation:?} is no UUID")));
    }
    let talk: &[&str] = match (request.resume, request.fork) {
        (None, _) => &["--session-id", request.session],
        (Some(old), false) => &["--resume", old],
        (Some(old), true) => &["--resume", old, "--fork-session", "--session-id", request.session],
    };
    let overlay = LaunchFile {
        path: format!("{}/{OVERLAY_FILE}", request.dir.trim_end_matches('/')),
        text: overlay(request.hook_program, request.hook_socket, is_headless(request.args))?,
    };
    let mut ours: Vec<&str> = talk.to_vec();
    // Takes any number of directories, so an option has to follow.
    ours.extend(["--add-dir", request.cwd]);
    ours.extend(["--settings", &overlay.path]);
    // Hooks in a repository's settings run beside the gate, and may rewrite what was judged.
    let sources = if request.project_settings { "user,project,local" } else { "user" };
    ours.extend(["--permission-mode", "manual", "--setting-sources", sources]);
    let ours = ours.into_iter().map(str::to_string);
    let args = ours.chain(request.args.iter().cloned()).collect();
    let mut vars = hook_env(request);
    if !request.given.contains_key(PROJECT_WORDS.0) {
        vars.push((PROJECT_WORDS.0, PROJECT_WORDS.1.to_string()));
    }
    Ok(Launch {
        program: "claude".to_string(),
        args,
        env: vars,
        files: vec![overlay],
        dirs: Vec::new(),
    })
}

/// The settings that put each event before the hook's program, in exec form: no shell reads its
/// path. They beat all others but an administrator's:
///
/// - `disableAllHooks: false`: no other file switches hooks off, at the start or later.
/// - `env`: a variable in another settings file takes effect at once, also in the middle of a
///   conversation. Two of them switch hooks off, and ours would lead them to another daemon. The
///   session and its secret need no such help: wrong ones block.
/// - `disableAgentView`: its key (left arrow) and `/background` move the conversation to a process
///   of Claude's own daemon, which outlives our terminal.
/// - `disableRemoteControl`: another door than codepiper's.
/// - `disableAutoMode`, `disableBypassPermissionsMode`: modes a person can reach by a key.
/// - `disableSkillShellExecution`: commands in the text of a skill or a slash command would run
///   when the text is read, without a tool call.
fn overlay(hook_program: &str, hook_socket: &str, headless: bool) -> Result<String> {
    let is_plain = !hook_program.contains(|c: char| c.is_control() || c == '$');
    if !hook_program.starts_with('/') || !is_plain {
        // Claude puts values for ${NAME} into the path even in exec form.
        return Err(Error::invalid(format!(
            "hooks cannot run {hook_program:?}: it must be an absolute path without $ and control \
             characters; set CODEPIPER_HOME to another directory"
        )));
    }
    let mut hooks = Map::new();
    for (event, timeout) in EVENTS {
        let mut hook = json!({
            "type": "command",
            "command": hook_program,
            "args": [HOOK_VERB],
            "timeout": timeout,
        });
        if *event == GATE {
            hook["onFailure"] = "block".into();
            if headless {
                hook["timeout"] = HELD_GATE.into();
            }
        }
        hooks.insert(event.to_string(), json!([{ "hooks": [hook] }]));
    }
    let overlay = json!({
        "disableAllHooks": false,
        "disableAgentView": true,
        "disableRemoteControl": true,
        "disableAutoMode": "disable",
        "permissions": { "disableBypassPermissionsMode": "disable" },
        "disableSkillShellExecution": true,
        "env": {
            "CLAUDE_CODE_SIMPLE": "0",
            "CLAUDE_CODE_SAFE_MODE": "0",
            env::HOOK_SOCKET: hook_socket,
        },
        "hooks": hooks,
    });
    Ok(overlay.to_string())
}

/// Whether `text`, read back from the disk, is the overlay for these paths and nothing else.
pub fn check_overlay(text: &str, hook_program: &str, hook_socket: &str) -> Result<()> {
    let found = json::parse(text.as_bytes()).ok();
    // Whoever could swap one for the other gains nothing: a call that is waited for is blocked.
    for headless in [false, true] {
        let wanted = overlay(hook_program, hook_socket, headless)?;
        if found == Some(json::parse(wanted.as_bytes())?) {
            return Ok(());
        }
    }
    Err(Error::denied("claude's settings overlay is not as it was written; not started"))
}

/// Whether these arguments start it without its terminal interface, and so without dialogs: told
/// to ask, it refuses the call then. Letters that run together count where `p` is one of them.
pub fn is_headless(args: &[String]) -> bool {
    let letters = |arg: &str| arg.starts_with('-') && !arg.starts_with("--") && arg.contains('p');
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--print" || letters(arg))
}

/// Refuses arguments that would undo the gate, also as `--flag=value` and as letters run together.
fn check_args(args: &[String]) -> Result<()> {
    for arg in args {
        let option = arg.split_once('=').map_or(arg.as_str(), |(option, _)| option);
        if let Some(reason) = refusal(option) {
            return Err(Error::invalid(format!("{option} cannot be given to claude: {reason}")));
        }
        let letters = arg.strip_prefix('-').filter(|rest| rest.len() > 1 && !rest.starts_with('-'));
        if let Some(letters) = letters
            && letters.chars().any(|letter| refusal(&format!("-{letter}")).is_some())
        {
            return Err(Error::invalid(format!(
                "{arg} cannot be given to claude: it may hold -c or -r; write options apart"
            )));
        }
    }
    Ok(())
}

fn refusal(option: &str) -> Option<&'static str> {
    let lines = REFUSED.lines().filter(|line| !line.starts_with('#'));
    let mut rows = lines.filter_map(|line| line.split_once(char::is_whitespace));
    rows.find(|(refused, _)| *refused == option).map(|(_, reason)| reason.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SESSION: &str = "0b7e4c1e-9d43-4c5e-8a7e-1f5a3b2c4d5e";
    const PROGRAM: &str = "/home/u/.codepiper/hook/codepiper-1a2b";
    const SOCKET: &str = "/home/u/.codepiper/hook/hook.sock";
    const TALK: &str = "f247f362-4fbd-4e57-94f6-073b3cd68e4f";

    fn given(name: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_string(), "1".to_string())])
    }

    fn try_start(args: &[&str], name: &str, resume: Option<&str>) -> Result<Launch> {
        let args: Vec<String> = args.iter().map(|a| a.to_string()).collect();
        start(&request(&args, &given(name), resume))
    }

    fn request<'a>(
        args: &'a [String],
        given: &'a BTreeMap<String, String>,
        resume: Option<&'a str>,
    ) -> LaunchRequest<'a> {
        LaunchRequest {
            session: SESSION,
            args,
            given,
            hook_program: PROGRAM,
            hook_socket: SOCKET,
            secret: "5ec2e7",
            dir: "/home/u/.codepiper/sessions/s",
            resume,
            fork: false,
            cwd: "/home/u/proj",
            project_settings: false,
        }
    }

    #[test]
    fn the_overlay_is_the_known_good_one() {
        let known = include_str!("../../../tests/data/hooks/claude/overlay.json");
        let found = json::parse(overlay(PROGRAM, SOCKET, false).unwrap().as_bytes()).unwrap();
        assert_eq!(found, json::parse(known.as_bytes()).unwrap());
        for bad in ["codepiper", "", "/h/$X/codepiper", "/h/a\nb"] {
            let error = overlay(bad, SOCKET, false).unwrap_err();
            assert!(error.message.contains("CODEPIPER_HOME"), "{bad}");
        }
    }

    #[test]
    fn an_overlay_that_differs_in_anything_is_not_used() {
        let good = overlay(PROGRAM, SOCKET, false).unwrap();
        check_overlay(&good, PROGRAM, SOCKET).unwrap();
        let held = overlay(PROGRAM, SOCKET, true).unwrap();
        check_overlay(&held, PROGRAM, SOCKET).unwrap();
        assert_eq!(good.replacen("\"timeout\":30", "\"timeout\":630", 1), held);
        for (from, to) in [
            ("\"disableAllHooks\":false", "\"disableAllHooks\":true"),
            ("\"disableAgentView\":true", "\"disableAgentView\":false"),
            ("\"CLAUDE_CODE_SIMPLE\":\"0\"", "\"CLAUDE_CODE_SIMPLE\":\"1\""),
            ("\"timeout\":30", "\"timeout\":0"),
            (",\"onFailure\":\"block\"", ""),
            ("PreToolUse", "preToolUse"),
            ("hook-forward", "version"),
            ("codepiper-1a2b", "codepiper-2"),
            ("hook.sock", "other.sock"),
            ("}]}]", "}]}],\"Setup\":[]"),
            ("{\"disable", "{\"disableAllHooks\":true,\"disable"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(check_overlay(&bad, PROGRAM, SOCKET).is_err(), "{from} -> {to}");
        }
        for end in 0..good.len() {
            assert!(check_overlay(&good[..end], PROGRAM, SOCKET).is_err(), "cut at {end}");
        }
        assert!(check_overlay(&good, "/h/codepiper-2", SOCKET).is_err());
        assert!(check_overlay(&good, PROGRAM, "/h/hook.sock").is_err());
    }

    #[test]
    fn a_first_start_names_the_conversation_and_a_resume_goes_on_with_it() {
        let launch = try_start(&["--model", "haiku"], "LANG", None).unwrap();
        let overlay_path = "/home/u/.codepiper/sessions/s/claude-settings.json";
        assert_eq!(launch.program, "claude");
        assert_eq!(
            launch.args.join(" "),
            format!(
                "--session-id {SESSION} --add-dir /home/u/proj --settings {overlay_path} \
                 --permission-mode manual --setting-sources user --model haiku"
            )
        );
        assert_eq!(launch.files[0].path, overlay_path);
        assert!(!launch.args.iter().any(|a| a.contains("5ec2e7")), "no secret in arguments");
        assert!(!launch.files[0].text.contains("5ec2e7"), "no secret in the overlay");
        assert!(launch.env.contains(&("CODEPIPER_SESSION", SESSION.to_string())));
        let reads_words = |launch: &Launch| launch.env.iter().any(|pair| pair.0 == PROJECT_WORDS.0);
        assert!(reads_words(&launch));
        assert!(!reads_words(&try_start(&[], PROJECT_WORDS.0, None).unwrap()), "a person's wins");
        let launch = try_start(&[], "LANG", Some(TALK)).unwrap();
        assert_eq!(&launch.args[..2], ["--resume", TALK]);
        assert!(!launch.args.iter().any(|a| a == "--session-id"));
        assert!(try_start(&[], "LANG", Some("--bare")).is_err(), "an id is no option");
        let launch =
            start(&LaunchRequest { fork: true, ..request(&[], &given("LANG"), Some(TALK)) });
        assert_eq!(
            launch.unwrap().args[..5],
            ["--resume", TALK, "--fork-session", "--session-id", SESSION]
        );
    }

    #[test]
    fn arguments_that_would_undo_the_gate_are_refused_with_a_reason() {
        let long = "--settings --setting-sources --permission-mode --dangerously-skip-permissions \
            --allow-dangerously-skip-permissions --bare --safe-mode --session-id --resume \
            --continue --fork-session --managed-settings --plugin-dir --bg \
            --permission-prompt-tool";
        for flag in long.split_whitespace() {
            for arg in [flag.to_string(), format!("{flag}=x"), format!("{flag}=")] {
                let error = try_start(&["--model", "haiku", &arg], "LANG", None).err();
                let message = error.unwrap_or_else(|| panic!("{arg} was taken")).message;
                assert!(message.starts_with(&format!("{flag} cannot be given")), "{message}");
                assert!(message.len() > flag.len() + 40, "a reason: {message}");
            }
        }
        for letters in ["-r", "-c", "-rabc", "-pc", "-cp", "-r=x"] {
            assert!(try_start(&[letters], "LANG", None).is_err(), "{letters}");
        }
        for fine in
            ["-p", "--print", "--restricted", "--add-dir=/x", "please --continue", "-", "-n"]
        {
            assert!(try_start(&[fine], "LANG", None).is_ok(), "{fine}");
        }
    }

    #[test]
    fn a_start_without_dialogs_is_known_by_its_arguments() {
        let headless = |args: &[&str]| {
            is_headless(&args.iter().map(|arg| arg.to_string()).collect::<Vec<_>>())
        };
        for args in [&["-p"][..], &["--print", "x"], &["hi", "-p"], &["-dp"], &["-pd", "x"]] {
            assert!(headless(args), "{args:?}");
        }
        for args in [&[][..], &["--model", "opus"], &["please"], &["--", "-p"], &["-d"]] {
            assert!(!headless(args), "{args:?}");
        }
    }

    #[test]
    fn variables_that_would_undo_the_gate_are_refused() {
        for name in ["CLAUDE_CODE_SIMPLE", "CLAUDE_CODE_SAFE_MODE", "CLAUDE_CODE_CHILD_SESSION"] {
            let error = try_start(&[], name, None).err().unwrap();
            assert!(error.message.starts_with(name), "{error}");
        }
        assert!(try_start(&[], "CLAUDE_CONFIG_DIR", None).is_ok());
    }

    #[test]
    fn every_refusal_has_its_reason() {
        for line in REFUSED.lines().filter(|line| !line.starts_with('#')) {
            let (option, reason) = line.split_once(char::is_whitespace).expect(line);
            assert!(option.starts_with(['-', '$']) && reason.trim().len() > 20, "{line}");
        }
    }
}
