"""The audit log at length: reading its end, and checking all of it."""
import hashlib
import json
import os
import sqlite3
import threading

from measure import Row, timed_ms
from unix_http import UnixConnection

COLUMNS = 22


def field(value):
    """One column as it is hashed; src/model/chain.rs has the form."""
    if value is None:
        return b"\0"
    if isinstance(value, int):
        tag, data = b"\1", value.to_bytes(8, "big", signed=True)
    elif isinstance(value, str):
        tag, data = b"\2", value.encode()
    else:
        tag, data = b"\3", bytes(value)
    return tag + len(data).to_bytes(8, "big") + data


def fill(path, count):
    """Adds rows until there are so many, as a daemon would have, at a thousand times its speed."""
    conn = sqlite3.connect(path)
    triggers = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
    guards = dict(conn.execute(triggers).fetchall())
    for name in guards:
        conn.execute("DROP TRIGGER " + name)
    last, before = conn.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()

    def rows():
        nonlocal before
        for seq in range(last + 1, count + 1):
            row = (seq, 1764000000000 + seq, seq, "bench", "decision", "s%d" % (seq % 50),
                   "r%d" % seq, "Bash", '{"command":"cargo test -p part%d"}' % seq, bytes(32),
                   "/home/u/proj", "toolu_%d" % seq, None, '["exec cargo"]', "mine", "rule 3", 1,
                   ("allow", "deny", "ask")[seq % 20 and (1 + seq % 2 if seq % 7 == 0 else 0)],
                   "", "rule", "hook pid 34 (claude)", None)
            before = hashlib.sha256(b"\1" + before + b"".join(map(field, row))).digest()
            yield row + (before, None)

    places = ", ".join("?" * (COLUMNS + 2))
    conn.executemany("INSERT INTO audit VALUES (%s)" % places, rows())
    for sql in guards.values():
        conn.execute(sql)
    conn.commit()
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.close()


def append(world, quick):
    """Changes of a setting, each answered when its row is durable; beside a bare fdatasync."""
    path, body = world.root + "/page", json.dumps({"holdSeconds": 600})
    head = {"Content-Type": "application/json"}
    rounds = 50 if quick else 400

    def change():
        connection = UnixConnection(world.socket)
        for _ in range(rounds):
            connection.request("PUT", "/settings/daemon", body, head)
            if connection.getresponse().read()[:12] != b'{"settings":':
                raise SystemExit("bench: a setting was not changed")
        connection.close()

    def floor():
        with open(path, "wb") as file:
            for _ in range(rounds):
                file.write(bytes(4096))
                file.flush()
                os.fdatasync(file.fileno())

    world.start_daemon()
    for clients in (1, 8):
        bench = "audit rows appended, %d at once" % clients
        before = world.ask("GET", "/audit/head")["seq"]
        ours = timed_ms(lambda: at_once(clients, change))
        grown = world.ask("GET", "/audit/head")["seq"] - before
        if grown != clients * rounds:
            raise SystemExit("bench: %d rows for %d changes" % (grown, clients * rounds))
        row = Row(bench, "floor: 4 KiB and fdatasync, one after another", "rows/s",
                  [rounds / timed_ms(floor) * 1000])
        yield Row(bench, "codepiper", "rows/s", [grown / ours * 1000], row)
        yield row
    world.stop_daemon()


def at_once(clients, what):
    """Runs it in so many threads."""
    threads = [threading.Thread(target=what) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def audit(world, quick):
    """`audit --limit 5` beside `version`, and `audit verify`, of logs of growing length."""
    path = world.env["CODEPIPER_HOME"] + "/codepiper.db"
    for count in (1000, 10000) if quick else (1000, 100000, 1000000):
        world.start_daemon()
        world.stop_daemon()
        fill(path, count)
        world.start_daemon()
        bench = "audit log, %d rows" % count
        rounds = 5 if quick else 50
        floor = Row(bench, "floor: codepiper version", "ms", [
            timed_ms(lambda: world.run([world.binary, "version"])) for _ in range(rounds)])
        yield Row(bench, "codepiper audit --limit 5", "ms", [
            timed_ms(lambda: world.run([world.binary, "audit", "--limit", "5"]))
            for _ in range(rounds)], floor)
        yield floor
        verify = [timed_ms(lambda: world.run([world.binary, "audit", "verify"])) for _ in range(3)]
        yield Row(bench, "codepiper audit verify", "rows/s", [count / ms * 1000 for ms in verify])
        world.stop_daemon()
