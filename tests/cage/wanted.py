"""What must go on working in a session: a cage that blocks everything is no cage but a wall.
"""
import os
import shutil
import signal
import subprocess
import tempfile

from apart import SSH_HOST, SSH_NAME, SSH_SETTINGS
from calls import call
from sockets import connect
from trial import Blocked, NotHere, attempt

BWRAP = ["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--dev", "/dev"]


def runs(words):
    """The program must end well."""
    if not shutil.which(words[0]):
        raise NotHere(words[0] + " is not installed")
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Blocked("%d %s" % (done.returncode, done.stderr.strip()[:120]))
    return "ran"


@attempt("wanted.bwrap")
def nested(_):
    """The sandbox that agents use, without a /proc of its own."""
    return runs(BWRAP + ["true"])


@attempt("wanted.bwrap_proc")
def nested_proc(_):
    """The same with one."""
    return runs(BWRAP + ["--proc", "/proc", "true"])


@attempt("wanted.hook_socket")
def hook(t):
    """The session's own hooks reach the daemon."""
    connect(t["hook_socket"])
    return "connected"


@attempt("wanted.project_write")
def project(t):
    """The project can be written."""
    path = os.path.join(t["project"], ".hostile-wanted-%d" % os.getpid())
    with open(path, "w", encoding="ascii") as file:
        file.write("x")
    os.unlink(path)
    return "written"


@attempt("wanted.temp_write")
def temporary(_):
    """So can the temporary directory."""
    with tempfile.NamedTemporaryFile(dir="/tmp") as file:
        file.write(b"x")
    return "written"


@attempt("wanted.trace_child")
def debugger(_):
    """A debugger works on its own child."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        call("ptrace", 16, child, 0, 0)
        os.waitpid(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)
    return "traced"


@attempt("wanted.limit_child")
def limited(_):
    """A child's limits can be set by its number."""
    return runs(["prlimit", "--pid", str(os.getpid()), "--core=0:"])


@attempt("wanted.ssh_settings")
def settings(_):
    """ssh takes what the system has set, which it does from files of root's or its user's alone."""
    if not os.path.isdir(SSH_SETTINGS):
        raise NotHere("ssh is not installed")
    with tempfile.NamedTemporaryFile("w", dir="/tmp", encoding="ascii") as file:
        file.write("Include %s/*.conf\n" % SSH_SETTINGS)
        file.flush()
        done = subprocess.run(["ssh", "-F", file.name, "-G", SSH_HOST], capture_output=True,
                              text=True, check=False)
    if "hostname " + SSH_NAME not in done.stdout:
        raise Blocked(done.stderr.strip() or "it is not set")
    return "taken"


@attempt("wanted.own_terminal")
def terminal(_):
    """Programs find new terminals, and those their names."""
    first, second = os.openpty()
    name = os.ttyname(second)
    os.close(first)
    return name


@attempt("wanted.threads")
def semaphores(_):
    """Shared memory of its own, which multiprocessing needs."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(b"x")
    return "written"
