"""Attempts on Unix sockets: the daemon's, other programs' that would act for the user outside of
a cage, the abstract ones, and those over which coding agents steer one another.
"""
import os
import socket

from key import CLIMB, processes, read
from processes import enter_by_handle, signal_by_handle, take_by_handle
from trial import Blocked, Targets, attempt, first

PEERPIDFD = 77
# Programs that do for whoever connects what a caged program cannot do itself.
SENTINELS = ("ssh_agent", "ssh_agent_home", "tmux", "screen", "docker", "bus", "system_bus", "gpg",
             "x11", "late")
# How coding agents reach one another, as the same user.
CHANNELS = ("cc_socks", "cc_socks_run", "cc_daemon", "claude_host", "codex_daemon")
VARIABLES = ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "TMUX", "TMUX_PANE", "STY",
             "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "VSCODE_IPC_HOOK_CLI",
             "WSL_INTEROP")


def connect(path):
    """Somebody must take the connection."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(2)
        end.connect(near(path))


def near(path):
    """The path, or if that is too long for a socket's address, one through its directory."""
    if len(os.fsencode(path)) < 108:
        return path
    directory = os.open(os.path.dirname(path), os.O_PATH)
    return "/proc/self/fd/%d/%s" % (directory, os.path.basename(path))


def connect_handle(path):
    """Over a handle of the socket file instead of its name."""
    handle = os.open(path, os.O_PATH)
    try:
        connect("/proc/self/fd/%d" % handle)
    finally:
        os.close(handle)


def ways(path):
    """The ways to a pathname socket that need no other process."""
    return [("connected by path", lambda: connect(path)),
            ("connected through /proc/self/root", lambda: connect("/proc/self/root" + path)),
            ("connected over an O_PATH handle", lambda: connect_handle(path))]


@attempt("control.path")
def control_by_path(t):
    """By its name."""
    connect(t["control_socket"])
    return "connected"


@attempt("control.link")
def control_by_link(t):
    """By the documented name in /tmp, a link."""
    connect(t["control_link"])
    return "connected"


@attempt("control.o_path")
def control_by_handle(t):
    """Over a handle."""
    connect_handle(t["control_socket"])
    return "connected"


@attempt("control.proc_self_root")
def control_by_own_root(t):
    """Through this process's root."""
    connect("/proc/self/root" + t["control_socket"])
    return "connected"


@attempt("control.proc_daemon_root")
def control_by_its_root(t):
    """Through the daemon's root."""
    connect("/proc/%d/root%s" % (t["daemon_pid"], t["control_socket"]))
    return "connected"


@attempt("control.proc_daemon_cwd")
def control_by_its_directory(t):
    """Upwards from the daemon's working directory."""
    connect("/proc/%d/cwd%s%s" % (t["daemon_pid"], CLIMB, t["control_socket"]))
    return "connected"


@attempt("control.proc_any_root")
def control_by_any_root(t):
    """Through any process's root or working directory."""
    return first(("connected through /proc/%d/%s" % (pid, name),
                  lambda pid=pid, name=name: connect(
                      "/proc/%d/%s%s%s" % (pid, name, CLIMB, t["control_socket"])))
                 for pid in processes() for name in ("root", "cwd"))


@attempt("control.inherited_directory")
def control_by_inherited(t):
    """Upwards from a directory that was handed down open."""
    tried = [("connected from descriptor %d" % number,
              lambda n=number: connect("/proc/self/fd/%d%s%s" % (n, CLIMB, t["control_socket"])))
             for number in t["inherited"] if os.path.isdir("/proc/self/fd/%d" % number)]
    return first(tried)


@attempt("control.keeper_sockets")
def keepers(t):
    """Any keeper's socket: who has it has the session."""
    directory = t["keeper_sockets"]
    return first((name, lambda n=name: connect(os.path.join(directory, n)))
                 for name in os.listdir(directory))


def with_peer(body):
    """The attempt with a handle of whoever listens, which the kernel gives across namespaces."""
    def made(t):
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(2)
            end.connect(near(t["hook_socket"]))
            handle = end.getsockopt(socket.SOL_SOCKET, PEERPIDFD)
            body(handle)
        return "done to who listens for hooks"
    return made


for peer_way, function in {"signal": signal_by_handle, "pidfd_getfd": take_by_handle,
                           "setns": enter_by_handle}.items():
    attempt("daemon.peer_" + peer_way)(with_peer(function))


@attempt("abstract.connect")
def abstract(t):
    """A stream socket of the abstract kind, which is no file and which no mount covers."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(2)
        end.connect("\0" + t["abstract_socket"])
    return "connected"


@attempt("abstract.datagram")
def abstract_datagram(t):
    """The same without a connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.sendto(b"hostile", "\0" + t["abstract_datagram"])
    return "sent"


def sentinel(name):
    """The attempt on one listening program."""
    def body(t):
        return first(ways(Targets(t["sentinels"])[name]))
    return body


def channel(name):
    """The attempt on one channel between agents."""
    def body(t):
        return first(ways(Targets(t["agent_channels"])[name]))
    return body


for each in SENTINELS:
    attempt("socket." + each)(sentinel(each))
for each in CHANNELS:
    attempt("agents." + each)(channel(each))


@attempt("agents.registry_key")
def registry(t):
    """Reads the key with which a sibling's agent takes orders."""
    read(t["registry_key"])
    return "read the key of a sibling's agent"


@attempt("agents.registry_overwrite")
def registry_overwrite(t):
    """Opens a sibling's entry for writing, which takes it out of the list or changes it."""
    os.close(os.open(t["registry_key"], os.O_WRONLY))
    return "could change a sibling's entry"


@attempt("agents.registry_clash")
def registry_clash(t):
    """Agents name their entries by process id: the ids of two sessions must not be the same."""
    if not t["pidns"]:
        raise Blocked("ids are the host's")
    own, first_of_session = os.getpid(), t["keeper_pid"]
    if own > first_of_session:
        raise Blocked("ids go on from the keeper's")
    return "process %d here, while the keeper outside is %d" % (own, first_of_session)


@attempt("environment.channels")
def variables(_):
    """Variables that tell programs where to find what a cage hides. One that leads to an empty
    directory tells nothing, and programs need it."""
    left = [name for name in VARIABLES if os.environ.get(name)]
    if "XDG_RUNTIME_DIR" in left and not os.listdir(os.environ["XDG_RUNTIME_DIR"]):
        left.remove("XDG_RUNTIME_DIR")
    if not left:
        raise Blocked("none is set")
    return "set: " + " ".join(left)
