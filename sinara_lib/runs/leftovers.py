"""What killed processes leave on this machine outside of any store: temporary folders, and git worktrees in them."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.runs.git import GitError, repository_of
from sinara_lib.runs.worktrees import remove_dead_worktrees
from sinara_lib.store.work_folders import abandoned_folders


@dataclass(frozen=True)
class Leftover:
    """A temporary folder whose process has ended, and the bytes in it."""

    folder: Path
    bytes: int

    def line(self, word: str) -> str:
        """Return what a person wants to read: `word` says what is done with it."""
        return f"{word}  {self.folder}  {self.bytes / 1e6:.1f} MB  a temporary folder whose process is gone"


def find_leftovers() -> list[Leftover]:
    """Return the temporary folders that killed processes have left."""
    return [Leftover(folder, _size(folder)) for folder in abandoned_folders()]


def remove_leftovers(found: Iterable[Leftover], *, near: Path) -> None:
    """Remove folders that killed processes have left, and the worktrees in them from their repositories.

    `near` lies in a repository that is looked at as well: the machine may have lost its temporary folders since.
    """
    folders = [one.folder for one in found]
    for repository in {*_repositories(folders), near}:
        try:
            if (top := repository_of(repository)) is not None:
                remove_dead_worktrees(top)
        except GitError:
            continue  # it may be gone, or another user's: its worktrees harm nobody else
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _repositories(folders: Iterable[Path]) -> set[Path]:
    """Return the folders in which the repositories of worktrees in temporary folders lie."""
    found = set()
    for note in (note for folder in folders for note in folder.glob("*/.git") if note.is_file()):
        place = Path(os.fsdecode(note.read_bytes()).removeprefix("gitdir: ").rstrip("\n"))
        found.add(place.parents[2])  # <repository>/.git/worktrees/<name>
    return found


def _size(folder: Path) -> int:
    paths = (Path(place, name) for place, _, files in os.walk(folder) for name in files)
    return sum(path.lstat().st_size for path in paths)
