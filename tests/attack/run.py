#!/usr/bin/env python3
"""Attacks the web door of a daemon set up for it, part by part; every part must hold.

    run.py --binary target/debug/codepiper [PART...] [-- arguments of the suite]
"""
import argparse
import sys
import time

import floods
import neighbours
import proxy
import suite
import viewer

PARTS = {
    "suite": suite.run,
    "floods": floods.run,
    "descriptors": floods.few_descriptors,
    "neighbours": neighbours.run,
    "tunnel": neighbours.tunnel,
    "proxy": proxy.run,
    "viewer": viewer.run,
}


def main():
    """Exit code 0 when every part held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the program to attack")
    parser.add_argument("parts", nargs="*", help="which ones; all without")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    args, more = parser.parse_args(words[:cut]), words[cut + 1:]
    failed = []
    for name in args.parts or PARTS:
        if name not in PARTS:
            sys.exit("no part called %s; there are: %s" % (name, " ".join(PARTS)))
        start = time.monotonic()
        print("=== " + name, flush=True)
        try:
            PARTS[name](args.binary, more)
        except SystemExit as error:
            failed.append(name)
            print("FAILED: %s" % error, flush=True)
        print("=== %s: %.0f s" % (name, time.monotonic() - start), flush=True)
    if failed:
        sys.exit("attack: failed: " + " ".join(failed))


if __name__ == "__main__":
    main()
