"""Attempts to leave something outside of the project: in the start-up files of the user's next
shell, in another directory, in the program itself. What succeeds is put back at once. A write that
ends in a private home of the session reaches nobody, so a directory is told by its inode.
"""
import errno
import os

from key import CLIMB, processes, same
from trial import NotHere, Targets, attempt, first


def append(path):
    """Opens for writing and writes nothing."""
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def create(path):
    """Creates and removes a file."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)


def in_home(t, name):
    """What is there in the user's home, and not what a private one has in its place: a file by its
    own identity, for a file that is bound into a private home is the user's all the same."""
    path = os.path.join(t["home"], name)
    same(path, Targets(t["home_ids"])[name])
    return path


@attempt("home.bashrc")
def bashrc(t):
    """Adds to what the next shell runs."""
    append(in_home(t, ".bashrc"))
    return "could add to ~/.bashrc"


@attempt("home.bashrc_replaced")
def bashrc_replaced(t):
    """Puts another file with the same text in its place."""
    path = os.path.join(in_home(t, "."), ".bashrc")
    other = path + ".hostile-%d" % os.getpid()
    with open(path, "rb") as old, open(other, "wb") as new:
        new.write(old.read())
    try:
        os.rename(other, path)
    except OSError:
        os.unlink(other)
        raise
    return "replaced ~/.bashrc"


@attempt("home.zshenv_new")
def zshenv(t):
    """A start-up file that was not there."""
    create(in_home(t, ".") + "/.zshenv")
    return "planted ~/.zshenv"


@attempt("home.user_unit_new")
def unit(t):
    """A service that the user's next login starts."""
    create(in_home(t, ".config/systemd/user") + "/hostile.service")
    return "planted a service"


@attempt("home.user_unit_edited")
def unit_edited(t):
    """The service that starts the daemon."""
    append(in_home(t, ".config/systemd/user/codepiper.service"))
    return "could change the daemon's service"


@attempt("home.ssh_config")
def ssh(t):
    """A command that the user's next ssh runs."""
    append(in_home(t, ".ssh/config"))
    return "could add to ~/.ssh/config"


@attempt("home.gitconfig")
def gitconfig(t):
    """A command that the user's next git runs."""
    append(in_home(t, ".gitconfig"))
    return "could add to ~/.gitconfig"


@attempt("home.path_new")
def path_new(t):
    """A program in the user's PATH."""
    create(in_home(t, ".local/bin") + "/hostile-ls")
    return "planted a program"


@attempt("home.agent_settings")
def agent_settings(t):
    """Hooks of the agent's next run, outside of a cage."""
    append(in_home(t, ".claude/settings.json"))
    return "could add to ~/.claude/settings.json"


@attempt("home.agent_state")
def agent_state(t):
    """Servers and trusted places of the agent's next run."""
    append(in_home(t, ".claude.json"))
    return "could change ~/.claude.json"


@attempt("program.binary")
def binary(t):
    """The program that the daemon is. That it runs is for opening an objection that comes before a
    mark read-only, but none for a change of mode."""
    same(t["binary"], t["binary_id"])
    mode(t["binary"])
    try:
        append(t["binary"])
    except OSError as error:
        if error.errno != errno.ETXTBSY:
            raise
    return "could write to the program"


def edit(path):
    """Appends nothing."""
    append(path)


def truncate(path):
    """Cuts it to the length it has."""
    os.truncate(path, os.stat(path).st_size)


def remove(path):
    """Removes it and puts it back."""
    with open(path, "rb") as file:
        text = file.read()
    os.unlink(path)
    with open(path, "wb") as file:
        file.write(text)


def move(path):
    """Gives it another name and the old one again."""
    os.rename(path, path + ".moved")
    os.rename(path + ".moved", path)


def mode(path):
    """Sets the mode it has."""
    os.chmod(path, os.stat(path).st_mode & 0o7777)


def owner(path):
    """Sets the owner it has."""
    os.chown(path, os.stat(path).st_uid, os.stat(path).st_gid)


def times(path):
    """Sets its times."""
    os.utime(path, (1, 1))


def attribute(path):
    """Sets an extended attribute and takes it away."""
    os.setxattr(path, "user.hostile", b"x")
    os.removexattr(path, "user.hostile")


def create_beside(path):
    """A new file in its directory."""
    create(path + ".new")


def directory_beside(path):
    """A new directory in its directory."""
    os.mkdir(path + ".dir")
    os.rmdir(path + ".dir")


def link_beside(path):
    """A new link in its directory."""
    os.symlink("/etc/passwd", path + ".link")
    os.unlink(path + ".link")


OUTSIDE = {"edit": edit, "truncate": truncate, "rm": remove, "mv": move, "chmod": mode,
           "chown": owner, "utimes": times, "xattr": attribute, "create": create_beside,
           "mkdir": directory_beside, "symlink": link_beside}


def outside(body):
    """The attempt on the file outside."""
    def made(t):
        same(os.path.dirname(t["outside_file"]), t["outside_id"])
        body(t["outside_file"])
        return "done to " + t["outside_file"]
    return made


for way_name, function in OUTSIDE.items():
    attempt("outside." + way_name)(outside(function))


@attempt("outside.hard_link")
def hard_link(t):
    """Gives a file outside a second name in the project, to write to it there."""
    name = os.path.join(t["project"], ".hostile-outside-%d" % os.getpid())
    os.link(t["outside_file"], name)
    try:
        append(name)
    finally:
        os.unlink(name)
    return "could write by a second name"


@attempt("outside.proc_self_root")
def own_root(t):
    """Through this process's root."""
    append("/proc/self/root" + t["outside_file"])
    return "could write"


@attempt("outside.proc_1_root")
def first_root(t):
    """Through the root of process 1."""
    append("/proc/1/root" + t["outside_file"])
    return "could write"


@attempt("outside.proc_any_root")
def any_root(t):
    """Through any process's root or working directory."""
    return first(("/proc/%d/%s" % (pid, name),
                  lambda p=pid, n=name: append("/proc/%d/%s%s%s" % (p, n, CLIMB,
                                                                   t["outside_file"])))
                 for pid in processes() for name in ("root", "cwd"))


@attempt("outside.sibling_project")
def sibling_project(t):
    """A file in another session's project."""
    create(os.path.join(t["sibling_dir"], ".hostile-%d" % os.getpid()))
    return "planted a file"


@attempt("outside.shared_temp")
def shared_temp(t):
    """A file of the user's in the temporary directory that everybody has."""
    path = t["temp_file"]
    if not path.startswith("/tmp/"):
        raise NotHere("the target is not in /tmp")
    append(path)
    return "could write to it"
