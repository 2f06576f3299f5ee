//! What agents' hooks say: both agents speak the same dialect, so one reader serves them. What
//! they want to hear differs, see each agent's own file.
//!
//! 1. A PreToolUse that is not understood to the last field MUST be an error, never another event:
//!    an error blocks the call.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::limits;
use crate::model::call::ToolCall;
use serde_json::Value;
use serde_json::json;

/// The event that asks; all others only tell.
pub const GATE: &str = "PreToolUse";
/// The event that comes with an agent's own dialog, or before it.
pub const DIALOG: &str = "PermissionRequest";

/// What a hook said, with the fields that codepiper acts on.
#[derive(Debug, Clone, PartialEq)]
pub enum HookEvent {
    /// A conversation begins or goes on in this process.
    SessionStart {
        /// The agent's id of the conversation; `/clear` and a fork bring a new one.
        agent_session: String,
        /// `startup`, `resume`, `clear`, `compact` or `fork`.
        source: String,
        /// Where the transcript is written.
        transcript_path: Option<String>,
    },
    /// A tool is about to run: the gate answers.
    PreToolUse(ToolCall),
    /// The agent's own dialog is about to open, or is open already. It brings no call id.
    PermissionRequest(ToolCall),
    /// A tool has run, well or not, with the input as it really ran.
    PostToolUse(ToolCall),
    /// A prompt was sent. Not always by a person: a finished background agent sends one too.
    Prompt,
    /// The agent wants attention.
    Notification {
        /// `permission_prompt`, `idle_prompt`, …
        kind: String,
    },
    /// A turn is over, also by an error or by the person.
    Stop,
    /// A settings file that the agent reads has changed.
    ConfigChange {
        /// `user_settings`, `project_settings`, …
        source: String,
        /// The file.
        path: Option<String>,
    },
    /// The conversation is over.
    SessionEnd {
        /// `prompt_input_exit`, `clear`, `other`, …
        reason: String,
    },
    /// An event that nothing is done for.
    Other(String),
}

/// Events that only tell something: Claude Code's, and `Interrupt` of Codex. A name that is not
/// here may be the gate of an agent that we do not know (`BeforeTool`, `preToolUse`), so it blocks.
pub const TELLS: &[&str] = &[
    "ConfigChange",
    "CwdChanged",
    "DirectoryAdded",
    "Elicitation",
    "ElicitationResult",
    "FileChanged",
    "InstructionsLoaded",
    "Interrupt",
    "MessageDisplay",
    "Notification",
    "PermissionDenied",
    "PostCompact",
    "PostModelSwitch",
    "PostToolBatch",
    "PostToolUse",
    "PostToolUseFailure",
    "PreCompact",
    "PreModelSwitch",
    "SessionEnd",
    "SessionStart",
    "Setup",
    "Stop",
    "StopFailure",
    "SubagentStart",
    "SubagentStop",
    "TaskCompleted",
    "TaskCreated",
    "TeammateIdle",
    "UserPromptExpansion",
    "UserPromptSubmit",
    "WorktreeCreate",
    "WorktreeRemove",
];

/// What hook-forward prints at [`DIALOG`] for a yes or a no, the same for both agents; a no
/// carries its reason to the model.
pub fn dialog_answer(allow: bool, reason: &str) -> Value {
    let decision = match (allow, reason.trim()) {
        (true, _) => json!({"behavior": "allow"}),
        (false, "") => json!({"behavior": "deny", "message": "denied by the person"}),
        (false, reason) => json!({"behavior": "deny", "message": reason}),
    };
    json!({"hookSpecificOutput": {"hookEventName": DIALOG, "decision": decision}})
}

/// Whether a tool is a question to the person: its dialog is the answer, and no permission.
pub fn is_question(tool: &str) -> bool {
    ["AskUserQuestion", "ExitPlanMode"].contains(&tool)
}

/// Reads a hook's stdin. `event` is what hook-forward took it for, and must be what it says; a
/// script that only tells something may leave that out. Words
/// are at most [`limits::gate::HOOK_WORD_BYTES`] and paths [`limits::CWD_BYTES`] bytes, without
/// control characters; fields that are not read here are not looked at.
pub fn parse(event: &str, data: &Value) -> Result<HookEvent> {
    let fields = Fields::of(data)?;
    let name = match word(&fields, "hook_event_name")? {
        None if TELLS.contains(&event) => event.to_string(),
        said => said.filter(|name| !name.is_empty()).ok_or_else(|| missing("hook_event_name"))?,
    };
    if name != event {
        return Err(Error::invalid(format!("the hook says {name:?}, its sender {event:?}")));
    }
    let or_empty = |name: &str| Ok(word(&fields, name)?.unwrap_or_default());
    Ok(match event {
        "SessionStart" => HookEvent::SessionStart {
            agent_session: need_word(&fields, "session_id")?,
            source: or_empty("source")?,
            transcript_path: text(&fields, "transcript_path", limits::CWD_BYTES)?,
        },
        GATE => HookEvent::PreToolUse(tool_call(&fields)?),
        DIALOG => HookEvent::PermissionRequest(tool_call(&fields)?),
        "PostToolUse" | "PostToolUseFailure" => HookEvent::PostToolUse(tool_call(&fields)?),
        "UserPromptSubmit" => HookEvent::Prompt,
        "Notification" => HookEvent::Notification { kind: or_empty("notification_type")? },
        "Stop" | "StopFailure" | "Interrupt" => HookEvent::Stop,
        "ConfigChange" => HookEvent::ConfigChange {
            source: or_empty("source")?,
            path: text(&fields, "file_path", limits::CWD_BYTES)?,
        },
        "SessionEnd" => HookEvent::SessionEnd { reason: or_empty("reason")? },
        _ => HookEvent::Other(name),
    })
}

fn tool_call(fields: &Fields<'_>) -> Result<ToolCall> {
    let input = fields.get("tool_input").filter(|input| input.is_object());
    let no_input = || Error::invalid("field \"tool_input\" must be a JSON object");
    let cwd = text(fields, "cwd", limits::CWD_BYTES)?.filter(|cwd| cwd.starts_with('/'));
    Ok(ToolCall {
        tool: need_word(fields, "tool_name")?,
        input: input.ok_or_else(no_input)?.clone(),
        cwd: cwd.ok_or_else(|| Error::invalid("field \"cwd\" must be an absolute path"))?,
        call_id: word(fields, "tool_use_id")?,
        agent_id: word(fields, "agent_id")?,
    })
}

fn need_word(fields: &Fields<'_>, name: &str) -> Result<String> {
    word(fields, name)?.filter(|word| !word.is_empty()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::invalid(format!("field {name:?} is missing or empty"))
}

fn word(fields: &Fields<'_>, name: &str) -> Result<Option<String>> {
    text(fields, name, limits::gate::HOOK_WORD_BYTES)
}

fn text(fields: &Fields<'_>, name: &str, bytes_max: usize) -> Result<Option<String>> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    if text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "field {name:?} has a control character or more than {bytes_max} bytes"
        )));
    }
    Ok(Some(text.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;

    /// One captured stdin for each event, under the agent's and the event's name.
    fn sample(name: &str) -> Value {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hooks");
        json::parse(&std::fs::read(format!("{dir}/{name}.json")).unwrap()).unwrap()
    }

    fn check(file: &str) -> HookEvent {
        let data = sample(file);
        parse(data["hook_event_name"].as_str().unwrap(), &data).unwrap()
    }

    const TALK: &str = "f247f362-4fbd-4e57-94f6-073b3cd68e4f";

    #[test]
    fn captured_events_are_read() {
        assert_eq!(
            check("claude/SessionStart"),
            HookEvent::SessionStart {
                agent_session: TALK.into(),
                source: "startup".into(),
                transcript_path: Some(format!(
                    "/home/u/.claude/projects/-home-u-proj/{TALK}.jsonl"
                )),
            }
        );
        let call = |id: &str, agent: Option<&str>, input: Value| ToolCall {
            tool: "Bash".into(),
            input,
            cwd: "/home/u/proj".into(),
            call_id: Some(id.into()),
            agent_id: agent.map(str::to_string),
        };
        let touch = json!({"command": "touch x_hi", "description": "touch a file"});
        let hi = call("toolu_mock_0001_0", None, touch);
        assert_eq!(check("claude/PreToolUse"), HookEvent::PreToolUse(hi.clone()));
        assert_eq!(check("claude/PostToolUse"), HookEvent::PostToolUse(hi));
        let sub = json!({"command": "touch sub_x", "description": "sub touch"});
        let sub = call("toolu_mock_0006_0", Some("a4c253c6db3d304a0"), sub);
        assert_eq!(check("claude/PreToolUse-subagent"), HookEvent::PreToolUse(sub));
        assert_eq!(check("claude/UserPromptSubmit"), HookEvent::Prompt);
        assert_eq!(check("claude/Stop"), HookEvent::Stop);
        let kind = "permission_prompt".into();
        assert_eq!(check("claude/Notification"), HookEvent::Notification { kind });
        let reason = "prompt_input_exit".into();
        assert_eq!(check("claude/SessionEnd"), HookEvent::SessionEnd { reason });
        let HookEvent::PermissionRequest(call) = check("claude/PermissionRequest") else {
            panic!("no PermissionRequest")
        };
        assert_eq!((call.tool.as_str(), call.call_id), ("Bash", None));
    }

    #[test]
    fn captured_events_of_codex_are_read_by_the_same_reader() {
        let HookEvent::SessionStart { agent_session, source, transcript_path } =
            check("codex/SessionStart")
        else {
            panic!("no SessionStart")
        };
        assert_eq!((agent_session.len(), source.as_str()), (36, "startup"));
        let path = transcript_path.expect("a transcript");
        assert!(path.starts_with("/home/u/.codex/sessions/") && path.contains(&agent_session));
        for (name, tool, input) in [
            ("", "Bash", json!({"command": "echo hi"})),
            ("-patch", "apply_patch", sample("codex/PreToolUse-patch")["tool_input"].clone()),
            ("-mcp", "mcp__t__write", json!({"file": "w.txt"})),
        ] {
            let HookEvent::PreToolUse(asked) = check(&format!("codex/PreToolUse{name}")) else {
                panic!("no PreToolUse{name}")
            };
            assert_eq!((asked.tool.as_str(), &asked.input), (tool, &input));
            assert_eq!((asked.cwd.as_str(), &asked.agent_id), ("/home/u/proj", &None));
            let ran = check(&format!("codex/PostToolUse{name}"));
            assert_eq!(ran, HookEvent::PostToolUse(asked), "the same call, as it was judged");
        }
        let HookEvent::PreToolUse(sub) = check("codex/PreToolUse-subagent") else {
            panic!("no PreToolUse")
        };
        assert!(sub.agent_id.is_some_and(|id| id.len() == 36));
        // Not as it was judged: the model's words to the person come with it.
        let HookEvent::PermissionRequest(call) = check("codex/PermissionRequest") else {
            panic!("no PermissionRequest")
        };
        let input = json!({"command": "touch x_hi", "description": "a file is needed"});
        assert_eq!((call.input, call.call_id), (input, None));
        assert_eq!(check("codex/UserPromptSubmit"), HookEvent::Prompt);
        assert_eq!(check("codex/Stop"), HookEvent::Stop);
        assert_eq!(check("codex/Interrupt"), HookEvent::Stop);
        assert_eq!(check("codex/SessionEnd"), HookEvent::SessionEnd { reason: "other".into() });
        for event in ["PreCompact", "PostCompact", "SubagentStart", "SubagentStop"] {
            assert_eq!(check(&format!("codex/{event}")), HookEvent::Other(event.into()));
        }
    }

    #[test]
    fn a_call_that_is_not_whole_is_an_error_that_names_the_field() {
        let long = "x".repeat(limits::gate::HOOK_WORD_BYTES + 1);
        for (field, value) in [
            ("tool_name", Value::Null),
            ("tool_name", json!("")),
            ("tool_name", json!(["Bash"])),
            ("tool_name", json!(long)),
            ("tool_name", json!("Ba\u{0}sh")),
            ("tool_input", Value::Null),
            ("tool_input", json!("ls")),
            ("tool_input", json!([])),
            ("tool_use_id", json!(7)),
            ("agent_id", json!({})),
            ("cwd", Value::Null),
            ("cwd", json!("proj")),
            ("cwd", json!(format!("/{}", "x".repeat(limits::CWD_BYTES)))),
            ("hook_event_name", Value::Null),
            ("hook_event_name", json!("Stop")),
        ] {
            let mut data = sample("claude/PreToolUse");
            data[field] = value.clone();
            let error = parse(GATE, &data).unwrap_err().message;
            let named = error.contains(&format!("{field:?}")) || error.contains("Stop");
            assert!(named, "{field} {value}: {error}");
        }
        for data in [json!([]), json!(null), json!("PreToolUse"), json!({})] {
            assert!(parse(GATE, &data).is_err(), "{data}");
        }
    }
}
