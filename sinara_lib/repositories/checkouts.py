"""The steps' repositories side by side in the pipeline's folder: cloned, looked at, pulled, pushed, switched.

A failure of one does not stop the others: each answers with a line, and with whether it went well.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.errors import ParamsError, SinaraError, StepFailedError
from sinara_lib.repositories.lock import LOCK_FILE, locked_commits
from sinara_lib.repositories.places import check_holds_step, checkout_of, url_of
from sinara_lib.repositories.refs import fetch_refs, find_commit
from sinara_lib.runs.checkout import changed_files
from sinara_lib.runs.git import GitError, ask_git, push_target, run_git
from sinara_lib.step_sources import StepSource

_TAGS = ("for-each-ref", "--count=1", "--sort=-refname", "--format=%(refname:short)", "refs/tags/run-*")


@dataclass(frozen=True)
class Answer:
    """What came of one repository."""

    name: str
    text: str
    good: bool = True


def for_each(sources: Sequence[StepSource], base: Path, work: Callable[[StepSource, Path], str]) -> list[Answer]:
    """Do the work on every step that lives in a repository, one after the other, and return what each answers.

    Several steps of one checkout are one repository. Where they name two URLs or refs, no checkout can be both, and the
    answer says so. Raises ParamsError where no step has a repository of its own.
    """
    by_checkout: dict[str, list[StepSource]] = {}
    for source in sources:
        if source.git:
            by_checkout.setdefault(source.repository_folder, []).append(source)
    if not by_checkout:
        raise ParamsError(f"The steps of {base} are folders of its own: none has a repository; use git itself.")
    return [_torn(steps) or _answer(steps[0], base, work) for steps in by_checkout.values()]


def clone(source: StepSource, base: Path) -> str:
    """Clone a step's repository beside the pipeline's file; on a branch where `ref` is none or one."""
    if checkout_of(source, base):
        return "is there"
    place = base / source.repository_folder
    if place.exists():
        raise StepFailedError(f"{place} is there and is no checkout: move it away.")
    url = url_of(source, base)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=base) as draft:
        fresh = Path(draft) / place.name
        run_git(base, "clone", "--quiet", "--template=", "--", url, str(fresh))
        fetch_refs(fresh, url)
        commit = find_commit(fresh, url, ref=source.ref)
        _switch(fresh, source.ref, commit)
        check_holds_step(fresh / source.path, source, commit)
        fresh.rename(place)
    return f"cloned at {commit[:12]} into {place}"


def pull(source: StepSource, base: Path) -> str:
    """Bring the branch forward to what its upstream has; never by a merge, never over uncommitted work."""
    place = _present(source, base)
    before = run_git(place, "rev-parse", "HEAD")
    if _branch(place) is None:
        run_git(place, "fetch", "--quiet", "--tags", "origin")
        return f"stays at {before[:12]}, which is on no branch; fetched"
    run_git(place, "pull", "--quiet", "--ff-only")
    after = run_git(place, "rev-parse", "HEAD")
    return f"up to date at {after[:12]}" if before == after else f"{before[:12]} -> {after[:12]}"


def push(source: StepSource, base: Path) -> str:
    """Push the branch, and the tags of runs on it; never over what the origin has."""
    place = _present(source, base)
    branch = _branch(place)
    if branch is None:
        raise StepFailedError("it is on no branch: `sinara pipeline checkout BRANCH` first.")
    tags = (run_git(place, "tag", "--list", "run-*", "--merged", "HEAD") or "").split()
    names = [f"refs/heads/{branch}", *(f"refs/tags/{tag}" for tag in tags)]
    run_git(place, "push", "--quiet", "--set-upstream", push_target(place), *names)
    return f"pushed {branch}" + (f" and {len(tags)} tags of runs" if tags else "")


def checkout(branch: str) -> Callable[[StepSource, Path], str]:
    """Return the work of going over to a branch, which is made where neither the checkout nor its origin has it."""
    if branch.startswith("-"):
        raise ParamsError(f"{branch!r} is no branch: git would take it for an option.")

    def work(source: StepSource, base: Path) -> str:
        place = _present(source, base)
        run_git(place, "check-ref-format", "--branch", branch)
        known = _known(place, f"refs/heads/{branch}"), _known(place, f"refs/remotes/origin/{branch}")
        run_git(place, "switch", "--quiet", *(() if any(known) else ("--create",)), branch)
        return f"on {branch}" + ("" if any(known) else ", which is new")

    return work


def status(source: StepSource, base: Path) -> list[str]:
    """Return a row: name, branch, commit, ahead and behind, dirty, locked, the tag of the last run."""
    place = _present(source, base)
    commit = run_git(place, "rev-parse", "HEAD")
    dirty = len(changed_files(place, "--untracked-files=normal"))
    return [
        source.name,
        _branch(place) or "none",
        commit[:12],
        _distance(place),
        f"{dirty} changed" if dirty else "clean",
        _locked(source, base, commit),
        run_git(place, *_TAGS) or "-",
    ]


def _torn(steps: Sequence[StepSource]) -> Answer | None:
    """Return the refusal for steps that would lie in one checkout and are not of one URL and ref."""
    if len({(step.git, step.ref) for step in steps}) == 1:
        return None
    wanted = "; ".join(f"{step.name}: {step.shown} at {step.ref or 'its default branch'}" for step in steps)
    text = f"one checkout, {steps[0].repository_folder}, would have to be all of these: {wanted}."
    return Answer(", ".join(step.name for step in steps), f"{text} Give them one URL and ref.", good=False)


def _answer(source: StepSource, base: Path, work: Callable[[StepSource, Path], str]) -> Answer:
    try:
        return Answer(source.name, work(source, base))
    except (SinaraError, OSError) as error:
        return Answer(source.name, str(error), good=False)


def _present(source: StepSource, base: Path) -> Path:
    place = checkout_of(source, base)
    if place is None:
        raise StepFailedError(f"{base / source.repository_folder} is not there: `sinara pipeline clone` makes it.")
    return place


def _switch(place: Path, ref: str | None, commit: str) -> None:
    if ref is None:
        return
    if _known(place, f"refs/remotes/origin/{ref}") and not _known(place, f"refs/tags/{ref}"):
        run_git(place, "switch", "--quiet", ref)
    else:
        run_git(place, "switch", "--quiet", "--detach", commit)


def _branch(place: Path) -> str | None:
    return ask_git(place, "symbolic-ref", "--quiet", "--short", "HEAD")


def _known(place: Path, name: str) -> bool:
    return ask_git(place, "rev-parse", "--quiet", "--verify", name) is not None


def _distance(place: Path) -> str:
    """Return how far the branch is from its upstream, as that was last fetched."""
    try:
        ahead, behind = run_git(place, "rev-list", "--left-right", "--count", "HEAD...@{upstream}").split()
    except GitError:
        return "no upstream"
    return f"ahead {ahead}, behind {behind}" if (ahead, behind) != ("0", "0") else "even"


def _locked(source: StepSource, base: Path, commit: str) -> str:
    if not (base / LOCK_FILE).is_file():
        return "not locked"
    try:
        locked = locked_commits([source], base)[source.name]
    except ParamsError:
        return "another lock"
    return "locked" if locked == commit else f"locked at {locked[:12]}"
