"""The files of a folder of this machine, behind links too."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from sinara_lib.errors import DownloadError

log = logging.getLogger(__name__)


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted. A linked folder is read as one of its own; a loop is not gone twice.

    Raises DownloadError for a folder that cannot be read.
    """
    return sorted(_walk(folder, seen=()))


def _walk(folder: Path, *, seen: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    state = folder.stat()
    if (state.st_dev, state.st_ino) in seen:
        log.warning("%s: leads back to a folder that it lies in; not read again", folder)
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DownloadError(
            f"{folder}: cannot be read ({error.strerror}). Correct its rights, or leave it out."
        ) from error
    for entry in entries:
        if entry.is_dir():
            yield from _walk(Path(entry.path), seen=(*seen, (state.st_dev, state.st_ino)))
        elif entry.is_file():
            yield Path(entry.path)
        elif entry.is_symlink():
            log.warning("%s: leads to nothing; left out", entry.path)
