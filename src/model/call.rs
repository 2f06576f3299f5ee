//! A tool call and the verdict on it, the same for every agent.

use serde_json::Value;

/// What an agent wants to do, as its hook told it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The tool's name, as the agent writes it.
    pub tool: String,
    /// The tool's whole input.
    pub input: Value,
    /// Where the agent stands.
    pub cwd: String,
    /// The agent's id for the call, where it has one.
    pub call_id: Option<String>,
    /// The subagent that makes it, where it is one.
    pub agent_id: Option<String>,
}

/// A call in a line: the tool, and what it was called with in its shortest form.
pub fn line(tool: &str, input: &Value) -> String {
    let known = ["command", "file_path", "path", "url", "pattern", "query"];
    let main = known.iter().find_map(|name| input[*name].as_str()).map(str::to_string);
    let main = main.unwrap_or_else(|| match input {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    format!("{tool} {main}")
}

/// What policy says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It runs.
    Allow,
    /// It does not run.
    Deny,
    /// A person decides.
    Ask,
}

impl Action {
    /// The word of rules, the API and the audit log.
    pub fn word(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Deny => "deny",
            Action::Ask => "ask",
        }
    }

    /// The action behind a word.
    pub fn from_word(word: &str) -> Option<Action> {
        [Action::Allow, Action::Deny, Action::Ask].into_iter().find(|a| a.word() == word)
    }
}

/// An answer with its reason, which goes unchanged to the agent, the log and the person.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Allow, deny or ask.
    pub action: Action,
    /// Name of the policy that the rule stands in.
    pub policy: Option<String>,
    /// The rule that decided, where one did.
    pub rule: Option<String>,
    /// The version of that policy; a policy that comes with the program has none.
    pub version: Option<i64>,
    /// Why, in words.
    pub reason: String,
    /// All that the call does, as far as it is understood: `read PATH`, `write PATH`, `net HOST`,
    /// `exec PROGRAM`.
    pub effects: Vec<String>,
}

impl Verdict {
    /// An answer that no rule gave.
    pub fn new(action: Action, reason: impl Into<String>) -> Verdict {
        let (policy, rule, version, effects) = Default::default();
        Verdict { action, policy, rule, version, reason: reason.into(), effects }
    }
}
