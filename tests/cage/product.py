"""The real daemon and its sessions, as a user starts them, in the scene of an attack. It knows the
command line, the session's fields and where the state directory has what; nothing of the attempts.
"""
import json
import os
import signal
import subprocess
import time

from calls import LIBC, PDEATHSIG, started
from scene import Scene

PATIENCE = 30.0
KEEPER = "codepiper-keep"
# Of a person who has everything that a cage must not tell of.
TELLING = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "DOCKER_HOST": "unix:///nowhere",
           "TMUX": "/nowhere,1,0", "TMUX_PANE": "%0", "STY": "1.x", "DISPLAY": ":97",
           "WAYLAND_DISPLAY": "wayland-0", "VSCODE_IPC_HOOK_CLI": "/nowhere",
           "WSL_INTEROP": "/nowhere"}


class Product(Scene):
    """A scene with the product in it instead of stand-ins."""

    def __init__(self, ordinary, binary):
        super().__init__(ordinary, "/home")
        self.source, self.daemon, self.sessions = binary, None, []
        self.variables = {
            "HOME": self.home, "USER": self.name, "LOGNAME": self.name, "SHELL": "/bin/sh",
            "LANG": "C.UTF-8", "TERM": "xterm", "PATH": "/usr/local/bin:/usr/bin:/bin",
            "XDG_RUNTIME_DIR": "/run/user/%d" % self.uid, **TELLING}

    def __exit__(self, *ends):
        try:
            self.end_sessions()
        finally:
            self.end_everything()
            super().__exit__(*ends)

    def state(self):
        """The daemon makes it, but for the key: that is made when first needed, and one that is
        there is taken."""
        t = self.targets
        t["state_dir"], t["database"] = self.home + "/.codepiper", "codepiper.db"
        t["key"] = self.file(t["state_dir"] + "/master.key", "k" * 32)
        os.chmod(t["key"], 0o600)

    def doors(self):
        """So are its doors, and the link to one of them in /tmp."""
        t = self.targets
        t["control_socket"] = t["state_dir"] + "/run/control.sock"
        t["hook_socket"] = t["state_dir"] + "/hook/hook.sock"
        t["keeper_sockets"] = t["state_dir"] + "/run/k"
        t["control_link"] = "/tmp/codepiper.sock"

    def actors(self):
        """The daemon, from a program of the user's."""
        self.variables["SSH_AUTH_SOCK"] = self.targets["sentinels"]["ssh_agent"]
        self.program = self.targets["binary"]
        with open(self.source, "rb") as old, open(self.program, "wb") as new:
            new.write(old.read())
        os.chmod(self.program, 0o755)
        self.start_daemon()

    def as_user(self):
        """What a child does before it is another program."""
        LIBC.prctl(PDEATHSIG, signal.SIGKILL)
        with open(self.cgroup + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")
        os.setsid()
        self.become()

    def start_daemon(self):
        """Starts it and waits until it answers."""
        with open(self.base + "/daemon.log", "a", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(
                [self.program, "daemon"], env=self.variables, cwd="/", stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=self.as_user)
        self.until("the daemon to answer", lambda: self.run("ls").returncode == 0)
        pid = self.daemon.pid
        self.targets["daemon_pid"], self.targets["daemon_start"] = pid, started(pid)

    def crash(self):
        """Kills the daemon at once and starts another."""
        self.daemon.kill()
        self.daemon.wait()
        self.start_daemon()
        for session in self.sessions:
            self.until("the daemon to take session %s over" % session,
                       lambda s=session: not self.session(s)["adopting"])

    def until(self, what, true):
        """Waits for something."""
        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end or self.daemon.poll() is not None:
                raise SystemExit("waited in vain for %s\n%s" % (what, self.log()))
            time.sleep(0.03)

    def log(self):
        """The last of what the daemon says."""
        with open(self.base + "/daemon.log", encoding="utf-8") as file:
            return file.read()[-3000:]

    def run(self, *words):
        """A command line of the user's, from outside of every cage."""
        return subprocess.run([self.program, *words], env=self.variables, cwd="/", timeout=60,
                              check=False, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, preexec_fn=self.as_user)

    def start(self, level, directory, *program):
        """Starts a session at this level; its fields, or the words by which that was refused."""
        listed = ["--grant", "port:%d" % self.targets["tcp_port"]] if level == "strict" else []
        done = self.run("start", "--json", "-p", "command", "-d", directory, "--sandbox", level,
                        *listed, "--", *program)
        if done.returncode:
            raise Refused(done.stderr.strip() or done.stdout.strip())
        session = json.loads(done.stdout)["session"]
        self.sessions.append(session["id"])
        return session

    def session(self, name):
        """A session's fields as they are now."""
        done = self.run("show", "--json", name)
        if done.returncode:
            raise SystemExit("cannot look at session %s: %s" % (name, done.stderr))
        found = json.loads(done.stdout)
        return found.get("session", found)

    def keeper(self, pid):
        """Which process keeps that program's terminal."""
        while pid > 1:
            with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
                left, _, right = file.read().rpartition(")")
            if left.partition("(")[2] == KEEPER:
                return pid
            pid = int(right.split()[1])
        raise SystemExit("a session's program has no keeper above it")

    def process(self, who, pid):
        """Enters a process as a target."""
        self.targets[who + "_pid"], self.targets[who + "_start"] = pid, started(pid)

    def end_sessions(self):
        """As a person ends them."""
        if self.daemon and self.daemon.poll() is None:
            for session in self.sessions:
                self.run("stop", session)
                self.run("kill", session)
            self.daemon.terminate()
            self.daemon.wait(PATIENCE)

    def end_everything(self):
        """Ends what is left in the group that all of them are in, and waits for that."""
        end = time.monotonic() + PATIENCE
        for group in (self.cgroup + "/sibling", self.cgroup):
            while os.path.isdir(group) and time.monotonic() < end:
                with open(group + "/cgroup.procs", encoding="ascii") as file:
                    left = [int(word) for word in file.read().split()]
                if not left:
                    break
                for pid in left:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                time.sleep(0.05)
        if self.daemon:
            self.daemon.wait()


class Refused(Exception):
    """The session was not started."""
