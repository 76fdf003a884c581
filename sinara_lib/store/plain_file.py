"""A file of a store that is being written, on a disk or in an object store."""

from typing import Any

from fsspec import AbstractFileSystem

from sinara_lib.store.failures import plain_errors

_PIECE = 1 << 20
"""Bytes handed on at once: drivers of object stores upload, and copy, all they hold when it is a part or more."""


class PlainFile:
    """A file to write to whose failures are told in plain words."""

    def __init__(self, raw: Any, fs: AbstractFileSystem, path: str) -> None:
        self._raw = raw
        self._fs = fs
        self._path = path

    def write(self, data: Any) -> int:
        """Write bytes-like `data` and return its length in bytes."""
        view = memoryview(data).cast("B")
        with plain_errors(self._fs, self._path):
            for at in range(0, len(view), _PIECE):
                self._raw.write(view[at : at + _PIECE])
        return len(view)

    def flush(self) -> None:
        """Hand on what is buffered."""
        with plain_errors(self._fs, self._path):
            self._raw.flush()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return bool(self._raw.closed)
