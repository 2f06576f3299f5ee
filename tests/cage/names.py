"""Attempts on names in the project that programs outside of the cage run or believe: hooks of git,
settings of editors and agents. What succeeds is put back at once.
"""
import os

from calls import BIND, NEWNS, PRIVATE, REC, REMOUNT, mount, new_user_namespace, spot
from trial import Blocked, NotHere, attempt
from writes import append, create

# Directories and files that may be missing, and must not be the agent's to make.
DIRECTORIES = {"claude": ".claude", "codex": ".codex", "vscode": ".vscode", "idea": ".idea"}
FILES = {"mcp_json": ".mcp.json", "envrc": ".envrc"}
# What is there, to be changed.
PRESENT = {"git_config": ".git/config", "git_attributes": ".git/info/attributes",
           "git_hook": ".git/hooks/pre-commit", "module_config": ".git/modules/a/sub/config"}


def within(t, name):
    """A path in the project."""
    return os.path.join(t["project"], name)


def renamed(path):
    """Renames it and back."""
    os.rename(path, path + ".hostile")
    os.rename(path + ".hostile", path)


@attempt("names.hook_new")
def hook_new(t):
    """A hook that git runs at the user's next commit."""
    create(within(t, ".git/hooks/post-checkout"))
    return "planted a hook"


@attempt("names.module_hook_new")
def module_hook(t):
    """A hook of a submodule."""
    create(within(t, ".git/modules/a/sub/hooks/post-checkout"))
    return "planted a hook"


@attempt("names.hooks_renamed")
def hooks_renamed(t):
    """Renames the hooks' directory, to put its own there."""
    renamed(within(t, ".git/hooks"))
    return "renamed .git/hooks"


@attempt("names.git_renamed")
def git_renamed(t):
    """Renames .git, to put a copy there that nothing protects."""
    renamed(within(t, ".git"))
    return "renamed .git"


@attempt("names.project_renamed")
def project_renamed(t):
    """Renames the project itself."""
    renamed(t["project"])
    return "renamed the project"


@attempt("names.parent_renamed")
def parent_renamed(t):
    """Renames the directory that the project is in."""
    renamed(os.path.dirname(t["project"]))
    return "renamed what the project is in"


@attempt("names.git_config_replaced")
def config_replaced(t):
    """Sets core.hooksPath as git does: a new file, renamed over the old one. It has the same text.
    """
    path = within(t, ".git/config")
    with open(path, "rb") as old, open(path + ".lock", "xb") as new:
        new.write(old.read())
    try:
        os.rename(path + ".lock", path)
    except OSError:
        os.unlink(path + ".lock")
        raise
    return "replaced .git/config"


@attempt("names.hook_hard_link")
def hook_link(t):
    """A second name for the hook, to write to it there."""
    name = within(t, ".hostile-hook-%d" % os.getpid())
    os.link(within(t, ".git/hooks/pre-commit"), name)
    try:
        append(name)
    finally:
        os.unlink(name)
    return "could write by a second name"


@attempt("names.hook_remounted")
def hook_remounted(t):
    """Takes the mark read-only off the mount that protects, from a user namespace of its own."""
    if closed(t):
        new_user_namespace(NEWNS)
        mount(None, "/", None, REC | PRIVATE)
        directory = within(t, ".git/hooks")
        mount(None, directory, None, REMOUNT | BIND)
        append(directory + "/pre-commit")
    return "could write"


@attempt("names.hook_bound")
def hook_bound(t):
    """Reaches the hook by a copy of the project without what is mounted in it, and with it."""
    if closed(t):
        new_user_namespace(NEWNS)
        mount(None, "/", None, REC | PRIVATE)
        failure = None
        for flags in (BIND, BIND | REC):
            top = spot()
            try:
                mount(t["project"], top, None, flags)
                append(top + "/.git/hooks/pre-commit")
                return "could write"
            except OSError as error:
                failure = error
        raise failure
    return "could write"


def closed(t):
    """There is nothing to undo where the hook can be written as it is."""
    try:
        append(within(t, ".git/hooks/pre-commit"))
    except OSError:
        return True
    raise NotHere("it can be written as it is")


def made_directory(name):
    """Makes the directory; or if one stands there, something in it."""
    def body(t):
        path = within(t, name)
        try:
            os.mkdir(path)
        except FileExistsError:
            create(path + "/settings.json")
            return "planted something in " + name
        os.rmdir(path)
        return "made " + name
    return body


def made_file(name):
    """Makes the file; what stands in its place is taken away first, if that can be done."""
    def body(t):
        path = within(t, name)
        if os.path.isdir(path):
            os.rmdir(path)
            os.mkdir(path)
            return "removed what kept the place of " + name
        create(path)
        return "made " + name
    return body


def place_moved(name):
    """Moves away what keeps the place of a name."""
    def body(t):
        path = within(t, name)
        if not os.path.lexists(path):
            raise NotHere("nothing keeps the place of " + name)
        renamed(path)
        return "moved " + name
    return body


def changed(name):
    """Opens for writing what is there."""
    def body(t):
        path = within(t, name)
        if not os.path.isfile(path):
            raise Blocked("not there")
        append(path)
        return "could change " + name
    return body


for each, what in DIRECTORIES.items():
    attempt("names.%s_made" % each)(made_directory(what))
    attempt("names.%s_moved" % each)(place_moved(what))
for each, what in FILES.items():
    attempt("names.%s_made" % each)(made_file(what))
    attempt("names.%s_moved" % each)(place_moved(what))
for each, what in PRESENT.items():
    attempt("names.%s_changed" % each)(changed(what))
