#!/usr/bin/env python3
"""A hostile program: run inside of a session, it makes every attempt to get out of the cage, and
says of each whether it got through. It knows nothing of the product: what there is to attack it is
told, and what a result should be stands in expect.json, a row for each thing that a person was
promised, in that person's words.

    hostile.py TARGETS.json [--only PREFIX]...     (or - for standard input)
    hostile.py --list

prints one object {NAME: {"result": R, "detail": WORDS}}, with R one of
    open     it got through
    blocked  the kernel or the cage refused; the detail is the errno
    n/a      there is nothing to attempt here, or the target was not given
    broken   the attempt itself went wrong or took longer than 5 s. No expectation allows that.

Targets, all of them of the world outside, as a program there sees them:
    key state_dir database control_socket control_link keeper_sockets hook_socket,
    paths; database is a name in state_dir
    {daemon,keeper,sibling,sibling_keeper}_pid and _start (field 22 of /proc/PID/stat)
    pidns                   whether the session should have a pid namespace of its own
    sibling_tty, sibling_tty_id; sibling_dir, sibling_file, a name in it
    shm_key, posix_shm (/dev/shm/...), queue (no slash): a sibling's
    cgroup_dir              a version 2 group, delegated to the user, with the sibling in it
    key_handle, mounts_handle [type, hex]: what name_to_handle_at says outside of the key and of
    /proc/self/ns/mnt, or [0, ""] where it has none
    home, home_secret, home_ids {name in it: identity, see HOME in scene.py}, registry_key
    state_id, state_parent_id, binary, binary_id, an identity being [st_dev, st_ino]
    project, outside_file, outside_id (of its directory), temp_file (in /tmp)
    unlisted_file, under /etc
    sentinels {ssh_agent tmux docker ...: path}, agent_channels {cc_socks ...: path}: listeners
    abstract_socket, abstract_datagram, names without the NUL
    tcp_port, tcp_port_denied (127.0.0.1 and ::1), udp_port: they answer; tcp_bind_denied: free

The attempts by file: key.py, sockets.py, processes.py, terminals.py, doors.py, mounts.py,
writes.py, names.py, reads.py, network.py; wanted.py has what must succeed. Each is made in a child
with a deadline, does no harm when it succeeds, and puts back what it changed. control.py shows
that each is a real one: it makes them without a cage, and in cages made by hand.

It needs no library but Python's own, on Linux and x86-64, and leaves no files.
"""
import json
import os
import sys

INHERITED = [int(name) for name in os.listdir("/proc/self/fd")]
INHERITED = [number for number in INHERITED if os.path.exists("/proc/self/fd/%d" % number)]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import doors  # noqa: E402,F401
import key  # noqa: E402,F401
import mounts  # noqa: E402,F401
import names  # noqa: E402,F401
import network  # noqa: E402,F401
import processes  # noqa: E402,F401
import reads  # noqa: E402,F401
import sockets  # noqa: E402,F401
import terminals  # noqa: E402,F401
import trial  # noqa: E402
import wanted  # noqa: E402,F401
import writes  # noqa: E402,F401


def main(words):
    """Makes the attempts and prints what they came to."""
    if words == ["--list"]:
        print("\n".join(trial.ATTEMPTS))
        return
    source, only = words[0], tuple(words[2::2])
    if any(word != "--only" for word in words[1::2]) or len(words) % 2 == 0:
        raise SystemExit("usage: hostile.py TARGETS.json|- [--only PREFIX]... | --list")
    if source == "-":
        targets = trial.Targets(json.load(sys.stdin))
    else:
        with open(source, encoding="utf-8") as file:
            targets = trial.Targets(json.load(file))
    targets["inherited"] = INHERITED
    results = {}
    for name, function in trial.ATTEMPTS.items():
        if name.startswith(only or ("",)):
            results[name] = trial.run(function, targets)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
