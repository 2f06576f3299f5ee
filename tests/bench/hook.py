"""The benches of hook-forward: from the start of the process to its answer, the policy evaluated
and the decision durable, beside the least that a hook and a daemon can do."""
import json
import os
import socket

from measure import Row, activity, start_time, wait_until
from original import Original

CALL = {"hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
        "transcript_path": "/home/u/.claude/projects/-home-u-proj/f247f362.jsonl",
        "cwd": "/home/u/proj", "permission_mode": "default", "effort": {"level": "medium"},
        "tool_name": "Bash", "tool_use_id": "toolu_01",
        "tool_input": {"command": "ls", "description": "List files"}}


class Calls:
    """The floor's programs, and the driver that calls hooks from inside a session."""

    def __init__(self, world):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hook_floor.c")
        with open(source, encoding="ascii") as file:
            self.program = world.compile("hook_floor", file.read())
        self.world, self.stdin, self.number = world, world.root + "/call.json", 0
        with open(self.stdin, "w", encoding="ascii") as file:
            json.dump(CALL, file)
        door = world.root + "/floor.sock"
        self.server = world.spawn([self.program, "serve", door, world.root + "/floor.page"])
        world.seen[self.server.pid] = start_time(self.server.pid)
        wait_until("the floor's server", lambda: answers(door))
        self.floor = [self.program, "ask", door]
        self.hook = [world.binary, "hook-forward"]

    def run(self, clients, rounds, *programs):
        """Has a session call the programs in turn. Returns for each a list of (ms, ms of CPU), and
        the whole in seconds."""
        self.number += 1
        out = "%s/calls-%d" % (self.world.root, self.number)
        words = [self.program, "call", str(clients), str(rounds), out, self.stdin]
        for number, program in enumerate(programs):
            words += (["--"] if number else []) + program
        session = self.world.start_session(*words)
        self.world.ask("GET", "/sessions/%s/wait?for=ended&timeout=600" % session["id"])
        self.world.end_session(session)
        return read(out, clients * rounds, len(programs))

    def close(self):
        """Ends the floor's server."""
        self.server.kill()
        self.server.wait()


def answers(door):
    """Whether somebody listens."""
    with socket.socket(socket.AF_UNIX) as stream:
        return stream.connect_ex(door) == 0


def read(path, count, programs):
    """What the driver wrote."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if "failed " in text:
        raise SystemExit("bench: a call failed: " + text[text.index("failed "):][:1000])
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    found, wall = [[] for _ in range(programs)], 0
    for first, rest in lines:
        if first == "wall":
            wall = float(rest) / 1000
        else:
            found[int(first)].append(tuple(float(number) for number in rest.split()))
    if any(len(samples) != count for samples in found):
        raise SystemExit("bench: calls are missing: %s" % [len(samples) for samples in found])
    return found, wall


def set_rules(world, count):
    """So many rules, of which the last is the one that allows."""
    rules = [{"action": "deny", "tool": "Bash", "command": "never %d" % n} for n in range(count)]
    rules[-1] = {"action": "allow", "tool": "Bash", "command": "ls", "cwd": "/home/u/proj"}
    status, _, _ = world.request("GET", "/policies/bench")
    if status == 404:
        world.ask("POST", "/policies", {"id": "bench", "name": "bench", "rules": rules})
    else:
        world.ask("PUT", "/policies/bench", {"rules": rules})


def hook(world, quick):
    """A tool call: start of hook-forward until its answer, decided and durable."""
    world.start_daemon()
    calls = Calls(world)
    rounds = 50 if quick else 1000
    for rules in (10, 1000):
        set_rules(world, rules)
        calls.run(1, 20, calls.hook, calls.floor)
        bench = "one call, %d rules" % rules
        daemon, server = activity(world.daemon.pid), activity(calls.server.pid)
        (ours, least, true), _ = calls.run(1, rounds, calls.hook, calls.floor, ["+/bin/true"])
        daemon = (activity(world.daemon.pid)[1] - daemon[1]) / 1e6 / rounds
        server = (activity(calls.server.pid)[1] - server[1]) / 1e6 / rounds
        floor = Row(bench, "floor: static hook, echo, fdatasync", "ms", [ms for ms, _ in least])
        yield Row(bench, "hook-forward, decided and durable", "ms", [ms for ms, _ in ours], floor)
        yield floor
        yield Row(bench, "/bin/true + fdatasync", "ms", [ms for ms, _ in true])
        floor = Row(bench, "CPU of the floor's hook", "ms", [cpu for _, cpu in least])
        yield Row(bench, "CPU of hook-forward", "ms", [cpu for _, cpu in ours], floor)
        yield floor
        yield Row(bench, "CPU of the daemon, a call", "ms", [daemon])
        yield Row(bench, "CPU of the floor's server, a call", "ms", [server])
    yield from throughput(world, calls, 40 if quick else 500)
    # Last, and not running while ours is measured alone.
    original = Original.find(world)
    if original:
        try:
            yield from original.rows(calls, 10 if quick else 60)
        finally:
            original.close()
    calls.close()
    world.stop_daemon()


def throughput(world, calls, rounds):
    """Eight clients at once, each with a process for each call."""
    clients, bench = 8, "8 clients at once"
    set_rules(world, 10)
    calls.run(clients, 5, calls.hook)
    rates = []
    for program in (calls.floor, calls.hook):
        _, seconds = calls.run(clients, rounds, program)
        rates.append(clients * rounds / seconds)
    floor = Row(bench, "floor: static hook, echo, fdatasync", "calls/s", [rates[0]])
    yield Row(bench, "hook-forward", "calls/s", [rates[1]], floor)
    yield floor
