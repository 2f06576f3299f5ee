"""The TypeScript codepiper, measured in the same run as ours where it is installed. Without it
everything here is silent:

    mkdir original && cd original && npm i codepiper@0.2.1 bun    # its install scripts must run
    ORIGINAL=$PWD tests/bench/run.py --binary target/codepiper hook
"""
import json
import os
import shutil
import signal
import stat
import subprocess

from measure import Row, start_time, wait_until
from world import UnixConnection

MAIN = "node_modules/codepiper/packages/daemon/src/main.ts"
AGENT = "#!/bin/sh\nexec cat\n"
CALL = {"hook_event_name": "PermissionRequest", "session_id": "x", "tool_name": "Bash",
        "tool_input": {"command": "ls"}, "input": "ls",
        "requestedPermissions": [{"operation": "Bash", "path": "/"}]}
POLICY = {"id": "b", "name": "b", "enabled": True, "priority": 1, "sessionId": None,
          "rules": [{"id": "a", "action": "allow", "tool": "Bash"}]}


class Original:
    """Its daemon in a home of its own, one ended session, and a policy that allows."""

    @staticmethod
    def find(world):
        """The original, or None where it, bun or tmux is not installed."""
        root = os.environ.get("ORIGINAL", "")
        there = root and os.path.exists(os.path.join(root, MAIN)) and shutil.which("tmux")
        return Original(world, os.path.abspath(root)) if there else None

    def __init__(self, world, root):
        self.home = world.root + "/original"
        self.socket = self.home + "/o.sock"
        self.bin = root + "/node_modules/.bin"
        os.makedirs(self.home + "/bin", 0o700)
        os.makedirs(self.home + "/tmux", 0o700)
        self.script("bin/claude", AGENT)
        path = "%s/bin:%s:/usr/local/bin:/usr/bin:/bin" % (self.home, self.bin)
        self.env = dict(world.env, HOME=self.home, PATH=path, TMUX_TMPDIR=self.home + "/tmux",
                        CODEPIPER_SOCKET=self.socket, CODEPIPER_UNIX_SOCK=self.socket,
                        CODEPIPER_HTTP_PORT="13100", CODEPIPER_WS_PORT="19100")
        del self.env["CODEPIPER_HOME"]
        self.cwd = world.project
        command = [self.bin + "/bun", "run", os.path.join(root, MAIN), "--web", "--port", "13100"]
        self.daemon = subprocess.Popen(command, env=self.env, cwd=self.cwd,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        world.seen[self.daemon.pid] = start_time(self.daemon.pid)
        wait_until("the original's daemon", self.is_healthy)
        body = {"provider": "claude-code", "cwd": self.cwd, "args": []}
        session = self.ask("POST", "/sessions", body)["session"]["id"]
        self.ask("POST", "/sessions/%s/kill" % session, {})
        self.ask("POST", "/policies", POLICY)
        with open(self.home + "/.codepiper/secrets.json", encoding="utf-8") as file:
            secret = json.load(file)["hookSecret"]
        with open(self.home + "/call.json", "w", encoding="ascii") as file:
            json.dump(CALL, file)
        names = dict(self.env, CODEPIPER_SESSION=session, CODEPIPER_SECRET=secret)
        lines = ["export %s='%s'\n" % pair for pair in names.items()]
        line = "exec codepiper hook-forward <%s/call.json\n" % self.home
        self.hook = [self.script("hook", "#!/bin/sh\n" + "".join(lines) + line)]

    def script(self, name, text):
        """A program in its home."""
        path = self.home + "/" + name
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)
        return path

    def ask(self, method, path, body=None):
        """The JSON of a request that must go well."""
        connection = UnixConnection(self.socket)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        status, got = reply.status, reply.read()
        connection.close()
        if status >= 300:
            raise SystemExit("bench: original: %s %s: %d %s" % (method, path, status, got))
        return json.loads(got)

    def is_healthy(self):
        """Whether it answers."""
        if self.daemon.poll() is not None:
            raise SystemExit("bench: the original ended with %d" % self.daemon.returncode)
        try:
            return bool(self.ask("GET", "/health"))
        except OSError:
            return False

    def rows(self, calls, rounds):
        """One call and eight clients, ours in turn with it."""
        calls.run(1, 3, calls.hook, self.hook)
        (ours, theirs), _ = calls.run(1, rounds, calls.hook, self.hook)
        for what, at in (("one call", 0), ("CPU of one call", 1)):
            floor = Row(what + ", both", "hook-forward", "ms", [pair[at] for pair in ours])
            yield floor
            them = [pair[at] for pair in theirs]
            yield Row(floor.bench, "the original's hook-forward", "ms", them, floor)
        rates = [8 * rounds / calls.run(8, rounds, hook)[1] for hook in (calls.hook, self.hook)]
        floor = Row("8 clients, both", "hook-forward", "calls/s", rates[:1])
        yield floor
        yield Row(floor.bench, "the original's hook-forward", "calls/s", rates[1:], floor)

    def close(self):
        """Ends its daemon and its terminal multiplexer."""
        subprocess.run(["tmux", "kill-server"], env=self.env, check=False,
                       stderr=subprocess.DEVNULL)
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(15)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
