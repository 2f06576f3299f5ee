#!/usr/bin/env python3
"""Measures codepiper beside floors and competitors of the same run, on this machine, right now.

    run.py --binary target/codepiper [--json] [--quick] [start cli echo drain idle kill evaluate
                                       hook approval append audit websocket web dashboard cage]

Compare ratios, not times: floors and competitors run in turn with ours, so that a slow machine or
a busy moment hits all of them. Python 3 standard library, a C compiler for the floors, and tmux,
ttyd and argon2 if they are installed.
"""
import argparse
import json
import os
import platform
import sys

from rows import BENCHES
from world import World


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--binary", required=True, help="the release binary")
    args.add_argument("--json", action="store_true", help="one JSON object a line")
    args.add_argument("--quick", action="store_true", help="few rounds: does it still run?")
    args.add_argument("bench", nargs="*", help="which ones; all without")
    args = args.parse_args()
    unknown = [name for name in args.bench if name not in BENCHES]
    if unknown:
        sys.exit("no bench called %s; there are: %s" % (", ".join(unknown), " ".join(BENCHES)))
    if not args.json:
        print("%s, %d CPUs, load %.1f" % (platform.release(), os.cpu_count(), os.getloadavg()[0]))
    for name in args.bench or BENCHES:
        show_bench(name, args)


def show_bench(name, args):
    """Runs one bench in a world of its own."""
    bench = BENCHES[name]
    if not args.json:
        print("\n%s: %s" % (name, bench.__doc__))
        print("  %-44s %-28s %10s %10s %8s %5s" % ("who", "", "median", "p99", "×floor", "n"))
    with World(args.binary) as world:
        for row in bench(world, args.quick):
            line = row.summary()
            if args.json:
                print(json.dumps(line), flush=True)
                continue
            times = "%.2f" % line["times_floor"] if "times_floor" in line else ""
            print("  %-44s %-28s %10.3f %10.3f %8s %5d  %s" % (
                line["who"], line["bench"], line["median"], line["p99"], times, line["n"],
                line["unit"]), flush=True)


if __name__ == "__main__":
    main()
