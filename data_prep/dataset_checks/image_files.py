"""Where image files are read from: an archive of the store as it is, or a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sinara_lib.errors import DataError


class ImageFiles(Protocol):
    """Image files by name; the reader of an archive is one. `read_many` is called from several threads at once."""

    def names(self) -> list[str]:
        """Return the names of all files."""

    def length(self, name: str) -> int:
        """Return the size of one file in bytes."""

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of each file."""


class FolderImages:
    """The files below a folder, by their path in it.

    Reading raises DataError when the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        paths = (path for path in folder.rglob("*") if path.is_file())
        self._sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(paths)}

    def names(self) -> list[str]:
        """Return the names of all files."""
        return list(self._sizes)

    def length(self, name: str) -> int:
        """Return the size of one file in bytes."""
        return self._sizes[name]

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{self._folder / name}: the image cannot be read: {error.strerror}.") from error

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of each file."""
        return [self.read(name) for name in names]
