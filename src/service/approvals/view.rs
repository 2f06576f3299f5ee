//! What a person is shown of an approval: the call in the daemon's own words, whole, with who asked
//! and why. The agent's own description of it is one field among others.

use crate::base::error::{Error, Result};
use crate::base::time;
use crate::limits;
use crate::model::approval::Approval;
use crate::model::approval::Status;
use crate::model::audit::Entry;
use crate::model::call::ToolCall;
use crate::model::redact;
use crate::policy::effect;
use crate::provider;
use crate::service::Service;
use crate::store::approvals;
use crate::store::audit;
use crate::store::sessions;
use serde_json::Value;

/// An approval with all that is known of its call.
pub struct ApprovalView {
    /// The approval.
    pub approval: Approval,
    /// Where it stands now.
    pub status: Status,
    /// The session's name, where it has one.
    pub session_name: Option<String>,
    /// The session's agent.
    pub provider: String,
    /// The decision to ask, as it stands in the audit log.
    pub decision: Option<Entry>,
    /// The call.
    pub call: Option<ToolCall>,
    /// The call is as the agent sent it; otherwise it is from the audit log, without what looks
    /// like a secret.
    pub is_whole: bool,
    /// The agent's dialog stands meanwhile, and may be answered there.
    pub dialog: bool,
    /// What it comes to.
    pub content: Vec<Content>,
}

/// A piece of a call, as a person reads it.
#[derive(Debug, PartialEq)]
pub enum Content {
    /// A shell command.
    Command(String),
    /// A file or place that the call names.
    Path(String),
    /// Lines of a change: ` `, `-` or `+` and the line.
    Diff(String),
    /// Any other field of the input, as JSON unless it is a text.
    Field(String, String),
}

impl Service {
    /// The newest approvals, of one session or of all; only the pending ones where `open` says so.
    /// The newest is last.
    pub fn approvals(&self, session: Option<&str>, open: bool) -> Result<Vec<ApprovalView>> {
        let most = limits::PAGE as usize;
        let found = self.store().read(|conn| {
            let known = approvals::list(conn, session, open, most)?;
            let row = |one: Approval| Ok((audit::get(conn, one.decision)?, one));
            known.into_iter().map(row).collect::<Result<Vec<_>>>()
        })?;
        let views = found.into_iter().map(|(row, one)| self.approval_view(one, row));
        let mut views = views.collect::<Result<Vec<_>>>()?;
        views.retain(|view| !open || view.status == Status::Pending);
        Ok(views)
    }

    /// One approval.
    pub fn approval(&self, id: i64) -> Result<ApprovalView> {
        let found = self.store().read(|conn| {
            let known = approvals::get(conn, id)?;
            known.map(|one| Ok((audit::get(conn, one.decision)?, one))).transpose()
        })?;
        let (row, one) =
            found.ok_or_else(|| Error::not_found(format!("Approval not found: {id}")))?;
        self.approval_view(one, row)
    }

    fn approval_view(&self, approval: Approval, decision: Option<Entry>) -> Result<ApprovalView> {
        let row = self.store().read(|conn| sessions::get(conn, &approval.session))?;
        let told = self.approvals.call(approval.id).map(|call| (*call).clone());
        let is_whole = told.is_some();
        let kept = || decision.as_ref().and_then(|row| row.entry.call.clone());
        let call = told.or_else(kept);
        // Not from memory: an approval is in the store a moment before it is known there.
        let dialog = row.as_ref().is_some_and(|row| {
            provider::find(&row.provider).is_ok_and(|agent| agent.opens_dialog(&row.args))
        });
        let (session_name, provider) = row.map(|row| (row.name, row.provider)).unwrap_or_default();
        Ok(ApprovalView {
            status: approval.status(time::unix_ms()),
            session_name,
            provider,
            content: call.as_ref().map(content).unwrap_or_default(),
            is_whole,
            dialog,
            call,
            decision,
            approval,
        })
    }
}

/// A call in one line for the middle of something else: the tool and what it is used on, without
/// what looks like a secret. May be cut off, and holds whatever the agent put into it.
pub fn brief(call: &ToolCall) -> String {
    let on = match content(call).into_iter().next() {
        Some(Content::Command(text) | Content::Path(text) | Content::Diff(text)) => text,
        Some(Content::Field(_, text)) => text,
        None => String::new(),
    };
    let line = redact::text(format!("{} {on}", call.tool).trim_end());
    line.chars().take(limits::EVENT_COMMAND).collect()
}

/// A call in pieces: commands, paths and changes by name, all other fields as they are.
pub fn content(call: &ToolCall) -> Vec<Content> {
    let Some(map) = call.input.as_object() else { return Vec::new() };
    let kind = effect::tool(&call.tool).map(|tool| tool.kind);
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (mut first, mut then, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in map {
        match (name.as_str(), kind, value) {
            ("command" | "cmd", Some(effect::Kind::Shell), Value::String(text)) => {
                first.push(Content::Command(text.clone()));
            }
            ("command" | "input" | "patch", Some(effect::Kind::Patch), Value::String(text)) => {
                then.push(Content::Diff(text.clone()));
            }
            ("file_path" | "notebook_path" | "path" | "workdir", _, Value::String(path)) => {
                first.push(Content::Path(path.clone()));
            }
            ("content" | "new_source", Some(effect::Kind::Write), Value::String(text)) => {
                then.push(Content::Diff(marked('+', text)));
            }
            ("old_string" | "new_string", Some(effect::Kind::Write), _) => {}
            ("edits", Some(effect::Kind::Write), Value::Array(edits)) => {
                then.extend(edits.iter().map(replaced));
            }
            _ => rest.push(Content::Field(name.clone(), text(value))),
        }
    }
    if map.contains_key("old_string") || map.contains_key("new_string") {
        then.push(replaced(&call.input));
    }
    first.into_iter().chain(then).chain(rest).collect()
}

/// `old_string` and `new_string` as lines that go and lines that come.
fn replaced(edit: &Value) -> Content {
    let text = |name: &str| edit.get(name).and_then(Value::as_str).unwrap_or_default();
    let (old, new) = (marked('-', text("old_string")), marked('+', text("new_string")));
    Content::Diff(
        [old, new].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"),
    )
}

fn marked(mark: char, text: &str) -> String {
    text.lines().map(|line| format!("{mark}{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(tool: &str, input: Value) -> Vec<Content> {
        let (call_id, agent_id) = (None, None);
        content(&ToolCall { tool: tool.into(), input, cwd: "/p".into(), call_id, agent_id })
    }

    #[test]
    fn in_one_line_a_call_is_its_tool_and_what_it_does_without_secrets() {
        let line = |tool: &str, input: Value| {
            let (call_id, agent_id) = (None, None);
            brief(&ToolCall { tool: tool.into(), input, cwd: "/p".into(), call_id, agent_id })
        };
        assert_eq!(line("Bash", json!({"command": "ls", "description": "d"})), "Bash ls");
        assert_eq!(line("Read", json!({"file_path": "/p/a", "limit": 9})), "Read /p/a");
        assert_eq!(line("Odd", json!({})), "Odd");
        let said = line("Bash", json!({"command": "gh --token hunter2 pr"}));
        assert_eq!(said, "Bash gh --token [redacted:token] pr");
    }

    #[test]
    fn what_a_call_does_comes_first_and_nothing_is_left_out() {
        use Content::{Command, Diff, Field, Path};
        let field = |name: &str, text: &str| Field(name.into(), text.into());
        assert_eq!(
            shown("Bash", json!({"description": "harmless", "command": "rm -rf x", "timeout": 5})),
            [Command("rm -rf x".into()), field("description", "harmless"), field("timeout", "5")]
        );
        assert_eq!(
            shown("Edit", json!({"file_path": "/p/a", "old_string": "a\nb", "new_string": "c"})),
            [Path("/p/a".into()), Diff("-a\n-b\n+c".into())]
        );
        assert_eq!(
            shown("Write", json!({"file_path": "/p/a", "content": "x\n\ny\n"})),
            [Path("/p/a".into()), Diff("+x\n+\n+y".into())]
        );
        let edits = json!({"file_path": "a", "edits": [{"old_string": "x", "new_string": "y"},
            {"old_string": "", "new_string": "z"}]});
        assert_eq!(
            shown("MultiEdit", edits),
            [Path("a".into()), Diff("-x\n+y".into()), Diff("+z".into())]
        );
        let patch = "*** Begin Patch\n*** Add File: a\n+x\n*** End Patch";
        assert_eq!(shown("apply_patch", json!({"command": patch})), [Diff(patch.into())]);
        assert_eq!(
            shown("mcp__x__y", json!({"command": "ls", "n": [1]})),
            [field("command", "ls"), field("n", "[1]")]
        );
    }
}
