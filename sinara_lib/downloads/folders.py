"""The files of a folder of this machine, behind links too, and one checksum over them."""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sinara_lib.downloads.cache import file_sha256
from sinara_lib.errors import DownloadError

log = logging.getLogger(__name__)


def files_below(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted. A linked folder is read as one of its own; a loop is not gone twice.

    Raises DownloadError for a folder that cannot be read.
    """
    return sorted(_walk(folder, seen=()))


def digest_of_files(folder: Path, paths: Iterable[Path]) -> tuple[str, int]:
    """Return one sha256 over the paths of files below `folder` and their sha256, and their size in bytes."""
    digest, size = hashlib.sha256(), 0
    for path in sorted(paths):
        digest.update(f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n".encode())
        size += path.stat().st_size
    return digest.hexdigest(), size


def local_sha256(path: Path) -> str:
    """Return the sha256 of a file, or of a folder what `digest_of_files` gives for all of its files."""
    return digest_of_files(path, files_below(path))[0] if path.is_dir() else file_sha256(path)


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
