"""One attempt: what it is called, that it runs in a child with a deadline, and what it came to. It
does not know what any attempt does.

An attempt is a function from targets to the words for how it got through. It ends by OSError or
Blocked if something stood in its way, and by NotHere if there is nothing to attempt. Anything
else, a wrong pointer or no answer within the deadline, is "broken": it proves nothing, no
expectation allows it, and so nothing that is wrong with an attempt can pass for a strong cage.
"""
import errno
import json
import os
import select
import signal
import time
import traceback

from calls import OWNER, remove_spots

DEADLINE = 5.0
# What the kernel says to a caller that is wrong or out of means, never to one that may not.
OWN_FAULTS = (errno.EFAULT, errno.EBADF, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

ATTEMPTS = {}


class Blocked(Exception):
    """Something stood in the way that is no error of a call."""


class NotHere(Exception):
    """There is nothing here that could be attempted."""


class Targets(dict):
    """What was given to attack. An attempt whose target was not given is not made."""

    def __missing__(self, name):
        raise NotHere("no target %s was given" % name)


def attempt(name):
    """Enters a function as the attempt of that name."""
    def enter(function):
        if name in ATTEMPTS:
            raise ValueError("two attempts are called " + name)
        ATTEMPTS[name] = function
        return function
    return enter


def first(ways):
    """Tries ways, pairs of words and a function, until one gets through; else the first error."""
    failure = None
    for words, way in ways:
        try:
            way()
            return words
        except (OSError, Blocked) as error:
            failure = failure or error
    raise failure or Blocked("there was no way to try")


def judge(function, targets):
    """Makes the attempt in this process."""
    try:
        return {"result": "open", "detail": str(function(targets))}
    except NotHere as reason:
        return {"result": "n/a", "detail": str(reason)}
    except Blocked as reason:
        return {"result": "blocked", "detail": str(reason)}
    except OSError as error:
        if error.errno in OWN_FAULTS:
            return {"result": "broken", "detail": traceback.format_exc(limit=-2)}
        return {"result": "blocked", "detail": errno.errorcode.get(error.errno, str(error))}
    except Exception:
        return {"result": "broken", "detail": traceback.format_exc(limit=-3)}


def run(function, targets, deadline=DEADLINE):
    """Makes the attempt in a child that leads a session of its own, and ends what is left of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setsid()
            os.environ[OWNER] = str(os.getpid())
            os.write(writer, json.dumps(judge(function, targets)).encode()[:60000])
        finally:
            os._exit(0)
    os.close(writer)
    said = answer(reader, time.monotonic() + deadline)
    os.close(reader)
    for end in (os.killpg, os.kill):
        try:
            end(child, signal.SIGKILL)
        except OSError:
            pass
    status = os.waitpid(child, 0)[1]
    remove_spots(child, targets.get("project"))
    if said:
        return json.loads(said)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSYS:
        return {"result": "blocked", "detail": "killed by SIGSYS"}
    return {"result": "broken", "detail": "no answer (wait status %d)" % status}


def answer(reader, end):
    """What the child wrote until the deadline, or nothing."""
    said = b""
    while time.monotonic() < end:
        if select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
            piece = os.read(reader, 65536)
            said += piece
            if not piece or said.endswith(b"}"):
                break
    return said
