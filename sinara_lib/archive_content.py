"""The bytes of an archive's rows, each checked before it is used: by byte range, or by whole row groups."""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple, Protocol

import pyarrow.parquet as pq
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.archive_format import Place
from sinara_lib.archive_index import open_parquet
from sinara_lib.entity import EntityReader
from sinara_lib.errors import ArtifactCorruptError

MOST_DESCRIPTORS = 64
LOCAL_BYTES = 1 << 20
"""From disk at most this is read at once: it stays in the processor's cache while it is checked and written."""
REMOTE_BYTES = 8 << 20
"""One request to an object store asks for at most this."""
_GAP_BYTES = 16 << 10
"""Rows that lie nearer are read together; between row groups lie the other columns."""


class Piece(NamedTuple):
    """Bytes of a row, or of a part of it that starts at `at`."""

    place: Place
    at: int
    data: memoryview


class Content(Protocol):
    """Where the bytes of rows come from."""

    def read(self, place: Place) -> bytes:
        """Return the bytes of one row. Raises ArtifactCorruptError when they are not the promised ones."""

    def stream(self, places: list[Place]) -> Iterator[Piece]:
        """Yield the bytes of rows in bounded pieces; the last piece of a row comes only when all were right."""

    def batches(self, places: list[Place]) -> Iterator[list[Place]]:
        """Cut rows into lists that are best streamed by one thread."""

    def close(self) -> None:
        """Close the files that are open; they are opened anew when needed."""


class RangeContent:
    """Reads the rows of an archive with an index, by byte range, each checked by its own sha256.

    May be used by several threads, pickled, and carried into a forked process.
    """

    def __init__(self, entity: EntityReader, shards: list[str]) -> None:
        self._paths = [f"{entity.path}/{shard}" for shard in shards]
        self._bytes = _LocalBytes() if isinstance(entity.fs, LocalFileSystem) else _RemoteBytes(entity.fs)

    def read(self, place: Place) -> bytes:
        """Return the bytes of one row. Raises ArtifactCorruptError when they are not the promised ones."""
        data = self._read(place.shard, place.offset, place.length)
        self._check(place, hashlib.sha256(data).digest())
        return data

    def stream(self, places: list[Place]) -> Iterator[Piece]:
        """Yield the bytes of rows in pieces of bounded size, those of small rows read together."""
        for span in self._spans(places):
            if span[0].length > self._bytes.most:
                yield from self._large(span[0])
                continue
            first = span[0].offset
            data = memoryview(self._read(span[0].shard, first, span[-1].offset + span[-1].length - first))
            for place in span:
                view = data[place.offset - first : place.offset - first + place.length]
                self._check(place, hashlib.sha256(view).digest())
                yield Piece(place, 0, view)

    def batches(self, places: list[Place]) -> Iterator[list[Place]]:
        """Cut rows into lists of about 8 MiB or 256 rows."""
        return _cut(places, most=REMOTE_BYTES, rows=256)

    def close(self) -> None:
        """Close the shards that are open."""
        self._bytes.close()

    def _spans(self, places: list[Place]) -> Iterator[list[Place]]:
        span: list[Place] = []
        for place in places:
            if span and not self._reaches(span, place):
                yield span
                span = []
            span.append(place)
        if span:
            yield span

    def _reaches(self, span: list[Place], place: Place) -> bool:
        gap = place.offset - span[-1].offset - span[-1].length
        near = place.shard == span[0].shard and 0 <= gap <= _GAP_BYTES
        return near and place.offset + place.length - span[0].offset <= self._bytes.most

    def _large(self, place: Place) -> Iterator[Piece]:
        digest = hashlib.sha256()
        for at in range(0, place.length, self._bytes.most):
            data = self._read(place.shard, place.offset + at, min(self._bytes.most, place.length - at))
            digest.update(data)
            if at + len(data) == place.length:
                self._check(place, digest.digest())
            yield Piece(place, at, memoryview(data))

    def _read(self, shard: int, start: int, length: int) -> bytes:
        path = self._paths[shard]
        try:
            data = self._bytes.read(path, start, length) if length else b""
        except FileNotFoundError as error:
            raise ArtifactCorruptError(f"{path} is gone: it was removed after the archive was opened.") from error
        if len(data) != length:
            raise ArtifactCorruptError(
                f"{path}: expected {length} bytes at {start}, found {len(data)}. Run the producing step again."
            )
        return data

    def _check(self, place: Place, found: bytes) -> None:
        if found != place.sha256:
            raise ArtifactCorruptError(
                f"{self._paths[place.shard]}: {place.name!r} has another sha256 than {place.sha256.hex()}, which "
                "the index promises. The shard was changed after it was published; run the producing step again."
            )


class GroupContent:
    """Reads the rows of an archive without an index; each shard is checked before its first row is used."""

    def __init__(self, entity: EntityReader, shards: list[str]) -> None:
        self._entity = entity
        self._shards = shards
        self._open: dict[int, pq.ParquetFile] = {}
        self._group: tuple[tuple[int, int], Any] | None = None
        self._lock = Lock()

    def shard(self, number: int) -> pq.ParquetFile:
        """Return a shard, checked and opened."""
        if number not in self._open:
            name = self._shards[number]
            self._open[number] = open_parquet(self._entity.open_checked(name), f"{self._entity.path}/{name}")
        return self._open[number]

    def read(self, place: Place) -> bytes:
        """Return the bytes of one row; its row group is kept for the next."""
        key = (place.shard, place.group)
        with self._lock:
            if self._group is None or self._group[0] != key:
                self._group = (key, self.shard(place.shard).read_row_group(place.group, columns=["content"])["content"])
            data: bytes = self._group[1][place.offset].as_py()
        if len(data) != place.length:
            raise ArtifactCorruptError(
                f"{self._entity.path}/{self._shards[place.shard]}: {place.name!r} has {len(data)} bytes, "
                f"its row says {place.length}. Run the producing step again."
            )
        return data

    def stream(self, places: list[Place]) -> Iterator[Piece]:
        """Yield the bytes of rows."""
        for place in places:
            yield Piece(place, 0, memoryview(self.read(place)))

    def batches(self, places: list[Place]) -> Iterator[list[Place]]:
        """Cut rows into their row groups."""
        groups: dict[tuple[int, int], list[Place]] = {}
        for place in places:
            groups.setdefault((place.shard, place.group), []).append(place)
        return iter(groups.values())

    def close(self) -> None:
        """Forget what is open."""
        with self._lock:
            self._open.clear()
            self._group = None

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupContent, (self._entity, self._shards)


class _Descriptor:
    """An open file that is closed when nobody reads it any more."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    def __del__(self) -> None:
        number = self.__dict__.pop("number", None)
        if number is not None:
            os.close(number)


class _LocalBytes:
    """Reads ranges of files on disk; the last few files stay open, shared by all threads."""

    most = LOCAL_BYTES

    def __init__(self) -> None:
        self._open: OrderedDict[str, _Descriptor] = OrderedDict()
        self._lock = Lock()

    def read(self, path: str, start: int, length: int) -> bytes:
        """Return the bytes of a range, fewer at the file's end."""
        return os.pread(self._descriptor(path).number, length, start)

    def close(self) -> None:
        """Let go of the open files."""
        with self._lock:
            self._open.clear()

    def _descriptor(self, path: str) -> _Descriptor:
        with self._lock:
            if path not in self._open:
                self._open[path] = _Descriptor(path)
                if len(self._open) > MOST_DESCRIPTORS:
                    self._open.popitem(last=False)
            self._open.move_to_end(path)
            return self._open[path]

    def __reduce__(self) -> tuple[Any, ...]:
        return _LocalBytes, ()


class _RemoteBytes:
    """Reads ranges of files in an object store."""

    most = REMOTE_BYTES

    def __init__(self, fs: AbstractFileSystem) -> None:
        self._fs = fs
        self._process = os.getpid()

    def read(self, path: str, start: int, length: int) -> bytes:
        """Return the bytes of a range, fewer at the file's end."""
        data: bytes = self._filesystem().cat_file(path, start=start, end=start + length)
        return data

    def close(self) -> None:
        """Nothing stays open between reads."""

    def _filesystem(self) -> AbstractFileSystem:
        """Return the filesystem; a forked process needs its own, as threads and sockets stay with the parent."""
        if self._process != os.getpid():
            self._fs = type(self._fs)(*self._fs.storage_args, **self._fs.storage_options)
            self._process = os.getpid()
        return self._fs


def _cut(places: Iterable[Place], *, most: int, rows: int) -> Iterator[list[Place]]:
    batch: list[Place] = []
    held = 0
    for place in places:
        if batch and (held + place.length > most or len(batch) == rows or place.shard != batch[0].shard):
            yield batch
            batch, held = [], 0
        batch.append(place)
        held += place.length
    if batch:
        yield batch
