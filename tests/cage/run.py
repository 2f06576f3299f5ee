#!/usr/bin/env python3
"""Puts the hostile program into real sessions of a real daemon, at every level that the product
has, as an ordinary user, as root, and (kept) as root where files keep their owners; judges what it
comes to by expect.json; then once more after a kill -9 of the daemon and its restart. Exit code 1
if anything is not as it should be.

    run.py --binary target/debug/codepiper [--bwrap FILE] [user|root|kept|LEVEL]...

It needs root, for the ordinary users that it makes and removes again. Each level of each user has a
daemon and a home of its own, in mounts of its own: /tmp and /run in there are nobody else's.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from apart import keep_owners, mounts_apart  # noqa: E402
from calls import LIBC  # noqa: E402
from product import Product, Refused  # noqa: E402
from scene import HERE  # noqa: E402
from verdict import NO_PIDNS, ROOT, differences, wanted  # noqa: E402

WHO = ("user", "root", "kept")
WITHOUT_NAMESPACES = ("off", "keys-only")
ATTACK = """for round in 1 2; do
  until [ -e targets-$round.json ]; do sleep 0.05; done
  /usr/bin/python3 hostile/hostile.py targets-$round.json >said.new 2>failed-$round
  mv said.new said-$round.json
done
sleep 600"""
LONGEST = 120.0


def targets_of(product, level, session, word):
    """Completes what there is to attack with both sessions' processes; what the sibling owns."""
    t = product.targets
    product.process("keeper", product.keeper(session["pid"]))
    apart = ["apart"] if level in WITHOUT_NAMESPACES else []
    shutil.copytree(t["project"] + "/hostile", t["sibling_dir"] + "/hostile")
    sibling = product.start(level, t["sibling_dir"], "/usr/bin/python3", "hostile/sibling.py",
                            word, *apart)
    product.process("sibling", sibling["pid"])
    product.process("sibling_keeper", product.keeper(sibling["pid"]))
    path = t["sibling_dir"] + "/things.json"
    product.until("the sibling to own something", lambda: os.path.exists(path))
    with open(t["cgroup_dir"] + "/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(sibling["pid"]))
    with open(path, encoding="utf-8") as file:
        things = json.load(file)
    for name in ("sibling_tty", "sibling_tty_id"):
        t[name] = things.pop(name)
    return things


def said(product, number):
    """Gives the hostile program its targets and waits for what it says."""
    project = product.targets["project"]
    with open(project + "/targets.new", "w", encoding="utf-8") as file:
        json.dump(product.targets, file)
    os.chmod(project + "/targets.new", 0o644)
    os.rename(project + "/targets.new", project + "/targets-%d.json" % number)
    path, end = project + "/said-%d.json" % number, time.monotonic() + LONGEST
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise SystemExit("the hostile program does not end")
        time.sleep(0.05)
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except ValueError:
        with open(project + "/failed-%d" % number, encoding="utf-8") as file:
            raise SystemExit("the hostile program failed: " + file.read()) from None


def attack(product, who, level):
    """(counts, deviations) of both rounds at that level."""
    session = product.start(level, product.targets["project"], "sh", "-c", ATTACK)
    sandbox = session["sandbox"]
    lacks, wrong = sandbox["partial"], []
    if sandbox["verified"] != level:
        wrong.append("the session says that its level is %s" % sandbox["verified"])
    # Files are shown with other owners where there are mounts of its own.
    keeps = who == "kept" or who == "root" and level == "keys-only"
    if (ROOT in lacks) != keeps:
        wrong.append("the session says that root is%s held" % (" not" if ROOT in lacks else ""))
    product.targets["pidns"] = level not in WITHOUT_NAMESPACES and NO_PIDNS not in lacks
    things = targets_of(product, level, session, product.word + "-own")
    should = wanted(who, level, lacks)
    first = said(product, 1)
    wrong += differences(first, should)
    product.crash()
    # Now it is the sibling's own memory, queue and sockets that are attacked.
    product.targets.update(things)
    product.identities()
    second = differences(said(product, 2), should)
    wrong += ["only after the daemon's restart: " + line for line in second if line not in wrong]
    after = product.session(session["id"])
    if after["sandbox"] != sandbox or after.get("alarm"):
        wrong.append("after the daemon's restart the session says %s, alarm %s" % (
            after["sandbox"], after.get("alarm")))
    count = {kind: sum(one["result"] == kind for one in first.values())
             for kind in ("open", "blocked", "n/a", "broken")}
    return " ".join(map(str, [level, *lacks])), count, wrong


def one(who, level, binary, bwrap):
    """Attacks one level; prints what came of it as JSON."""
    with open(binary, "rb") as file:
        copy = os.memfd_create("codepiper")
        shutil.copyfileobj(file, os.fdopen(os.dup(copy), "wb"))
    mounts_apart(bwrap)
    if who == "kept":
        keep_owners()
    with Product(who == "user", "/proc/self/fd/%d" % copy) as product:
        try:
            words, count, wrong = attack(product, who, level)
        except Refused as reason:
            words, count, wrong = level, {}, ["no session was started: %s" % reason]
    print(json.dumps([words, count, wrong]))


def levels(binary):
    """All that the product has, in its own words."""
    known = subprocess.run([binary, "help", "sandbox"], capture_output=True, text=True, check=True)
    with open(HERE + "/expect.json", encoding="utf-8") as file:
        table = json.load(file)["levels"]
    named = {line.split()[0] for line in known.stdout.splitlines() if line.strip()}
    return [level for level in table if level in named]


def main():
    """Attacks level by level, two at a time, and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--binary", required=True, help="the program to attack")
    parser.add_argument("--bwrap", help="the sandbox that agents bring, which must work inside")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*", metavar="user|root|kept|LEVEL", help="all without")
    args = parser.parse_args()
    if os.uname().machine != "x86_64":
        sys.exit("cage: the attempts know the system calls of x86-64 alone")
    if os.getuid() != 0:
        sys.exit("cage: it makes users of its own, which needs root; try: sudo make cage")
    if args.one:
        one(*args.one, args.binary, args.bwrap)
        return
    LIBC.prctl(36, 1)
    known = levels(args.binary)
    for word in args.words:
        if word not in known and word not in WHO:
            sys.exit("cage: no level %r; there are: %s" % (word, " ".join(known)))
    pairs = [(who, level) for who in WHO if not set(WHO) & set(args.words) or who in args.words
             for level in known if not set(known) & set(args.words) or level in args.words
             if who != "kept" or level not in WITHOUT_NAMESPACES]
    begun, failed = time.monotonic(), False
    with concurrent.futures.ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        runs = [(pair, pool.submit(in_process, pair, args)) for pair in pairs]
        for (who, level), run in runs:
            failed = report(who, level, run.result()) or failed
    print("%d levels in %.0f s" % (len(pairs), time.monotonic() - begun))
    sys.exit(failed)


def in_process(pair, args):
    """The same program for one level: it has mounts of its own, which threads cannot have."""
    words = [sys.executable, os.path.abspath(__file__), "--binary", os.path.abspath(args.binary)]
    if args.bwrap:
        words += ["--bwrap", os.path.abspath(args.bwrap)]
    return subprocess.run(words + ["--one", *pair], capture_output=True, text=True, check=False)


def report(who, level, run):
    """Prints it; whether anything is not as it should be."""
    if run.returncode:
        print("%s, %s: FAILED\n%s" % (who, level, (run.stdout + run.stderr)[-4000:]), flush=True)
        return True
    held, count, wrong = json.loads(run.stdout.splitlines()[-1])
    counts = ", ".join("%d %s" % (number, kind) for kind, number in count.items())
    print("%-5s %-36s %s: %d not as they should be" % (who, held, counts, len(wrong)), flush=True)
    for line in wrong:
        print("  " + line, flush=True)
    return bool(wrong)


if __name__ == "__main__":
    main()
