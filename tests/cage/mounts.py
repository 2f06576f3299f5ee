"""Attempts to undo the cage's mounts: to uncover the key, and to make writable what is read-only.
Each is made twice, with the rights that the session has as it is ("direct") and with those that a
user namespace of its own gives ("nested"), always in a copy of the mounts that ends with it, so
that what is uncovered stays covered for the next attempt.
"""
import os
import shutil
import struct
import subprocess

from calls import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, BIND, DETACH, MOVE, NEWNS, PRIVATE, REC
from calls import REMOUNT, TREE_CLONE, call, clear_readonly, mount, mount_points
from calls import new_user_namespace, open_tree, spot, umount
from key import read
from trial import Blocked, NotHere, attempt, first

NSFS_ROOT = -10003


def arena(nested):
    """A copy of the mounts. Without the right to have one, nothing that needs it succeeds either,
    and the attempts are then made where they are."""
    if nested:
        new_user_namespace(NEWNS)
    else:
        try:
            call("unshare", NEWNS)
        except OSError:
            return
    mount(None, "/", None, REC | PRIVATE)


def covers(path):
    """Where something is mounted at or over the path, the nearest first, without the root."""
    found = {point for point, _, _ in mount_points()
             if point != "/" and (path + "/").startswith(point + "/")}
    return sorted(found, key=len, reverse=True)


def ancestors(path):
    """Every directory above, to the root."""
    while path != "/":
        path = os.path.dirname(path)
        yield path


def masks(t):
    """What stands over the key, if anything does."""
    found = covers(t["key"])
    if not found:
        raise NotHere("nothing is mounted over the key")
    return found


def below(top, directory, path):
    """The path as it is below a copy of the directory at top."""
    return top + "/" + os.path.relpath(path, directory)


def uncover(flags):
    """Unmounts everything over the key, and what is mounted on that before it."""
    def way(mask):
        for point in sorted((point for point, _, _ in mount_points()), reverse=True):
            if point.startswith(mask + "/"):
                umount(point, flags)
        umount(mask, flags)

    def body(t):
        first((mask, lambda m=mask: way(m)) for mask in masks(t))
        read(t["key"])
    return body


def copies(t):
    """Every directory over a mask, as the start of a copy."""
    return sorted({each for mask in masks(t) for each in ancestors(mask)})


def bind(t):
    """A copy of a directory above, without what is mounted in it."""
    def way(directory):
        top = spot()
        mount(directory, top, None, BIND)
        read(below(top, directory, t["key"]))
    first((each, lambda e=each: way(e)) for each in copies(t))


def rbind(t):
    """A copy with everything in it, of which the mask is then unmounted."""
    def way(directory, mask):
        top = spot()
        mount(directory, top, None, BIND | REC)
        umount(below(top, directory, mask), DETACH)
        read(below(top, directory, t["key"]))
    first((each, lambda e=each, m=mask: way(e, m))
          for mask in masks(t) for each in ancestors(mask))


def move(t):
    """Moves the mask elsewhere."""
    first((mask, lambda m=mask: mount(m, spot(), None, MOVE)) for mask in masks(t))
    read(t["key"])


def tree(t):
    """A copy of a directory above as a descriptor, mounted nowhere."""
    def way(directory):
        read(os.path.relpath(t["key"], directory), open_tree(directory, TREE_CLONE))
    first((each, lambda e=each: way(e)) for each in copies(t))


def overlay(t):
    """A directory above as the lower layer of another file system, which sees past mounts."""
    def way(directory):
        base = spot()
        mount("none", base, "tmpfs")
        for name in ("upper", "work", "top"):
            os.mkdir(base + "/" + name)
        mount("none", base + "/top", "overlay", 0,
              "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (directory, base, base))
        read(below(base + "/top", directory, t["key"]))
    first((each, lambda e=each: way(e)) for each in copies(t))


def handle(t):
    """The file's handle, which names it without a path."""
    masks(t)
    kind, data = t["key_handle"]
    data = bytes.fromhex(data)
    whole = struct.pack("Ii", len(data), kind) + data
    ways = [(each, lambda e=each: by_handle(e, whole)) for each in ("/", "/tmp", t["project"])]
    first(ways)


def by_handle(directory, whole):
    """Opens it in the file system that the directory is in."""
    within = os.open(directory, os.O_RDONLY)
    os.read(call("open_by_handle_at", within, whole, os.O_RDONLY), 1)


def namespace(t):
    """The mounts outside by their handle, which newer kernels have for namespaces."""
    masks(t)
    kind, data = t["mounts_handle"]
    data = bytes.fromhex(data)
    whole = struct.pack("Ii", len(data), kind) + data
    call("setns", call("open_by_handle_at", NSFS_ROOT, whole, os.O_RDONLY), NEWNS)
    read(t["key"])


def second_mount(t):
    """Mounts the disk once more."""
    masks(t)
    first(once_more(t["key"], read))


def once_more(path, use):
    """The file on a new mount of each disk. Marked as the old ones are, else the kernel says that
    it is busy."""
    def way(kind, source):
        top = spot()
        mount(source, top, kind)
        use(top + path)
    for point, kind, source in mount_points():
        if source.startswith("/dev/"):
            yield point, lambda k=kind, s=source: way(k, s)


MASK = {"umount": uncover(0), "umount_lazy": uncover(DETACH), "bind": bind, "rbind": rbind,
        "move": move, "open_tree": tree, "overlay": overlay, "handle": handle,
        "namespace": namespace, "second_mount": second_mount}


def append(path):
    """Opens a file for writing, which proves that it can be, and writes nothing."""
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def closed(t):
    """The file to write to; there is nothing to undo where it is open already."""
    path = t["outside_file"]
    try:
        append(path)
    except OSError:
        return path
    raise NotHere("it can be written as it is")


def remount(t):
    """Marks the mount itself writable."""
    path = closed(t)
    for point in covers(path) + ["/"]:
        mount(None, point, None, REMOUNT | BIND)
    append(path)


def bind_remount(more):
    """Marks a copy writable."""
    def body(t):
        path = closed(t)

        def way(directory):
            top = spot(t["project"])
            mount(directory, top, None, BIND | more)
            mount(None, top, None, REMOUNT | BIND)
            append(below(top, directory, path))
        first((each, lambda e=each: way(e)) for each in ancestors(path))
    return body


def set_attributes(t):
    """Takes the mark off a whole tree."""
    path = closed(t)
    first((point, lambda p=point: clear_readonly(AT_FDCWD, p, AT_RECURSIVE))
          for point in covers(path) + ["/"])
    append(path)


def second_mount_written(t):
    """Mounts the disk once more, writable."""
    first(once_more(closed(t), append))


def tree_attributes(t):
    """Takes the mark off a copy that is mounted nowhere."""
    path = closed(t)

    def way(directory):
        copy = open_tree(directory, TREE_CLONE | AT_RECURSIVE)
        clear_readonly(copy, "", AT_EMPTY_PATH | AT_RECURSIVE)
        os.close(os.open(os.path.relpath(path, directory), os.O_WRONLY | os.O_APPEND, dir_fd=copy))
    first((each, lambda e=each: way(e)) for each in ancestors(path))


def bwrap(t):
    """Lets the sandbox that agents use make everything writable."""
    path = closed(t)
    if not shutil.which("bwrap"):
        raise NotHere("bwrap is not installed")
    done = subprocess.run(["bwrap", "--unshare-user", "--bind", "/", "/", "sh", "-c", '>>"$0"',
                           path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Blocked(done.stderr.strip()[:120])


UNLOCK = {"remount": remount, "bind_remount": bind_remount(0), "rbind_remount": bind_remount(REC),
          "setattr": set_attributes, "open_tree_setattr": tree_attributes,
          "second_mount": second_mount_written, "bwrap_bind": bwrap}


def as_they_are(body, nested):
    """The attempt with the session's own rights, or with those of a new user namespace."""
    def made(t):
        arena(nested)
        body(t)
        return "done " + ("in a user namespace of its own" if nested else "as it is")
    return made


for table, row in ((MASK, "mask"), (UNLOCK, "readonly")):
    for way_name, function in table.items():
        attempt("%s.%s.direct" % (row, way_name))(as_they_are(function, False))
        attempt("%s.%s.nested" % (row, way_name))(as_they_are(function, True))


@attempt("mask.names")
def sees(t):
    """Whether the key's name is to be found at all in the directory that should be covered."""
    masks(t)
    if os.path.basename(t["key"]) in os.listdir(t["state_dir"]):
        return "sees the name"
    raise Blocked("the name is not there")
