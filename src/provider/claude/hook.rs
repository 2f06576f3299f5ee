//! Claude Code's hook protocol: what its hooks say, and what they print to be understood.
//!
//! 1. A PreToolUse that is not understood to the last field MUST be an error, never another event:
//!    an error blocks the call.
//! 2. An answer MUST hold the fields that Claude checks and no others; with a wrong
//!    `hookEventName` the call would run.

use crate::base::error::{Error, Result};
use crate::base::json::Fields;
use crate::limits;
use crate::model::call::Action;
use crate::model::call::ToolCall;
use crate::model::call::Verdict;
use serde_json::Value;
use serde_json::json;

/// The event that asks; all others only tell.
pub const GATE: &str = "PreToolUse";

/// What a hook said, with the fields that codepiper acts on.
#[derive(Debug, Clone, PartialEq)]
pub enum HookEvent {
    /// A conversation begins or goes on in this process.
    SessionStart {
        /// Claude's id of the conversation; `/clear` and a fork bring a new one.
        agent_session: String,
        /// `startup`, `resume`, `clear`, `compact` or `fork`.
        source: String,
        /// Where the transcript is written.
        transcript_path: Option<String>,
    },
    /// A tool is about to run: the gate answers.
    PreToolUse(ToolCall),
    /// A tool has run, with the input as it really ran.
    PostToolUse(ToolCall),
    /// A prompt was sent. Not always by a person: a finished background agent sends one too.
    Prompt,
    /// Claude wants attention.
    Notification {
        /// `permission_prompt`, `idle_prompt`, …
        kind: String,
    },
    /// A turn is over.
    Stop,
    /// The conversation is over.
    SessionEnd {
        /// `prompt_input_exit`, `clear`, `other`, …
        reason: String,
    },
    /// An event that nothing is done for.
    Other(String),
}

/// Reads a hook's stdin. `event` is what hook-forward took it for, and must be what it says. Words
/// are at most [`limits::HOOK_WORD_BYTES`] and paths [`limits::CWD_BYTES`] bytes, without control
/// characters; fields that are not read here are not looked at.
pub fn parse(event: &str, data: &Value) -> Result<HookEvent> {
    let fields = Fields::of(data)?;
    let name = need_word(&fields, "hook_event_name")?;
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
        "PostToolUse" => HookEvent::PostToolUse(tool_call(&fields)?),
        "UserPromptSubmit" => HookEvent::Prompt,
        "Notification" => HookEvent::Notification { kind: or_empty("notification_type")? },
        "Stop" => HookEvent::Stop,
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
    let missing = || Error::invalid(format!("field {name:?} is missing or empty"));
    word(fields, name)?.filter(|word| !word.is_empty()).ok_or_else(missing)
}

fn word(fields: &Fields<'_>, name: &str) -> Result<Option<String>> {
    text(fields, name, limits::HOOK_WORD_BYTES)
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

/// What hook-forward prints for a verdict; `None` where the event takes no answer. Deny and ask
/// always carry a reason: it is all that the model or the person gets to see.
pub fn answer(event: &HookEvent, verdict: &Verdict) -> Option<Value> {
    let HookEvent::PreToolUse(_) = event else { return None };
    let mut output = json!({
        "hookEventName": GATE,
        "permissionDecision": verdict.action.word(),
    });
    if verdict.action != Action::Allow {
        let reason = match verdict.reason.trim() {
            "" if verdict.action == Action::Deny => "denied by the policy",
            "" => "the policy asks",
            reason => reason,
        };
        output["permissionDecisionReason"] = reason.into();
    }
    Some(json!({ "hookSpecificOutput": output }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;

    /// One captured stdin for each event (2.1.330), under the event's name.
    fn sample(name: &str) -> Value {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hooks/claude");
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
            check("SessionStart"),
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
        assert_eq!(check("PreToolUse"), HookEvent::PreToolUse(hi.clone()));
        assert_eq!(check("PostToolUse"), HookEvent::PostToolUse(hi));
        let sub = json!({"command": "touch sub_x", "description": "sub touch"});
        let sub = call("toolu_mock_0006_0", Some("a4c253c6db3d304a0"), sub);
        assert_eq!(check("PreToolUse-subagent"), HookEvent::PreToolUse(sub));
        assert_eq!(check("UserPromptSubmit"), HookEvent::Prompt);
        assert_eq!(check("Stop"), HookEvent::Stop);
        let kind = "permission_prompt".into();
        assert_eq!(check("Notification"), HookEvent::Notification { kind });
        let reason = "prompt_input_exit".into();
        assert_eq!(check("SessionEnd"), HookEvent::SessionEnd { reason });
        assert_eq!(check("PermissionRequest"), HookEvent::Other("PermissionRequest".into()));
    }

    #[test]
    fn a_call_that_is_not_whole_is_an_error_that_names_the_field() {
        let long = "x".repeat(limits::HOOK_WORD_BYTES + 1);
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
            let mut data = sample("PreToolUse");
            data[field] = value.clone();
            let error = parse(GATE, &data).unwrap_err().message;
            let named = error.contains(&format!("{field:?}")) || error.contains("Stop");
            assert!(named, "{field} {value}: {error}");
        }
        for data in [json!([]), json!(null), json!("PreToolUse"), json!({})] {
            assert!(parse(GATE, &data).is_err(), "{data}");
        }
    }

    #[test]
    fn answers_are_those_of_the_protocol() {
        let event = check("PreToolUse");
        let say = |action, reason: &str| {
            let verdict = Verdict { action, rule: None, reason: reason.into() };
            answer(&event, &verdict).unwrap().to_string()
        };
        assert_eq!(
            say(Action::Allow, "fine"),
            r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"allow"}}"#
        );
        let want = |word: &str, reason: &str| {
            format!(
                "{{\"hookSpecificOutput\":{{\"hookEventName\":\"PreToolUse\",\
                 \"permissionDecision\":\"{word}\",\"permissionDecisionReason\":\"{reason}\"}}}}"
            )
        };
        assert_eq!(say(Action::Deny, "no\n\"no\""), want("deny", "no\\n\\\"no\\\""));
        assert_eq!(say(Action::Ask, "look"), want("ask", "look"));
        assert_eq!(say(Action::Deny, " "), want("deny", "denied by the policy"));
        assert_eq!(say(Action::Ask, ""), want("ask", "the policy asks"));
    }

    #[test]
    fn events_that_only_tell_get_no_answer() {
        let verdict = Verdict { action: Action::Deny, rule: None, reason: "x".into() };
        let files = ["SessionStart", "PostToolUse", "Stop", "Notification", "PermissionRequest"];
        for file in files {
            assert_eq!(answer(&check(file), &verdict), None, "{file}");
        }
    }
}
