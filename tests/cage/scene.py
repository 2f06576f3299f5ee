"""The world that a hostile program attacks when the product is not there: stand-ins for a daemon,
two keepers and a sibling session, listeners at the places of the sockets that matter, files. Root
makes it, for itself or for a user that is made for it and removed again.
"""
import ctypes
import os
import pty
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from calls import AT_FDCWD, DUMPABLE, LIBC, NEWNS, PDEATHSIG, call, new_user_namespace, started

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"

# What is in the user's home that an attack would like to change, and where it would add something.
HOME = (".", ".local/bin", ".config/systemd/user", ".bashrc", ".ssh/config", ".gitconfig",
        ".claude/settings.json", ".claude.json", ".config/systemd/user/codepiper.service")
DIRECTORIES = HOME[:3]
FOLLOW = 0x400


class Scene:
    """Everything there is to attack, as user `name` or, without one, as root."""

    def __init__(self, ordinary, where="/srv"):
        self.base = tempfile.mkdtemp(prefix="cage-", dir=where)
        os.chmod(self.base, 0o755)
        self.word = os.path.basename(self.base)
        self.name, self.uid, self.gid = "root", 0, 0
        self.home, self.children, self.made = self.base + "/home", [], []
        self.queue = self.terminal = None
        if ordinary:
            self.name = self.word.lower().replace("_", "x")
            users("useradd", "-M", "-d", self.home, "-s", "/bin/sh", self.name)
            entry = pwd.getpwnam(self.name)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid
        self.targets = {"pidns": False}
        self.held = []

    def __enter__(self):
        try:
            self.files()
            self.sockets()
            self.shared()
            self.group()
            self.actors()
            self.identities()
            shutil.copytree(HERE, self.targets["project"] + "/hostile",
                            ignore=shutil.ignore_patterns("__*"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        if "shm_id" in self.targets:
            call("shmctl", self.targets["shm_id"], 0, 0)
        for path in reversed(self.made):
            if not os.path.isdir(path) or os.path.islink(path):
                os.unlink(path)
            elif path.startswith(GROUPS) or not os.listdir(path):
                os.rmdir(path)
        LIBC.mq_unlink(b"/" + self.word.encode())
        for descriptor in (self.queue, self.terminal):
            if descriptor is not None:
                os.close(descriptor)
        for end in self.held:
            end.close()
        shutil.rmtree(self.base)
        if self.uid:
            users("userdel", self.name)

    def directory(self, path):
        """A directory of the user's, with those above it that are missing."""
        if os.path.isdir(path):
            return path
        self.directory(os.path.dirname(path))
        os.mkdir(path, 0o700)
        os.chown(path, self.uid, self.gid)
        if not path.startswith(self.base):
            self.made.append(path)
        return path

    def file(self, path, text="x\n"):
        """A file of the user's."""
        self.directory(os.path.dirname(path))
        with open(path, "x", encoding="ascii") as file:
            file.write(text)
        os.chown(path, self.uid, self.gid)
        if not path.startswith(self.base):
            self.made.append(path)
        return path

    def files(self):
        """What there is to read and to write."""
        t, home = self.targets, self.directory(self.home)
        self.state()
        t["home"], t["project"] = home, self.directory(self.base + "/own/work/project")
        for name in HOME:
            made = self.directory if name in DIRECTORIES else self.file
            made(os.path.normpath(os.path.join(home, name)))
        t["home_secret"] = self.file(home + "/.aws/credentials", "secret\n")
        t["registry_key"] = self.file(home + "/.claude/sessions/77.key", "agent\n")
        t["binary"] = self.file(home + "/.local/lib/codepiper")
        t["outside_file"] = self.file(self.base + "/outside/file")
        t["sibling_dir"] = self.directory(self.base + "/sibling")
        t["sibling_file"] = os.path.basename(self.file(t["sibling_dir"] + "/file"))
        t["temp_file"] = self.file("/tmp/%s-file" % self.word)
        t["unlisted_file"] = "/etc/debian_version"
        for name in ("config", "info/attributes", "hooks/pre-commit", "modules/a/sub/config",
                     "modules/a/sub/HEAD", "modules/a/sub/hooks/x"):
            self.file(t["project"] + "/.git/" + name)

    def state(self):
        """What the daemon keeps."""
        t = self.targets
        t["state_dir"] = self.home + "/.codepiper"
        t["key"] = self.file(t["state_dir"] + "/master.key", "k" * 32)
        t["database"] = os.path.basename(self.file(t["state_dir"] + "/codepiper.db"))

    def doors(self):
        """Where the daemon and a keeper listen."""
        t = self.targets
        t["control_socket"] = self.listen(t["state_dir"] + "/run/control.sock")
        t["hook_socket"] = self.listen(t["state_dir"] + "/hook/hook.sock")
        t["keeper_sockets"] = os.path.dirname(self.listen(t["state_dir"] + "/run/k/a.sock"))
        t["control_link"] = "/tmp/%s-control" % self.word
        os.symlink(t["control_socket"], t["control_link"])
        self.made.append(t["control_link"])

    def listen(self, path):
        """A listener at a path; beside it if a real one is there."""
        self.directory(os.path.dirname(path))
        if os.path.lexists(path):
            path += "-" + self.word
        end = socket.socket(socket.AF_UNIX)
        end.bind(path)
        os.chown(path, self.uid, self.gid)
        end.listen(64)
        if not path.startswith(self.base):
            self.made.append(path)
        self.held.append(end)
        return path

    def sockets(self):
        """Every listener, all held by the stand-in of the daemon."""
        t, uid = self.targets, self.uid
        self.doors()
        run, number = "/run/user/%d" % uid, "" if uid == 0 else "-%d" % uid
        t["sentinels"] = {name: self.listen(path) for name, path in {
            "ssh_agent": "/tmp/ssh-%s/agent.7" % self.word, "bus": run + "/bus",
            "ssh_agent_home": self.home + "/.ssh/agent/s.7", "docker": "/run/docker.sock",
            "tmux": "/tmp/tmux-%d/%s" % (uid, self.word), "gpg": self.home + "/.gnupg/S.gpg-agent",
            "screen": "/run/screen/S-%s/7" % self.name, "x11": "/tmp/.X11-unix/X97",
            "system_bus": "/run/dbus/system_bus_socket",
            "late": "/tmp/%s-late/ipc.sock" % self.word}.items()}
        t["agent_channels"] = {name: self.listen(path) for name, path in {
            "cc_socks": "/tmp/cc-socks%s/77.sock" % number,
            "cc_socks_run": run + "/cc-socks/77.sock",
            "cc_daemon": "/tmp/cc-daemon-%d/77.sock" % uid,
            "claude_host": "/tmp/claude-host-%d/77.sock" % uid,
            "codex_daemon": "/tmp/codex-daemon-%d/77.sock" % uid}.items()}
        t["abstract_socket"], t["abstract_datagram"] = self.word, self.word + "-d"
        self.unix_listeners = list(self.held)
        for name, kind in (("abstract_socket", socket.SOCK_STREAM),
                           ("abstract_datagram", socket.SOCK_DGRAM)):
            end = socket.socket(socket.AF_UNIX, kind)
            end.bind("\0" + t[name])
            self.held.append(end)
        self.held[-2].listen(64)
        self.ports()

    def ports(self):
        """The other ends of the attempts on the network."""
        for name in ("tcp_port", "tcp_port_denied", "udp_port", "tcp_bind_denied"):
            kind = socket.SOCK_DGRAM if name == "udp_port" else socket.SOCK_STREAM
            end = socket.socket(socket.AF_INET6, kind)
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            end.bind(("::", 0))
            self.targets[name] = end.getsockname()[1]
            if name == "tcp_bind_denied":
                end.close()
                continue
            if kind == socket.SOCK_STREAM:
                end.listen(64)
            threading.Thread(target=answer, args=(end, kind), daemon=True).start()

    def shared(self):
        """Memory and a queue of the sibling's."""
        t = self.targets
        t["posix_shm"], t["queue"] = self.file("/dev/shm/" + self.word), self.word
        t["shm_key"] = 0x10000000 | os.getpid()
        t["shm_id"] = call("shmget", t["shm_key"], 4096, 0o1600)
        data = ctypes.create_string_buffer(256)
        call("shmctl", t["shm_id"], 2, data)
        struct.pack_into("II", data, 4, self.uid, self.gid)
        call("shmctl", t["shm_id"], 1, data)
        self.queue = call("mq_open", self.word.encode(), os.O_CREAT | os.O_RDWR, 0o600, 0)
        os.fchown(self.queue, self.uid, self.gid)

    def group(self):
        """A group that is the user's, with one below it for the sibling."""
        self.cgroup = "%s/%s" % (GROUPS, self.word)
        for path in (self.cgroup, self.cgroup + "/sibling"):
            os.mkdir(path)
            self.made.append(path)
            for name in [""] + os.listdir(path):
                os.chown(os.path.join(path, name), self.uid, self.gid)
        self.targets["cgroup_dir"] = self.cgroup + "/sibling"

    def actors(self):
        """The processes. The parent's descriptors of listeners stay with the first alone."""
        first, second = pty.openpty()
        os.fchown(second, self.uid, self.gid)
        self.targets["sibling_tty"] = os.ttyname(second)
        self.targets["sibling_tty_id"] = identity(second)
        self.terminal = first
        for who in ("daemon", "sibling", "sibling_keeper", "keeper"):
            pid = self.actor(who, second)
            self.targets[who + "_pid"], self.targets[who + "_start"] = pid, started(pid)
        os.close(second)

    def actor(self, who, terminal):
        """One process that waits; says over a pipe when it is what it should be."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                LIBC.prctl(PDEATHSIG, signal.SIGKILL)
                os.setsid()
                os.chdir("/")
                for number in range(3):
                    os.dup2(terminal if who == "sibling" else os.open("/dev/null", os.O_RDWR),
                            number)
                if who == "sibling":
                    with open(self.targets["cgroup_dir"] + "/cgroup.procs", "w",
                              encoding="ascii") as file:
                        file.write("0")
                self.become()
                LIBC.prctl(DUMPABLE, 1)
                if who == "sibling":
                    new_user_namespace(NEWNS)
                    # A user's session has no capabilities, as after exec. Root's keeps them.
                    if self.uid:
                        call("capset", struct.pack("Ii", 0x20080522, 0), bytes(24))
                LIBC.prctl(DUMPABLE, int(who == "sibling"))
                if who == "daemon":
                    for end in self.unix_listeners:
                        end.listen(64)
                os.write(writer, b"x")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(writer)
        if os.read(reader, 1) != b"x":
            raise SystemExit("the stand-in for %s did not start" % who)
        os.close(reader)
        self.children.append(pid)
        return pid

    def become(self):
        """Is the user from here on."""
        os.setgroups([])
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)

    def identities(self):
        """By which the things outside are told from others of the same name."""
        t = self.targets
        for name, path in (("state_id", t["state_dir"]), ("binary_id", t["binary"]),
                           ("state_parent_id", os.path.dirname(t["state_dir"])),
                           ("outside_id", os.path.dirname(t["outside_file"]))):
            t[name] = identity(path)
        t["home_ids"] = {name: identity(os.path.join(self.home, name)) for name in HOME}
        t["key_handle"] = handle(t["key"])
        t["mounts_handle"] = handle("/proc/self/ns/mnt")


def users(*words):
    """Adds or removes a user, as soon as nobody else does."""
    end = time.monotonic() + 30
    while subprocess.run(words, check=False, stderr=subprocess.DEVNULL).returncode:
        if time.monotonic() > end:
            raise SystemExit("does not work: " + " ".join(words))
        time.sleep(0.1)


def identity(path):
    """By what a file is told from another of the same name."""
    found = os.stat(path)
    return [found.st_dev, found.st_ino]


def handle(path):
    """A file's handle: its kind and its bytes. Older kernels have none for a namespace."""
    data = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    try:
        call("name_to_handle_at", AT_FDCWD, path.encode(), data, ctypes.byref(ctypes.c_int()),
             FOLLOW)
    except OSError:
        return [0, ""]
    size, kind = struct.unpack_from("Ii", data.raw)
    return [kind, data.raw[8:8 + size].hex()]


def answer(end, kind):
    """Answers whoever asks."""
    while True:
        if kind == socket.SOCK_DGRAM:
            end.sendto(b"yes", end.recvfrom(64)[1])
            continue
        other, _ = end.accept()
        other.sendall(b"yes")
        other.close()
