"""What an attempt should come to, by expect.json, and whether it did. It knows levels and rows, and
nothing of how a cage was made.
"""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
NO_PIDNS, ROOT = "no-pidns", "root-not-a-boundary"


def wanted(who, level, lacks=()):
    """{attempt: result} at a level, `user`, `root`, or `kept` for root where files keep their
    owners, less what this host's cage lacks. Without a level it is for the host to say."""
    who = "root" if who == "kept" else who
    with open(HERE + "/expect.json", encoding="utf-8") as file:
        table = json.load(file)
    column = table["levels"].index(level) if level else None
    who_in, should = "root_shifted" if who == "root" and ROOT not in lacks else who, {}
    for row in table["rows"]:
        want = "any" if column is None else row.get(who_in, row[who])[column]
        if column is not None and column > 1 and NO_PIDNS in lacks:
            want = row.get("without_pidns", {}).get(who, want)
        should.update(dict.fromkeys(row["attempts"], want))
    return should


def row_of(attempt):
    """What a person was promised of it."""
    with open(HERE + "/expect.json", encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    return next((row["row"] for row in rows if attempt in row["attempts"]), "no row")


def meets(found, want):
    """Whether a result is what it should be."""
    return want in (found, "any") or want == "closed" and found in ("blocked", "n/a")


def differences(said, should):
    """What is not as it should be, one line each."""
    lines = ["%s: there is no such attempt" % name for name in should if name not in said]
    for name, found in said.items():
        want = should.get(name, "in no row")
        if found["result"] == "broken":
            lines.append("%s: broken: %s" % (name, found["detail"]))
        elif not meets(found["result"], want):
            lines.append("%s (%s): %s (%s), not %s" % (
                name, row_of(name), found["result"], found["detail"], want))
    return lines
