"""Counting and hashing what is written, on its way."""

import hashlib
from typing import Any, Protocol


class Writable(Protocol):
    """What a file to write to must offer."""

    def write(self, data: Any, /) -> int:
        """Write bytes-like `data` and return its length in bytes."""

    def flush(self) -> None:
        """Hand on what is buffered."""

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""


class HashingFile:
    """A binary file to write to that counts and hashes what passes."""

    def __init__(self, raw: Writable) -> None:
        self.size = 0
        self._raw = raw
        self._digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write bytes-like `data` and return its length in bytes."""
        view = memoryview(data)
        self._digest.update(view)
        self._raw.write(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self.size

    def flush(self) -> None:
        """Flush the file below."""
        self._raw.flush()

    def close(self) -> None:
        """Leave closing to whoever opened the file below."""

    @property
    def closed(self) -> bool:
        """Whether the file below is closed."""
        return self._raw.closed

    def hexdigest(self) -> str:
        """Return the sha256 of all that was written."""
        return self._digest.hexdigest()
