"""The benches: each takes a world and yields rows, ours beside the floor of the same run."""
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time

from audit import append, audit
from cage import cage
from dashboard import dashboard
from gate import approval, evaluate
from hook import hook
from measure import Row, activity, interleave, memory_kib, timed_ms, wait_until
from web import web
from websocket import websocket
from world import HELLO, PAUSE, Terminal, around

# Neither terminal control sequences nor the programs measured contain it.
KEY = b"&"
SESSIONS = (0, 1, 10, 30)


def start(world, quick):
    """exec of the daemon in a home that has been used before, until /health answers."""
    hello = world.compile("hello", HELLO)

    def ours():
        took = timed_ms(world.start_daemon)
        world.stop_daemon()
        return took

    ours_ms, hello_ms, true_ms = interleave(
        5 if quick else 30, ours, lambda: timed_ms(lambda: world.run([hello])),
        lambda: timed_ms(lambda: world.run(["/bin/true"])))
    floor = Row("daemon start, warm", "floor: static hello", "ms", hello_ms)
    yield Row(floor.bench, "codepiper daemon, until ready", "ms", ours_ms, floor)
    yield floor
    yield Row(floor.bench, "/bin/true", "ms", true_ms, floor)


def command(world, quick):
    """The client's list of sessions, as a shell prompt or a script would call it."""
    hello = world.compile("hello", HELLO)
    world.start_daemon()
    sessions = [world.start_session("cat") for _ in range(10)]
    ours_ms, hello_ms, true_ms = interleave(
        10 if quick else 100, lambda: timed_ms(lambda: world.run([world.binary, "ls"])),
        lambda: timed_ms(lambda: world.run([hello])),
        lambda: timed_ms(lambda: world.run(["/bin/true"])))
    floor = Row("CLI list, 10 sessions", "floor: static hello", "ms", hello_ms)
    yield Row(floor.bench, "codepiper ls", "ms", ours_ms, floor)
    yield floor
    yield Row(floor.bench, "/bin/true", "ms", true_ms, floor)
    for session in sessions:
        world.end_session(session)
    world.stop_daemon()


def echo(world, quick):
    """A keystroke into `cat`, until the terminal shows it."""
    world.start_daemon()
    session = world.start_session("cat")
    who = {"codepiper attach": Terminal(world, [world.binary, "attach", session["id"]]),
           "floor: a bare PTY": Terminal(world, ["cat"])}
    tmux = tmux_command(world)
    if tmux:
        subprocess.run(tmux + ["new-session", "-d", "-x", "80", "-y", "24", "cat", ";",
                               "set", "status", "off"], env=world.env, check=True)
        who["tmux attach"] = Terminal(world, tmux + ["attach"])
    samples = {name: [] for name in who}
    for terminal in who.values():
        terminal.settle()
    random.seed(1)
    for number in range(40 if quick else 400):
        for name, terminal in who.items():
            time.sleep(random.uniform(0.005, 0.03))
            samples[name].append(terminal.echo_ms(KEY))
            # A terminal's line has room for 4096 bytes, and a picture without wrapping for 80.
            if number % 40 == 39:
                os.write(terminal.master, b"\n")
                terminal.settle(0.1)
    floor = Row("keystroke echo", "floor: a bare PTY", "ms", samples.pop("floor: a bare PTY"))
    for name, found in samples.items():
        yield Row(floor.bench, name, "ms", found, floor)
    yield floor
    for terminal in who.values():
        terminal.close()
    if tmux:
        subprocess.run(tmux + ["kill-server"], env=world.env, check=True)
    world.end_session(session)
    world.stop_daemon()


def drain(world, quick):
    """A program prints 50 MB: the time that the program itself measures."""
    size = 5 if quick else 50
    text = world.root + "/text"
    expected = write_lines(text, size)
    script = world.root + "/print.sh"
    with open(script, "w", encoding="ascii") as file:
        file.write("date +%%s%%N >$1.from\ncat %s\ndate +%%s%%N >$1.to\n" % text)
    world.start_daemon()
    tmux = tmux_command(world)

    def took(mark):
        with open(mark + ".from", encoding="ascii") as start, open(mark + ".to") as end:
            return (int(end.read()) - int(start.read())) / 1e6

    def ours():
        mark = world.root + "/ours"
        session = world.start_session("sh", script, mark)
        world.ask("GET", "/sessions/%s/wait?for=ended&timeout=120" % session["id"])
        found = log_digest(world, session)
        if found != expected:
            raise SystemExit("bench: the log is not what was printed: %s" % (found,))
        world.end_session(session)
        return took(mark)

    def bare():
        terminal = Terminal(world, ["sh", script, world.root + "/bare"])
        terminal.drain()
        terminal.close()
        return took(world.root + "/bare")

    def multiplexer():
        done = world.root + "/tmux-done"
        line = "sh %s %s/tmux; touch %s" % (script, world.root, done)
        subprocess.run(tmux + ["new-session", "-d", line], env=world.env, check=True)
        wait_until("tmux", lambda: os.path.exists(done), 120)
        os.unlink(done)
        return took(world.root + "/tmux")

    runs = [ours, bare] + ([multiplexer] if tmux else [])
    found = interleave(1 if quick else 5, *runs)
    floor = Row("%d MB of output" % size, "floor: a bare PTY drained", "ms", found[1])
    yield Row(floor.bench, "codepiper, into the log, compared", "ms", found[0], floor)
    yield floor
    if tmux:
        yield Row(floor.bench, "tmux, nobody watching, nothing kept", "ms", found[2], floor)
    world.stop_daemon()


def idle(world, quick):
    """Memory, CPU and wake-ups while nothing happens."""
    settle, window = (1, 2) if quick else (5, 10)
    least = world.spawn([world.compile("pause", PAUSE)])
    world.start_daemon()
    sessions, empty = [], {}
    for count in SESSIONS:
        while len(sessions) < count:
            sessions.append(world.start_session("cat"))
        time.sleep(settle)
        ours = [around(session["pid"]) for session in sessions]
        for who, pids in (("daemon", [world.daemon.pid]),
                          ("keepers, sum", [keeper for keeper, *_ in ours]),
                          ("their cages, sum", [inner for _, *inners in ours for inner in inners])):
            if pids:
                yield from at_rest("idle, %d sessions" % count, who, pids, window, empty)
    yield from at_rest("idle", "floor: a static program in pause()", [least.pid], window, {})
    least.kill()
    least.wait()
    for session in sessions:
        world.end_session(session)
    world.stop_daemon()


def at_rest(bench, who, pids, window, empty):
    """One group of processes over a window of seconds. `empty` remembers the first private sum."""
    before = [activity(pid) for pid in pids]
    time.sleep(window)
    after = [activity(pid) for pid in pids]
    resident, private = zip(*(memory_kib(pid) for pid in pids))
    yield Row(bench, who + ", resident", "KiB", [sum(resident)])
    if None not in private:
        yield Row(bench, who + ", private", "KiB", [sum(private)])
        if who == "daemon":
            grown = sum(private) - empty.setdefault("private", sum(private))
            sessions = int(bench.split()[1])
            if sessions:
                yield Row(bench, "daemon, private for each session", "KiB", [grown / sessions])
        elif len(pids) > 1:
            yield Row(bench, "one of them, private", "KiB", private)
    switches = sum(b[0] - a[0] for a, b in zip(before, after))
    busy = sum(b[1] - a[1] for a, b in zip(before, after))
    yield Row(bench, who + ", wake-ups", "1/s", [switches / window])
    yield Row(bench, who + ", CPU", "%", [busy / window / 1e7])


def kill(world, quick):
    """kill -9 of the daemon with sessions running: how many live, how soon it answers again."""
    count, rounds = (3, 3) if quick else (30, 20)
    world.start_daemon()
    sessions = [world.start_session("cat") for _ in range(count)]

    def again():
        world.stop_daemon(signal.SIGKILL)
        return timed_ms(world.start_daemon)

    took = [again() for _ in range(rounds)]
    bench = "%d times kill -9, %d sessions" % (rounds, count)
    pids = {session["id"]: session["pid"] for session in sessions}
    living = wait_until("the sessions to be adopted", lambda: adopted(world, count))
    same = sum(1 for session in living if session["pid"] == pids[session["id"]])
    yield Row(bench, "codepiper daemon, until it answers again", "ms", took)
    yield Row(bench, "sessions that live on", "of %d" % count, [same])
    for session in sessions:
        world.end_session(session)
    world.stop_daemon()


def adopted(world, count):
    """The running sessions, once all of them are."""
    sessions = world.ask("GET", "/sessions")["sessions"]
    running = [s for s in sessions if s["status"] == "RUNNING"]
    return running if len(running) == count else None


def tmux_command(world):
    """tmux with a server of its own, or None on a machine without it."""
    found = shutil.which("tmux")
    return [found, "-S", world.root + "/tmux", "-f", "/dev/null"] if found else None


def write_lines(path, megabytes):
    """Writes numbered lines; returns (length, SHA-256) of what a terminal makes of them."""
    line = "%09d " + "abcdefghij" * 9 + "\n"
    text = "".join(line % number for number in range(megabytes * 10**6 // 101)).encode()
    with open(path, "wb") as file:
        file.write(text)
    shown = text.replace(b"\n", b"\r\n")
    return len(shown), hashlib.sha256(shown).hexdigest()


def log_digest(world, session):
    """(length, SHA-256) of a session's whole log."""
    digest, at = hashlib.sha256(), 0
    while True:
        path = "/sessions/%s/log?from=%d" % (session["id"], at)
        status, headers, page = world.request("GET", path)
        if status != 200 or int(headers.get("X-CodePiper-From", at)) != at:
            raise SystemExit("bench: the log has a gap at %d (status %d)" % (at, status))
        if not page:
            return at, digest.hexdigest()
        digest.update(page)
        at += len(page)


BENCHES = {"start": start, "cli": command, "echo": echo, "drain": drain, "idle": idle,
           "kill": kill, "evaluate": evaluate, "hook": hook, "approval": approval, "append": append,
           "audit": audit, "websocket": websocket, "web": web, "dashboard": dashboard,
           "cage": cage}
