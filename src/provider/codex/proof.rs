//! Codex in a proof of the gate: its run with `exec`, and the part of the Responses API that it
//! needs for that. Measured on 0.169.0.

use crate::provider::proof::Heard;
use crate::provider::proof::PROMPT;
use crate::provider::proof::Place;
use crate::provider::proof::Rehearsal;
use crate::provider::proof::Say;
use crate::provider::proof::ToolResult;
use crate::provider::proof::event;
use crate::provider::proof::list;
use crate::provider::proof::text;
use serde_json::Value;
use serde_json::json;

/// The tool that runs shell commands.
const SHELL: &str = "exec_command";
/// The variable that its configuration names for the key.
const KEY: &str = "CODEX_PROOF_KEY";

/// See [`Rehearsal`]. A model provider of its own asks for no login.
pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    args: &["exec", "--skip-git-repo-check", PROMPT],
    env: |place| vec![(KEY, place.key.to_string())],
    files: |place| vec![(".codex/config.toml", config(place))],
    path: "/v1/responses",
    hear,
    say,
};

fn config(place: &Place<'_>) -> String {
    // A JSON string is a TOML string too.
    let base = json!(format!("{}/v1", place.url));
    format!(
        "model = \"codepiper-proof\"\n\
         model_provider = \"proof\"\n\
         check_for_update_on_startup = false\n\
         [model_providers.proof]\n\
         name = \"proof\"\n\
         base_url = {base}\n\
         wire_api = \"responses\"\n\
         env_key = \"{KEY}\"\n\
         supports_websockets = false\n\
         [analytics]\n\
         enabled = false\n"
    )
}

fn hear(request: &Value) -> Heard {
    let items = list(request, "input").iter();
    let results = items.filter(|item| item["type"] == "function_call_output").map(|item| {
        let call = item["call_id"].as_str().unwrap_or_default().to_string();
        ToolResult { call, text: text(&item["output"]) }
    });
    Heard {
        may_call: list(request, "tools").iter().any(|tool| tool["name"] == SHELL),
        results: results.collect(),
    }
}

fn say(what: &Say<'_>) -> String {
    let item = match what {
        Say::Words(words) => json!({
            "type": "message", "id": "msg_codepiper", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": words, "annotations": []}],
        }),
        Say::Call { id, command } => json!({
            "type": "function_call", "id": "fc_codepiper", "call_id": id, "name": SHELL,
            "arguments": json!({"cmd": command}).to_string(), "status": "completed",
        }),
    };
    let response = |status: &str, output: &[&Value]| {
        json!({
            "id": "resp_codepiper", "object": "response", "created_at": 0, "status": status,
            "model": "codepiper-proof", "output": output,
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        })
    };
    let numbered = |number: u32, mut data: Value| {
        data["sequence_number"] = number.into();
        data
    };
    let started = numbered(0, json!({"response": response("in_progress", &[])}));
    let added = numbered(1, json!({"output_index": 0, "item": item}));
    let done = numbered(2, json!({"output_index": 0, "item": item}));
    let completed = numbered(3, json!({"response": response("completed", &[&item])}));
    [
        event("response.created", started),
        event("response.output_item.added", added),
        event("response.output_item.done", done),
        event("response.completed", completed),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::proof::events;

    #[test]
    fn results_are_read_in_both_their_shapes() {
        let request = json!({
            "tools": [{"type": "function", "name": "exec_command"}, {"type": "web_search"}],
            "input": [
                {"type": "message", "role": "user", "content": [{"text": "prove the gate"}]},
                {"type": "function_call", "call_id": "a"},
                {"type": "function_call_output", "call_id": "a", "output": "blocked"},
                {"type": "function_call_output", "call_id": "b", "output": [{"text": "fine"}]},
            ],
        });
        let result = |call: &str, text: &str| ToolResult { call: call.into(), text: text.into() };
        let heard = hear(&request);
        assert!(heard.may_call);
        assert_eq!(heard.results, [result("a", "blocked"), result("b", "fine")]);
        for odd in [json!({}), json!({"input": "prove the gate", "tools": null})] {
            assert_eq!(hear(&odd), Heard::default(), "{odd}");
        }
    }

    #[test]
    fn an_answer_is_one_item_that_the_end_repeats() {
        let call = events(&say(&Say::Call { id: "c1", command: "touch x" }));
        let item = &call[2]["item"];
        assert_eq!((&item["call_id"], &item["name"]), (&json!("c1"), &json!("exec_command")));
        assert_eq!(item["arguments"], r#"{"cmd":"touch x"}"#);
        assert_eq!(call[3]["response"]["output"], json!([item]));
        assert_eq!(call[3]["response"]["status"], "completed");
        let numbers: Vec<_> = call.iter().map(|e| e["sequence_number"].as_u64()).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(2), Some(3)]);
        let words = events(&say(&Say::Words("done")));
        assert_eq!(words[2]["item"]["content"][0]["text"], "done");
    }

    #[test]
    fn the_configuration_names_the_model_and_not_the_key() {
        let text = config(&Place { url: "http://127.0.0.1:1", key: "5ec2e7" });
        assert!(text.contains("base_url = \"http://127.0.0.1:1/v1\"\n"), "{text}");
        assert!(!text.contains("5ec2e7"), "the key is in the environment only");
    }
}
