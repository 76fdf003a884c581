"""Temporary folders that name the process they belong to: what a killed one has left can be told, and removed."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from sinara_lib.store.liveness import is_process_alive, this_process
from sinara_lib.store.manifest import Process

OWNER_FILE = ".sinara-owner.json"
LONGEST_FOLDER = 70
"""Characters of a folder in which a socket's path, 107 at most, still has room for ours."""
_PREFIXES = ("sinara-", "bento-")
_MOST_BYTES = 4096


@contextmanager
def work_folder(prefix: str, *, within: str | None = None) -> Iterator[Path]:
    """Give a new temporary folder that is removed afterwards; killed before that, `abandoned_folders` knows it.

    `within` is where it lies, by default where temporary files lie. The file `.sinara-owner.json` in it is not yours.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=within) as name:
        sign(Path(name))
        yield Path(name)


def sign(folder: Path) -> Path:
    """Write into a temporary folder that it is this process's, and return it."""
    (folder / OWNER_FILE).write_text(this_process().model_dump_json(), encoding="ascii")
    return folder


def is_abandoned(folder: Path) -> bool | None:
    """Tell whether the process of a temporary folder has ended; None when nobody can tell."""
    try:
        with (folder / OWNER_FILE).open("rb") as file:
            alive = is_process_alive(Process.model_validate_json(file.read(_MOST_BYTES)))
    except (OSError, ValidationError):
        return None
    return None if alive is None else not alive


def abandoned_folders() -> Iterator[Path]:
    """Yield the temporary folders of ours, made by this user, whose processes have ended."""
    for within in dict.fromkeys(filter(None, (tempfile.gettempdir(), short_folder()))):
        for path in sorted(Path(within).iterdir()):
            if path.name.startswith(_PREFIXES) and _is_own_folder(path) and is_abandoned(path):
                yield path


def short_folder() -> str | None:
    """Return /tmp where the folder for temporary files lies too deep for a socket; None: it will do."""
    return "/tmp" if os.name == "posix" and len(tempfile.gettempdir()) > LONGEST_FOLDER else None  # noqa: S108


def _is_own_folder(path: Path) -> bool:
    """Tell whether it is a folder, no link to one, that this user has made: anybody may write to /tmp."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and (os.name != "posix" or found.st_uid == os.getuid())
