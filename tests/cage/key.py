"""Attempts on the daemon's files: the master key, its directory, and descriptors left open. They do
not undo a mask (that is mounts.py): they look for a way around it."""
import errno
import os

from trial import Blocked, attempt, first

CLIMB = "/.." * 40


def read(path, directory=None):
    """The key must give its bytes: to be found is not enough."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not os.read(descriptor, 64):
            raise Blocked("the file is empty here")
    finally:
        os.close(descriptor)


def same(path, identity):
    """The directory or file must be the one outside, and not one put in its place."""
    found = os.stat(path)
    if [found.st_dev, found.st_ino] != list(identity):
        raise Blocked("not the one outside")


def processes():
    """Every process that this one sees."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


@attempt("key.path")
def by_path(t):
    """Opens it by its name."""
    read(t["key"])
    return "read by path"


@attempt("key.proc_self_root")
def by_own_root(t):
    """Through the link that leads to the root of this process."""
    read("/proc/self/root" + t["key"])
    return "read through /proc/self/root"


@attempt("key.proc_self_cwd")
def by_own_directory(t):
    """Upwards from the working directory, which may have been opened before a mask was there."""
    read("/proc/self/cwd" + CLIMB + t["key"])
    return "read through /proc/self/cwd"


@attempt("key.proc_any_root")
def by_any_root(t):
    """Through the root of any process."""
    return first(("read through /proc/%d/root" % pid,
                  lambda pid=pid: read("/proc/%d/root%s" % (pid, t["key"])))
                 for pid in processes())


@attempt("key.proc_any_cwd")
def by_any_directory(t):
    """Upwards from the working directory of any process."""
    return first(("read through /proc/%d/cwd" % pid,
                  lambda pid=pid: read("/proc/%d/cwd%s%s" % (pid, CLIMB, t["key"])))
                 for pid in processes())


@attempt("key.proc_any_fd")
def by_any_descriptor(t):
    """Through every descriptor of every process: the key itself, or upwards from a directory."""
    def ways():
        for pid in processes():
            base = "/proc/%d/fd" % pid
            try:
                names = os.listdir(base)
            except OSError:
                continue
            for name in names:
                path = "%s/%s" % (base, name)
                if os.path.isdir(path):
                    yield "read upwards of " + path, lambda p=path: read(p + CLIMB + t["key"])
                elif link(path) == t["key"]:
                    yield "read through " + path, lambda p=path: read(p)
    return first(ways())


def link(path):
    """What a link names, or nothing."""
    try:
        return os.readlink(path)
    except OSError:
        return None


@attempt("key.inherited_directory")
def by_inherited(t):
    """Upwards from every directory that was handed down open."""
    ways = []
    for descriptor in t["inherited"]:
        if os.path.isdir("/proc/self/fd/%d" % descriptor):
            ways.append(("read from descriptor %d" % descriptor,
                         lambda d=descriptor: read((CLIMB + t["key"]).lstrip("/"), d)))
    if not ways:
        raise Blocked("no directory was handed down")
    return first(ways)


@attempt("inherited.descriptors")
def inherited(t):
    """Any descriptor past the three of the terminal that nobody meant to hand down."""
    left = ["%d: %s" % (number, link("/proc/self/fd/%d" % number))
            for number in t["inherited"] if number > 2]
    if not left:
        raise Blocked("none was handed down")
    return "; ".join(left)


@attempt("key.hard_link")
def by_hard_link(t):
    """Gives the key a second name in the project."""
    name = os.path.join(t["project"], ".hostile-link-%d" % os.getpid())
    os.link(t["key"], name)
    try:
        read(name)
    finally:
        os.unlink(name)
    return "read by a second name"


@attempt("state.list")
def list_state(t):
    """Reads what the state directory holds besides the way to the hooks."""
    hook = os.path.relpath(t["hook_socket"], t["state_dir"]).split("/")[0]
    names = sorted(set(os.listdir(t["state_dir"])) - {hook})
    if not names:
        raise Blocked("nothing to be seen but the way to the hooks")
    return "sees " + " ".join(names[:8])


@attempt("state.write")
def plant_state(t):
    """Plants a file of its own beside the key."""
    same(t["state_dir"], t["state_id"])
    path = os.path.join(t["state_dir"], ".hostile-%d" % os.getpid())
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)
    return "planted a file in the state directory"


@attempt("state.remove")
def remove_state(t):
    """Would remove or rename the directory itself, or the mask over it, out of the user's home. It
    holds files, so that where nothing else stands in the way the kernel says that it is not empty:
    that is the proof, without harm."""
    same(os.path.dirname(t["state_dir"]), t["state_parent_id"])
    try:
        os.rmdir(t["state_dir"])
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return "only its own files stood in the way"
    raise Blocked("it was another one, and empty")


@attempt("state.database")
def read_database(t):
    """Reads the database of every session."""
    read(os.path.join(t["state_dir"], t["database"]))
    return "read the database"
