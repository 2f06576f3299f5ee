"""Slow and broken peers of a socket, from as many processes as told: SOCKET KIND PROCESSES TARGET.

Each process holds 63 connections (64 is what one process may have) and opens a new one for each
that it loses. Prints `flooding` once the first round stands, and ends with its standard input.
"""
import os
import select
import socket
import sys

path, kind, processes, target = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
EACH = 63
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
DEEP = b"[" * 100000
SENT = {
    "silent": b"",
    "half-head": b"GET /sessions HTTP/1.1\r\nHost:",
    "half-body": POST % (8 << 20) + b"{" * 1000,
    "unread": (GET % target.encode()) * 20,
    "long-head": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200000,
    "long-body": POST % (100 << 20) + b"x" * 200000,
    "deep": POST % len(DEEP) + DEEP,
}[kind]


def dial():
    stream = socket.socket(socket.AF_UNIX)
    stream.setblocking(False)
    try:
        stream.connect(path)
        stream.send(SENT)
    except OSError:
        pass  # a full backlog, or turned away at once
    return stream


def flood(ready):
    streams = [dial() for _ in range(EACH)]
    os.write(ready, b".")
    while True:
        # Reads nothing: a readable connection has been answered or ended, an unread one stays.
        lost, _, _ = select.select([] if kind == "unread" else streams, [], [], 0.05)
        for stream in lost:
            streams.remove(stream)
            stream.close()
            streams.append(dial())


ready, tell = os.pipe()
children = []
for _ in range(processes):
    child = os.fork()
    if child == 0:
        try:
            flood(tell)
        finally:
            os._exit(1)
    children.append(child)
for _ in children:
    os.read(ready, 1)
print("flooding", flush=True)
sys.stdin.read()
for child in children:
    os.kill(child, 9)
