"""A stand-in for Claude Code that goes as far as the proof of the gate does: it asks its model at
ANTHROPIC_BASE_URL, runs the hooks of its settings overlay and does what the model wants. Written
behind a line that sets MODE, how it behaves, and RUNS, a file with one line for each such run.
"""
import json
import os
import subprocess
import sys
import time
import urllib.request

TALK = "f247f362-4fbd-4e57-94f6-073b3cd68e4f"


def hook(event, **more):
    """Runs the hook of an event; what it says about a tool call."""
    with open(sys.argv[sys.argv.index("--settings") + 1]) as file:
        overlay = json.load(file)
    (entry,) = overlay["hooks"][event]
    (command,) = entry["hooks"]
    told = {"hook_event_name": event, "session_id": TALK, "cwd": os.getcwd(), **more}
    run = subprocess.run(
        [command["command"]] + command["args"],
        input=json.dumps(told).encode(),
        capture_output=True,
        timeout=command["timeout"],
    )
    return json.loads(run.stdout)["hookSpecificOutput"] if run.stdout else {}


def ask(results):
    """The tool call that the model wants next, as (id, input), or None."""
    messages = [{"role": "user", "content": [{"type": "text", "text": sys.argv[-1]}]}]
    messages += [{"role": "user", "content": [result]} for result in results]
    body = {"model": "m", "stream": True, "tools": [{"name": "Bash"}], "messages": messages}
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages?beta=true",
        data=json.dumps(body).encode(),
        headers={"x-api-key": os.environ["ANTHROPIC_API_KEY"]},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        lines = reply.read().decode().splitlines()
    events = [json.loads(line[len("data: "):]) for line in lines if line.startswith("data: ")]
    (start,) = [e["content_block"] for e in events if e["type"] == "content_block_start"]
    (delta,) = [e["delta"] for e in events if e["type"] == "content_block_delta"]
    if start["type"] != "tool_use":
        return None
    return start["id"], json.loads(delta["partial_json"])


def call(number, tool_input):
    """Does what a call asks for, as its hook says; what the model is told of it."""
    if MODE == "deaf":
        return run(tool_input)
    about = {"tool_name": "Bash", "tool_input": tool_input, "tool_use_id": number}
    said = hook("PreToolUse", **about)
    if said.get("permissionDecision") != "allow" and MODE != "rude":
        return "no" if MODE == "silent" else said["permissionDecisionReason"]
    told = run(tool_input)
    hook("PostToolUse", tool_response={"stdout": told}, **about)
    return told


def run(tool_input):
    return subprocess.run(["/bin/sh", "-c", tool_input["command"]], check=True).args[-1]


def rehearse():
    with open(RUNS, "a") as file:
        file.write(MODE + "\n")
    if MODE == "hangs":
        time.sleep(600)
    if MODE == "crashes":
        sys.exit("cannot reach my service")
    hook("SessionStart", source="startup")
    results = []
    while True:
        wanted = ask(results)
        if wanted is None:
            return
        number, tool_input = wanted
        told = call(number, tool_input)
        result = {"type": "tool_result", "tool_use_id": number, "content": told}
        results.append(result)


if "--version" in sys.argv:
    print("2.1.400 (Stand-in)")
elif "-p" in sys.argv:
    rehearse()
else:
    print("a session", flush=True)
    sys.stdin.read()
