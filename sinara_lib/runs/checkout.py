"""What git knows about a step's folder: origin, commit, uncommitted files, a worktree of HEAD, tags."""

import getpass
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sinara_lib.errors import StepFailedError
from sinara_lib.runs.code_identity import code_of, library_of
from sinara_lib.store.manifest import Producer
from sinara_lib.urls import without_credentials


def read_producer(folder: Path, *, library_folder: Path | None = None) -> Producer:
    """Describe the code in `folder`; outside a repository only its bytes and the library are known.

    `library_folder` is that of the package which the step's kernel imports, where it is not this process's own.
    """
    library, code = library_of(library_folder), code_of(folder)
    commit = _ask(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Producer(library=library, code=code)
    origin = _ask(folder, "config", "--get", "remote.origin.url")
    return Producer(
        origin=without_credentials(origin) if origin else None,
        commit=commit,
        uncommitted=bool(uncommitted_files(folder)),
        code=code,
        library=library,
    )


def uncommitted_files(folder: Path) -> list[str]:
    """Return the changed and untracked files of the repository around `folder`, as git prints them."""
    status = run_git(folder, "status", "--porcelain")
    return [line[3:] for line in status.splitlines()]


def current_user(folder: Path) -> str:
    """Return who works in `folder`: the name git knows there, else that of the login."""
    return _ask(folder, "config", "--get", "user.name") or _login()


def current_branch(folder: Path) -> str | None:
    """Return the branch's name; None when HEAD is detached or there is no repository."""
    return _ask(folder, "symbolic-ref", "--short", "HEAD")


@contextmanager
def head_worktree(folder: Path) -> Iterator[Path]:
    """Give `folder` as it stands in HEAD, in a temporary worktree that is removed afterwards.

    Raises StepFailedError when `folder` is in no repository, has no commit, or is not part of HEAD.
    """
    with commit_worktree(folder, "HEAD") as tree:
        yield tree


@contextmanager
def commit_worktree(folder: Path, commit: str) -> Iterator[Path]:
    """Give `folder` as it stands in a commit, in a temporary worktree that is removed afterwards.

    Raises StepFailedError when `folder` is in no repository, which lacks the commit, or is not part of it.
    """
    top = _ask(folder, "rev-parse", "--show-toplevel")
    if top is None:
        raise StepFailedError(f"{folder} is not in a git repository: prod runs committed code. Run `git init`, commit.")
    if _ask(folder, "rev-parse", "--verify", "HEAD") is None:
        raise StepFailedError(f"{top} has no commit yet: prod runs committed code. Commit the step first.")
    if _ask(folder, "rev-parse", "--verify", f"{commit}^{{commit}}") is None:
        raise StepFailedError(f"{top} has no commit {commit}: `git fetch` the branch it is on, then try again.")
    prefix = run_git(folder, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory(prefix="sinara-head-") as temporary:
        tree = Path(temporary).resolve() / Path(top).name
        run_git(folder, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            if not (tree / prefix).is_dir():
                hint = "commit the step before running it in prod" if commit == "HEAD" else "it was elsewhere then"
                raise StepFailedError(f"{folder} is not part of {commit}: {hint}.")
            yield tree / prefix
        finally:
            run_git(folder, "worktree", "remove", "--force", str(tree))


def tag_head(folder: Path, name: str, *, message: str, push: bool) -> None:
    """Put an annotated tag on HEAD and, when asked, push it to `origin`.

    A tag of that name that stands on HEAD already stays: steps of one repository may share an orchestrator's run id.
    """
    if _ask(folder, "rev-parse", "--verify", f"refs/tags/{name}^{{commit}}") == run_git(folder, "rev-parse", "HEAD"):
        return
    identity = {}
    if _ask(folder, "config", "--get", "user.email") is None:
        identity = {"GIT_COMMITTER_NAME": "sinara", "GIT_COMMITTER_EMAIL": "sinara@localhost"}
    run_git(folder, "tag", "--annotate", name, "--message", message, environ=identity)
    if push:
        run_git(folder, "push", "--quiet", "origin", f"refs/tags/{name}")


def run_git(folder: Path, *args: str, environ: dict[str, str] | None = None) -> str:
    """Run git in `folder` and return what it printed. Raises StepFailedError with git's own words when it fails."""
    try:
        done = subprocess.run(
            ["git", *args],
            cwd=folder,
            env={**os.environ, **(environ or {})},
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise StepFailedError(f"git was not found on the PATH; it is needed for `git {args[0]}`.") from error
    except subprocess.CalledProcessError as error:
        raise StepFailedError(f"`git {' '.join(args)}` in {folder} failed: {error.stderr.strip()}") from error
    return done.stdout.rstrip("\n")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have a number and no name
        return f"uid {os.getuid()}"


def _ask(folder: Path, *args: str) -> str | None:
    """Return git's answer, or None when it has none (exit code other than 0) or git is absent."""
    try:
        return run_git(folder, *args)
    except StepFailedError:
        return None
