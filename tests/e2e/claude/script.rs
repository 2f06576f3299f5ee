//! What the scripted model does when a person says something, and the policy that its calls meet.

use crate::model::hold_name;
use serde_json::Value;
use serde_json::json;

/// Prompts with what follows from them, and rules.
#[derive(Default)]
pub struct Script {
    prompts: Vec<Value>,
    rules: Vec<Value>,
    watch: Vec<String>,
}

/// A tool call of the model.
pub fn call(tool: &str, input: Value) -> Value {
    json!({"name": tool, "input": input})
}

/// A call that makes a file in the project.
pub fn touch(file: &str) -> Value {
    bash(&format!("touch {file}"))
}

/// A call that runs a command.
pub fn bash(command: &str) -> Value {
    call("Bash", json!({"command": command, "description": "run something"}))
}

impl Script {
    /// Nothing happens, and everything is asked.
    pub fn new() -> Script {
        Script::default()
    }

    /// When a person says `words`, the model makes these calls, one after the other.
    pub fn on(self, words: &str, calls: &[Value]) -> Script {
        self.prompt(words, calls, None)
    }

    /// The same, but the first call waits until [`crate::model::Model::let_go`].
    pub fn held(self, words: &str, calls: &[Value]) -> Script {
        self.prompt(words, calls, Some(hold_name(words)))
    }

    fn prompt(mut self, words: &str, calls: &[Value], hold: Option<String>) -> Script {
        let mut steps: Vec<Value> =
            calls.iter().map(|call| json!({"text": "As you wish.", "tools": [call]})).collect();
        if let Some(file) = hold {
            steps[0]["hold"] = file.into();
        }
        steps.push(json!({"text": "Outcome: ${tool_result}"}));
        self.prompts.push(json!({"match": format!("^{words}"), "steps": steps}));
        self
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: Value) -> Script {
        self.rules.push(rule);
        self
    }

    /// Adds a rule that allows these commands.
    pub fn allow(self, commands: &[&str]) -> Script {
        self.rule(json!({"action": "allow", "tool": "Bash", "command": commands}))
    }

    /// Notes where this word stands in a request; see [`crate::model::Model::heard`].
    pub fn watch(mut self, word: &str) -> Script {
        self.watch.push(word.to_string());
        self
    }

    /// The mock's scenario.
    pub fn scenario(&self) -> Value {
        json!({"prompts": self.prompts, "watch": self.watch})
    }

    /// The rules.
    pub fn policy(&self) -> Value {
        json!(self.rules)
    }
}
