"""Attempts to read what "strict" does not list: secrets in the home, other projects, files of the
machine. It knows by their first bytes, given by the test, that they are the ones outside.
"""
import os

from key import CLIMB, processes, same
from trial import Blocked, attempt, first


def read(path):
    """The file must give its bytes."""
    with open(path, "rb") as file:
        if not file.read(16):
            raise Blocked("the file is empty here")


@attempt("read.home_secret")
def secret(t):
    """A secret of the user's in the home."""
    read(t["home_secret"])
    return "read " + t["home_secret"]


@attempt("read.home_listed")
def listed(t):
    """The names in the home."""
    same(t["home"], t["home_ids"]["."])
    return "%d names" % len(os.listdir(t["home"]))


@attempt("read.outside_file")
def outside(t):
    """A file that belongs to no list."""
    read(t["outside_file"])
    return "read " + t["outside_file"]


@attempt("read.outside_proc_self_root")
def outside_by_root(t):
    """The same through this process's root."""
    read("/proc/self/root" + t["outside_file"])
    return "read " + t["outside_file"]


@attempt("read.outside_any_root")
def outside_by_any(t):
    """The same through any process's root or working directory."""
    return first(("/proc/%d/%s" % (pid, name),
                  lambda p=pid, n=name: read("/proc/%d/%s%s%s" % (p, n, CLIMB, t["outside_file"])))
                 for pid in processes() for name in ("root", "cwd"))


@attempt("read.sibling_project")
def sibling(t):
    """A file in another session's project."""
    read(os.path.join(t["sibling_dir"], t["sibling_file"]))
    return "read the sibling's file"


@attempt("read.machine_file")
def machine(t):
    """A file under /etc that programs do not need."""
    read(t["unlisted_file"])
    return "read " + t["unlisted_file"]
