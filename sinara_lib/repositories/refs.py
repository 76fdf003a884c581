"""What the branches, tags and commits of an origin mean, as it stands now."""

import re
from pathlib import Path

from sinara_lib.errors import StepFailedError
from sinara_lib.runs.git import GitError, ask_git, run_git
from sinara_lib.urls import without_credentials

_KINDS = ("tags", "heads")
_SPACE = "refs/sinara"
_HEAD = f"{_SPACE}/default"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def fetch_refs(clone: Path, source: str) -> None:
    """Bring the origin's branches and tags into a space of their own, into no branch and no tag of the clone.

    Whatever was rewritten or renamed there, nothing is in the way, and tags of runs stay. Raises GitError.
    """
    specs = [f"+refs/{kind}/*:{_SPACE}/{kind}/*" for kind in _KINDS]
    quiet = ("--quiet", "--no-tags", "--no-recurse-submodules")
    run_git(clone, "fetch", *quiet, "--prune", "--refmap=", source, *specs)
    try:
        run_git(clone, "fetch", *quiet, "--refmap=", source, f"+HEAD:{_HEAD}")
    except GitError:  # its HEAD names a branch that is not there
        run_git(clone, "update-ref", "-d", _HEAD)


def find_commit(clone: Path, source: str, *, ref: str | None, commit: str | None = None) -> str:
    """Return the commit that a ref of the origin names, after `fetch_refs`; without one its default branch's.

    `commit` is a locked one: it has to be there. Raises StepFailedError with what there is.
    """
    if commit:
        return _locked(clone, source, commit)
    if ref is None:
        found = _verify(clone, _HEAD)
        if found is None:
            raise StepFailedError(f"{without_credentials(source)} has no default branch with a commit: give a ref.")
        return found
    found = next(filter(None, (_verify(clone, f"{_SPACE}/{kind}/{ref}") for kind in _KINDS)), None)
    if found is None and _COMMIT.fullmatch(ref):
        found = _verify(clone, ref) or (_fetch_commit(clone, source, ref) if len(ref) >= 40 else None)
    if found is None:
        raise StepFailedError(
            f"{without_credentials(source)} has no tag, branch or commit {ref}; it has "
            f"{', '.join(_names(clone)) or 'none'}."
        )
    return found


def _locked(clone: Path, source: str, commit: str) -> str:
    found = _verify(clone, commit) or _fetch_commit(clone, source, commit)
    if found is None:
        raise StepFailedError(
            f"{without_credentials(source)} no longer has the locked commit {commit[:12]}: `sinara pipeline lock` "
            "takes the one that is there now."
        )
    return found


def _fetch_commit(clone: Path, source: str, commit: str) -> str | None:
    """Ask for a commit that no branch and no tag leads to; some servers give it."""
    try:
        run_git(clone, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--refmap=", source, commit)
    except GitError:
        return None
    return _verify(clone, commit)


def _verify(clone: Path, name: str) -> str | None:
    return ask_git(clone, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")


def _names(clone: Path) -> list[str]:
    listed = run_git(clone, "for-each-ref", "--format=%(refname:lstrip=3)", *(f"{_SPACE}/{kind}" for kind in _KINDS))
    names = listed.split("\n") if listed else []
    return [*names[:20], f"{len(names) - 20} more"] if len(names) > 20 else names
