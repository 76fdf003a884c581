"""What git knows about a step's folder: origin, commit, uncommitted files, user and branch."""

import getpass
import logging
import os
from pathlib import Path

from sinara_lib.runs.code_identity import code_of, library_of
from sinara_lib.runs.git import GitError, ask_git, repository_of, run_git
from sinara_lib.store.manifest import Producer
from sinara_lib.urls import without_credentials

log = logging.getLogger(__name__)


def read_producer(folder: Path, *, library_folder: Path | None = None) -> Producer:
    """Describe the code in `folder`; outside a repository only its bytes and the library are known.

    Where git refuses to open the repository the same is known, and a warning says why in git's words.
    `library_folder` is that of the package which the step's kernel imports, where it is not this process's own.
    """
    unnamed = Producer(library=library_of(library_folder), code=code_of(folder))
    try:
        if repository_of(folder) is None:
            return unnamed
        commit = ask_git(folder, "rev-parse", "--quiet", "--verify", "HEAD")
        if commit is None:
            return unnamed
        origin = ask_git(folder, "config", "--get", "remote.origin.url")
        origin = without_credentials(origin) if origin else None
        update = {"origin": origin, "commit": commit, "uncommitted": bool(uncommitted_files(folder))}
        return unnamed.model_copy(update=update)
    except GitError as error:
        log.warning("the commit of %s is not known and will not be recorded: %s", folder, error)
        return unnamed


def uncommitted_files(folder: Path) -> list[str]:
    """Return the changed and untracked files of the repository around `folder`, by their paths from its top."""
    return changed_files(folder, "--untracked-files=normal")


def changed_files(folder: Path, *which: str) -> list[str]:
    r"""Return what `git status` names, whatever signs a name has; bytes that are not UTF-8 are shown as `\xff`."""
    entries = run_git(folder, "status", "--porcelain", "-z", "--no-renames", *which).split("\0")
    return [os.fsencode(entry[3:]).decode("utf-8", "backslashreplace") for entry in entries if entry]


def current_user(folder: Path) -> str:
    """Return who works in `folder`: the name git knows there, else that of the login."""
    try:
        return ask_git(folder, "config", "--get", "user.name") or _login()
    except GitError:
        return _login()


def current_branch(folder: Path) -> str | None:
    """Return the branch's name; None when HEAD is detached or there is no repository."""
    if repository_of(folder) is None:
        return None
    return ask_git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        return f"uid {os.getuid()}"
