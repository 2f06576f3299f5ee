"""A viewer that never reads while a program floods its terminal, and another who works then."""
import time

from ground import UnixConnection, World
from websocket import Dashboard, echo_ms

SECONDS = 60


def run(binary, _):
    """Memory is bounded, the other's echo quick, and what is kept of the output is whole."""
    with World(binary) as world:
        world.start_daemon()
        world.ready()
        world.socket = world.control
        flood = {"id": world.start("sh", "-c", "read go; exec yes")}
        other = {"id": world.start("cat")}
        stuck, works = Dashboard(world, flood), Dashboard(world, other)
        works.web.settle()
        for _ in range(20):
            echo_ms(works)
        before = world.rss_mib()
        stuck.type(b"\r")
        samples, most, end = [], before, time.monotonic() + SECONDS
        while time.monotonic() < end:
            samples.append(echo_ms(works))
            most = max(most, world.rss_mib())
            if len(samples) % 1000 == 0:
                works.type(b"\r")
                works.web.settle(0.1)
            time.sleep(0.02)
        world.cli("kill", flood["id"])
        first, last = whole(world, flood["id"])
        samples.sort()
        p99 = samples[int(len(samples) * 0.99) - 1]
        print("%d s of yes, nobody reads: memory +%.1f MiB; the other's echo median %.2f, p99 %.2f "
              "ms; %.0f MB printed, the last %.0f MB of them kept, none missing" % (
                  SECONDS, most - before, samples[len(samples) // 2], p99, last / 1e6,
                  (last - first) / 1e6))
        if most - before > 16 or p99 > 50:
            raise SystemExit("a viewer that does not read is felt")


def whole(world, session):
    """(first, last) offset of the log that is kept, after a look at every byte of it."""
    connection = UnixConnection(world.control)
    at, first, kept = 0, None, b""
    while True:
        connection.request("GET", "/sessions/%s/log?from=%d" % (session, at))
        reply = connection.getresponse()
        page = reply.read()
        start = int(reply.headers.get("X-CodePiper-From", at))
        if first is None:
            first = start
        elif start != at:
            raise SystemExit("the log has a gap from %d to %d" % (at, start))
        if not page:
            return first, at
        at, kept = start + len(page), kept[-2:] + page
        body = kept.replace(b"y\r\n", b"")
        # The echo of Enter before it, and a line cut at either end.
        if len(body) > 8:
            raise SystemExit("the log holds what was never printed: %r" % body[:60])
