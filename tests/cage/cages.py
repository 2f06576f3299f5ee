"""Cages made by hand, of the parts that cages are made of, to show what attempts come to there.
None is a model for the product's: each is as short as it can be and covers what the scene made.
"""
import os
import signal

from calls import BIND, DUMPABLE, LIBC, NEWIPC, NEWNS, NEWPID, NEWUSER, PRIVATE, RDONLY, REC
from calls import REMOUNT, call, mount, mount_points, write
from filters import beside, filter_calls, restrict
from processes import OF_REAPER
from scene import GROUPS, handle

PROTECTED = (".git/hooks", ".git/config", ".git/info/attributes", ".git/modules/a/sub/hooks",
             ".git/modules/a/sub/config", ".claude", ".codex", ".vscode", ".idea", ".mcp.json",
             ".envrc")
STARTUP = (".bashrc", ".ssh/config", ".gitconfig", ".config/systemd", ".local/lib/codepiper")
KEPT = (".bashrc", ".ssh/config", ".gitconfig", ".claude", ".local/lib/codepiper",
        ".config/systemd/user/codepiper.service")


def user(scene):
    """Is the user, and may write its own maps."""
    scene.become()
    LIBC.prctl(DUMPABLE, 1)


def enter(more, whole="0 0 4294967295"):
    """New namespaces with a user namespace among them. Root has the whole map, which a process
    outside must write; a user has itself alone."""
    uid, gid, me = os.getuid(), os.getgid(), os.getpid()
    mine, theirs = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.read(mine[0], 1)
        if uid:
            write("/proc/%d/setgroups" % me, "deny")
        write("/proc/%d/uid_map" % me, "%d %d 1" % (uid, uid) if uid else whole)
        write("/proc/%d/gid_map" % me, "%d %d 1" % (gid, gid) if uid else whole)
        os.write(theirs[1], b"x")
        os._exit(0)
    os.close(theirs[1])
    call("unshare", NEWUSER | more)
    os.write(mine[1], b"x")
    if os.read(theirs[0], 1) != b"x":
        raise SystemExit("no maps")
    os.waitpid(helper, 0)
    for descriptor in (mine[0], mine[1], theirs[0]):
        os.close(descriptor)


def readonly(path):
    """Bound on itself, and then marked."""
    mount(path, path, None, BIND | REC)
    mount(None, path, None, REMOUNT | BIND | RDONLY)


def mask(path):
    """Covered by an empty directory that nothing can be put into."""
    mount("none", path, "tmpfs", 0, "mode=0700,size=64k")
    mount(None, path, None, REMOUNT | BIND | RDONLY)


def keep(source, target):
    """A directory opened before it was covered, seen again."""
    mount("/proc/self/fd/%d" % source, target, None, BIND)


def cover_state(scene):
    """Covers the state directory but for the way to the hooks."""
    t = scene.targets
    hook = os.path.dirname(t["hook_socket"])
    source = os.open(hook, os.O_PATH)
    mount("none", t["state_dir"], "tmpfs", 0, "mode=0755,size=64k")
    os.mkdir(hook)
    keep(source, hook)
    os.close(source)
    mount(None, t["state_dir"], None, REMOUNT | BIND | RDONLY)


def cover_channels(scene):
    """Covers every directory in which the scene has a listener of somebody else."""
    t = scene.targets
    for name, path in t["sentinels"].items():
        if name == "late":
            continue
        if path.startswith("/run/docker"):
            mount("/dev/null", path, None, BIND)
        elif os.path.isdir(os.path.dirname(path)):
            mask(os.path.dirname(path))
    for path in list(t["agent_channels"].values()) + [t["registry_key"]]:
        if os.path.isdir(os.path.dirname(path)):
            mount("none", os.path.dirname(path), "tmpfs", 0, "mode=0700")


def first_process(scene, level, pidns=True):
    """Builds the mounts, as the first process of the pid namespace if there is one."""
    t = scene.targets
    mount(None, "/", None, REC | PRIVATE)
    if pidns:
        mount("none", "/proc", "proc")
    for path, kind, more in (("/dev/shm", "tmpfs", None),
                             ("/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0600")):
        mount("none", path, kind, 0, more)
    mount("/dev/pts/ptmx", "/dev/ptmx", None, BIND)
    if level == "guard":
        for name in STARTUP:
            readonly(os.path.join(t["home"], name))
        cover_state(scene)
    else:
        narrow(scene, level)
    cover_channels(scene)
    if level != "guard":
        mount(None, "/", None, REMOUNT | BIND | RDONLY)
    mount(None, "/sys", None, REMOUNT | BIND | RDONLY)
    # Marked read-only is not enough: a process can be started in a group that can be opened.
    mask(GROUPS)
    if pidns:
        write("/proc/sys/kernel/ns_last_pid", str(t["keeper_pid"]))


def no_groups():
    """A namespace of control groups whose top is the group that a session shares with the daemon
    would let a mount of them be made in which that group can be written."""
    write("/proc/sys/user/max_cgroup_namespaces", "0")


def narrow(scene, level):
    """A home of its own, everything read-only but the project, names in it that are protected."""
    t = scene.targets
    kept = {name: os.open(os.path.join(t["home"], name), os.O_PATH) for name in KEPT}
    hook = os.path.dirname(t["hook_socket"])
    kept[os.path.relpath(hook, t["home"])] = os.open(hook, os.O_PATH)
    mount("none", t["home"], "tmpfs", 0, "mode=0700")
    for name, source in kept.items():
        place = os.path.join(t["home"], name)
        os.makedirs(place if os.path.isdir("/proc/self/fd/%d" % source)
                    else os.path.dirname(place), exist_ok=True)
        if not os.path.isdir(place):
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
        if level == "workspace" or ".codepiper" in name:
            keep(source, place)
            if name != ".claude" and ".codepiper" not in name:
                mount(None, place, None, REMOUNT | BIND | RDONLY)
        os.close(source)
    if level == "workspace":
        readonly(t["home"] + "/.claude/settings.json")
    for path in (t["sibling_dir"], os.path.dirname(t["outside_file"])):
        readonly(path) if level == "workspace" else mask(path)
    if level == "strict":
        empty = os.open(t["project"] + "/empty", os.O_CREAT | os.O_RDONLY)
        mount("/proc/self/fd/%d" % empty, t["unlisted_file"], None, BIND)
    protect(t["project"])
    mount("none", "/tmp", "tmpfs", 0, "mode=01777")


def protect(project):
    """Every directory above bound on itself, so that none can be renamed; then the names."""
    path, chain = project, []
    while path != "/":
        chain.append(path)
        path = os.path.dirname(path)
    for path in reversed(chain[:-1]):
        mount(path, path, None, BIND | REC)
    for name in (".git",) + PROTECTED:
        path = os.path.join(project, name)
        if not os.path.exists(path):
            os.mkdir(path)
        mount(path, path, None, BIND | REC)
        if name != ".git":
            mount(None, path, None, REMOUNT | BIND | RDONLY)
    for path in chain[1:-1]:
        mount(None, path, None, REMOUNT | BIND | RDONLY)


def none(scene, words, variables):
    """No cage at all."""
    scene.become()
    os.execve(words[0], words, variables)


def mounts_alone(scene, words, variables):
    """The mounts without a user namespace, which only root can have: a mistake."""
    call("unshare", NEWNS)
    mount(None, "/", None, REC | PRIVATE)
    cover_state(scene)
    readonly(os.path.dirname(scene.targets["outside_file"]))
    os.execve(words[0], words, variables)


def one_level(scene, words, variables):
    """The mounts alone, in one user namespace: a mistake, for whoever keeps its capabilities."""
    levels(scene, words, variables, False)


def two_levels(scene, words, variables):
    """The mounts alone, locked by a second user namespace."""
    levels(scene, words, variables, True)


def levels(scene, words, variables, lock):
    """Covers the state directory and makes a directory outside read-only."""
    user(scene)
    enter(NEWNS)
    mount(None, "/", None, REC | PRIVATE)
    cover_state(scene)
    readonly(os.path.dirname(scene.targets["outside_file"]))
    if lock:
        enter(NEWNS)
    os.execve(words[0], words, variables)


def bare_names(scene, words, variables):
    """The hooks read-only and nothing above them, an empty directory in a name's place and nothing
    that holds it there: a mistake."""
    user(scene)
    project = scene.targets["project"]
    os.mkdir(project + "/.claude")
    os.mkdir(project + "/.mcp.json")
    enter(NEWNS)
    mount(None, "/", None, REC | PRIVATE)
    readonly(project + "/.git/hooks")
    enter(NEWNS)
    os.execve(words[0], words, variables)


def bubblewrap(scene, words, variables):
    """The mounts that the sandbox of Debian makes, by itself."""
    t = scene.targets
    scene.become()
    os.execvpe("bwrap", [
        "bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--ro-bind", "/", "/",
        "--bind", t["project"], t["project"], "--tmpfs", t["state_dir"], "--tmpfs", "/tmp",
        "--dev", "/dev", "--proc", "/proc", "--tmpfs", GROUPS] + words, variables)


def landlock_only(scene, words, variables):
    """Rules for files and scopes and a filter of calls, without a namespace."""
    user(scene)
    hook = os.path.dirname(scene.targets["hook_socket"])
    restrict(beside(scene.targets["state_dir"]) + [hook], denied=True)
    filter_calls(False, True)
    os.execve(words[0], words, variables)


def full(level, pidns=True):
    """Everything: mounts, two levels, namespaces of processes and memory, scopes, a filter."""
    def cage(scene, words, variables):
        user(scene)
        enter(NEWNS | NEWIPC | (NEWPID if pidns else 0))
        child = os.fork()
        if child:
            LIBC.prctl(DUMPABLE, 0)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
        LIBC.prctl(1, signal.SIGKILL)
        first_process(scene, level, pidns)
        no_groups()
        child = os.fork()
        if child:
            LIBC.prctl(DUMPABLE, 0)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
        enter(NEWNS)
        os.chdir(scene.targets["project"])
        ports = [scene.targets["tcp_port"]] if level == "strict" else None
        restrict(ports=ports)
        filter_calls(level == "strict", not pidns)
        os.execve(words[0], words, variables)
    return cage


CAGES = {"none": none, "mounts": mounts_alone, "one-level": one_level, "two-levels": two_levels,
         "landlock": landlock_only, "guard": full("guard"), "workspace": full("workspace"),
         "strict": full("strict"), "no-pidns": full("guard", False),
         "bwrap": bubblewrap, "bare-names": bare_names}
WITH_PIDNS = ("guard", "workspace", "strict", "shifted", "bwrap")
ROOT_ONLY = ("mounts", "one-level", "shifted")
# Which level of expect.json a cage must come to.
LEVELS = {"none": "off", "landlock": "keys-only", "guard": "guard", "shifted": "guard",
          "no-pidns": "guard", "workspace": "workspace", "strict": "strict"}


def of(prefix, ways, kind, result):
    """The same result for several ways."""
    end = "." + kind if kind else ""
    return {"%s.%s%s" % (prefix, way, end): result for way in ways.split()}


LEAKS = dict.fromkeys(("key.inherited_directory", "inherited.descriptors", "environment.channels",
                       "control.inherited_directory"), "open")
UNMASK = "umount umount_lazy bind rbind move open_tree overlay"
UNLOCK = "remount bind_remount rbind_remount setattr open_tree_setattr"
# What a mistake must let through, and the lock must not: without it a try at a mask would be one
# that never succeeds.
MISTAKE = {**of("mask", UNMASK, "direct", "open"), **of("readonly", UNLOCK, "direct", "open"),
           **of("mask", UNMASK, "nested", "blocked"), **of("readonly", UNLOCK, "nested", "blocked")}
DISK = dict.fromkeys(("mask.handle.direct", "mask.second_mount.direct",
                      "readonly.second_mount.direct"), "open")
if not any(point == "/" and source.startswith("/dev/") for point, _, source in mount_points()):
    DISK = {}
if handle("/proc/self/ns/mnt")[0]:
    DISK["mask.namespace.direct"] = "open"
LOCKED = {**dict.fromkeys(list(MISTAKE) + list(DISK), "blocked"), "key.path": "blocked"}
BARE = {**of("names", "git_renamed git_config_replaced claude_moved mcp_json_moved", None, "open"),
        **of("names", "hook_new hooks_renamed hook_remounted hook_bound", None, "blocked")}
# bwrap leaves its first process within reach, counts processes from 1, is locked for users alone.
REACHED = {"reaper." + way: "open" for way in OF_REAPER if way != "setns"}
BWRAP = {**REACHED, "agents.registry_clash": "open"}
# The stand-ins for keepers have an environment.
TOLD = dict.fromkeys(("keeper.environ", "sibling_keeper.environ"), "open")
# Its users are shifted on one file system, and /tmp is on another.
SHIFTED = dict.fromkeys(("outside.shared_temp", "socket.late"), "blocked")
MORE = {"shifted": {"root": SHIFTED}, "none": {"user": LEAKS, "root": {**LEAKS, **TOLD}},
        "landlock": {"root": TOLD}, "mounts": {"root": {**MISTAKE, **DISK}},
        "one-level": {"root": MISTAKE}, "two-levels": {"user": LOCKED, "root": LOCKED},
        "bare-names": {"user": BARE, "root": BARE}, "bwrap": {
            "user": {**LOCKED, **BWRAP},
            "root": {**of("mask", UNMASK, "direct", "open"), **BWRAP}}}
