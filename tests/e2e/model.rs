//! The scripted model: the mock's process, and what the agent has told it.

use crate::support::space::Space;
use crate::support::wait::SOON;
use crate::support::wait::wait_for;
use crate::support::wait::wait_until;
use serde_json::Value;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

const ANTHROPIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake/anthropic.py");
const OPENAI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake/openai.py");

/// A running mock.
pub struct Model {
    process: Child,
    log: PathBuf,
    /// Where it listens, for ANTHROPIC_BASE_URL.
    pub url: String,
}

/// What came of a tool call, as the model was told.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// The words.
    pub text: String,
    /// Whether it failed or was refused.
    pub is_error: bool,
}

/// The file, beside the scenario, that the held answer with this name waits for.
pub fn hold_name(name: &str) -> String {
    format!("go-{}", name.replace(' ', "-"))
}

impl Model {
    /// Starts the mock and returns when it listens.
    #[track_caller]
    pub fn start(space: &Space, scenario: &Value) -> Model {
        Model::run(ANTHROPIC, space, scenario)
    }

    /// The same in the words of OpenAI's API.
    #[track_caller]
    pub fn start_openai(space: &Space, scenario: &Value) -> Model {
        Model::run(OPENAI, space, scenario)
    }

    #[track_caller]
    fn run(program: &str, space: &Space, scenario: &Value) -> Model {
        let scenario = space.write("scenario.json", &scenario.to_string());
        let log = space.root.join("model.jsonl");
        let mut command = Command::new("python3");
        command.arg(program).arg(scenario).arg("--log").arg(&log);
        command.env_clear().envs(&space.env).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("python3");
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe"));
        lines.read_line(&mut line).expect("the mock's port");
        let port = line.trim().strip_prefix("PORT ").expect("the mock's port");
        Model { url: format!("http://127.0.0.1:{port}"), process, log }
    }

    /// Lets a held answer go: the file's name is the scenario's.
    pub fn let_go(&self, file: &str) {
        fs::write(self.log.with_file_name(file), "").expect("a file in the space");
    }

    /// Returns when the agent has brought the prompt, before any answer.
    #[track_caller]
    pub fn wait_asked(&self, prompt: &str) {
        let what = format!("the agent to ask the model about {prompt:?}");
        wait_until(&what, SOON, || self.calls(prompt, 0).next().is_some());
    }

    /// What the agent reports about the tool that the prompt led to.
    #[track_caller]
    pub fn result_of(&self, prompt: &str) -> ToolResult {
        self.result_at(prompt, 1, SOON)
    }

    /// What it reports about the tool of the prompt's `step`, counted from 1, within `deadline`.
    #[track_caller]
    pub fn result_at(&self, prompt: &str, step: u64, deadline: Duration) -> ToolResult {
        let what = format!("the result of call {step} for {prompt:?}\n{}", self.log_text());
        wait_for(&what, deadline, || self.try_result_at(prompt, step))
    }

    fn try_result_at(&self, prompt: &str, step: u64) -> Option<ToolResult> {
        let call = self.calls(prompt, step).next()?;
        let result = call["tool_results"].get(0)?;
        let text = result["text"].as_str()?.to_string();
        Some(ToolResult { text, is_error: result["is_error"].as_bool()? })
    }

    /// What the agent reports about the tools that the model called in its `step`th answer.
    #[track_caller]
    pub fn texts(&self, prompt: &str, step: u64) -> Vec<String> {
        self.texts_within(prompt, step, SOON)
    }

    /// The same with another patience.
    #[track_caller]
    pub fn texts_within(&self, prompt: &str, step: u64, deadline: Duration) -> Vec<String> {
        let what = format!("tool results of step {step} for {prompt:?}\n{}", self.log_text());
        let call = wait_for(&what, deadline, || self.calls(prompt, step + 1).next());
        let results = call["tool_results"].as_array().expect("results").iter();
        results.map(|result| result["text"].as_str().expect("text").to_string()).collect()
    }

    /// Everything that the agent has sent about a prompt, as far as the mock writes it down.
    pub fn heard(&self, prompt: &str) -> Vec<Value> {
        let lines = self.log_text();
        let lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|call| is_about(call, prompt)).collect()
    }

    /// The model calls about a prompt that were answered with this step.
    fn calls(&self, prompt: &str, step: u64) -> impl Iterator<Item = Value> {
        let heard = self.heard(prompt).into_iter();
        heard.filter(move |call| call["step"] == step && call["call"] != -1)
    }

    /// All that people said, in the order in which it came to the model; the newest may be there
    /// twice.
    pub fn prompts(&self) -> Vec<String> {
        let calls: Vec<Value> =
            self.log_text().lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        calls.iter().filter_map(|call| call["prompt"].as_str().map(str::to_string)).collect()
    }

    fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Whether a prompt has these words in its first line; a summary has those of all before it.
fn is_about(call: &Value, prompt: &str) -> bool {
    let first = call["prompt"].as_str().and_then(|text| text.lines().next());
    first.is_some_and(|line| line.contains(prompt))
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
