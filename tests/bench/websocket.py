"""A terminal over the dashboard's WebSocket: a key's echo, and 50 MB to one and to eight viewers.

ttyd stands beside it where it is installed. It starts a program for each viewer, so that with
eight of them nothing of it can be compared.
"""
import base64
import json
import os
import random
import select
import shutil
import socket
import struct
import time

from measure import Row, interleave, wait_until
from world import Terminal

KEY = b"&"
LAST = b"the last line of all"
OUTPUT, SNAPSHOT = 1, 2


class WebSocket:
    """RFC 6455 as far as a measurement needs it, on a connected socket."""

    def __init__(self, stream, path, protocol=None):
        self.stream, self.buffer = stream, b""
        head = ("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
                % (path, base64.b64encode(os.urandom(16)).decode()))
        if protocol:
            head += "Sec-WebSocket-Protocol: %s\r\n" % protocol
        stream.sendall((head + "\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.read()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head:
            raise SystemExit("bench: no WebSocket: %r" % head)

    def read(self):
        """Waits for more bytes."""
        got = self.stream.recv(1 << 18)
        if not got:
            raise SystemExit("bench: the WebSocket was closed")
        self.buffer += got

    def send(self, payload, opcode=1):
        """One masked frame; a mask of zeros is one as well."""
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack(">H", length)
        self.stream.sendall(bytes([0x80 | opcode]) + size + bytes(4) + payload)

    def receive(self):
        """(opcode, payload) of the next frame; pings are answered by nobody in so short a time."""
        while True:
            have = len(self.buffer)
            if have >= 2:
                first, length = self.buffer[0], self.buffer[1]
                at = 2 if length < 126 else 4 if length == 126 else 10
                if have >= at and length == 126:
                    length = struct.unpack(">H", self.buffer[2:4])[0]
                elif have >= at and length == 127:
                    length = struct.unpack(">Q", self.buffer[2:10])[0]
                if have >= at + length:
                    payload = self.buffer[at:at + length]
                    self.buffer = self.buffer[at + length:]
                    return first & 0x0f, payload
            self.read()

    def settle(self, seconds=0.3):
        """Reads until it has been silent for so long."""
        while select.select([self.stream], [], [], seconds)[0]:
            self.read()
        self.buffer = b""


class Dashboard:
    """A terminal of ours."""

    def __init__(self, world, session):
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(world.socket)
        self.web, self.session = WebSocket(stream, "/ws"), session["id"]
        self.say(op="hello", version=1)
        self.say(op="subscribe", topic="session:%s:pty" % self.session)

    def say(self, **fields):
        """Sends JSON."""
        self.web.send(json.dumps(fields).encode())

    def type(self, text):
        """Types."""
        self.say(op="pty_input", sessionId=self.session, data=text.decode())

    def output(self):
        """The next bytes for the terminal."""
        while True:
            opcode, payload = self.web.receive()
            if opcode == 2 and payload[1] in (OUTPUT, SNAPSHOT):
                return payload[12:]


class Ttyd:
    """The same with ttyd's protocol, and a server of its own."""

    def __init__(self, world, *program):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.server = world.spawn(["ttyd", "-i", "127.0.0.1", "-p", str(port), "-W", *program])

        def connect():
            try:
                return socket.create_connection(("127.0.0.1", port))
            except OSError:
                return None

        stream = wait_until("ttyd", connect)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.web = WebSocket(stream, "/ws", "tty")
        self.web.send(b'{"AuthToken":"","columns":80,"rows":24}', 2)

    def type(self, text):
        """Types."""
        self.web.send(b"0" + text, 2)

    def output(self):
        """The next bytes for the terminal."""
        while True:
            _, payload = self.web.receive()
            if payload[:1] == b"0":
                return payload[1:]

    def close(self):
        """Ends the server."""
        self.server.kill()
        self.server.wait()


def echo_ms(viewer):
    """From a key being sent to the same key being shown."""
    start = time.perf_counter()
    viewer.type(KEY)
    while KEY not in viewer.output():
        pass
    return (time.perf_counter() - start) * 1000


def websocket(world, quick):
    """A terminal over a WebSocket: a key's echo, and 50 MB to one and to eight viewers."""
    world.start_daemon()
    yield from echoes(world, 40 if quick else 400)
    yield from drains(world, 5 if quick else 50, 1 if quick else 5)
    world.stop_daemon()


def echoes(world, rounds):
    """The echo of one key at a time."""
    session = world.start_session("cat")
    ours, bare = Dashboard(world, session), Terminal(world, ["cat"])
    who = {"codepiper": lambda: echo_ms(ours), "floor: a bare PTY": lambda: bare.echo_ms(KEY)}
    ttyd = Ttyd(world, "cat") if shutil.which("ttyd") else None
    if ttyd:
        who["ttyd"] = lambda: echo_ms(ttyd)
    for viewer in [ours, ttyd] if ttyd else [ours]:
        viewer.web.settle()
    bare.settle()
    samples = {name: [] for name in who}
    random.seed(1)
    for number in range(rounds):
        for name, once in who.items():
            time.sleep(random.uniform(0.005, 0.03))
            samples[name].append(once())
        # A terminal's line has room for 4096 bytes.
        if number % 1000 == 999:
            ours.type(b"\r")
            ours.web.settle()
    floor = Row("WebSocket echo", "floor: a bare PTY", "ms", samples.pop("floor: a bare PTY"))
    for name, found in samples.items():
        yield Row(floor.bench, name, "ms", found, floor)
    yield floor
    bare.close()
    if ttyd:
        ttyd.close()
    world.end_session(session)


def drains(world, size, rounds):
    """From the key that begins the output to its last line at the last viewer."""
    text = world.root + "/text"
    with open(text, "w", encoding="ascii") as file:
        file.writelines("%09d %s\n" % (number, "abcdefghij" * 9) for number in range(size * 9901))
    script = world.root + "/print.sh"
    with open(script, "w", encoding="ascii") as file:
        file.write("stty -echo\nread go\ncat %s\necho %s\nexec cat\n" % (text, LAST.decode()))

    def ours(count):
        session = world.start_session("sh", script)
        readers = [Reader(lambda: Dashboard(world, session)) for _ in range(count)]
        took = drain_ms(readers)
        world.end_session(session)
        return took

    def theirs():
        started = []

        def view():
            started.append(Ttyd(world, "sh", script))
            return started[0]

        return drain_ms([Reader(view, lambda: started[0].close())])

    def bare():
        terminal = Terminal(world, ["sh", script])
        terminal.settle()
        start = time.perf_counter()
        os.write(terminal.master, b"\n")
        tail = b""
        while LAST not in tail:
            tail = tail[-len(LAST):] + terminal.read(60)
        terminal.close()
        return (time.perf_counter() - start) * 1000

    runs = [lambda: ours(1), lambda: ours(8), bare]
    runs += [theirs] if shutil.which("ttyd") else []
    found = interleave(rounds, *runs)
    floor = Row("%d MB over a WebSocket" % size, "floor: a bare PTY drained", "ms", found[2])
    yield Row(floor.bench, "codepiper, one viewer", "ms", found[0], floor)
    yield Row(floor.bench, "codepiper, the last of eight viewers", "ms", found[1], floor)
    yield floor
    if len(found) > 3:
        yield Row(floor.bench, "ttyd, one viewer", "ms", found[3], floor)


class Reader:
    """A viewer in a process of its own, so that viewers do not wait for each other."""

    def __init__(self, view, close=lambda: None):
        here, there = socket.socketpair()
        self.control = here
        self.pid = os.fork()
        if self.pid == 0:
            here.close()
            viewer, tail = view(), b""
            viewer.web.settle()
            there.sendall(b"r")
            if there.recv(1) == b"g":
                viewer.type(b"\r")
            while LAST not in tail:
                tail = tail[-len(LAST):] + viewer.output()
            there.sendall(b"d")
            close()
            os._exit(0)
        there.close()

    def wait(self):
        """Until it is ready, and until it is done."""
        if not self.control.recv(1):
            raise SystemExit("bench: a viewer has failed")


def drain_ms(readers):
    """From the first viewer's key to the last viewer's last line."""
    for reader in readers:
        reader.wait()
    start = time.perf_counter()
    for number, reader in enumerate(readers):
        reader.control.sendall(b"g" if number == 0 else b"-")
    for reader in readers:
        reader.wait()
    took = (time.perf_counter() - start) * 1000
    for reader in readers:
        os.waitpid(reader.pid, 0)
        reader.control.close()
    return took
