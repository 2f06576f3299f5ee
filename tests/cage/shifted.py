"""A cage made by hand for a session of root: its users are others outside, and the file system
gives them root's files as their own. It knows one file system, that of the root directory.
"""
import os
import signal
import struct

from cages import enter, first_process, no_groups
from calls import ATTR_IDMAP, AT_EMPTY_PATH, AT_FDCWD, BIND, DETACH, DUMPABLE, LIBC
from calls import MOVE_EMPTY_PATH, NEWIPC, NEWNS, NEWPID, NEWUSER, PDEATHSIG, PRIVATE, REC
from calls import TREE_CLONE, call, mount, open_tree, spot, umount, write
from filters import filter_calls, restrict

MAP = "0 100000 65536"


def user_namespace():
    """A descriptor of a user namespace with the map, for the file system to go by."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        LIBC.prctl(PDEATHSIG, signal.SIGKILL)
        call("unshare", NEWUSER)
        os.write(writer, b"x")
        while True:
            signal.pause()
    os.read(reader, 1)
    for name in ("uid_map", "gid_map"):
        write("/proc/%d/%s" % (child, name), MAP)
    found = os.open("/proc/%d/ns/user" % child, os.O_RDONLY)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return found


def shifted_root():
    """Makes a copy of the root directory's mount, with other users, the root directory."""
    tree = open_tree("/", TREE_CLONE)
    attributes = struct.pack("QQQQ", ATTR_IDMAP, 0, 0, user_namespace())
    call("mount_setattr", tree, b"", AT_EMPTY_PATH, attributes, len(attributes))
    top = spot("/srv")
    call("move_mount", tree, b"", AT_FDCWD, top.encode(), MOVE_EMPTY_PATH)
    for name in ("/dev", "/sys", "/proc", "/tmp", "/run", "/usr/local/bin"):
        mount(name, top + name, None, BIND | REC)
    os.chdir(top)
    call("pivot_root", b".", b".")
    umount(".", DETACH)
    os.rmdir(top)
    os.chdir("/")


def shifted(scene, words, variables):
    """Everything that guard has, with shifted users. The mounts are made by root itself."""
    os.environ["HOSTILE_ATTEMPT"] = "shifted"
    call("unshare", NEWNS)
    mount(None, "/", None, REC | PRIVATE)
    shifted_root()
    call("unshare", NEWPID)
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    LIBC.prctl(PDEATHSIG, signal.SIGKILL)
    first_process(scene, "guard")
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    enter(NEWNS | NEWIPC, MAP)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    LIBC.prctl(DUMPABLE, 1)
    no_groups()
    enter(NEWNS, "0 0 65536")
    os.chdir(scene.targets["project"])
    restrict()
    filter_calls(False)
    os.execve(words[0], words, variables)
