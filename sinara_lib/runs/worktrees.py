"""A commit's files in a worktree of their own, for as long as they are needed, and nothing of it afterwards."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sinara_lib.errors import StepFailedError
from sinara_lib.runs.checkout import changed_files
from sinara_lib.runs.git import GitError, ask_git, repository_of, run_git
from sinara_lib.store.work_folders import is_abandoned, work_folder

PREFIX = "sinara-head-"

log = logging.getLogger(__name__)


@contextmanager
def head_worktree(folder: Path) -> Iterator[Path]:
    """Give `folder` as it stands in HEAD, in a temporary worktree that is removed afterwards.

    Raises StepFailedError when `folder` is in no repository, has no commit, or is not part of HEAD.
    """
    with commit_worktree(folder, "HEAD") as tree:
        yield tree


@contextmanager
def head_worktrees(folders: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Give folders, by name, as they stand in HEAD; all of one repository in one worktree, at one commit.

    Raises StepFailedError as `head_worktree` does.
    """
    with ExitStack() as stack:
        trees: dict[Path, Path] = {}
        found = {}
        for name, folder in folders.items():
            top = _top(folder, "HEAD")
            if top not in trees:
                trees[top] = stack.enter_context(head_worktree(top))
            found[name] = trees[top] / run_git(folder, "rev-parse", "--show-prefix")
            if not found[name].is_dir():
                raise StepFailedError(f"{folder} is not part of HEAD: commit the step before running it in prod.")
        yield found


@contextmanager
def commit_worktree(folder: Path, commit: str) -> Iterator[Path]:
    """Give `folder` as it stands in a commit, in a temporary worktree that is removed afterwards.

    Raises StepFailedError when `folder` is in no repository, which lacks the commit, or is not part of it, and when
    what was checked out is not what was committed.
    """
    top = _top(folder, commit)
    remove_dead_worktrees(top)
    prefix = run_git(folder, "rev-parse", "--show-prefix")
    with work_folder(PREFIX) as temporary:
        tree = temporary.resolve() / top.name
        try:
            run_git(folder, "worktree", "add", "--detach", "--quiet", str(tree), commit)
            _refuse_changed(tree, commit)
            if not (tree / prefix).is_dir():
                hint = "commit the step before running it in prod" if commit == "HEAD" else "it was elsewhere then"
                raise StepFailedError(f"{folder} is not part of {commit}: {hint}.")
            yield tree / prefix
        finally:
            _remove(top, tree)


def remove_dead_worktrees(top: Path) -> list[Path]:
    """Remove the worktrees of a repository that killed processes have left, and return them."""
    dead = [tree for tree in _worktrees(top) if is_dead_worktree(tree)]
    for tree in dead:
        _remove(top, tree)
        shutil.rmtree(tree.parent, ignore_errors=True)
    return dead


def is_dead_worktree(tree: Path) -> bool:
    """Tell whether a worktree is one of ours whose process has ended, or whose folder has gone."""
    return tree.parent.name.startswith(PREFIX) and (not tree.parent.exists() or is_abandoned(tree.parent) is True)


def _top(folder: Path, commit: str) -> Path:
    top = repository_of(folder)
    if top is None:
        raise StepFailedError(f"{folder} is not in a git repository: prod runs committed code. Run `git init`, commit.")
    if ask_git(folder, "rev-parse", "--quiet", "--verify", "HEAD") is None:
        raise StepFailedError(f"{top} has no commit yet: prod runs committed code. Commit the step first.")
    if ask_git(folder, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}") is None:
        raise StepFailedError(f"{top} has no commit {commit}: `git fetch` the branch it is on, then try again.")
    return top


def _refuse_changed(tree: Path, commit: str) -> None:
    """Raise StepFailedError when a fresh checkout already differs from its commit."""
    if changed := changed_files(tree, "--ignored", "--untracked-files=all"):
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        raise StepFailedError(
            f"What git checks out of {commit} is not what was committed: {', '.join(changed[:5])}{more} differ. "
            "Something changes files on their way out, such as a filter named in .gitattributes, or line ends "
            "(`git add --renormalize .`): mend that, commit, and run again."
        )


def _remove(top: Path, tree: Path) -> None:
    """Take a worktree out of its repository; one that cannot be is named, and the next run tries again."""
    try:
        if tree in _worktrees(top):
            # Twice: a worktree whose making was killed is locked.
            run_git(top, "worktree", "remove", "--force", "--force", str(tree))
    except (GitError, OSError) as error:
        log.warning("the worktree %s stays in %s: %s", tree, top, error)


def _worktrees(top: Path) -> list[Path]:
    """Return the worktrees of a repository but for its first, by git's own notes of them (gitrepository-layout)."""
    notes = (top / run_git(top, "rev-parse", "--git-common-dir")).glob("worktrees/*/gitdir")
    return [Path(os.path.normpath(note.parent / os.fsdecode(note.read_bytes()).rstrip("\n"))).parent for note in notes]
