"""Attempts on other processes: the daemon, the keeper of this session, a sibling session and its
keeper; and on the first process of the cage. It knows of them their ids outside and when they
began, by which a process of this session that has the same number is told from them.

None of it harms who is reached. A signal is 0, which asks for the same permission as SIGKILL; a
limit, a priority, a set of processors is read and set to what it was; a tracer that seizes without
stopping is let go by the end of the attempt.
"""
import ctypes
import os
import struct

from calls import NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWUSER, call, started, write
from trial import Blocked, NotHere, attempt, first

TARGETS = ("daemon", "keeper", "sibling", "sibling_keeper")
PTRACE_SEIZE = 0x4206
EFAULT, EBADF = 14, 9
NOFILE = 7


def target(t, who):
    """Its number, unless that is another process here."""
    if who == "reaper":
        if not t["pidns"]:
            raise NotHere("the cage has no first process of its own")
        return 1
    pid = t[who + "_pid"]
    try:
        same = started(pid) == t[who + "_start"]
    except (FileNotFoundError, ProcessLookupError):
        return pid
    if not same:
        raise Blocked("another process has this number here")
    return pid


def opened(path, flags=os.O_RDONLY):
    """Opens a file of /proc, which is where the kernel asks."""
    os.close(os.open(path, flags))


def some(path):
    """Reads of a file of /proc, which for these is where the kernel asks."""
    with open(path, "rb") as file:
        if not file.read(1):
            raise Blocked("there is nothing in it")


def environ(pid):
    """Its environment, secrets included."""
    some("/proc/%d/environ" % pid)


def memory(pid):
    """Its memory, for reading and writing."""
    opened("/proc/%d/mem" % pid, os.O_RDWR)


def maps(pid):
    """What is where in its memory."""
    some("/proc/%d/maps" % pid)


def root(pid):
    """Its root directory."""
    os.listdir("/proc/%d/root/" % pid)


def cwd(pid):
    """Its working directory."""
    os.listdir("/proc/%d/cwd/" % pid)


def descriptors(pid):
    """What it has open. Their numbers are nothing yet."""
    names = os.listdir("/proc/%d/fd" % pid)
    if not names:
        raise Blocked("none is to be seen")
    os.readlink("/proc/%d/fd/%s" % (pid, names[0]))


def vm_read(pid):
    """Its memory by a call. No address is known, so that EFAULT is the kernel's yes."""
    buffer = ctypes.create_string_buffer(8)
    here = struct.pack("QQ", ctypes.addressof(buffer), 8)
    yes_if(EFAULT, lambda: call("process_vm_readv", pid, here, 1, struct.pack("QQ", 8, 8), 1, 0))


def yes_if(code, body):
    """Takes one error for success: that which comes after the question of permission."""
    try:
        body()
    except OSError as error:
        if error.errno != code:
            raise


def seize(pid):
    """Traces it."""
    call("ptrace", PTRACE_SEIZE, pid, 0, 0)


def take_descriptor(pid):
    """A descriptor out of it."""
    take_by_handle(call("pidfd_open", pid, 0))


def take_by_handle(handle):
    """Which are open is not known, so that EBADF is the kernel's yes."""
    yes_if(EBADF, lambda: call("pidfd_getfd", handle, 1023, 0))


def enter(pid):
    """Its namespaces."""
    enter_by_handle(call("pidfd_open", pid, 0))


def enter_by_handle(handle):
    """Any of the namespaces of the process that the handle is of."""
    kinds = (NEWUSER | NEWNS, NEWUSER, NEWNS, NEWIPC, NEWPID, NEWNET, NEWCGROUP)
    first(("%x" % kind, lambda kind=kind: call("setns", handle, kind)) for kind in kinds)


def signal(pid):
    """kill(2), which SIGSTOP and SIGKILL would take as well."""
    os.kill(pid, 0)


def signal_group(pid):
    """Its process group."""
    os.kill(-pid, 0)


def signal_thread(pid):
    """Its first thread."""
    call("tgkill", pid, pid, 0)


def signal_handle(pid):
    """Over a handle."""
    signal_by_handle(call("pidfd_open", pid, 0))


def signal_by_handle(handle):
    """The process that the handle is of."""
    call("pidfd_send_signal", handle, 0, 0, 0)


def signal_queue(pid):
    """With a value."""
    call("rt_sigqueueinfo", pid, 0, struct.pack("iii", 0, 0, -1).ljust(128, b"\0"))


def limit(pid):
    """A limit: one of processor time kills, one of files starves."""
    old = ctypes.create_string_buffer(16)
    call("prlimit64", pid, NOFILE, 0, old)
    call("prlimit64", pid, NOFILE, old, 0)


def renice(pid):
    """Its priority. The call gives 20 minus it."""
    call("setpriority", 0, pid, 20 - call("getpriority", 0, pid))


def pin(pid):
    """The processors it runs on."""
    os.sched_setaffinity(pid, os.sched_getaffinity(pid))


def schedule(pid):
    """Its kind of turns."""
    os.sched_setscheduler(pid, os.sched_getscheduler(pid), os.sched_getparam(pid))


def disk_turns(pid):
    """Its turns at the disk."""
    call("ioprio_set", 1, pid, call("ioprio_get", 1, pid))


def out_of_memory(pid):
    """How soon it is killed when memory runs out."""
    path = "/proc/%d/oom_score_adj" % pid
    with open(path, encoding="ascii") as file:
        write(path, file.read())


WAYS = {"environ": environ, "mem": memory, "maps": maps, "root": root, "cwd": cwd,
        "fd": descriptors, "vm_read": vm_read, "ptrace": seize, "pidfd_getfd": take_descriptor,
        "setns": enter, "signal": signal, "signal_group": signal_group,
        "signal_thread": signal_thread, "pidfd_signal": signal_handle,
        "signal_queue": signal_queue, "prlimit": limit, "renice": renice, "affinity": pin,
        "scheduler": schedule, "ioprio": disk_turns, "oom_score_adj": out_of_memory}
# The first process of the cage is of the session, but outside of the inner namespaces.
OF_REAPER = ("environ", "mem", "root", "cwd", "fd", "vm_read", "ptrace", "pidfd_getfd", "setns",
             "signal")


def reach(who, way):
    """The attempt on one process in one way."""
    def body(t):
        pid = target(t, who)
        WAYS[way](pid)
        return "process %d" % pid
    return body


for each in TARGETS:
    for one in WAYS:
        attempt("%s.%s" % (each, one))(reach(each, one))
for one in OF_REAPER:
    attempt("reaper." + one)(reach("reaper", one))
