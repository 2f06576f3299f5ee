#!/usr/bin/env python3
"""A stand-in for the Anthropic Messages API on loopback, scripted by a JSON scenario.

    anthropic.py SCENARIO.json --log REQUESTS.jsonl

Prints "PORT <n>" once it listens. It ends when its standard input is closed, so a test that dies
takes it along.

Scenario:
    {"prompts": [{"match": "regex", "steps": [STEP, ...]}, ...], "watch": ["word", ...]}
The first entry whose regex is found in the last thing a person said is played: its i-th step
answers the i-th model call since then. Which step that is follows from the request alone (each
answer given comes back as an assistant message), so any number of sessions may share one mock,
and a resumed session goes on where it was.
STEP, all keys optional:
    "text":  what the model says; ${tool_result} becomes the text of the newest tool results
    "tools": [{"name": "Bash", "input": {...}}, ...]   what it calls, in one message
    "hold":  a file beside the scenario; the answer waits until it exists
A request without tools (titles, summaries) or without a matching prompt gets a short plain answer.

The log has one line for each model call: {"call", "prompt", "step", "tool_results": [{"text",
"is_error"}], "seen"}. "seen" lists those words of "watch" that stand anywhere in the request; call
-1 stands for a request outside the scenario. Headers are never logged: they carry the key.
"""
import argparse
import http.server
import itertools
import json
import os
import re
import sys
import threading
import time

HOLD_SECONDS = 60
# Texts which the client puts into a user message although no person typed them.
INTERRUPTED = "[Request interrupted"
MACHINE_TEXT = re.compile(r"\s*(<system-reminder>|<command-|<local-command|<task-|\[Request inter)")


def parts(message, kind):
    """The content blocks of one type; plain string content counts as one text block."""
    content = message.get("content") or []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return [part for part in content if part.get("type") == kind]


def said_by_person(message):
    """What a person said in this message, or an empty string."""
    if message.get("role") != "user":
        return ""
    texts = [part.get("text", "") for part in parts(message, "text")]
    # Beside a tool's result the client puts words of its own, and after an interrupt a person's.
    if parts(message, "tool_result") and not any(text.startswith(INTERRUPTED) for text in texts):
        return ""
    return "\n".join(text for text in texts if text.strip() and not MACHINE_TEXT.match(text))


def tool_results(message):
    """The tool results in a message as [{"text", "is_error"}]."""
    found = []
    for part in parts(message, "tool_result"):
        content = part.get("content") or ""
        if not isinstance(content, str):
            content = "\n".join(piece.get("text", "") for piece in content)
        found.append({"text": content, "is_error": bool(part.get("is_error"))})
    return found


def newest_results(messages):
    """The tool results since the model's last answer; the client may add messages after them."""
    found = []
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        found = tool_results(message) + found
    return found


def place(messages):
    """The last thing a person said and how many answers the model has given since."""
    for back, message in enumerate(reversed(messages)):
        said = said_by_person(message)
        if said:
            later = messages[len(messages) - back:]
            return said, sum(1 for m in later if m.get("role") == "assistant")
    return "", 0


def choose(scenario, request):
    """(step or None, prompt, index of the step)."""
    prompt, index = place(request.get("messages", []))
    if not request.get("tools"):
        return None, prompt, index
    for entry in scenario["prompts"]:
        if re.search(entry["match"], prompt):
            steps = entry["steps"]
            return (steps[index] if index < len(steps) else None), prompt, index
    return None, prompt, index


def blocks(step, results, number):
    """The content blocks of the answer."""
    said = step.get("text", "")
    said = said.replace("${tool_result}", "\n".join(result["text"] for result in results))
    made = [{"type": "text", "text": said}] if said else []
    for at, tool in enumerate(step.get("tools", [])):
        call = {"type": "tool_use", "id": "toolu_mock_%04d_%d" % (number, at)}
        made.append({**call, "name": tool["name"], "input": tool["input"]})
    return made


def stream(message):
    """The server-sent events that build `message` piece by piece, as (name, body)."""
    usage = message["usage"]
    yield "message_start", {"message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty = {**block, "text": ""}
            whole, kind, field = block["text"], "text_delta", "text"
        else:
            empty = {**block, "input": {}}
            whole, kind, field = json.dumps(block["input"]), "input_json_delta", "partial_json"
        yield "content_block_start", {"index": index, "content_block": empty}
        for at in range(0, len(whole), 24):
            delta = {"type": kind, field: whole[at:at + 24]}
            yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"delta": stop, "usage": usage}
    yield "message_stop", {}


class Model(http.server.BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    scenario = {}
    home = ""
    log_file = None
    lock = threading.Lock()
    numbers = itertools.count(1)

    def log_message(self, *_):
        """The access log of the base class would go to stderr."""

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self):
        error = {"type": "not_found_error", "message": "the mock has no " + self.path}
        self.reply(404, {"type": "error", "error": error})

    def do_HEAD(self):
        self.reply(200, {})

    def do_GET(self):
        self.refuse()

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        path = self.path.split("?")[0]
        if path == "/v1/messages/count_tokens":
            return self.reply(200, {"input_tokens": 1000})
        if path != "/v1/messages":
            return self.refuse()
        self.answer(request)

    def answer(self, request):
        step, prompt, index = choose(self.scenario, request)
        results = newest_results(request.get("messages", []))
        number = next(self.numbers)
        seen = [word for word in self.scenario.get("watch", []) if word in json.dumps(request)]
        self.note(number if step else -1, prompt, index, results, seen)
        step = step or {"text": "OK"}
        if "hold" in step:
            wait_for_file(os.path.join(self.home, step["hold"]))
        message = {
            "id": "msg_mock_%04d" % number,
            "type": "message",
            "role": "assistant",
            "model": request.get("model", "mock"),
            "content": blocks(step, results, number),
            "stop_reason": "tool_use" if step.get("tools") else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 10},
        }
        if not request.get("stream"):
            return self.reply(200, message)
        try:
            self.send_stream(message)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has interrupted the turn

    def send_stream(self, message):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for name, body in stream(message):
            event = "event: %s\ndata: %s\n\n" % (name, json.dumps({"type": name, **body}))
            data = event.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def note(self, call, prompt, index, results, seen):
        line = {"call": call, "prompt": prompt, "step": index}
        line.update(tool_results=results, seen=seen)
        with self.lock:
            self.log_file.write(json.dumps(line) + "\n")
            self.log_file.flush()


def wait_for_file(path):
    """Returns when the file exists; gives up after a minute, so that no thread stays for ever."""
    end = time.monotonic() + HOLD_SECONDS
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("scenario")
    args.add_argument("--log", required=True)
    args = args.parse_args()
    with open(args.scenario, encoding="utf-8") as file:
        Model.scenario = json.load(file)
    Model.home = os.path.dirname(os.path.abspath(args.scenario))
    Model.log_file = open(args.log, "a", encoding="utf-8")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("PORT %d" % server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
