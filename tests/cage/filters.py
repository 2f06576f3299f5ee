"""Landlock rules and filters of system calls for cages made by hand. It knows x86-64 and Landlock
from version 6 on; it is for showing what attempts come to, and nothing that anybody should run in.
"""
import ctypes
import os
import struct

from calls import LIBC, NO_NEW_PRIVS, NUMBERS, call

ADD_RULE = 445
ALL_FILE_RIGHTS, FILE_ONLY = (1 << 16) - 1, 0b1100000000000111
SCOPES, BIND_TCP, CONNECT_TCP = 3, 1, 2
LOAD, EQUAL, AT_LEAST, ALL_OF, RETURN, AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
ALLOW, ERRNO = 0x7fff0000, 0x00050000
EPERM, ENOSYS, NOT_SUPPORTED = 1, 38, 95
NUMBER, ARCH, FIRST = 0, 4, 16
X86_64, X32 = 0xC000003E, 0x40000000
IPPROTO_MPTCP, IPPROTO_SMC, IPPROTO_SCTP, FASTOPEN = 262, 256, 132, 0x20000000


def restrict(files=(), ports=None, denied=None):
    """Restricts this process: scopes always, files if something is denied, ports if they are
    listed."""
    rights = ALL_FILE_RIGHTS if denied else 0
    network = 0 if ports is None else BIND_TCP | CONNECT_TCP
    ruleset = call("landlock_create_ruleset", struct.pack("QQQ", rights, network, SCOPES), 24, 0)
    for path in files:
        descriptor = os.open(path, os.O_PATH)
        allowed = rights if os.path.isdir(path) else rights & FILE_ONLY
        call(ADD_RULE, ruleset, 1, struct.pack("<Qi", allowed, descriptor), 0)
        os.close(descriptor)
    for port in ports or ():
        call(ADD_RULE, ruleset, 2, struct.pack("QQ", CONNECT_TCP, port), 0)
    LIBC.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    call("landlock_restrict_self", ruleset, 0)


def beside(path):
    """Everything but the path: what stands beside it and beside each directory above it."""
    found = []
    while path != "/":
        above, name = os.path.split(path)
        found += [os.path.join(above, each) for each in os.listdir(above) if each != name]
        path = above
    return [each for each in found if not os.path.islink(each) and os.path.exists(each)]


def low(argument):
    """Where the low half of an argument is."""
    return FIRST + 8 * argument


def refuse(name, code):
    """Answers one call with an error."""
    return [(EQUAL, NUMBERS.get(name, name), 0, 1), (RETURN, ERRNO | code, 0, 0)]


def refuse_value(name, argument, values, code):
    """Answers a call with an error when an argument has one of the values."""
    lines = [(LOAD, low(argument), 0, 0)]
    for value in values:
        lines += [(EQUAL, value, 0, 1), (RETURN, ERRNO | code, 0, 0)]
    lines.append((LOAD, NUMBER, 0, 0))
    return [(EQUAL, NUMBERS.get(name, name), 0, len(lines))] + lines


def refuse_bits(name, argument, bits, code):
    """Answers a call with an error when an argument has one of the bits."""
    lines = [(LOAD, low(argument), 0, 0), (ALL_OF, bits, 0, 1), (RETURN, ERRNO | code, 0, 0),
             (LOAD, NUMBER, 0, 0)]
    return [(EQUAL, name, 0, len(lines))] + lines


def only_families(values, code):
    """Answers socket(2) with an error when its family is none of the values."""
    lines = [(LOAD, low(0), 0, 0)]
    lines += [(EQUAL, value, len(values) - at, 0) for at, value in enumerate(values)]
    lines += [(RETURN, ERRNO | code, 0, 0), (LOAD, NUMBER, 0, 0)]
    return [(EQUAL, 41, 0, len(lines))] + lines


def filter_calls(network, limits=False):
    """Sets the filter; with what a list of ports needs beside it, and with limits for this process
    alone, if that is wanted."""
    program = [(LOAD, ARCH, 0, 0), (EQUAL, X86_64, 1, 0), (RETURN, ERRNO | ENOSYS, 0, 0),
               (LOAD, NUMBER, 0, 0), (AT_LEAST, X32, 0, 1), (RETURN, ERRNO | ENOSYS, 0, 0)]
    for name in ("keyctl", "add_key", "request_key", "io_uring_setup"):
        program += refuse(name, ENOSYS)
    program += refuse_value("ioctl", 1, (0x5412, 0x541C), EPERM)
    if limits:
        program += [(EQUAL, NUMBERS["prlimit64"], 0, 4), (LOAD, low(0), 0, 0), (EQUAL, 0, 1, 0),
                    (RETURN, ERRNO | EPERM, 0, 0), (LOAD, NUMBER, 0, 0)]
    if network:
        program += only_families((1, 2, 10, 16), NOT_SUPPORTED)
        program += refuse_value(41, 2, (IPPROTO_MPTCP, IPPROTO_SMC, IPPROTO_SCTP), NOT_SUPPORTED)
        for number, argument in ((44, 3), (46, 2), (307, 3)):
            program += refuse_bits(number, argument, FASTOPEN, NOT_SUPPORTED)
    program.append((RETURN, ALLOW, 0, 0))
    code = b"".join(struct.pack("HBBI", kind, yes, no, value) for kind, value, yes, no in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    whole = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
    LIBC.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    call(317, 1, 0, whole)
