"""Attempts on terminals: drawing on another session's, and typing into one's own as if a person
did. The second is made on a terminal that the attempt opens for itself, so that nothing is typed.
"""
import fcntl
import os
import pty
import struct
import termios

from calls import call
from doors import through_gate
from processes import target
from trial import Blocked, attempt, first

TIOCSTI, TIOCLINUX, TIOCSCTTY = 0x5412, 0x541C, 0x540E
HIGH = 1 << 32
ENOTTY = 25


def theirs(t, path):
    """Opens it for writing if it is the sibling's, and not one of the same name in here."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        found = os.fstat(descriptor)
        if [found.st_dev, found.st_ino] != t["sibling_tty_id"]:
            raise Blocked("another terminal has this name here")
        fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b"\0" * 8)
    finally:
        os.close(descriptor)


@attempt("tty.path")
def by_path(t):
    """By its name."""
    theirs(t, t["sibling_tty"])
    return "could draw on it"


@attempt("tty.proc_fd")
def by_descriptor(t):
    """By what the sibling has open."""
    pid = target(t, "sibling")
    return first(("descriptor %d" % number,
                  lambda n=number: theirs(t, "/proc/%d/fd/%d" % (pid, n))) for number in range(3))


@attempt("tty.any")
def by_search(t):
    """By every name in every directory of terminals."""
    paths = [path + "/" + name for path in ("/dev/pts", "/proc/self/root/dev/pts")
             for name in os.listdir(path) if name.isdigit()]
    return first((path, lambda p=path: theirs(t, p)) for path in paths)


def own_terminal():
    """Takes a new terminal, as the leader of a session may; gives the end where programs are."""
    _, end = pty.openpty()
    fcntl.ioctl(end, TIOCSCTTY, 0)
    return end


@attempt("tty.tiocsti")
def typed(_):
    """Types a letter into its own terminal."""
    call("ioctl", own_terminal(), TIOCSTI, b"x")
    return "typed"


@attempt("tty.tiocsti_high_bits")
def typed_with_high_bits(_):
    """The same with bits set that the kernel cuts off and a filter may compare."""
    call("ioctl", own_terminal(), TIOCSTI | HIGH, b"x")
    return "typed"


@attempt("tty.tiocsti_int80")
def typed_through_gate(_):
    """The same by the 32-bit gate: ioctl(fd, TIOCSTI, ADDR)."""
    end = own_terminal()
    code = (b"\x53\xb8\x36\x00\x00\x00\xbb" + struct.pack("<I", end) + b"\xb9"
            + struct.pack("<I", TIOCSTI) + b"\xbaADDR\xcd\x80\x5b\xc3")
    through_gate(code, b"x")
    return "typed"


@attempt("tty.tioclinux")
def pasted(_):
    """Pastes on a console. That this is none is for the driver to say, which a filter comes before.
    """
    try:
        call("ioctl", own_terminal(), TIOCLINUX, b"\3")
    except OSError as error:
        if error.errno != ENOTTY:
            raise
    return "reached the driver"
