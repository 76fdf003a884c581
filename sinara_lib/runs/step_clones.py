"""Steps that are named by a git URL: a clone of each in the user's cache, brought to what its origin has."""

import logging
import os
import re
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

import platformdirs
from filelock import FileLock

from sinara_lib.runs.git import GitError, ask_git, run_git
from sinara_lib.urls import without_credentials

_GIT_URL = re.compile(r"(\w+://|[\w.-]+@[\w.-]+:)")
_LFS = {
    "clean": "git-lfs clean -- %f",
    "smudge": "git-lfs smudge -- %f",
    "process": "git-lfs filter-process",
    "required": "true",
}
"""The one filter that a step of somebody else may name: it fetches files, and runs nothing of theirs."""
_NO_FILTER = {"clean": "", "smudge": "", "process": "", "required": "false"}

log = logging.getLogger(__name__)


def is_git_url(source: str) -> bool:
    """Tell a git URL from a folder."""
    return _GIT_URL.match(source) is not None


def repository_name(source: str) -> str:
    """Return the last part of a folder or git URL, without `.git`."""
    return re.split(r"[/:]", source.rstrip("/"))[-1].removesuffix(".git")


def clone_of(source: str) -> Path:
    """Return the clone of a git URL as its origin stands now; where that cannot be reached, as it last stood.

    A clone that was killed, or does not come to the origin's commit, is made anew. Raises GitError when there is none.
    """
    digest = sha256(source.encode()).hexdigest()[:12]
    place = Path(platformdirs.user_cache_dir("sinara", appauthor=False)) / "steps" / digest
    place.mkdir(parents=True, exist_ok=True)
    clone = place / repository_name(source)
    with FileLock(place / ".lock"):
        _remove_drafts(place)
        if clone.is_dir():
            _bring_up_to_date(source, clone)
        else:
            _clone_anew(source, clone)
    return clone


def _bring_up_to_date(source: str, clone: Path) -> None:
    _remove_locks(clone)
    try:
        run_git(clone, "config", "remote.origin.url", source)  # without what older versions left in it
        # Into no branch and no tag of the clone: whatever was rewritten there, nothing is in the way.
        run_git(clone, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--refmap=", source, "HEAD")
    except GitError as error:
        _go_on_without_origin(source, clone, error)
        return
    try:
        _check_out(clone, "FETCH_HEAD")
    except GitError as error:
        log.warning("%s is damaged and cloned anew: %s", clone, error)
        _clone_anew(source, clone)


def _go_on_without_origin(source: str, clone: Path, error: GitError) -> None:
    try:
        _check_out(clone, "HEAD")
        commit = run_git(clone, "rev-parse", "HEAD")
    except GitError:
        _clone_anew(source, clone)
        return
    shown = without_credentials(source)
    log.warning("%s cannot be fetched; going on with its last known commit, %s: %s", shown, commit[:12], error.words)


def _clone_anew(source: str, clone: Path) -> None:
    """Clone beside the place and rename, so that a killed clone is never taken for one."""
    with tempfile.TemporaryDirectory(prefix=f".{clone.name}-", dir=clone.parent) as draft:
        fresh = Path(draft) / clone.name
        run_git(clone.parent, "clone", "--quiet", "--no-checkout", "--template=", "--", source, str(fresh))
        _check_out(fresh, "HEAD")
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
