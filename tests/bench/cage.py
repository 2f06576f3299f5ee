"""What a cage costs: a session's start, and the memory of what stands around its program."""
import os
import time

from measure import Row, interleave
from world import around

STAMP = """#include <stdio.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **words) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    FILE *mark = fopen(words[count - 1], "w");
    if (!mark) return 1;
    fprintf(mark, "%lld", now.tv_sec * 1000000000LL + now.tv_nsec);
    fclose(mark);
    return pause();
}
"""
LEVELS = ("off", "guard", "workspace", "strict")


def cage(world, quick):
    """A session's start until its program runs, caged and not; and what each keeps in memory."""
    world.start_daemon()
    yield from starts(world, 3 if quick else 40)
    for level in ("off", "guard"):
        yield from memory(world, level, 3 if quick else 10)
    world.stop_daemon()


def starts(world, rounds):
    """From the request to the program's first instruction. The answer is no measure: it waits a
    while for programs that end at once."""
    os.rename(world.compile("stamp", STAMP), world.project + "/stamp")
    mark = world.project + "/mark"

    def start(level):
        def once():
            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            session = world.start_session(world.project + "/stamp", mark, sandbox=level)
            check(session, level)
            with open(mark, encoding="ascii") as file:
                took = (int(file.read()) - began) / 1e6
            os.unlink(mark)
            world.end_session(session)
            return took
        return once

    found = dict(zip(LEVELS, interleave(rounds, *(start(level) for level in LEVELS))))
    floor = Row("start, until the program runs", "floor: --sandbox off", "ms", found["off"])
    for level in LEVELS[1:]:
        yield Row(floor.bench, "--sandbox " + level, "ms", found[level], floor)
    yield floor
    for level in LEVELS[1:]:
        # Of one round each: what slows the machine down slows both.
        more = [caged - bare for caged, bare in zip(found[level], found["off"])]
        yield Row(floor.bench, "what %s adds" % level, "ms", more)


def memory(world, level, count):
    """Keeper and, where there is one, the cage's first process, while nothing happens."""
    sessions = [world.start_session("cat", sandbox=level) for _ in range(count)]
    for session in sessions:
        check(session, level)
    time.sleep(1)
    groups = [around(session["pid"]) for session in sessions]
    bench = "%d idle sessions at %s" % (count, level)
    found = [[weight(pid) for pid in group] for group in groups]
    if all(one is not None for group in found for one in group):
        for at, what in enumerate(("proportional", "of that, written to")):
            each = [sum(one[at] for one in group) for group in found]
            yield Row(bench, "around one program, " + what, "KiB", each)
    yield Row(bench, "processes around one program", "", [len(group) for group in groups])
    for session in sessions:
        world.end_session(session)


def weight(pid):
    """(proportional, of that what was written to) in KiB: of pages that several processes have,
    each counts its part. None if memory is hidden."""
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
            sizes = {line.split()[0]: int(line.split()[1]) for line in list(file)[1:]}
    except PermissionError:
        return None
    return sizes["Pss:"], sizes["Pss_Dirty:"]


def check(session, level):
    """A start that is measured must be the one that was asked for."""
    held = session["sandbox"]["verified"]
    if held != level:
        raise SystemExit("bench: asked for the sandbox %s and got %s" % (level, held))
