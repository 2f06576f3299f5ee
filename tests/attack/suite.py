"""tests/data/http_attacks, as it was given, against a daemon with a login and two sessions. The
cases of hooks run inside of a session, where alone they can mean something."""
import os
import subprocess
import sys

from ground import PASSWORD, World

SUITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/http_attacks")


def run(binary, more):
    """Every case must pass."""
    with World(binary) as world:
        world.start_daemon()
        world.onboard()
        first, second = world.start("cat"), world.start("cat")
        common = ["--base", world.base, "--ws", "ws://127.0.0.1:%d/ws" % world.ws_port,
                  "--unix", world.control, "--home-unix", world.control]
        if not more:
            inside(world, common + ["--other-session", second])
        words = [sys.executable, SUITE] + common + [
            "--hook-unix", world.state + "/hook/hook.sock", "--password", PASSWORD,
            "--totp-secret", world.secret, "--totp-used-step", str(world.step), "--session", first,
            "--other-session", second, "--skip", "hook*", "--all"] + more
        code = subprocess.call(words)
        if world.daemon.poll() is not None:
            raise SystemExit("the daemon ended with %d:\n%s" % (world.daemon.returncode,
                                                                world.said()))
        if code:
            raise SystemExit("some cases failed")


def inside(world, common):
    """Runs the cases of hooks in a session."""
    outcome = world.root + "/hooks"
    words = " ".join("'%s'" % word for word in [sys.executable, SUITE] + common)
    script = "%s --only 'hook*' >'%s' 2>&1; echo $? >'%s.code'" % (words, outcome, outcome)
    world.wait(world.start("sh", "-c", script), 300)
    with open(outcome, encoding="utf-8") as file:
        print(file.read(), flush=True)
    with open(outcome + ".code", encoding="ascii") as file:
        if file.read().strip() != "0":
            raise SystemExit("some cases of hooks failed")
