"""A throw-away home with a daemon, its web doors, a login and sessions, for attacks on them."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))
from unix_http import UnixConnection

PASSWORD = "a long one for attacks only"
STEP = 30


class World:
    """A home, a daemon with its web doors, and who may log in there."""

    def __init__(self, binary, limit=None, vars=None):
        """`limit` of open descriptors, and further variables of the daemon."""
        self.root = tempfile.mkdtemp(prefix="cp-attack-", dir="/tmp")
        self.state, self.project = self.root + "/state", self.root + "/project"
        for path in (self.root + "/home", self.project):
            os.mkdir(path, 0o700)
        self.binary = os.path.abspath(binary)
        self.port, self.ws_port = free_ports(2)
        self.control = self.state + "/run/control.sock"
        self.env = {"HOME": self.root + "/home", "CODEPIPER_HOME": self.state, "LANG": "C.UTF-8",
                    "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/sh", "TERM": "xterm"}
        self.limit, self.vars, self.sessions, self.daemon = limit, vars or {}, [], None
        self.log = open(self.root + "/daemon.out", "a+", encoding="utf-8")

    @property
    def base(self):
        """The origin of its page."""
        return "http://127.0.0.1:%d" % self.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start_daemon(self):
        """Starts the daemon; the caller waits for what it needs of it."""
        words = [self.binary, "daemon", "--web", "--port", str(self.port), "--ws-port",
                 str(self.ws_port)]
        if self.limit:
            words = ["prlimit", "--nofile=%d:%d" % (self.limit, self.limit)] + words
        self.daemon = subprocess.Popen(words, env={**self.env, **self.vars}, cwd=self.project,
                                       stderr=self.log, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, text=True)

    def stop_daemon(self):
        """Ends it; sessions go on."""
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(30)
        self.daemon = None

    def ready_for_login(self):
        """Waits for the password that the daemon says on its standard output."""
        line = self.daemon.stdout.readline()
        if "Bootstrap password" not in line:
            raise SystemExit("no bootstrap password but %r\n%s" % (line, self.said()))
        self.first_password = self.daemon.stdout.readline().strip()

    def web(self, method, path, body, cookie=None, proof=None):
        """(reply's JSON, NAME=VALUE of the cookie it sets) of a request that must go well."""
        status, reply, cookies = self.try_web(method, path, body, cookie, proof)
        if status >= 300:
            raise SystemExit("attack: %s %s: %d %s" % (method, path, status, reply))
        return reply, cookies

    def try_web(self, method, path, body, cookie=None, proof=None):
        """(status, reply's JSON, cookie) of any request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        head = {"Content-Type": "application/json", "Origin": self.base}
        if cookie:
            head["Cookie"], head["X-CodePiper-Proof"] = cookie, proof
        connection.request(method, "/api" + path, json.dumps(body), head)
        reply = connection.getresponse()
        text = reply.read().decode()
        cookies = [c.split(";")[0] for c in reply.headers.get_all("Set-Cookie") or []]
        found = [c for c in cookies if not c.endswith("=")]
        return reply.status, json.loads(text), found[0] if found else None

    def onboard(self):
        """Goes through the whole set-up: `secret`, `step` of its used code, `login`."""
        self.ready_for_login()
        body = {"bootstrapPassword": self.first_password, "password": PASSWORD}
        opened, cookie = self.web("POST", "/auth/setup", body)
        proof = opened["proof"]
        offer, _ = self.web("POST", "/auth/mfa/setup", {}, cookie, proof)
        step = int(time.time()) // STEP
        code = totp(offer["secret"], step)
        done, cookie = self.web("POST", "/auth/mfa/verify", {"totpCode": code}, cookie, proof)
        self.secret, self.step, self.login = offer["secret"], step, (cookie, done["proof"])
        return self

    def log_in_again(self):
        """A new login, with a code that nobody used yet."""
        while int(time.time()) // STEP <= self.step:
            time.sleep(0.2)
        self.step = int(time.time()) // STEP
        body = {"password": PASSWORD, "totpCode": totp(self.secret, self.step)}
        done, cookie = self.web("POST", "/auth/login", body)
        self.login = cookie, done["proof"]

    def start(self, *program):
        """A session that runs this program; its id."""
        connection = UnixConnection(self.control)
        body = {"provider": "command", "cwd": self.project, "args": list(program)}
        head = {"Content-Type": "application/json"}
        connection.request("POST", "/sessions", json.dumps(body), head)
        reply = json.loads(connection.getresponse().read())
        connection.close()
        self.sessions.append(reply["session"]["id"])
        return self.sessions[-1]

    def wait(self, session, seconds):
        """Waits for the session's end."""
        words = [self.binary, "wait", session, "--for", "ended", "--timeout", str(seconds)]
        return subprocess.call(words, env=self.env, stdout=subprocess.DEVNULL)

    def close(self):
        """Ends everything, and removes it."""
        if self.sessions and (self.daemon is None or self.daemon.poll() is not None):
            self.start_daemon()
            self.ready()
        for session in self.sessions:
            self.cli("kill", session)
        if self.daemon:
            self.stop_daemon()
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def cli(self, *words):
        """Runs a command; the finished process with its output."""
        return subprocess.run([self.binary, *words], env=self.env, capture_output=True, text=True,
                              cwd=self.project, timeout=120, check=False)

    def ready(self):
        """Waits until the control door answers."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.cli("version").returncode == 0 and self.cli("ls").returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit("attack: the daemon does not get ready:\n" + self.said())

    def said(self):
        """What the daemon has logged."""
        self.log.flush()
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def health_ms(self, where=None):
        """How long /api/health takes on a connection of its own, in milliseconds."""
        start = time.perf_counter()
        with socket.create_connection(where or ("127.0.0.1", self.port), timeout=10) as stream:
            host = "127.0.0.1:%d" % self.port
            stream.sendall(b"GET /api/health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                           % host.encode())
            reply = stream.recv(4096)
        if not reply.startswith(b"HTTP/1.1 200 "):
            raise SystemExit("attack: health says %r" % reply[:60])
        return (time.perf_counter() - start) * 1000

    def rss_mib(self):
        """Resident memory of the daemon."""
        with open("/proc/%d/statm" % self.daemon.pid, encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def threads(self):
        """How many threads the daemon has."""
        return len(os.listdir("/proc/%d/task" % self.daemon.pid))


def totp(secret, step):
    """RFC 6238 with SHA-1 and six digits."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7fffffff) % 10**6)


def free_ports(count):
    """Ports that nobody has on either loopback address."""
    held, found = [], []
    while len(found) < count:
        first = socket.socket()
        first.bind(("127.0.0.1", 0))
        held.append(first)
        found.append(first.getsockname()[1])
    for one in held:
        one.close()
    return found
