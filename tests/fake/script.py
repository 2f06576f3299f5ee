"""What the scripted models share: the scenario, held answers, the log, and the server around them.

A scenario is a JSON file:
    {"prompts": [{"match": "regex", "steps": [STEP, ...]}, ...]}
The first entry whose regex is found in the last thing a person said is played: its i-th step
answers the i-th model call since then. Which step that is follows from the request alone (each
answer given comes back in it), so any number of sessions may share one model, and a resumed session
goes on where it was.
STEP, all keys optional:
    "text":  what the model says; ${tool_result} becomes the text of the newest tool results
    "tools": [{"name": "Bash", "input": {...}}, ...]   what it calls, in one message
    "find":  a regex; what its group matches in the newest tool results replaces ${found} in inputs
    "hold":  a path, from the scenario's directory; the answer waits until that file exists

The log has one line for each model call: {"call", "prompt", "step", "tool_results": [{"text",
...}]}, where call -1 stands for a request outside the scenario. Headers are never logged: they
carry the key.

A model prints "PORT <n>" once it listens on loopback. It ends when its standard input is closed, so
a test that dies takes it along.
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


class Script:
    """The scenario and the log of one model."""

    def __init__(self, scenario_path, log_path):
        with open(scenario_path, encoding="utf-8") as file:
            self.scenario = json.load(file)
        self.directory = os.path.dirname(os.path.abspath(scenario_path))
        self.log_file = open(log_path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    def step(self, prompt, index):
        """The index-th step for this prompt, or None."""
        for entry in self.scenario["prompts"]:
            if re.search(entry["match"], prompt):
                steps = entry["steps"]
                return steps[index] if index < len(steps) else None
        return None

    def play(self, step, prompt, index, results, **more):
        """Logs a model call, waits where the step is held, and returns (step, number)."""
        with self.lock:
            number = next(self.numbers)
            call = number if step else -1
            line = {"call": call, "prompt": prompt, "step": index, "tool_results": results}
            self.log_file.write(json.dumps({**line, **more}) + "\n")
            self.log_file.flush()
        step = step or {"text": "OK"}
        if "hold" in step:
            wait_for_file(os.path.join(self.directory, step["hold"]))
        return step, number


def said(step, results):
    """The step's text with the tool results in it."""
    newest = "\n".join(result["text"] for result in results)
    return step.get("text", "").replace("${tool_result}", newest)


def calls(step, results):
    """The step's tool calls, with what it finds in the results put into their inputs."""
    tools = step.get("tools", [])
    if "find" not in step:
        return tools
    match = re.search(step["find"], "\n".join(result["text"] for result in results))
    value = match.group(1) if match else ""
    # A whole string that is a number becomes one: identifiers of running commands are numbers.
    text = json.dumps(tools)
    if value.isdigit():
        text = text.replace('"${found}"', value)
    return json.loads(text.replace("${found}", value))


def wait_for_file(path):
    """Returns when the file exists; gives up after a minute, so that no thread stays for ever."""
    end = time.monotonic() + HOLD_SECONDS
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a client; a model adds its paths."""

    protocol_version = "HTTP/1.1"
    script = None

    def log_message(self, *_):
        """The access log of the base class would go to stderr."""

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def reply_stream(self, events):
        """Server-sent events, as (name, body)."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for name, body in events:
                event = "event: %s\ndata: %s\n\n" % (name, json.dumps({"type": name, **body}))
                data = event.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has interrupted the turn


def serve(handler, about):
    """Runs the model that `handler` speaks for: SCENARIO.json --log REQUESTS.jsonl."""
    args = argparse.ArgumentParser(description=about.splitlines()[0])
    args.add_argument("scenario")
    args.add_argument("--log", required=True)
    args = args.parse_args()
    handler.script = Script(args.scenario, args.log)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("PORT %d" % server.server_address[1], flush=True)
    sys.stdin.read()
