"""A file that is being received in segments, and the note beside it from which a later run goes on."""

import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from sinara_lib.downloads.digests import Digest

SEGMENT = 8 << 20
"""No connection is opened for less, in bytes."""
NOTE_SECONDS = 5.0


@dataclass(frozen=True)
class Version:
    """What a server says of the version it sends: size in bytes, its marks, whether parts of it can be asked for."""

    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    ranges: bool = False
    digests: tuple[Digest, ...] = ()

    @property
    def validator(self) -> str | None:
        """What If-Range needs to be sure that the rest belongs to the same version; a weak ETag does not do."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def is_same(self, other: "Version") -> bool:
        """Return whether both are certainly one version."""
        return self.validator is not None and (self.size, self.validator) == (other.size, other.validator)


@dataclass
class Segment:
    """Bytes from `start` up to `end` (None: to the end, wherever that is), of which `got` are there."""

    start: int
    end: int | None
    got: int = 0

    @property
    def position(self) -> int:
        """Where the next byte belongs."""
        return self.start + self.got

    @property
    def left(self) -> int | None:
        """Bytes that are missing; None when nobody knows."""
        return None if self.end is None else self.end - self.position


@dataclass
class Partial:
    """The file, its version, and which bytes of it have arrived."""

    path: Path
    state: Path
    version: Version | None = None
    segments: list[Segment] = field(default_factory=list)
    _noted: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, path: Path, state: Path) -> "Partial":
        """Take up what an earlier run left, if it can be used."""
        try:
            page = json.loads(state.read_text(encoding="utf-8"))
            digests = tuple(Digest(**digest) for digest in page["version"].pop("digests"))
            segments = [Segment(*numbers) for numbers in page["segments"]]
            version = Version(**page["version"], digests=digests)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path, state)
        reach = max((segment.position for segment in segments if segment.got), default=0)
        if version.validator is None or not path.is_file() or path.stat().st_size < reach:
            return cls(path, state)
        return cls(path, state, version, segments)

    @property
    def received(self) -> int:
        """Bytes that have arrived."""
        return sum(segment.got for segment in self.segments)

    @property
    def missing(self) -> list[Segment]:
        """Segments that are not complete."""
        return [segment for segment in self.segments if segment.left != 0]

    def begin(self, version: Version, *, connections: int) -> None:
        """Forget what was received and plan the segments of a version."""
        whole = version.size if version.ranges and version.validator and version.size else 0
        count = max(1, min(4 * connections, whole // SEGMENT)) if connections > 1 else 1
        edges = [whole * number // count for number in range(count)]
        ends = [*edges[1:], version.size]
        self.forget()
        self.version = version
        self.segments = [Segment(start, end) for start, end in zip(edges, ends, strict=True)]
        self.path.touch(mode=0o644)

    def forget(self) -> None:
        """Drop what was received."""
        self.version, self.segments = None, []
        self.path.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)

    def write(self, segment: Segment, blocks: Iterable[bytes]) -> None:
        """Append blocks to a segment until there are no more or it is full; what arrived is noted now and then."""
        with self.path.open("r+b", buffering=0) as file:
            file.seek(segment.position)
            try:
                for block in blocks:
                    _write_all(file, block[: segment.left])
                    segment.got += len(block[: segment.left])
                    if time.monotonic() - self._noted > NOTE_SECONDS:
                        self._note(file)
                    if segment.left == 0:
                        break
            finally:
                self._note(file)

    def close(self) -> None:
        """Fix the size of a segment whose end was not known: it has arrived."""
        last = self.segments[-1]
        if last.end is None:
            last.end = last.position
            self.version = replace(self.version or Version(), size=last.end)

    def _note(self, file: IO[bytes]) -> None:
        """Write the note; the bytes it counts are on the disk before it."""
        with self._lock:
            segments = [(one.start, one.end, one.got) for one in self.segments]
            os.fsync(file.fileno())
            new = self.state.with_suffix(".new")
            page = {"version": asdict(self.version or Version()), "segments": segments}
            new.write_text(json.dumps(page), encoding="utf-8")
            new.replace(self.state)
            self._noted = time.monotonic()


def _write_all(file: IO[bytes], block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]
