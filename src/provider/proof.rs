//! What the proof of the gate needs to know of an agent: how it runs without a person, and how the
//! model behind it speaks. Pure: no sockets, no files.

use serde_json::Value;

/// One agent in a proof.
#[derive(Debug)]
pub struct Rehearsal {
    /// Its arguments, behind those of the usual start line, for a run that takes [`PROMPT`] and
    /// ends by itself.
    pub args: &'static [&'static str],
    /// Variables that lead it to the model.
    pub env: fn(&Place<'_>) -> Vec<(&'static str, String)>,
    /// Files of its home, by their paths in it.
    pub files: fn(&Place<'_>) -> Vec<(&'static str, String)>,
    /// Where it sends its requests to the model: the target's path.
    pub path: &'static str,
    /// Reads such a request.
    pub hear: fn(&Value) -> Heard,
    /// Writes the model's answer, as server-sent events.
    pub say: fn(&Say<'_>) -> String,
}

/// Where a proof takes place.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The scripted model, such as `http://127.0.0.1:4711`.
    pub url: &'a str,
    /// The key that the model wants to see. It is no secret of the person's.
    pub key: &'a str,
}

/// What the person would say. The answers depend on what the tools did, never on these words.
pub const PROMPT: &str = "prove the gate";

/// What an agent's request told the model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// The model may call the tool that runs shell commands.
    pub may_call: bool,
    /// What came of its calls so far.
    pub results: Vec<ToolResult>,
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The model's id for the call.
    pub call: String,
    /// What the tool, or whoever kept it from running, said.
    pub text: String,
}

/// What the model does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say<'a> {
    /// It calls the shell with `command`.
    Call {
        /// Its id for the call.
        id: &'a str,
        /// The command line.
        command: &'a str,
    },
    /// It says something, and its turn is over.
    Words(&'a str),
}

/// One server-sent event; `data` gets the event's name as its `type`.
pub(crate) fn event(name: &str, mut data: Value) -> String {
    data["type"] = name.into();
    format!("event: {name}\ndata: {data}\n\n")
}

/// The list behind a member of an object, empty where there is none.
pub(crate) fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The text of a tool's result: a string, or a list of pieces that hold one each.
pub(crate) fn text(of: &Value) -> String {
    let pieces = of.as_array().map(Vec::as_slice).unwrap_or_default();
    let words = of.as_str().into_iter().chain(pieces.iter().filter_map(|p| p["text"].as_str()));
    words.collect::<Vec<_>>().join("\n")
}

/// The `data` of each event in a stream.
#[cfg(test)]
pub(crate) fn events(stream: &str) -> Vec<Value> {
    let data = stream.split("\n\n").filter(|e| !e.is_empty()).map(|event| {
        let (name, data) = event.split_once("\ndata: ").expect("an event has data");
        let data: Value = serde_json::from_str(data).expect("JSON on one line");
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    });
    data.collect()
}
