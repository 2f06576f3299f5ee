"""The dashboard in a browser, where Node and Chromium are there."""
import json
import os
import shutil
import subprocess
import sys

from measure import Row, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "../attack"))
from ground import free_ports

SESSIONS = 100
UPDATES = 200
FLOOD = "read line; head -c 50000000 /dev/zero | tr '\\0' x | fold -w 150; echo DONE; exec cat"


def dashboard(world, quick):
    """First visit, a busy list, and a terminal that draws 50 MB, as a person feels them."""
    if not (shutil.which("node") and shutil.which("chromium")):
        print("  skipped: needs node and chromium")
        return
    port, ws_port = free_ports(2)
    world.env.update(CODEPIPER_WEB="1", CODEPIPER_PORT=str(port), CODEPIPER_WS_PORT=str(ws_port))
    world.start_daemon()
    world.ask("PUT", "/settings/daemon", {"maxSessions": SESSIONS + 10})
    flood = world.start_session("sh", "-c", FLOOD)
    sessions = [world.start_session("cat") for _ in range(SESSIONS)]
    for figure in story(world, port, flood, sessions, "2" if quick else "10"):
        yield Row(figure["bench"], figure["who"], "ms", figure["samples"])
    for session in sessions + [flood]:
        world.end_session(session)
    world.stop_daemon()
    for name in ("CODEPIPER_WEB", "CODEPIPER_PORT", "CODEPIPER_WS_PORT"):
        del world.env[name]


def story(world, port, flood, sessions, rounds):
    """Runs the script, does what it orders, and yields its figures."""
    fetched = subprocess.run([HERE + "/../e2e/fetch.sh", "browser"], check=True, text=True,
                             capture_output=True).stdout.strip()
    first = world.ask("POST", "/auth/cli/bootstrap", {})["bootstrapPassword"]
    env = dict(os.environ, PLAYWRIGHT=os.path.dirname(fetched), BOOTSTRAP=first, ROUNDS=rounds,
               URL="http://127.0.0.1:%d" % port, FLOOD_ID=flood["id"])
    script = subprocess.Popen(["node", HERE + "/dashboard.mjs"], env=env, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in script.stdout:
        said = json.loads(line)
        if "do" not in said:
            yield said
            continue
        if said["do"] == "rename":
            for number in range(UPDATES):
                one = sessions[number % len(sessions)]["id"]
                world.ask("PUT", "/sessions/%s/name" % one, {"name": "name %d" % number})
        else:
            world.ask("POST", "/sessions/%s/keys" % flood["id"], {"keys": ["enter"]})
            wait_until("the flood's end", lambda: drained(world, flood["id"]), seconds=120)
        script.stdin.write("done\n")
        script.stdin.flush()
    if script.wait() != 0:
        raise SystemExit("bench: dashboard.mjs ended with %d" % script.returncode)


def drained(world, session):
    """Whether the program has printed its last line."""
    return "DONE" in world.ask("GET", "/sessions/%s/output" % session)["output"]
