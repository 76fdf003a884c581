"""The bytes of an archive's rows, by byte range, each checked before it is used."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import NamedTuple, Protocol, TypeVar

from fsspec.implementations.local import LocalFileSystem

from sinara_lib.archive.byte_ranges import REMOTE_BYTES, LocalBytes, Range, RemoteBytes
from sinara_lib.archive.format import FilePlace
from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.store.entity import EntityReader

_GAP_BYTES = 16 << 10
"""Rows that lie nearer are read together; between row groups lie the other columns."""

T = TypeVar("T", bound=Sized)


class ContentPiece(NamedTuple):
    """Bytes of a row, or of a part of it that starts at `at`."""

    place: FilePlace
    at: int
    data: memoryview


class Content(Protocol):
    """Where the bytes of rows come from."""

    def read(self, place: FilePlace) -> bytes:
        """Return the bytes of one row. Raises ArtifactCorruptError when they are not the promised ones."""

    def read_many(self, places: list[FilePlace]) -> dict[FilePlace, bytes]:
        """Return the bytes of several rows, with as few requests as that takes."""

    def stream(self, places: list[FilePlace]) -> Iterator[ContentPiece]:
        """Yield the bytes of rows in bounded pieces; the last piece of a row comes only when all were right.

        The bytes of a piece are there until the next one is asked for.
        """

    def batches(self, places: list[FilePlace]) -> Iterator[list[FilePlace]]:
        """Cut rows into lists that are best streamed by one thread."""

    def close(self) -> None:
        """Close the files that are open; they are opened anew when needed."""


class _Span:
    """Bytes of a shard, and the rows that lie in them one after the other."""

    def __init__(self, places: list[FilePlace]) -> None:
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

    def read(self, place: FilePlace) -> bytes:
        """Return the bytes of one row. Raises ArtifactCorruptError when they are not the promised ones."""
        data = self._read([self._range(place.shard, place.offset, place.length)])[0]
        self._check(place, hashlib.sha256(data).digest())
        return data

    def read_many(self, places: list[FilePlace]) -> dict[FilePlace, bytes]:
        """Return the bytes of rows; from an object store neighbours come with one request, and requests at once."""
        spans = list(self._spans(sorted(places, key=lambda place: (place.shard, place.offset))))
        answers = self._read([self._range(span.shard, span.start, span.length) for span in spans])
        # Each answer goes as soon as it is cut up, so that the bytes are in memory once.
        return {
            piece.place: bytes(piece.data)
            for span in reversed(spans)
            for piece in self._pieces(span, memoryview(answers.pop()))
        }

    def stream(self, places: list[FilePlace]) -> Iterator[ContentPiece]:
        """Yield the bytes of rows in pieces of bounded size, those of small rows read together."""
        read = self._bytes.one_by_one()
        for span in self._spans(places):
            if span.length > self._bytes.most:
                yield from self._large(span.places[0], read)
            else:
                one = self._range(span.shard, span.start, span.length)
                yield from self._pieces(span, _whole(one, read(one)))

    def batches(self, places: list[FilePlace]) -> Iterator[list[FilePlace]]:
        """Cut rows into lists of about 8 MiB or 256 rows."""
        return _cut(places, most=REMOTE_BYTES, rows=256)

    def close(self) -> None:
        """Close the shards that are open."""
        self._bytes.close()

    def _pieces(self, span: _Span, data: memoryview) -> Iterator[ContentPiece]:
        for place in span.places:
            value = data[place.offset - span.start : place.offset - span.start + place.length]
            self._check(place, hashlib.sha256(value).digest())
            yield ContentPiece(place, 0, value)

    def _spans(self, places: list[FilePlace]) -> Iterator[_Span]:
        """Cover rows by spans: neighbours together up to `most` bytes, a larger row alone."""
        waiting: list[FilePlace] = []
        for place in places:
            if waiting and not self._reaches(waiting, place):
                yield _Span(waiting)
                waiting = []
            waiting.append(place)
        if waiting:
            yield _Span(waiting)

    def _reaches(self, before: list[FilePlace], place: FilePlace) -> bool:
        first, last = before[0], before[-1]
        near = place.shard == last.shard and 0 <= place.offset - last.offset - last.length <= _GAP_BYTES
        return near and place.offset + place.length - first.offset <= self._bytes.most

    def _large(self, place: FilePlace, read: Callable[[Range], memoryview]) -> Iterator[ContentPiece]:
        digest = hashlib.sha256()
        for at in range(0, place.length, self._bytes.most):
            one = self._range(place.shard, place.offset + at, min(self._bytes.most, place.length - at))
            data = _whole(one, read(one))
            digest.update(data)
            if at + len(data) == place.length:
                self._check(place, digest.digest())
            yield ContentPiece(place, at, data)

    def _range(self, shard: int, start: int, length: int) -> Range:
        return Range(self._paths[shard], start, length)

    def _read(self, ranges: list[Range]) -> list[bytes]:
        return [_whole(one, data) for one, data in zip(ranges, self._bytes.read(ranges), strict=True)]

    def _check(self, place: FilePlace, found: bytes) -> None:
        if found != place.sha256:
            raise ArtifactCorruptError(
                f"{self._paths[place.shard]}: {place.name!r} has another sha256 than {place.sha256.hex()}, which "
                "the index promises. The shard was changed after it was published; run the producing step again."
            )


def _whole(asked: Range, data: T) -> T:
    path, start, length = asked
    if len(data) != length:
        raise ArtifactCorruptError(
            f"{path}: expected {length} bytes at {start}, found {len(data)}. Run the producing step again."
        )
    return data


def _cut(places: Iterable[FilePlace], *, most: int, rows: int) -> Iterator[list[FilePlace]]:
    batch: list[FilePlace] = []
    held = 0
    for place in places:
        if batch and (held + place.length > most or len(batch) == rows or place.shard != batch[0].shard):
            yield batch
            batch, held = [], 0
        batch.append(place)
        held += place.length
    if batch:
        yield batch
