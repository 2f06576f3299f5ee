"""Programs of a session that reach for the dashboard's addresses, and the tunnel of a person."""
import os
import socket
import threading
import time

from ground import World

# Listens at the address in its words, says so, and stays.
SQUAT = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for option in ("SO_REUSEPORT",):
    s.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
try:
    s.bind((sys.argv[1], int(sys.argv[2])))
    s.listen()
    print("taken", flush=True)
except OSError as error:
    print("refused", error, flush=True)
time.sleep(1000)
"""


def run(binary, _):
    """Neither before nor after the daemon's start can a program stand where the dashboard does."""
    with World(binary) as world:
        with open(world.project + "/squat.py", "w", encoding="ascii") as file:
            file.write(SQUAT)
        world.start_daemon()
        world.onboard()
        for address in ("::1", "127.0.0.1", "::", "0.0.0.0"):
            said = squat(world, address)
            print("%s from inside, with the daemon there: %s" % (address, said))
            if not said.startswith("refused"):
                raise SystemExit("a session's program listens at %s too" % address)
        for address in ("::1", "127.0.0.1", "0.0.0.0"):
            away(world, address)


def squat(world, address):
    """What a session's program says that tries to listen there."""
    session = world.start("python3", "squat.py", address, str(world.port))
    end = time.monotonic() + 20
    while time.monotonic() < end:
        said = world.cli("tail", session).stdout.strip()
        if said:
            world.cli("kill", session)
            return said
        time.sleep(0.05)
    raise SystemExit("nothing came of the attempt at " + address)


def away(world, address):
    """The port is taken while the daemon is away: it must not start, and must end all logins."""
    script = ("import os, runpy, sys, time\n"
              "while not os.path.exists('go'): time.sleep(0.01)\n"
              "runpy.run_path('squat.py')\n")
    with open(world.project + "/late.py", "w", encoding="ascii") as file:
        file.write(script)
    session = world.start("python3", "late.py", address, str(world.port))
    world.stop_daemon()
    open(world.project + "/go", "w", encoding="ascii").close()
    probe = "::1" if ":" in address else "127.0.0.1"
    wait_for_listener(probe, world.port)
    world.start_daemon()
    code = world.daemon.wait(30)
    said = world.said()
    world.daemon = None
    if code == 0 or "could pose as the dashboard" not in said:
        raise SystemExit("the daemon started beside a session's program: " + said[-500:])
    # It can start without its web doors, to end the program.
    free = world.port
    world.port = free_port()
    world.start_daemon()
    world.ready()
    cookie, proof = world.login
    status, _, _ = world.try_web("GET", "/sessions", None, cookie, proof)
    alarms = world.cli("audit", "--limit", "20").stdout
    print("%s taken while away: start refused, login ended (%d)" % (address, status))
    if status != 401 or "dashboard's own address" not in alarms:
        raise SystemExit("the login still opens (%d), or no alarm: %s" % (status, alarms))
    world.cli("kill", session)
    world.stop_daemon()
    world.port = free
    os.unlink(world.project + "/go")
    world.start_daemon()
    world.ready()
    world.log_in_again()


def wait_for_listener(address, port):
    """Until somebody listens there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("nobody took %s" % address)


def free_port():
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def tunnel(binary, _):
    """Both ports forwarded as `ssh -L` does, from an address of another machine's."""
    with World(binary) as world:
        world.start_daemon()
        world.onboard()
        for port in (world.port, world.ws_port):
            threading.Thread(target=forward, args=(port,), daemon=True).start()
        wait_for_listener("127.0.0.2", world.port)
        wait_for_listener("127.0.0.2", world.ws_port)
        cookie, proof = world.login
        for name, port in (("localhost", world.port), ("localhost", world.ws_port)):
            host = "%s:%d" % (name, port)
            origin = "http://localhost:%d" % world.port
            path = "/api/sessions" if port == world.port else "/ws"
            head = "GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: %s\r\n" % (
                path, host, origin, cookie)
            head += "X-CodePiper-Proof: %s\r\n" % proof if path != "/ws" else (
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
            with socket.create_connection(("127.0.0.2", port), timeout=10) as stream:
                stream.sendall(head.encode() + b"\r\n")
                reply = stream.recv(4096)
            want = b"200" if path != "/ws" else b"101"
            print("through the tunnel to %s: %s" % (host, reply[:20].decode()))
            if reply[9:12] != want:
                raise SystemExit("refused through a tunnel: %r" % reply[:300])


def forward(port):
    """Forwards 127.0.0.2:port to 127.0.0.1:port."""
    with socket.create_server(("127.0.0.2", port)) as listener:
        while True:
            outer, _ = listener.accept()
            inner = socket.create_connection(("127.0.0.1", port))
            for a, b in ((outer, inner), (inner, outer)):
                threading.Thread(target=pump, args=(a, b), daemon=True).start()


def pump(source, sink):
    """Copies until either side ends."""
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()
