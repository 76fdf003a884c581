"""Archives without an index, SinaraML's among them: where the rows lie, and their bytes by whole row groups."""

import itertools
import os
from collections.abc import Iterator
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sinara_lib.archive.content import ContentPiece
from sinara_lib.archive.format import FilePlace, check_member, legacy_name
from sinara_lib.errors import ArchiveError, ArtifactCorruptError
from sinara_lib.store.entity import EntityReader

_COLUMNS = ("relPath", "modificationTime", "length")


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

    def places(self) -> list[FilePlace]:
        """Return where all rows lie, in shard order. Raises ArtifactCorruptError or ArchiveError."""
        return [place for number in range(len(self._shards)) for place in _read_places(self._shard(number), number)]

    def read(self, place: FilePlace) -> bytes:
        """Return the bytes of one row; its row group is kept for the next."""
        return self._row(self._contents((place.shard, place.group)), place)

    def read_many(self, places: list[FilePlace]) -> dict[FilePlace, bytes]:
        """Return the bytes of several rows; a row group is read once."""
        by_group = sorted(places, key=lambda place: (place.shard, place.group))
        return {piece.place: bytes(piece.data) for piece in self.stream(by_group)}

    def stream(self, places: list[FilePlace]) -> Iterator[ContentPiece]:
        """Yield the bytes of rows; a row group is read once for all its neighbours in `places`."""
        for key, rows in itertools.groupby(places, key=lambda place: (place.shard, place.group)):
            contents = self._contents(key)
            for place in rows:
                yield ContentPiece(place, 0, memoryview(self._row(contents, place)))

    def batches(self, places: list[FilePlace]) -> Iterator[list[FilePlace]]:
        """Cut rows into their row groups."""
        groups: dict[tuple[int, int], list[FilePlace]] = {}
        for place in places:
            groups.setdefault((place.shard, place.group), []).append(place)
        return iter(groups.values())

    def close(self) -> None:
        """Forget what is open."""
        with self._lock:
            self._open.clear()
            self._group = None

    def _shard(self, number: int) -> pq.ParquetFile:
        """Return a shard, checked and opened."""
        if number not in self._open:
            name = self._shards[number]
            self._open[number] = _open_parquet(self._entity.open_checked(name), f"{self._entity.path}/{name}")
        return self._open[number]

    def _contents(self, key: tuple[int, int]) -> Any:
        if self._process != os.getpid():
            self._entity.reconnect()
            self._forget()
        with self._lock:
            if self._group is None or self._group[0] != key:
                self._group = (key, self._shard(key[0]).read_row_group(key[1], columns=["content"])["content"])
            return self._group[1]

    def _row(self, contents: Any, place: FilePlace) -> bytes:
        data: bytes = contents[place.offset].as_py()
        if len(data) != place.length:
            raise ArtifactCorruptError(
                f"{self._entity.path}/{self._shards[place.shard]}: {place.name!r} has {len(data)} bytes, "
                f"its row says {place.length}. Run the producing step again."
            )
        return data

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupContent, (self._entity, self._shards)


def _read_places(file: pq.ParquetFile, shard: int) -> Iterator[FilePlace]:
    """Yield the places of a shard's rows by row group, from the columns that every archive has."""
    legacy = "part" not in file.schema_arrow.names
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=[*_COLUMNS, *([] if legacy else ["part", "parts"])])
        paths, lengths = table["relPath"].to_pylist(), table["length"].to_pylist()
        times = table["modificationTime"].cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).to_pylist()
        orders = [(0, None)] * len(paths)
        if not legacy:
            orders = list(zip(table["part"].to_pylist(), table["parts"].to_pylist(), strict=True))
        for row, (path, time, length, order) in enumerate(zip(paths, times, lengths, orders, strict=True)):
            name, part = legacy_name(path) if legacy else (path, order[0])
            if name is not None:
                yield FilePlace(check_member(name), time, length, part, order[1], shard, row, group)


def _open_parquet(stream: Any, path: str) -> pq.ParquetFile:
    """Open a shard. Raises ArtifactCorruptError when it is no parquet file, ArchiveError when it is another table."""
    try:
        file = pq.ParquetFile(stream, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactCorruptError(f"{path} is not a parquet file ({error}). Run the producing step again.") from error
    missing = {*_COLUMNS, "content"} - {*file.schema_arrow.names}
    if missing:
        raise ArchiveError(f"{path} is not a shard of an archive: it has no column {', '.join(sorted(missing))}.")
    return file
