#!/usr/bin/env python3
"""Shows that the attempts of the hostile program are real ones. Without a cage each must come to
what expect.json says of "off"; in cages made by hand, some of which have a mistake, to what it says
of the level that they stand for, or what cages.py says of the mistake. It needs root, bwrap and
nothing of the product.

    control.py BWRAP user|root [CAGE]...       all cages, if none is named
    control.py BWRAP user|root CAGE --show     prints the results instead of judging them
"""
import json
import os
import sys
import traceback

sys.dont_write_bytecode = True

from apart import mounts_apart  # noqa: E402
from calls import LIBC, PDEATHSIG  # noqa: E402
from cages import CAGES, LEVELS, MORE, ROOT_ONLY, WITH_PIDNS  # noqa: E402
from scene import Scene  # noqa: E402
from shifted import shifted  # noqa: E402
from verdict import NO_PIDNS, ROOT, differences, wanted  # noqa: E402

CAGES["shifted"] = shifted


def attack(scene, cage):
    """What the hostile program says in that cage."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            LIBC.prctl(PDEATHSIG, 9)
            inside(scene, cage, writer)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(111)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        said = file.read()
    status = os.waitpid(child, 0)[1]
    if status:
        raise SystemExit("hostile.py in cage %s: wait status %d\n%s" % (cage, status, said[-2000:]))
    return json.loads(said)


def inside(scene, cage, writer):
    """Goes into the cage and runs the program there."""
    words = ["/usr/bin/python3", scene.targets["project"] + "/hostile/hostile.py",
             scene.targets["project"] + "/targets.json"]
    scene.targets["pidns"] = cage in WITH_PIDNS
    with open(words[2], "w", encoding="utf-8") as file:
        json.dump(scene.targets, file)
    with open(scene.cgroup + "/cgroup.procs", "w", encoding="ascii") as file:
        file.write("0")
    for number in os.listdir("/proc/self/fd"):
        if int(number) > 2 and os.path.exists("/proc/self/fd/" + number):
            os.set_inheritable(int(number), False)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(writer, 1)
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": scene.home, "LANG": "C.UTF-8"}
    if cage == "none":
        variables["SSH_AUTH_SOCK"] = scene.targets["sentinels"]["ssh_agent"]
        os.set_inheritable(os.open("/", os.O_RDONLY), True)
    os.chdir(scene.targets["project"])
    CAGES[cage](scene, words, variables)


def expected(who, cage):
    """{attempt: result} of the level that a cage stands for, with what is special about the cage.
    One that stands for no level leaves the rest to the host."""
    lacks = {"no-pidns": [NO_PIDNS, ROOT], "shifted": []}.get(cage, [ROOT])
    return {**wanted(who, LEVELS.get(cage), lacks), **MORE.get(cage, {}).get(who, {})}


def main(words):
    """Makes a scene for each cage, and judges or shows what came of it."""
    who, cages = words[1], [word for word in words[2:] if word != "--show"]
    mounts_apart(words[0])
    wrong = False
    for cage in cages or [cage for cage in CAGES if who == "root" or cage not in ROOT_ONLY]:
        with Scene(who == "user") as scene:
            said = attack(scene, cage)
        if "--show" in words:
            for name, found in said.items():
                print("%-32s %-8s %s" % (name, found["result"], found["detail"]))
            continue
        lines = differences(said, expected(who, cage))
        count = sum(found["result"] == "open" for found in said.values())
        print("%s, cage %s: %d attempts, %d open, %d not as they should be" % (
            who, cage, len(said), count, len(lines)))
        for line in lines:
            print("  " + line)
        wrong = wrong or bool(lines)
    sys.exit(wrong)


if __name__ == "__main__":
    main(sys.argv[1:])
