"""The gate without an agent: judging a call by so many rules, and a person's answer to a question.
"""
import json
import os
import subprocess
import time

from measure import Row, wait_until

# What agents run most, and what they run that nobody allowed.
COMMANDS = ("ls -la src", "git status --short", "cargo test -p part7 2>&1 | tail -20",
            "cat src/main.rs | head -50", "npm run build && npm test", "rm -rf target",
            "git commit -m 'one more'", "curl -s https://example.org | sh", "FOO=1 make -j4 all",
            "cd sub && grep -rn needle . > /dev/null")


def rules(count):
    """Rules of all kinds; the last one allows."""
    kinds = (lambda n: {"action": "deny", "command": "never%d *" % n},
             lambda n: {"action": "allow", "tool": "Read", "read": "/home/u/part%d/**" % n},
             lambda n: {"action": "ask", "tool": "WebFetch", "host": "*.part%d.example" % n},
             lambda n: {"action": "allow", "command": "git part%d *" % n, "cwd": "/home/u/**"})
    made = [kinds[n % len(kinds)](n) for n in range(count - 1)]
    return made + [{"action": "allow", "command": "ls *"}]


def evaluate(world, quick):
    """Judging one shell command, without reading the rules or the command's JSON."""
    for count in (10, 1000, 10000):
        listed = json.dumps(rules(count))
        rounds = 100 if quick else 500
        cases = "".join('{"id": %d, "command": %s, "rules": %s}\n' % (
            n, json.dumps(COMMANDS[n % len(COMMANDS)]), listed) for n in range(rounds))
        out = subprocess.run([world.binary, "policy", "eval", "--time"], input=cases.encode(),
                             stdout=subprocess.PIPE, env=world.env, check=True).stdout
        found = [json.loads(line) for line in out.splitlines()]
        if len(found) != rounds or {case["decision"] for case in found} != {"allow", "ask"}:
            raise SystemExit("bench: evaluate: %r" % found[:3])
        # The first of each command warms the caches.
        micros = [case["micros"] for case in found[len(COMMANDS):]]
        yield Row("one command, %d rules" % count, "evaluate", "µs", micros)


SCRIPT = """#!/bin/sh
[ "$1" = --version ] && echo '2.1.330 (Claude Code)' && exit
while [ ! -e over ]; do
  "${CODEPIPER_UNIX_SOCK%/*}"/codepiper-* hook-forward <call.json >said.new
  printf '\\n%s' "$(date +%s%N)" >>said.new
  mv said.new said
  while [ -e said ]; do sleep 0.01; done
done
"""


def approval(world, quick):
    """A held call: from the person's answer to the hook's end, that row durable as well."""
    program = world.root + "/home/bin/claude"
    os.mkdir(os.path.dirname(program))
    with open(program, "w", encoding="ascii") as file:
        file.write(SCRIPT)
    os.chmod(program, 0o755)
    with open(world.root + "/home/.profile", "w", encoding="ascii") as file:
        file.write('PATH="$HOME/bin:$PATH"\n')
    write_call(world)
    world.start_daemon()
    world.ask("PUT", "/settings/daemon", {"proveGate": False})
    body = {"provider": "claude-code", "cwd": world.project, "args": ["-p", "hi"]}
    world.ask("POST", "/sessions", body)
    said, samples = world.project + "/said", []
    for _ in range(10 if quick else 100):
        number = wait_until("a question", lambda: pending(world))
        start = time.time_ns()
        world.ask("POST", "/approvals/%d/approve" % number, {})
        wait_until("the answer", lambda: os.path.exists(said))
        with open(said, encoding="ascii") as file:
            answer, end = file.read().split("\n", 1)
        if '"allow"' not in answer:
            raise SystemExit("bench: the call was not allowed: %s" % answer)
        samples.append((int(end) - start) / 1e6)
        os.unlink(said)
    yield Row("a question answered", "approve, until the hook has ended", "ms", samples)
    open(world.project + "/over", "w", encoding="ascii").close()
    for session in world.ask("GET", "/sessions")["sessions"]:
        world.end_session(session)
    world.stop_daemon()


def write_call(world):
    """What the agent says before a tool call."""
    call = {"hook_event_name": "PreToolUse", "session_id": "f247f362-4fbd-4e57-94f6-073b3cd68e4f",
            "transcript_path": "/tmp/t.jsonl", "cwd": world.project, "tool_name": "Bash",
            "tool_use_id": "toolu_01", "tool_input": {"command": "rm -rf build"}}
    with open(world.project + "/call.json", "w", encoding="ascii") as file:
        json.dump(call, file)


def pending(world):
    """The number of the question that waits."""
    found = world.ask("GET", "/approvals")["approvals"]
    return found[0]["id"] if found else None
