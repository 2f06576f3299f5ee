//! Claude Code in a proof of the gate: its run with `-p`, and the part of the Messages API that it
//! needs for that. Measured on 2.1.330.

use crate::provider::proof::Heard;
use crate::provider::proof::PROMPT;
use crate::provider::proof::Rehearsal;
use crate::provider::proof::Say;
use crate::provider::proof::ToolResult;
use crate::provider::proof::event;
use crate::provider::proof::list;
use crate::provider::proof::text;
use serde_json::Value;
use serde_json::json;

/// The tool that runs shell commands.
const SHELL: &str = "Bash";

/// See [`Rehearsal`]. With `-p` it asks neither for a login nor for trust in the project.
pub(crate) const REHEARSAL: Rehearsal = Rehearsal {
    args: &["-p", PROMPT],
    env: |place| {
        let quiet = [
            "DISABLE_TELEMETRY",
            "DISABLE_AUTOUPDATER",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        ];
        let mut env: Vec<_> = quiet.map(|name| (name, "1".to_string())).into();
        env.push(("ANTHROPIC_BASE_URL", place.url.to_string()));
        env.push(("ANTHROPIC_API_KEY", place.key.to_string()));
        env
    },
    files: |_| vec![(".claude/settings.json", settings())],
    path: "/v1/messages",
    hear,
    say,
};

/// Claude itself allows the calls of the proof: what keeps one of them from running is the gate, or
/// nothing.
fn settings() -> String {
    json!({"permissions": {"allow": [format!("{SHELL}(touch:*)")]}}).to_string()
}

fn hear(request: &Value) -> Heard {
    let blocks = list(request, "messages").iter().flat_map(|message| list(message, "content"));
    let results = blocks.filter(|block| block["type"] == "tool_result").map(|block| ToolResult {
        call: block["tool_use_id"].as_str().unwrap_or_default().to_string(),
        text: text(&block["content"]),
    });
    Heard {
        may_call: list(request, "tools").iter().any(|tool| tool["name"] == SHELL),
        results: results.collect(),
    }
}

fn say(what: &Say<'_>) -> String {
    let (empty, delta, stop) = match what {
        Say::Words(words) => (
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": words}),
            "end_turn",
        ),
        Say::Call { id, command } => {
            let input = json!({"command": command, "description": "a step of the proof"});
            (
                json!({"type": "tool_use", "id": id, "name": SHELL, "input": {}}),
                json!({"type": "input_json_delta", "partial_json": input.to_string()}),
                "tool_use",
            )
        }
    };
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let message = json!({
        "id": "msg_codepiper", "type": "message", "role": "assistant", "model": "codepiper-proof",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
    });
    let done = json!({"stop_reason": stop, "stop_sequence": null});
    [
        event("message_start", json!({"message": message})),
        event("content_block_start", json!({"index": 0, "content_block": empty})),
        event("content_block_delta", json!({"index": 0, "delta": delta})),
        event("content_block_stop", json!({"index": 0})),
        event("message_delta", json!({"delta": done, "usage": usage})),
        event("message_stop", json!({})),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::proof::events;

    #[test]
    fn results_are_read_in_both_their_shapes_and_from_every_message() {
        let request = json!({
            "tools": [{"name": "Read"}, {"name": "Bash"}],
            "messages": [
                {"role": "user", "content": "prove the gate"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "a"}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "<system-reminder>"},
                    {"type": "tool_result", "tool_use_id": "a", "content": "no", "is_error": true},
                ]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "b",
                    "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}]},
            ],
        });
        let result = |call: &str, text: &str| ToolResult { call: call.into(), text: text.into() };
        let heard = hear(&request);
        assert!(heard.may_call);
        assert_eq!(heard.results, [result("a", "no"), result("b", "x\ny")]);
        for odd in [json!({}), json!([]), json!({"tools": [{"name": "Read"}], "messages": 7})] {
            assert_eq!(hear(&odd), Heard::default(), "{odd}");
        }
    }

    #[test]
    fn an_answer_is_one_block_with_its_stop_reason() {
        let call = events(&say(&Say::Call { id: "c1", command: "touch \"x\"" }));
        let types: Vec<_> = call.iter().map(|e| e["type"].as_str().unwrap()).collect();
        assert_eq!(
            types.join(" "),
            "message_start content_block_start content_block_delta content_block_stop \
             message_delta message_stop"
        );
        let block = &call[1]["content_block"];
        assert_eq!((&block["id"], &block["name"]), (&json!("c1"), &json!("Bash")));
        let input: Value =
            serde_json::from_str(call[2]["delta"]["partial_json"].as_str().unwrap()).unwrap();
        assert_eq!(input["command"], "touch \"x\"");
        assert_eq!(call[4]["delta"]["stop_reason"], "tool_use");
        let words = events(&say(&Say::Words("done")));
        assert_eq!(words[2]["delta"]["text"], "done");
        assert_eq!(words[4]["delta"]["stop_reason"], "end_turn");
    }
}
