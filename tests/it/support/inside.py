"""The program of a test's session: does from inside what it is told, one order file at a time.

Orders are `N.order` (JSON) in the working directory, results `N.result`, both renamed into place.
Also answers to the name `claude`: the settings overlay is then among its arguments.
"""
import glob
import json
import os
import socket
import subprocess
import sys
import threading
import time
import tty

heard = bytearray()  # all that was typed, once `listen` was ordered
reactions = []  # (what must be typed, behind which byte, what is printed then), each once


def done(name, result):
    with open(name + ".new", "w") as file:
        json.dump(result, file)
    os.rename(name + ".new", name + ".result")


def talk(stream, order):
    """Sends what is ordered and reads to the end."""
    stream.settimeout(20)
    reply = b""
    try:
        stream.sendall(order["send"].encode())
        while True:
            piece = stream.recv(65536)
            if not piece:
                break
            reply += piece
    except (BrokenPipeError, ConnectionResetError):
        pass
    return {"reply": reply.decode("latin-1")}


def dial(path):
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    return stream


def connect(name, order):
    how = order["how"]
    if how == "plain":
        return done(name, talk(dial(order["socket"]), order))
    if how == "renamed":  # calls itself a keeper
        child = os.fork()
        if child == 0:
            with open("/proc/self/comm", "w") as comm:
                comm.write("codepiper-keep")
            done(name, talk(dial(order["socket"]), order))
            os._exit(0)
        return os.waitpid(child, 0)
    child = os.fork()
    if child == 0:
        if how == "orphan":
            os.setsid()
            middle = os.getpid()
            if os.fork() != 0:
                os._exit(0)
            while os.getppid() == middle:
                time.sleep(0.005)
            done(name, talk(dial(order["socket"]), order))
            os._exit(0)
        # The one that connects ends, its child goes on with the connection.
        stream, dialled = dial(order["socket"]), os.getpid()
        if os.fork() != 0:
            os._exit(0)
        while not gone(dialled, how == "zombie"):
            time.sleep(0.005)
        done(name, talk(stream, order))
        os._exit(0)
    if how == "zombie":
        while not os.path.exists(name + ".result"):
            time.sleep(0.005)
    os.waitpid(child, 0)


def gone(pid, zombie):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return zombie and stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


running = {}  # hooks that are waited for, by the name of their order


def hook(name, order):
    """Runs the hook of an event as the settings overlay names it, as the agent would."""
    if order.get("aside"):
        order["aside"] = False
        return threading.Thread(target=hook, args=(name, order), daemon=True).start()
    with open(sys.argv[sys.argv.index("--settings") + 1]) as file:
        overlay = json.load(file)
    (entry,) = overlay["hooks"][order["stdin"]["hook_event_name"]]
    (command,) = entry["hooks"]
    run = running[name] = subprocess.Popen(
        [command["command"]] + command["args"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, **order.get("env", {})),
    )
    stdin = json.dumps({"cwd": os.getcwd(), **order["stdin"]}).encode()
    out, err = run.communicate(stdin, timeout=command["timeout"])
    done(name, {"code": run.returncode, "stdout": out.decode(), "stderr": err.decode()})


def withdraw(name, order):
    """Ends a hook that runs aside, as an agent does whose person said no."""
    running[str(order["order"])].terminate()
    done(name, {})


def run(name, order):
    """Runs a program with this standard input, given as text or as the path of a file."""
    stdin = order.get("stdin", "").encode()
    if "stdin_file" in order:
        with open(order["stdin_file"], "rb") as file:
            stdin = file.read()
    env = dict(os.environ, **order.get("env", {}))
    ran = subprocess.run(order["argv"], input=stdin, capture_output=True, env=env)
    out, err = ran.stdout.decode(), ran.stderr.decode()
    done(name, {"code": ran.returncode, "stdout": out, "stderr": err})


def many(name, order):
    """Knocks again and again."""
    for _ in range(order["times"]):
        try:
            talk(dial(order["socket"]), order)
        except OSError:
            pass
    done(name, {})


def say(name, order):
    """Prints on the terminal, escape sequences and all."""
    sys.stdout.write(order["text"])
    sys.stdout.flush()
    done(name, {})


def facts(name, order):
    done(name, {"env": dict(os.environ), "argv": sys.argv})


def hear():
    while True:
        heard.extend(os.read(0, 65536))
        while reactions and reactions[0][0] in heard[reactions[0][1]:]:
            os.write(1, reactions.pop(0)[2])


def listen(name, order):
    """From now on keys are read one by one, as an agent does it."""
    tty.setraw(0)
    threading.Thread(target=hear, daemon=True).start()
    done(name, {})


def react(name, order):
    """Once something is typed behind what was typed so far, prints something at once."""
    reactions.append((order["on"].encode(), len(heard), order["say"].encode()))
    done(name, {})


def typed(name, order):
    done(name, {"typed": heard.decode("utf-8", "replace")})


ORDERS = {
    "connect": connect,
    "facts": facts,
    "hook": hook,
    "listen": listen,
    "many": many,
    "react": react,
    "run": run,
    "say": say,
    "typed": typed,
    "withdraw": withdraw,
}

print("inside", flush=True)
while True:
    for path in sorted(glob.glob("*.order")):
        with open(path) as file:
            told = json.load(file)
        os.unlink(path)
        ORDERS[told["do"]](path[: -len(".order")], told)
    time.sleep(0.01)
