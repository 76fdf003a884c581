"""The tag that a run in prod leaves on its commit: looked at before the work, put after it."""

import logging
import os
from pathlib import Path

from sinara_lib.errors import StepFailedError
from sinara_lib.runs.git import GitError, ask_git, push_target, run_git

_NOBODY = {"NAME": "sinara", "EMAIL": "sinara@localhost"}

log = logging.getLogger(__name__)


def check_tag(folder: Path, name: str | None, *, push: bool) -> None:
    """Raise StepFailedError, with git's own words, where a run of HEAD could not be tagged at its end.

    `name` is the run's id where it is known before the run. Tried are what tags of this repository need: a name that
    is free, a key where tags must be signed, and with `push` an origin that takes them.
    """
    if name and _taken(folder, name):
        raise StepFailedError(
            f"A tag {name} stands on another commit, and prod tags its commit with the run's id: choose another id, or "
            f"remove the tag with `git tag -d {name}`."
        )
    identity = _identity(folder)
    if identity:
        log.info("git knows no name and address of a person here (user.name, user.email): the tag bears sinara's")
    try:
        if ask_git(folder, "config", "--type=bool", "--get", "tag.gpgSign") == "true":
            run_git(folder, "commit-tree", "-S", "-m", "a try of the key", "HEAD^{tree}", environ=identity)
    except GitError as error:
        raise StepFailedError(
            f"Tags must be signed here (tag.gpgSign), and git cannot sign: {error.words} Make the key usable, or set "
            "tag.gpgSign to false."
        ) from error
    if push:
        run_git(
            folder, "push", "--quiet", "--dry-run", push_target(folder), f"HEAD:refs/tags/{name or 'run-of-sinara'}"
        )


def tag_head(folder: Path, name: str, *, message: str, push: bool) -> None:
    """Put an annotated tag on HEAD and, when asked, push it to `origin`. Raises GitError.

    A tag of that name that stands on HEAD already stays: steps of one repository may share an orchestrator's run id.
    """
    if _commit_of(folder, name) == run_git(folder, "rev-parse", "HEAD"):
        return
    run_git(folder, "tag", "--annotate", name, "--message", message, environ=_identity(folder))
    if push:
        run_git(folder, "push", "--quiet", push_target(folder), f"refs/tags/{name}")


def tag_run(folder: Path, name: str, *, url: str, push: bool) -> None:
    """Tag HEAD for a run that has ended well; a tag that cannot be put is told and takes nothing from the run."""
    try:
        tag_head(folder, name, message=url, push=push)
    except GitError as error:
        log.warning("not tagged: %s", error)
        log.warning("The run counts all the same: %s is SUCCESS, and what it published can be read.", url)
        log.warning("Put its tag by hand: git tag -a %s -m %s %s", name, url, run_git(folder, "rev-parse", "HEAD"))
    else:
        log.info("tagged %s", name)


def _taken(folder: Path, name: str) -> bool:
    return _commit_of(folder, name) not in {None, run_git(folder, "rev-parse", "HEAD")}


def _commit_of(folder: Path, name: str) -> str | None:
    return ask_git(folder, "rev-parse", "--quiet", "--verify", f"refs/tags/{name}^{{commit}}")


def _identity(folder: Path) -> dict[str, str]:
    """Return variables with what git lacks to put a tag; empty where it knows a person."""
    known = {part: _is_known(folder, part) for part in _NOBODY}
    if known["EMAIL"] and _names_a_person(folder):
        return {}
    return {f"GIT_COMMITTER_{part}": value for part, value in _NOBODY.items() if not known[part]}


def _is_known(folder: Path, part: str) -> bool:
    keys = (f"committer.{part.lower()}", f"user.{part.lower()}")
    return f"GIT_COMMITTER_{part}" in os.environ or any(ask_git(folder, "config", "--get", key) for key in keys)


def _names_a_person(folder: Path) -> bool:
    """Tell whether git can name the person who puts a tag."""
    try:
        run_git(folder, "var", "GIT_COMMITTER_IDENT")
    except GitError:
        return False
    return True
