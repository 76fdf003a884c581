"""Steps that are named by a git URL: a clone of each in the user's cache, brought to what its origin has."""

import logging
import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

import platformdirs
from filelock import FileLock

from sinara_lib.errors import StepFailedError
from sinara_lib.repositories.refs import fetch_refs, find_commit
from sinara_lib.runs.git import GitError, ask_git, run_git
from sinara_lib.step_sources import repository_name
from sinara_lib.urls import without_credentials

_LFS = {
    "clean": "git-lfs clean -- %f",
    "smudge": "git-lfs smudge -- %f",
    "process": "git-lfs filter-process",
    "required": "true",
}
"""The one filter that a step of somebody else may name: it fetches files, and runs nothing of theirs."""
_NO_FILTER = {"clean": "", "smudge": "", "process": "", "required": "false"}

log = logging.getLogger(__name__)


def clone_of(source: str, *, ref: str | None = None, name: str | None = None, commit: str | None = None) -> Path:
    """Return the clone of a git URL at a tag, branch or commit of its origin as that stands now; none: its default.

    Where the origin cannot be reached, the clone is as it last stood. `commit` is the one that has to be checked out,
    whatever `ref` has become; `name` is what the clone's folder is called. A clone that was killed, or does not come
    to the commit, is made anew. Raises GitError when there is none, StepFailedError for a ref that the origin lacks.
    """
    digest = sha256("\0".join([source, *filter(None, [ref])]).encode()).hexdigest()[:12]
    place = Path(platformdirs.user_cache_dir("sinara", appauthor=False)) / "steps" / digest
    place.mkdir(parents=True, exist_ok=True)
    clone = place / (name or repository_name(source))
    with FileLock(place / ".lock"):
        _remove_drafts(place)
        if clone.is_dir():
            _bring_up_to_date(source, clone, ref=ref, commit=commit)
        else:
            _clone_anew(source, clone, ref=ref, commit=commit)
    return clone


def _bring_up_to_date(source: str, clone: Path, *, ref: str | None, commit: str | None) -> None:
    _remove_locks(clone)
    try:
        run_git(clone, "config", "remote.origin.url", source)  # without what older versions left in it
        fetch_refs(clone, source)
    except GitError as error:
        _go_on_without_origin(source, clone, error, ref=ref, commit=commit)
        return
    wanted = find_commit(clone, source, ref=ref, commit=commit)
    try:
        _check_out(clone, wanted)
    except GitError as error:
        log.warning("%s is damaged and cloned anew: %s", clone, error)
        _clone_anew(source, clone, ref=ref, commit=commit)


def _go_on_without_origin(source: str, clone: Path, error: GitError, *, ref: str | None, commit: str | None) -> None:
    if commit and ask_git(clone, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}") is None:
        raise StepFailedError(
            f"{without_credentials(source)} cannot be fetched, and its locked commit {commit[:12]} is not known here: "
            f"{error.words}"
        ) from error
    try:
        _check_out(clone, commit or "HEAD")
        known = run_git(clone, "rev-parse", "HEAD")
    except GitError:
        _clone_anew(source, clone, ref=ref, commit=commit)
        return
    shown, which = without_credentials(source), "locked" if commit else "last known"
    log.warning("%s cannot be fetched; going on with its %s commit, %s: %s", shown, which, known[:12], error.words)


def _clone_anew(source: str, clone: Path, *, ref: str | None, commit: str | None) -> None:
    """Clone beside the place and rename, so that a killed clone is never taken for one."""
    with tempfile.TemporaryDirectory(prefix=f".{clone.name}-", dir=clone.parent) as draft:
        fresh = Path(draft) / clone.name
        run_git(clone.parent, "clone", "--quiet", "--no-checkout", "--template=", "--", source, str(fresh))
        fetch_refs(fresh, source)
        _check_out(fresh, find_commit(fresh, source, ref=ref, commit=commit))
        if clone.exists():
            os.rename(clone, Path(draft) / "before")
        os.rename(fresh, clone)


def _check_out(clone: Path, commit: str) -> None:
    """Bring the clone's branch and files to a commit, through no filter but that of Git LFS."""
    _leave_out_filters(clone)
    run_git(clone, "reset", "--quiet", "--no-recurse-submodules", "--hard", commit)


def _leave_out_filters(clone: Path) -> None:
    """Set in the clone that files come as they are committed, whatever filters this user has for work of their own."""
    found = ask_git(clone, "config", "--name-only", "-z", "--get-regexp", r"^filter\..*\.(clean|smudge|process)$")
    names = {key.split(".", 1)[1].rsplit(".", 1)[0] for key in (found or "").split("\0") if key}
    for name in sorted(names):
        for key, value in (_LFS if name == "lfs" else _NO_FILTER).items():
            if ask_git(clone, "config", "--local", "--get", f"filter.{name}.{key}") != value:
                run_git(clone, "config", "--local", f"filter.{name}.{key}", value)


def _remove_locks(clone: Path) -> None:
    """Remove locks that a killed git has left; this process alone works on the clone."""
    for lock in (clone / ".git").rglob("*.lock"):
        lock.unlink(missing_ok=True)


def _remove_drafts(place: Path) -> None:
    for draft in place.glob(".*-*"):
        shutil.rmtree(draft, ignore_errors=True)
