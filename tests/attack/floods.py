"""Peers that open, send and read as badly as they can, while a well-behaved one asks for health."""
import os
import resource
import socket
import struct
import threading
import time

from ground import World

HALF_OPEN, RESETS, SLOW = 2000, 4000, 300


def run(binary, _):
    """Health stays quick, memory bounded, and afterwards all is as it was."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 8192), soft))
    with World(binary) as world:
        world.start_daemon()
        world.onboard()
        for _ in range(20):
            world.health_ms()
        threads = world.threads()
        for flood in (half_open, drip, never_reading, resets, huge_body, second_version):
            attack(world, flood, threads)


def attack(world, flood, threads):
    """One kind of flood."""
    before, held, stop = world.rss_mib(), [], threading.Event()
    flooding = threading.Thread(target=flood, args=(world, held, stop), daemon=True)
    flooding.start()
    samples, most = [], before
    while flooding.is_alive() or len(samples) < 150:
        samples.append(world.health_ms())
        most = max(most, world.rss_mib())
        if len(samples) >= 150:
            stop.set()
        time.sleep(0.01)
    flooding.join()
    for stream in held:
        stream.close()
    samples.sort()
    p99 = samples[int(len(samples) * 0.99) - 1]
    print("%-16s health median %.2f ms, p99 %.2f ms; memory +%.1f MiB" % (
        flood.__name__, samples[len(samples) // 2], p99, most - before), flush=True)
    if p99 > 100:
        raise SystemExit("%s: health took %.0f ms (p99)" % (flood.__name__, p99))
    if most - before > 32:
        raise SystemExit("%s: memory grew by %.0f MiB" % (flood.__name__, most - before))
    end = time.monotonic() + 30
    while world.threads() > threads:
        if time.monotonic() > end:
            raise SystemExit("%s left %d threads of %d" % (flood.__name__, world.threads(),
                                                           threads))
        time.sleep(0.1)


def connect(world):
    """A connection that never waits."""
    stream = socket.socket()
    stream.settimeout(5)
    stream.connect(("127.0.0.1", world.port))
    return stream


def half_open(world, held, _):
    """Connections with half a head."""
    for _ in range(HALF_OPEN):
        stream = connect(world)
        quietly(lambda s=stream: s.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127."))
        held.append(stream)


def drip(world, held, stop):
    """Heads and bodies that come byte by byte, as slowly as may be."""
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 1000\r\n\r\n"
    for number in range(SLOW):
        stream = connect(world)
        if number % 2:
            quietly(lambda s=stream: s.sendall(head % world.port))
        held.append(stream)
    while not stop.wait(1):
        for stream in held:
            quietly(lambda s=stream: s.send(b"G"))


def never_reading(world, held, stop):
    """Clients that ask for the page again and again, and read one byte a second or none."""
    ask = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % world.port
    for _ in range(SLOW):
        stream = connect(world)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stream.setblocking(False)
        held.append(stream)
    while not stop.wait(0.2):
        for number, stream in enumerate(held):
            quietly(lambda s=stream: s.send(ask * 50))
            if number % 2:
                quietly(lambda s=stream: s.recv(1))


def resets(world, _, __):
    """Connections that are torn down as soon as they stand."""
    for _ in range(RESETS):
        stream = connect(world)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()


def huge_body(world, held, _):
    """Bodies of a length that nobody has room for."""
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 100000000000"
    for _ in range(SLOW):
        stream = connect(world)
        quietly(lambda s=stream: s.sendall(head % world.port + b"\r\n\r\n" + bytes(65536)))
        held.append(stream)


def second_version(world, held, _):
    """The preface of HTTP/2."""
    for _ in range(SLOW):
        stream = connect(world)
        quietly(lambda s=stream: s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64)))
        held.append(stream)


def quietly(what):
    """Does it, whatever the other side has done to the connection."""
    try:
        what()
    except OSError:
        pass


def few_descriptors(binary, _):
    """With few descriptors and more clients than that, the door goes on."""
    with World(binary, limit=128) as world:
        world.start_daemon()
        world.onboard()
        held = []
        for _ in range(300):
            held.append(connect(world))
        slowest = max(world.health_ms() for _ in range(50))
        cpu = busy(world.daemon.pid)
        time.sleep(1)
        cpu = busy(world.daemon.pid) - cpu
        print("300 clients, 128 descriptors: health at most %.1f ms, then %.0f %% of a CPU" % (
            slowest, cpu * 100))
        for stream in held:
            stream.close()
        if slowest > 1000 or cpu > 0.5:
            raise SystemExit("the door does not hold with few descriptors")
        if world.cli("ls").returncode:
            raise SystemExit("the control door does not hold with few descriptors")


def busy(pid):
    """Seconds of CPU."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
