"""The system calls that an attempt makes, by number and without a shell or a library in between.
It knows Linux on x86-64 alone, and nothing of what an attempt is for. Every failure is an OSError.
"""
import ctypes
import os
import struct
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long

NUMBERS = {
    "ioctl": 16, "shmget": 29, "shmat": 30, "shmctl": 31, "getpid": 39, "fcntl": 72,
    "ptrace": 101, "capset": 126, "rt_sigqueueinfo": 129, "getpriority": 140,
    "setpriority": 141, "pivot_root": 155, "prctl": 157, "mount": 165, "umount2": 166,
    "tgkill": 234, "mq_open": 240, "add_key": 248, "request_key": 249, "keyctl": 250,
    "ioprio_set": 251, "ioprio_get": 252, "unshare": 272, "prlimit64": 302,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "sendmmsg": 307, "setns": 308,
    "process_vm_readv": 310, "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428,
    "move_mount": 429, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438,
    "mount_setattr": 442, "landlock_create_ruleset": 444, "landlock_restrict_self": 446,
}

NEWNS, NEWCGROUP, NEWIPC = 0x20000, 0x2000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
RDONLY, REMOUNT, BIND, MOVE, REC, PRIVATE = 1, 32, 4096, 8192, 16384, 1 << 18
DETACH = 2
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
TREE_CLONE, ATTR_RDONLY = 1, 1
ATTR_IDMAP, MOVE_EMPTY_PATH = 0x100000, 4
# The variable with a word for the attempt; the number of a process is none in every namespace.
OWNER = "HOSTILE_ATTEMPT"
PDEATHSIG, NO_NEW_PRIVS, DUMPABLE = 1, 38, 4


def call(name, *args):
    """Makes one call. Whole numbers go as they are, all 64 bits; bytes and buffers by address."""
    number = name if isinstance(name, int) else NUMBERS[name]
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in args]
    ctypes.set_errno(0)
    value = LIBC.syscall(ctypes.c_long(number), *words)
    if value == -1 and ctypes.get_errno():
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return value


def encoded(path):
    """A path, or none, as the kernel takes it."""
    return None if path is None else os.fsencode(path)


def mount(source, target, kind=None, flags=0, data=None):
    """mount(2)."""
    call("mount", encoded(source), encoded(target), encoded(kind), flags, encoded(data))


def umount(target, flags=0):
    """umount2(2)."""
    call("umount2", encoded(target), flags)


def open_tree(path, flags):
    """A copy of the mount at the path, as a descriptor."""
    return call("open_tree", AT_FDCWD, encoded(path), flags | os.O_CLOEXEC)


def clear_readonly(directory, path, flags):
    """Takes the mark read-only off a mount, or off a whole tree of them."""
    attributes = struct.pack("QQQQ", 0, ATTR_RDONLY, 0, 0)
    call("mount_setattr", directory, encoded(path), flags, attributes, len(attributes))


def new_user_namespace(more):
    """Enters a user namespace of its own, where this process has every capability."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", NEWUSER | more)
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", "%d %d 1" % (uid, uid))
    write("/proc/self/gid_map", "%d %d 1" % (gid, gid))


def write(path, text):
    """Writes a short text to a file of the kernel's, which must be there."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def mount_points():
    """The mount points of this process as (path, kind of file system, source)."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            left, _, right = line.rstrip("\n").partition(" - ")
            path = left.split(" ")[4].encode().decode("unicode_escape")
            kind, source = right.split(" ")[:2]
            found.append((path, kind, source))
    return found


def spot(where=None):
    """A new empty directory, to mount something on. Whoever runs the attempt removes it."""
    return tempfile.mkdtemp(prefix="hostile-%s-" % os.environ[OWNER], dir=where)


def remove_spots(owner, where):
    """Removes the empty directories that an attempt, which has ended, left. Never what is in one:
    were something mounted there, it would be the user's own files."""
    for directory in (tempfile.gettempdir(), where):
        for name in os.listdir(directory) if directory else ():
            if name.startswith("hostile-%s-" % owner):
                os.rmdir(os.path.join(directory, name))


def started(pid):
    """When a process began, in ticks since boot: the same word in every pid namespace."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[19])


def in_child(body):
    """Runs body in a forked child that dies with this process; gives its wait status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            LIBC.prctl(PDEATHSIG, 9)
            body()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
