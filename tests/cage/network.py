"""Attempts on the network: what stays open at every level but one, ports that "strict" does not
list, and the ways past a list of TCP ports. The other end is the test's, on loopback alone, and
answers whoever asks.
"""
import ctypes
import errno
import socket
import struct

from calls import call, new_user_namespace
from trial import Blocked, attempt

MPTCP, SMC, SCTP = 262, 256, 132
AF_SMC = 43
FASTOPEN_CONNECT = 30


def talk(end):
    """There must be an answer."""
    if not end.recv(64):
        raise Blocked("the other end said nothing")


def fetch(port, family=socket.AF_INET, protocol=0, kind=socket.SOCK_STREAM):
    """Connects, asks and reads."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.socket(family, kind, protocol) as end:
        end.settimeout(2)
        end.connect((host, port))
        end.send(b"hostile")
        talk(end)
    return "fetched"


@attempt("net.tcp_allowed")
def tcp(t):
    """TCP to a port that is listed everywhere."""
    return fetch(t["tcp_port"])


@attempt("net.udp")
def udp(t):
    """UDP, which nothing limits."""
    return fetch(t["udp_port"], kind=socket.SOCK_DGRAM)


@attempt("net.tcp_denied")
def denied(t):
    """TCP to a port that strict does not list."""
    return fetch(t["tcp_port_denied"])


@attempt("net.tcp_denied_ipv6")
def denied_six(t):
    """The same over IPv6."""
    return fetch(t["tcp_port_denied"], family=socket.AF_INET6)


@attempt("net.mptcp")
def multipath(t):
    """The same over the kind that a list of TCP ports does not know."""
    return fetch(t["tcp_port_denied"], protocol=MPTCP)


@attempt("net.mptcp_ipv6")
def multipath_six(t):
    """The same over IPv6."""
    return fetch(t["tcp_port_denied"], family=socket.AF_INET6, protocol=MPTCP)


@attempt("net.smc")
def shared(t):
    """The same over another kind that falls back to TCP, by its protocol."""
    return fetch(t["tcp_port_denied"], protocol=SMC)


@attempt("net.smc_family")
def shared_family(t):
    """The same by its family, whose addresses are those of IPv4."""
    end = socket.socket(AF_SMC, socket.SOCK_STREAM, 0)
    address = struct.pack("<H", 2) + struct.pack(">H4s8x", t["tcp_port_denied"], b"\x7f\0\0\1")
    call(42, end.fileno(), address, 16)
    return "connected"


@attempt("net.sctp")
def streams(t):
    """A socket of the kind with many streams, whose ports no list knows."""
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP).close()
    return "has a socket"


@attempt("net.fastopen")
def fast(t):
    """Sends with the first packet, without a call to connect."""
    with socket.socket() as end:
        end.sendto(b"hostile", socket.MSG_FASTOPEN, ("127.0.0.1", t["tcp_port_denied"]))
        talk(end)
    return "fetched"


@attempt("net.fastopen_sendmsg")
def fast_message(t):
    """The same by sendmsg."""
    with socket.socket() as end:
        end.sendmsg([b"hostile"], [], socket.MSG_FASTOPEN, ("127.0.0.1", t["tcp_port_denied"]))
        talk(end)
    return "fetched"


@attempt("net.fastopen_sendmmsg")
def fast_messages(t):
    """The same by sendmmsg."""
    address = ctypes.create_string_buffer(
        struct.pack("<H", 2) + struct.pack(">H4s8x", t["tcp_port_denied"], b"\x7f\0\0\1"), 16)
    text = ctypes.create_string_buffer(b"hostile")
    piece = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(text), 7))
    message = ctypes.create_string_buffer(struct.pack(
        "QIIQQQQiIIi", ctypes.addressof(address), 16, 0, ctypes.addressof(piece), 1, 0, 0, 0, 0,
        0, 0))
    with socket.socket() as end:
        if call("sendmmsg", end.fileno(), message, 1, socket.MSG_FASTOPEN) != 1:
            raise Blocked("not sent")
        talk(end)
    return "fetched"


@attempt("net.fastopen_connect")
def fast_connect(t):
    """The same by an option of the socket, with a call to connect that sends nothing yet."""
    with socket.socket() as end:
        end.settimeout(2)
        end.setsockopt(socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
        end.connect(("127.0.0.1", t["tcp_port_denied"]))
        end.send(b"hostile")
        talk(end)
    return "fetched"


@attempt("net.bind_denied")
def listen(t):
    """Listens at a port that is not listed."""
    return listening(t["tcp_bind_denied"], 0)


@attempt("net.bind_mptcp")
def listen_multipath(t):
    """The same over the kind that a list of TCP ports does not know."""
    return listening(t["tcp_bind_denied"], MPTCP)


def listening(port, protocol):
    """Listens on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.bind(("127.0.0.1", port))
        end.listen()
    return "listened"


@attempt("net.vsock")
def machine(_):
    """A socket to the machine's host."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()
    return "has a socket"


@attempt("net.packet")
def packets(_):
    """Whole packets, past every port."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    return "has a socket"


@attempt("net.raw")
def raw(_):
    """Packets of TCP written by hand."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).close()
    return "has a socket"


@attempt("net.packet_nested")
def packets_nested(_):
    """Whole packets in the machine's network with the rights of a user namespace of its own."""
    new_user_namespace(0)
    return packets(_)


@attempt("net.unlisted_family")
def cipher(_):
    """A socket of a family that no agent needs: the kernel's ciphers."""
    try:
        socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET).close()
    except OSError as error:
        if error.errno != errno.EPROTONOSUPPORT:
            raise
    return "the family was looked for"
