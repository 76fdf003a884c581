"""git, run in one way: in the folder it is given, in its own words, with nothing in between that nobody asked for."""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

from sinara_lib.errors import StepFailedError
from sinara_lib.loopback import without_proxy
from sinara_lib.urls import without_credentials

_ALONE = ("core.hooksPath=" + os.devnull, "core.fsmonitor=false", "gc.auto=0", "maintenance.auto=false")
"""What git starts beside its work: hooks, a watcher of files, its own cleaning. None of it may decide what a run is."""

_SIGNED = re.compile(r"((?:https?|ftps?)://)([^/?#]*)@([^/?#@]+)(.*)", re.DOTALL | re.IGNORECASE)
_VARIABLE = "SINARA_GIT_PASSWORD"
_HELPER = f"""!f() {{ test "$1" = get && printf 'password=%s\\n' "${_VARIABLE}"; }}; f"""
"""git's way to ask for a password: a line of the shell, which prints without starting another process."""


class GitError(StepFailedError):
    """git did not do what it was asked, or is not there; `words` are its own."""

    def __init__(self, message: str, words: str) -> None:
        super().__init__(message)
        self.words = words


def run_git(folder: Path, *args: str, environ: dict[str, str] | None = None) -> str:
    """Run git in `folder` and return what it printed, but for the last line's end. Raises GitError when it fails.

    User and password of a URL among `args` go to git through its environment: every user of a machine sees the list of
    processes. What git prints is text of any bytes: those that are not UTF-8 come as `os.fsdecode` gives them.
    """
    words = f"git was not found on the PATH; it is needed for `git {args[0]}`."
    if shutil.which("git") is None:
        raise GitError(words, words)
    settings = [word for setting in _ALONE for word in ("-c", setting)]
    asked, secrets = _signed_by_environment(args)
    env = {**git_environment(), **secrets, **(environ or {})}
    done = subprocess.run(["git", *settings, *asked], cwd=folder, env=env, capture_output=True, check=False)
    if done.returncode:
        command = " ".join(without_credentials(word) for word in args)
        words = without_credentials(os.fsdecode(done.stderr).strip()) or f"exit code {done.returncode}"
        raise GitError(f"`git {command}` in {folder} failed: {words}", words if done.stderr.strip() else "")
    return os.fsdecode(done.stdout).removesuffix("\n")


def ask_git(folder: Path, *args: str) -> str | None:
    """Return git's answer; None where it says, without a word, that there is none. Raises GitError for a failure."""
    try:
        return run_git(folder, *args)
    except GitError as error:
        if error.words:
            raise
        return None


def repository_of(folder: Path) -> Path | None:
    """Return the top of the repository around `folder`; None where nothing in sight is one.

    Raises GitError where there is one that git does not open: another user's, a broken one, or git is not there.
    """
    places = (folder.resolve(), *folder.resolve().parents)
    if not any(os.path.lexists(place / ".git") for place in places):
        return None
    return Path(run_git(folder, "rev-parse", "--show-toplevel"))


def push_target(folder: Path) -> str:
    """Return what to push to: origin by its URL where that holds a password, so that `run_git` can hide it."""
    url = ask_git(folder, "remote", "get-url", "--push", "origin") or ""
    return url if _SIGNED.fullmatch(url) else "origin"


def git_environment() -> dict[str, str]:
    """Return this process's environment without what ties git to a repository, as git sets it for its hooks."""
    local = _local_variables(shutil.which("git"))
    env = {name: value for name, value in os.environ.items() if name not in local}
    # Words in one language; and asking for the state of files must not leave a lock behind.
    return {**without_proxy(env), "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def _signed_by_environment(args: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Return the arguments without users and passwords of web URLs, and the variables that tell git of them.

    They hold for the host that the URL names: none that it redirects to is told.
    """
    plain, settings, secrets = list(args), [], {}
    for place, match in enumerate(map(_SIGNED.fullmatch, args)):
        if match:
            user, found, password = match[2].partition(":")
            plain[place], host = match[1] + match[3] + match[4], f"credential.{match[1].lower()}{match[3]}"
            settings.append((f"{host}.username", unquote(user)))
            if found:
                settings += [(f"{host}.helper", ""), (f"{host}.helper", _HELPER)]
                secrets[_VARIABLE] = unquote(password)
    for number, (key, value) in enumerate(settings):
        secrets |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return plain, secrets | ({"GIT_CONFIG_COUNT": str(len(settings))} if settings else {})


@functools.cache
def _local_variables(git: str | None) -> frozenset[str]:
    if git is None:
        return frozenset()
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run([git, "rev-parse", "--local-env-vars"], env=plain, capture_output=True, check=False)
    return frozenset([*os.fsdecode(done.stdout).split(), "GIT_NAMESPACE"])
