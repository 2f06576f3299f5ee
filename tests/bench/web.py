"""The web door: requests of a login, and the login itself beside one hash of its password."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

from measure import Row, timed_ms

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../attack"))
from ground import PASSWORD, STEP, free_ports, totp

CLIENTS = 8


class Browser:
    """Keeps a connection, a cookie and a proof."""

    def __init__(self, port):
        self.port, self.cookie, self.proof = port, None, None
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body=None):
        """The JSON of a request that must go well."""
        head = {"Origin": "http://127.0.0.1:%d" % self.port, "Content-Type": "application/json"}
        if self.cookie:
            head["Cookie"], head["X-CodePiper-Proof"] = self.cookie, self.proof
        text = None if body is None else json.dumps(body)
        self.connection.request(method, "/api" + path, text, head)
        reply = self.connection.getresponse()
        said = json.loads(reply.read())
        if reply.status >= 300:
            raise SystemExit("bench: %s %s: %d %s" % (method, path, reply.status, said))
        for cookie in reply.headers.get_all("Set-Cookie") or []:
            if not cookie.split(";")[0].endswith("="):
                self.cookie = cookie.split(";")[0]
        self.proof = said.get("proof", self.proof)
        return said


def web(world, quick):
    """GET /api/sessions of a login, ten sessions; and logins."""
    port, ws_port = free_ports(2)
    world.env.update(CODEPIPER_WEB="1", CODEPIPER_PORT=str(port), CODEPIPER_WS_PORT=str(ws_port))
    world.start_daemon()
    browser = Browser(port)
    first = world.ask("POST", "/auth/cli/bootstrap", {})["bootstrapPassword"]
    browser.ask("POST", "/auth/setup", {"bootstrapPassword": first, "password": PASSWORD})
    secret = browser.ask("POST", "/auth/mfa/setup", {})["secret"]
    code = totp(secret, int(time.time()) // STEP)
    codes = browser.ask("POST", "/auth/mfa/verify", {"totpCode": code})["recoveryCodes"]
    sessions = [world.start_session("cat") for _ in range(10)]
    yield from requests(browser, 200 if quick else 3000)
    for session in sessions:
        world.end_session(session)
    yield from logins(port, codes[:3] if quick else codes)
    world.stop_daemon()
    for name in ("CODEPIPER_WEB", "CODEPIPER_PORT", "CODEPIPER_WS_PORT"):
        del world.env[name]


def requests(browser, rounds):
    """One after another on one connection, and eight connections at once."""
    samples = [timed_ms(lambda: browser.ask("GET", "/sessions")) for _ in range(rounds)]
    yield Row("authenticated GET, 10 sessions", "codepiper", "ms", samples)

    def client():
        mine = Browser(browser.port)
        mine.cookie, mine.proof = browser.cookie, browser.proof
        for _ in range(rounds // CLIENTS):
            mine.ask("GET", "/sessions")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = rounds // CLIENTS * CLIENTS / (time.perf_counter() - start)
    yield Row("authenticated GET, %d at once" % CLIENTS, "codepiper (clients in Python)",
              "requests/s", [rate])


def logins(port, codes):
    """With recovery codes, of which each opens one; the floor is Debian's argon2."""
    words = ["argon2", "saltsaltsalt", "-id", "-t", "3", "-m", "16", "-p", "1", "-r"]
    ours, floor = [], []
    for code in codes:
        body = {"password": PASSWORD, "recoveryCode": code}
        ours.append(timed_ms(lambda: Browser(port).ask("POST", "/auth/login", body)))
        if shutil.which("argon2"):
            floor.append(timed_ms(lambda: subprocess.run(
                words, input=PASSWORD.encode(), stdout=subprocess.DEVNULL, check=True)))
    row = Row("login", "floor: argon2, one hash (64 MiB, t=3)", "ms", floor) if floor else None
    yield Row("login", "codepiper", "ms", ours, row)
    if row:
        yield row
