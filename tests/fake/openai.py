#!/usr/bin/env python3
"""A stand-in for the OpenAI Responses API on loopback, scripted by a JSON scenario.

    openai.py SCENARIO.json --log REQUESTS.jsonl

Scenario, log and life are those of script.py. A tool whose "input" is an object is called as a
function, one whose "input" is a text as a custom tool (apply_patch); "namespace" names the server
of an MCP tool. A request without tools or for a form (titles), or without a matching prompt, gets
a short plain answer. The log's lines also have "tools", the names of what the client offers.
"""
import json
import re

import script

# Texts which the client puts into a user message although no person typed them.
MACHINE_TEXT = re.compile(r"\s*(<[a-z_]+>|# AGENTS\.md)")


def text_of(content):
    """The text of a message's or an output's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [])


def offered(request):
    """The names of the tools that the client offers; newer models get them as an item."""
    tools = list(request.get("tools") or [])
    for item in request.get("input", []):
        tools += item.get("tools", []) if item.get("type") == "additional_tools" else []
    inner = [part for tool in tools for part in tool.get("tools", [])]
    return [tool.get("name", tool["type"]) for tool in tools + inner]


def said_by_person(item):
    """What a person said in this item, or an empty string."""
    if item.get("type", "message") != "message" or item.get("role") != "user":
        return ""
    content = item.get("content")
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(text for text in texts if text.strip() and not MACHINE_TEXT.match(text))


def place(items):
    """The last thing a person said, how many answers the model has given since, and the results
    of the tools that the newest answer called. An answer is a row of items of the model's."""
    prompt, answers, results, in_answer = "", 0, [], False
    for item in items:
        said = said_by_person(item)
        kind = item.get("type", "message")
        if said:
            prompt, answers, results, in_answer = said, 0, [], False
        elif kind.endswith("_output"):
            results = [] if in_answer else results
            results.append({"text": text_of(item.get("output"))})
            in_answer = False
        elif kind in ("reasoning", "function_call", "custom_tool_call") or (
                kind == "message" and item.get("role") == "assistant"):
            answers += not in_answer
            in_answer = True
    return prompt, answers, results


def items_of(step, results, number):
    """The items of the answer."""
    text = script.said(step, results)
    made = []
    if text:
        part = {"type": "output_text", "text": text, "annotations": []}
        made.append({"type": "message", "id": "msg_%d" % number, "role": "assistant",
                     "status": "completed", "content": [part]})
    for at, tool in enumerate(script.calls(step, results)):
        ids = {"id": "item_%d_%d" % (number, at), "call_id": "call_mock_%04d_%d" % (number, at)}
        call = {**ids, "name": tool["name"], "status": "completed"}
        if isinstance(tool["input"], str):
            call.update({"type": "custom_tool_call", "input": tool["input"]})
        else:
            call.update({"type": "function_call", "arguments": json.dumps(tool["input"])})
        if "namespace" in tool:
            call["namespace"] = tool["namespace"]
        made.append(call)
    return made


def stream(response, items):
    """The server-sent events that build the answer piece by piece, as (name, body)."""
    empty = {**response, "status": "in_progress", "output": []}
    yield "response.created", {"response": empty}
    for index, item in enumerate(items):
        at = {"output_index": index}
        begun = {**item, "status": "in_progress"}
        if item["type"] == "message":
            begun["content"] = []
            yield "response.output_item.added", {**at, "item": begun}
            whole = item["content"][0]["text"]
            at_text = {**at, "item_id": item["id"], "content_index": 0}
            for start in range(0, len(whole), 40):
                delta = {**at_text, "delta": whole[start:start + 40]}
                yield "response.output_text.delta", delta
        else:
            yield "response.output_item.added", {**at, "item": begun}
        yield "response.output_item.done", {**at, "item": item}
    yield "response.completed", {"response": response}


class Model(script.Handler):
    """One connection of a client."""

    def do_GET(self):
        if self.path.split("?")[0] == "/v1/models":
            return self.reply(200, {"object": "list", "data": [], "models": []})
        self.refuse()

    def do_POST(self):
        request = self.body()
        if self.path.split("?")[0] != "/v1/responses":
            return self.refuse()
        prompt, index, results = place(request.get("input", []))
        tools = offered(request)
        plays = tools and "format" not in request.get("text", {})
        step = self.script.step(prompt, index) if plays else None
        step, number = self.script.play(step, prompt, index, results, tools=tools)
        items = items_of(step, results, number)
        usage = {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 110,
        }
        response = {
            "id": "resp_mock_%04d" % number,
            "object": "response",
            "model": request.get("model", "mock"),
            "status": "completed",
            "output": items,
            "usage": usage,
        }
        self.reply_stream(stream(response, items))

    def refuse(self):
        error = {"message": "the mock has no " + self.path, "type": "invalid_request_error"}
        self.reply(404, {"error": error})


if __name__ == "__main__":
    script.serve(Model, __doc__)
