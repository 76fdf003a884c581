"""What a store does on a local disk below its own interface: whole files, folders brought to the disk, safe opening."""

import errno
import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import IO, Any

from sinara_lib.errors import ArtifactCorruptError


def open_regular(path: str) -> IO[bytes]:
    """Open a file for reading. Raises FileNotFoundError, and ArtifactCorruptError where no file stands there.

    A pipe in a file's place would let the reader wait for ever, and a device give bytes for ever.
    """
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            # A pipe that has taken the file's place since then is opened at once as well.
            file = open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
    except OSError as error:
        if error.errno not in {errno.ENXIO, errno.EISDIR, errno.ELOOP}:
            raise
    raise ArtifactCorruptError(
        f"{path} is no file: a folder, a pipe or a device stands in its place. Put the file back from a copy, or run "
        "the producing step again."
    )


def sync_folder(folder: Path) -> None:
    """Bring a local folder's own entries to the disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def draft_of(path: str) -> Path:
    """Return a hidden path of its own beside `path`."""
    return Path(path).with_name(f".{Path(path).name}.{uuid.uuid4().hex[:8]}")


def write_through(path: Path, data: bytes) -> None:
    """Write a file and bring it to the disk."""
    with path.open("wb") as raw:
        raw.write(data)
        raw.flush()
        os.fsync(raw.fileno())


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, and bring the new entries to the disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def remove_tree(folder: str) -> None:
    """Remove a folder, also one that somebody stands in, or that another process removes as well."""

    def go_on(_: object, __: str, failure: Any) -> None:
        if not isinstance(failure[1], FileNotFoundError):
            raise failure[1]

    if os.path.isdir(folder):
        shutil.rmtree(folder, onerror=go_on)
    else:
        os.unlink(folder)


def leads_into(entry: "os.DirEntry[str]", within: str | None) -> bool:
    """Tell whether an entry of a folder is a link to something below the folder `within`."""
    if within is None or not entry.is_symlink():
        return False
    return os.path.realpath(entry.path).startswith(os.path.realpath(within) + os.sep)
