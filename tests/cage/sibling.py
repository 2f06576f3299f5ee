#!/usr/bin/env python3
"""The program of the session beside the hostile one: it has a terminal, memory, a queue and sockets
of its own for that to reach, says in a file what they are, and waits for its end. It knows nothing
of the product.

    sibling.py WORD [apart]     apart: as agents' sandboxes do, in a user namespace of its own
"""
import json
import os
import signal
import socket
import struct
import sys

sys.dont_write_bytecode = True

from calls import DUMPABLE, LIBC, NEWNS, call, new_user_namespace  # noqa: E402


def main(word, apart):
    """Makes them; the file is there when they are."""
    # A directory, as most programs have one open.
    held, found = [os.open(".", os.O_RDONLY)], os.fstat(0)
    key = 0x20000000 | os.getpid()
    call("shmget", key, 4096, 0o1600)
    with open("/dev/shm/" + word, "x", encoding="ascii") as file:
        file.write("x\n")
    queue = make_queue(word)
    for name, kind in ((word, socket.SOCK_STREAM), (word + "-d", socket.SOCK_DGRAM)):
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind("\0" + name)
        held.append(listener)
    held[1].listen(64)
    if apart:
        new_user_namespace(NEWNS)
        if os.getuid():
            call("capset", struct.pack("Ii", 0x20080522, 0), bytes(24))
        LIBC.prctl(DUMPABLE, 1)
    things = {"sibling_tty": os.ttyname(0), "sibling_tty_id": [found.st_dev, found.st_ino],
              "shm_key": key, "posix_shm": "/dev/shm/" + word, **queue,
              "abstract_socket": word, "abstract_datagram": word + "-d"}
    with open("things.new", "w", encoding="utf-8") as file:
        json.dump(things, file)
    os.rename("things.new", "things.json")
    while True:
        signal.pause()


def make_queue(word):
    """A message queue, where it may have one."""
    try:
        call("mq_open", word.encode(), os.O_CREAT | os.O_RDWR, 0o600, 0)
    except PermissionError:
        return {}
    return {"queue": word}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["apart"])
