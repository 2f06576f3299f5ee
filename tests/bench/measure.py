"""Numbers: samples and their summary, interleaved runs, and what /proc says about a process."""
import os
import statistics
import time


def percentile(samples, percent):
    """The sample that `percent` of all samples do not exceed."""
    ordered = sorted(samples)
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(0, int(rank) - 1)]


class Row:
    """One line of the result: who, in what, how much."""

    def __init__(self, bench, who, unit, samples, floor=None):
        self.bench, self.who, self.unit, self.floor = bench, who, unit, floor
        self.samples = list(samples)

    def summary(self):
        """The line as a JSON object. `times_floor` compares the medians."""
        median = statistics.median(self.samples)
        line = {"bench": self.bench, "who": self.who, "unit": self.unit, "n": len(self.samples),
                "median": round(median, 3), "p99": round(percentile(self.samples, 99), 3)}
        if self.floor is not None and statistics.median(self.floor.samples) > 0:
            line["times_floor"] = round(median / statistics.median(self.floor.samples), 2)
        return line


def interleave(rounds, *runs):
    """Calls the runs in turn, so that a slow moment of the machine hits all of them alike.

    Returns one list of results for each. The first round warms caches and is not counted.
    """
    results = [[] for _ in runs]
    for number in range(rounds + 1):
        for run, found in zip(runs, results):
            value = run()
            if number > 0:
                found.append(value)
    return results


def timed_ms(call):
    """How long the call takes, in milliseconds."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def wait_until(what, look, seconds=30, pause=0.002):
    """Looks until there is something; ends the program when there is nothing in time."""
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise SystemExit("bench: waited %d s in vain for %s" % (seconds, what))
        time.sleep(pause)


def memory_kib(pid):
    """(resident, private) in KiB. Private is what the process wrote itself: pages of its program
    are shared with every keeper, also when one happens to be alone. None if memory is hidden."""
    with open("/proc/%d/statm" % pid, encoding="ascii") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
            lines = [line.split() for line in file]
    except PermissionError:
        return resident, None
    return resident, sum(int(words[1]) for words in lines if words[0] == "Private_Dirty:")


def activity(pid):
    """(times it was scheduled in, nanoseconds on a CPU) over all threads since its start."""
    switches = nanoseconds = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, thread), encoding="utf-8") as file:
            switches += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        with open("/proc/%d/task/%s/schedstat" % (pid, thread), encoding="ascii") as file:
            nanoseconds += int(file.read().split()[0])
    return switches, nanoseconds


def parent(pid):
    """The parent's process id."""
    with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def name(pid):
    """What the process calls itself."""
    with open("/proc/%d/comm" % pid, encoding="utf-8") as file:
        return file.read().strip()


def start_time(pid):
    """Ticks from boot to the process's start, or None: with the pid it names a process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None
