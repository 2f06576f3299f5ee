"""Attempts on doors of the kernel: system calls that a cage closes, memory shared between sessions,
control groups, and files whose owner is the machine.
"""
import ctypes
import mmap
import os
import signal
import struct

from calls import NEWCGROUP, NEWIPC, NEWNS, NEWPID, PRIVATE, REC, call, in_child, mount
from calls import new_user_namespace, spot, umount
from trial import Blocked, NotHere, attempt, first

SHM_STAT_ANY, SHM_INFO = 15, 14
X32 = 0x40000000
INTO_CGROUP = 0x200000000


def number_of_process():
    """A stub that asks by the 32-bit gate for the process's number: mov eax, 20; int 0x80; ret."""
    return b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"


def stub(code):
    """Machine code as a function, and the page that it stands in, below 4 GiB."""
    page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40,
                     mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address), page, address


def through_gate(code, arguments=b"", at=64):
    """What the 32-bit gate answers; a kernel without it ends the process instead."""
    reader, writer = os.pipe()

    def body():
        function, page, address = stub(code)
        page[at:at + len(arguments)] = arguments
        patched = code.replace(b"ADDR", struct.pack("<I", (address + at) & 0xffffffff))
        page[0:len(patched)] = patched
        os.write(writer, struct.pack("i", function()))

    status = in_child(body)
    if status:
        raise Blocked("the gate ends the process, wait status %d" % status)
    value = struct.unpack("i", os.read(reader, 4))[0]
    if value < 0:
        raise OSError(-value, os.strerror(-value))
    return value


@attempt("kernel.int80")
def gate(_):
    """A call by the 32-bit gate, whose numbers are others than those a filter may know."""
    return "the 32-bit gate says process %d" % through_gate(number_of_process())


@attempt("kernel.int80_keyring")
def gate_keyring(_):
    """The keyrings by the 32-bit gate: keyctl(KEYCTL_GET_KEYRING_ID, session, 0)."""
    code = (b"\x53\xb8\x20\x01\x00\x00\x31\xdb\xb9\xfd\xff\xff\xff\x31\xd2\xcd\x80\x5b\xc3")
    return "keyring %d" % through_gate(code)


@attempt("kernel.x32")
def other_numbers(_):
    """A call by the x32 numbers, where the kernel has them."""
    return "process %d" % call(X32 | 39)


@attempt("kernel.keyctl")
def keyring(_):
    """The number of the session's keyring."""
    return "keyring %d" % call("keyctl", 0, ctypes.c_int(-3), 0)


@attempt("kernel.add_key")
def add_key(_):
    """Adds a key to this process's own ring."""
    return "key %d" % call("add_key", b"user\0", b"hostile\0", b"x", 1, ctypes.c_int(-2))


@attempt("kernel.request_key")
def request_key(_):
    """Asks for a key that is not there: that answer comes from within."""
    try:
        call("request_key", b"user\0", b"hostile-nowhere\0", None, 0)
    except OSError as error:
        if error.errno != 126:
            raise
    return "the kernel looked for it"


@attempt("kernel.io_uring")
def ring(_):
    """A ring of calls that no filter of calls sees."""
    os.close(call("io_uring_setup", 1, ctypes.create_string_buffer(256)))
    return "has a ring"


@attempt("ipc.sysv_shm")
def shared_memory(t):
    """System V memory of a sibling, by its key."""
    identity = call("shmget", t["shm_key"], 0, 0)
    address = call("shmat", identity, 0, 0o10000)
    return "reads %r" % ctypes.string_at(address, 8)


@attempt("ipc.sysv_scan")
def every_segment(t):
    """Every System V segment there is, without a key."""
    highest = call("shmctl", 0, SHM_INFO, ctypes.create_string_buffer(256))
    for index in range(highest + 1):
        data = ctypes.create_string_buffer(256)
        try:
            call("shmctl", index, SHM_STAT_ANY, data)
        except OSError:
            continue
        if struct.unpack_from("i", data.raw)[0] == t["shm_key"]:
            return "the sibling's segment is the %dth" % index
    raise Blocked("the sibling's segment is not to be seen")


@attempt("ipc.posix_shm")
def posix_memory(t):
    """Memory of a sibling by a name under /dev/shm."""
    os.close(os.open(t["posix_shm"], os.O_RDWR))
    return "opened for writing"


@attempt("ipc.posix_queue")
def posix_queue(t):
    """A message queue of a sibling."""
    os.close(call("mq_open", t["queue"].encode(), os.O_RDWR, 0, 0))
    return "opened for writing"


@attempt("cgroup.freeze")
def freeze(t):
    """Writes to a sibling's group whether it is frozen: what stands there already."""
    path = os.path.join(t["cgroup_dir"], "cgroup.freeze")
    descriptor = os.open(path, os.O_RDWR)
    os.write(descriptor, os.read(descriptor, 2))
    return "could freeze the sibling"


@attempt("cgroup.kill")
def kill(t):
    """Opens for writing what kills a sibling's group."""
    os.close(os.open(os.path.join(t["cgroup_dir"], "cgroup.kill"), os.O_WRONLY))
    return "could kill the sibling"


@attempt("cgroup.born_in")
def born_in(t):
    """Starts a process in a sibling's group, which no mark read-only on a mount keeps it from: it
    takes what is the sibling's, and leaves its own group, which could be frozen or killed."""
    group = os.open(t["cgroup_dir"], os.O_RDONLY | os.O_DIRECTORY)
    wanted = struct.pack("11Q", INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, group)
    child = call("clone3", wanted, len(wanted))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "started a process there"


@attempt("cgroup.fresh_mount")
def fresh_groups(t):
    """Mounts the control groups anew from a namespace of its own, where the group it is in is the
    top one, and looks there for others' processes: 0 is one that this pid namespace has not."""
    others = {0} if t["pidns"] else {0, t["daemon_pid"], t["sibling_pid"]}
    new_user_namespace(NEWNS | NEWCGROUP)
    mount(None, "/", None, REC | PRIVATE)
    top = spot()
    mount("none", top, "cgroup2")
    for directory, _, files in os.walk(top):
        if "cgroup.freeze" not in files:
            continue
        with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
            found = {int(word) for word in file.read().split()} & others
        if found:
            os.close(os.open(os.path.join(directory, "cgroup.freeze"), os.O_WRONLY))
            return "could freeze %s" % sorted(found)
    raise Blocked("no group with a process of somebody else")


def machine_file(path):
    """The attempt to open a file of the machine's for writing, without a byte written."""
    def body(_):
        if not os.path.exists(path):
            raise NotHere("there is no " + path)
        os.close(os.open(path, os.O_WRONLY))
        return "could be written"
    return body


MACHINE = {"core_pattern": "/proc/sys/kernel/core_pattern", "modprobe": "/proc/sys/kernel/modprobe",
           "sysrq": "/proc/sysrq-trigger", "uevent_helper": "/sys/kernel/uevent_helper",
           "hostname": "/proc/sys/kernel/hostname", "kmsg": "/dev/kmsg",
           "release_agent": "/sys/fs/cgroup/cpu/release_agent"}
for each, where in MACHINE.items():
    attempt("machine." + each)(machine_file(where))


def said_in_child(body):
    """Runs body as the first process of a new pid namespace, and raises what it raised."""
    def shell():
        try:
            body()
        except OSError as error:
            os._exit(error.errno)

    status = os.waitstatus_to_exitcode(in_child(shell))
    if status:
        raise OSError(status, os.strerror(status))


@attempt("machine.fresh_proc")
def fresh_proc(_):
    """The same file in a new /proc, of which no mount covers anything yet."""
    new_user_namespace(NEWNS | NEWPID | NEWIPC)
    mount(None, "/", None, REC | PRIVATE)

    def body():
        top = spot()
        mount("proc", top, "proc")
        os.close(os.open(top + "/sys/kernel/core_pattern", os.O_WRONLY))
        umount(top)

    said_in_child(body)
    return "could be written"


@attempt("machine.disk")
def disk(_):
    """Reads the disk past every file system."""
    names = [name for name in os.listdir("/sys/block") if name[:2] in ("vd", "sd", "nv")]
    if not names:
        raise NotHere("there is no disk")
    return first((name, lambda n=name: os.read(os.open("/dev/" + n, os.O_RDONLY), 512))
                 for name in names)


@attempt("machine.mknod")
def device(_):
    """Makes a name of its own for the disk and reads it."""
    with open("/sys/block/%s/dev" % sorted(os.listdir("/sys/block"))[-1], encoding="ascii") as file:
        major, minor = map(int, file.read().split(":"))
    path = spot() + "/disk"
    os.mknod(path, 0o60600, os.makedev(major, minor))
    try:
        os.close(os.open(path, os.O_RDONLY))
    finally:
        os.unlink(path)
    return "opened by a name of its own"
