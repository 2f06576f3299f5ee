"""A throw-away home with the daemon under test in it, and everything that is compared with it."""
import fcntl
import http.client
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

from measure import name, parent, start_time, wait_until
from unix_http import UnixConnection

HELLO = "int main(void) { return 0; }\n"
# The first process of a cage, as `ps` shows it.
CAGE = "codepiper-cage"
PAUSE = "#include <unistd.h>\nint main(void) { pause(); return 0; }\n"


class World:
    """The home, the daemon's process and the sessions in it. Use it in a `with`."""

    def __init__(self, binary):
        self.root = tempfile.mkdtemp(prefix="cp-bench-", dir="/tmp")
        self.binary = os.path.abspath(binary)
        self.state, self.project = self.root + "/state", self.root + "/project"
        self.socket = self.state + "/run/control.sock"
        for name in ("home", "project"):
            os.mkdir(self.root + "/" + name, 0o700)
        self.env = {"HOME": self.root + "/home", "CODEPIPER_HOME": self.state, "LANG": "C.UTF-8",
                    "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/sh", "TERM": "xterm"}
        self.daemon = None
        self.seen = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # What the sessions started hangs below their keepers, which end with them.
        for pid, started in self.seen.items():
            if start_time(pid) == started:
                os.kill(pid, signal.SIGKILL)
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def compile(self, name, text):
        """A static C program: the least that a process can cost."""
        path = self.root + "/" + name
        with open(path + ".c", "w", encoding="ascii") as file:
            file.write(text)
        subprocess.run(["cc", "-O2", "-static", "-o", path, path + ".c"], check=True)
        return path

    def spawn(self, command):
        """Starts something in this world, its output thrown away."""
        return subprocess.Popen(command, env=self.env, cwd=self.project, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, command):
        """Runs something to its end; it must go well."""
        code = self.spawn(command).wait()
        if code != 0:
            raise SystemExit("bench: %s ended with %d" % (" ".join(command), code))

    def start_daemon(self):
        """Starts the daemon and returns when /health answers."""
        self.daemon = self.spawn([self.binary, "daemon"])
        wait_until("the daemon", self.is_healthy, pause=0.0001)

    def is_healthy(self):
        """Whether somebody answers; ends the program when the daemon has given up."""
        if self.daemon.poll() is not None:
            raise SystemExit("bench: the daemon ended with %d" % self.daemon.returncode)
        try:
            return self.request("GET", "/health")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop_daemon(self, how=signal.SIGTERM):
        """Ends the daemon; keepers and sessions go on."""
        self.daemon.send_signal(how)
        self.daemon.wait(30)
        self.daemon = None

    def request(self, method, path, body=None):
        """(status, headers, body as bytes)."""
        connection = UnixConnection(self.socket)
        try:
            headers = {"Content-Type": "application/json"}
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None):
        """The JSON of a request that must go well."""
        status, _, reply = self.request(method, path, body)
        if status >= 300:
            raise SystemExit("bench: %s %s: %d %s" % (method, path, status, reply.decode()))
        return json.loads(reply)

    def start_session(self, *program, **more):
        """Starts a program in a session; returns the session as the API shows it."""
        body = {"provider": "command", "cwd": self.project, "args": list(program)}
        session = self.ask("POST", "/sessions", dict(body, **more))["session"]
        # Quick programs have ended by now and have no process to remember.
        pid = session.get("pid")
        for pid in [pid] + around(pid) if pid else []:
            if start_time(pid):
                self.seen[pid] = start_time(pid)
        return session

    def end_session(self, session):
        """Ends a session and removes it with its log."""
        self.request("POST", "/sessions/%s/kill" % session["id"])
        self.ask("DELETE", "/sessions/" + session["id"])


def around(pid):
    """Our processes above the program that has this pid: its keeper and, in a cage, below it the
    cage's own. Empty when the program has ended."""
    try:
        above = parent(pid)
        return [parent(above), above] if name(above) == CAGE else [above]
    except (FileNotFoundError, ProcessLookupError):
        return []


class Terminal:
    """A program on a terminal of ours, which plays the part of the person's own terminal."""

    def __init__(self, world, command):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
            os.chdir(world.project)
            os.execvpe(command[0], command, world.env)

    def read(self, seconds):
        """What comes within that time, or None; empty at the end."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return None
        try:
            return os.read(self.master, 65536)
        except OSError:
            return b""

    def settle(self, seconds=0.3):
        """Reads until it has been silent for so long."""
        while self.read(seconds):
            pass

    def echo_ms(self, key):
        """From a key's byte going in to the same byte coming out."""
        start = time.perf_counter()
        os.write(self.master, key)
        while True:
            got = self.read(5)
            if not got:
                raise SystemExit("bench: a key was not echoed")
            if key in got:
                return (time.perf_counter() - start) * 1000

    def drain(self):
        """Reads to the end; returns the number of bytes."""
        total = 0
        while True:
            got = self.read(60)
            if not got:
                return total
            total += len(got)

    def close(self):
        """Ends the program."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.master)
