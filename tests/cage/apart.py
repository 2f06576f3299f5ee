"""A place for attacks apart from the machine's own: what is made in /tmp, /run and shared memory is
seen by nobody else, and is gone with the last process there. It knows nothing of what is attacked.
"""
import os

from calls import BIND, NEWIPC, NEWNS, PRIVATE, REC, call, mount
from scene import HERE

PROGRAMS = "/usr/local/bin"
# What the system sets for ssh, and what that is for a host.
SSH_SETTINGS, SSH_HOST, SSH_NAME = "/etc/ssh/ssh_config.d", "caged", "set.invalid"


def mounts_apart(bwrap):
    """From here on /tmp, /run and shared memory are this process's own, and bwrap is where programs
    are found."""
    call("unshare", NEWNS | NEWIPC)
    mount(None, "/", None, REC | PRIVATE)
    here, text = os.open(HERE, os.O_PATH), None
    if bwrap:
        with open(bwrap, "rb") as file:
            text = file.read()
    mount("none", "/tmp", "tmpfs", 0, "mode=1777")
    mount("none", "/run", "tmpfs", 0, "mode=755")
    mount("none", "/dev/shm", "tmpfs", 0, "mode=1777")
    if not os.path.isdir(HERE):
        os.makedirs(HERE)
        mount("/proc/self/fd/%d" % here, HERE, None, BIND)
    os.close(here)
    if os.path.isdir(SSH_SETTINGS):
        mount("none", SSH_SETTINGS, "tmpfs", 0, "mode=755")
        with open(SSH_SETTINGS + "/20-cage.conf", "w", encoding="ascii") as file:
            file.write("Host %s\nHostName %s\n" % (SSH_HOST, SSH_NAME))
    if text:
        os.mkdir("/run/programs")
        with open("/run/programs/bwrap", "wb") as file:
            file.write(text)
        os.chmod("/run/programs/bwrap", 0o755)
        mount("none", PROGRAMS, "overlay", 0, "lowerdir=/run/programs:" + PROGRAMS)


def keep_owners():
    """From here on homes are on a file system whose files cannot be shown with other owners."""
    for name in ("new", "work"):
        os.makedirs("/run/kept/" + name)
    mount("none", "/home", "overlay", 0,
          "lowerdir=/home,upperdir=/run/kept/new,workdir=/run/kept/work")
