"""The bytes of an archive's rows, each checked before it is used: by byte range, or by whole row groups."""

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple, Protocol

import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.archive.byte_ranges import REMOTE_BYTES, LocalBytes, Range, RemoteBytes
from sinara_lib.archive.format import Place
from sinara_lib.archive.index import open_parquet
from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.store.entity import EntityReader

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

    def read_many(self, places: list[Place]) -> dict[Place, bytes]:
        """Return the bytes of several rows, with as few requests as that takes."""

    def stream(self, places: list[Place]) -> Iterator[Piece]:
        """Yield the bytes of rows in bounded pieces; the last piece of a row comes only when all were right."""

    def batches(self, places: list[Place]) -> Iterator[list[Place]]:
        """Cut rows into lists that are best streamed by one thread."""

    def close(self) -> None:
        """Close the files that are open; they are opened anew when needed."""


class _Span:
    """Bytes of a shard, and the rows that lie in them one after the other."""

    def __init__(self, places: list[Place]) -> None:
        self.places = places
        self.shard = places[0].shard
        self.start = places[0].offset
        self.length = places[-1].offset + places[-1].length - self.start


class RangeContent:
    """Reads the rows of an archive with an index, by byte range, each checked by its own sha256.

    May be used by several threads, pickled, and carried into a forked process.
    """

    def __init__(self, entity: EntityReader, shards: list[str]) -> None:
        self._paths = [f"{entity.path}/{shard}" for shard in shards]
        self._bytes = LocalBytes() if isinstance(entity.fs, LocalFileSystem) else RemoteBytes(entity.fs)

    def read(self, place: Place) -> bytes:
        """Return the bytes of one row. Raises ArtifactCorruptError when they are not the promised ones."""
        data = self._read([self._range(place.shard, place.offset, place.length)])[0]
        self._check(place, hashlib.sha256(data).digest())
        return data

    def read_many(self, places: list[Place]) -> dict[Place, bytes]:
        """Return the bytes of rows; from an object store neighbours come with one request, and requests at once."""
        spans = list(self._spans(sorted(places, key=lambda place: (place.shard, place.offset))))
        answers = self._read([self._range(span.shard, span.start, span.length) for span in spans])
        # Each answer goes as soon as it is cut up, so that the bytes are in memory once.
        return {
            piece.place: bytes(piece.data) for span in reversed(spans) for piece in self._pieces(span, answers.pop())
        }

    def stream(self, places: list[Place]) -> Iterator[Piece]:
        """Yield the bytes of rows in pieces of bounded size, those of small rows read together."""
        for span in self._spans(places):
            if span.length > self._bytes.most:
                yield from self._large(span.places[0])
            else:
                yield from self._pieces(span, self._read([self._range(span.shard, span.start, span.length)])[0])

    def batches(self, places: list[Place]) -> Iterator[list[Place]]:
        """Cut rows into lists of about 8 MiB or 256 rows."""
        return _cut(places, most=REMOTE_BYTES, rows=256)

    def close(self) -> None:
        """Close the shards that are open."""
        self._bytes.close()

    def _pieces(self, span: _Span, data: bytes) -> Iterator[Piece]:
        view = memoryview(data)
        for place in span.places:
            value = view[place.offset - span.start : place.offset - span.start + place.length]
            self._check(place, hashlib.sha256(value).digest())
            yield Piece(place, 0, value)

    def _spans(self, places: list[Place]) -> Iterator[_Span]:
        """Cover rows by spans: neighbours together up to `most` bytes, a larger row alone."""
        waiting: list[Place] = []
        for place in places:
            if waiting and not self._reaches(waiting, place):
                yield _Span(waiting)
                waiting = []
            waiting.append(place)
        if waiting:
            yield _Span(waiting)

    def _reaches(self, before: list[Place], place: Place) -> bool:
        first, last = before[0], before[-1]
        near = place.shard == last.shard and 0 <= place.offset - last.offset - last.length <= _GAP_BYTES
        return near and place.offset + place.length - first.offset <= self._bytes.most

    def _large(self, place: Place) -> Iterator[Piece]:
        digest = hashlib.sha256()
        for at in range(0, place.length, self._bytes.most):
            length = min(self._bytes.most, place.length - at)
            data = self._read([self._range(place.shard, place.offset + at, length)])[0]
            digest.update(data)
            if at + len(data) == place.length:
                self._check(place, digest.digest())
            yield Piece(place, at, memoryview(data))

    def _range(self, shard: int, start: int, length: int) -> Range:
        return Range(self._paths[shard], start, length)

    def _read(self, ranges: list[Range]) -> list[bytes]:
        answers = iter(self._bytes.read([one for one in ranges if one.length]))
        found = [next(answers) if one.length else b"" for one in ranges]
        for (path, start, length), data in zip(ranges, found, strict=True):
            if len(data) != length:
                raise ArtifactCorruptError(
                    f"{path}: expected {length} bytes at {start}, found {len(data)}. Run the producing step again."
                )
        return found

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
        self._forget()

    def _forget(self) -> None:
        # A forked process shares the place in an open file with its parent, and perhaps a lock that nobody will open.
        self._open: dict[int, pq.ParquetFile] = {}
        self._group: tuple[tuple[int, int], Any] | None = None
        self._lock = Lock()
        self._process = os.getpid()

    def shard(self, number: int) -> pq.ParquetFile:
        """Return a shard, checked and opened."""
        if number not in self._open:
            name = self._shards[number]
            self._open[number] = open_parquet(self._entity.open_checked(name), f"{self._entity.path}/{name}")
        return self._open[number]

    def read(self, place: Place) -> bytes:
        """Return the bytes of one row; its row group is kept for the next."""
        return self._row(self._contents((place.shard, place.group)), place)

    def read_many(self, places: list[Place]) -> dict[Place, bytes]:
        """Return the bytes of several rows; a row group is read once."""
        by_group = sorted(places, key=lambda place: (place.shard, place.group))
        return {piece.place: bytes(piece.data) for piece in self.stream(by_group)}

    def stream(self, places: list[Place]) -> Iterator[Piece]:
        """Yield the bytes of rows; a row group is read once for all its neighbours in `places`."""
        for key, rows in itertools.groupby(places, key=lambda place: (place.shard, place.group)):
            contents = self._contents(key)
            for place in rows:
                yield Piece(place, 0, memoryview(self._row(contents, place)))

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

    def _contents(self, key: tuple[int, int]) -> Any:
        if self._process != os.getpid():
            self._entity.reconnect()
            self._forget()
        with self._lock:
            if self._group is None or self._group[0] != key:
                self._group = (key, self.shard(key[0]).read_row_group(key[1], columns=["content"])["content"])
            return self._group[1]

    def _row(self, contents: Any, place: Place) -> bytes:
        data: bytes = contents[place.offset].as_py()
        if len(data) != place.length:
            raise ArtifactCorruptError(
                f"{self._entity.path}/{self._shards[place.shard]}: {place.name!r} has {len(data)} bytes, "
                f"its row says {place.length}. Run the producing step again."
            )
        return data

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupContent, (self._entity, self._shards)


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
