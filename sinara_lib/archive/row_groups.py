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
FREE_ROWS = 1_000_000
"""So many rows are never refused; beyond, a shard of n bytes may not announce more than n."""
FREE_BYTES, BYTES_PER_BYTE = 1 << 30, 1_000
"""A row group of so many bytes is never refused; beyond, n bytes may not unpack to more than n times 1000."""
FREE_PAGES, PAGES_PER_BYTE = 64 << 20, 100
"""The same for the names, times and numbers of a row group."""
_SLACK = 1 << 20


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
        return [place for number in range(len(self._shards)) for place in self._places(number)]

    def _places(self, number: int) -> Iterator[FilePlace]:
        return _read_places(self._shard(number), number, f"{self._entity.path}/{self._shards[number]}")

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


def _read_places(file: pq.ParquetFile, shard: int, path: str) -> Iterator[FilePlace]:
    """Yield the places of a shard's rows by row group, from the columns that every archive has."""
    legacy = "part" not in file.schema_arrow.names
    for group in range(file.num_row_groups):
        _refuse_pages(file.metadata.row_group(group), path)
        table = file.read_row_group(group, columns=[*_COLUMNS, *([] if legacy else ["part", "parts"])])
        paths, lengths = _names(table["relPath"]), table["length"].to_pylist()
        _refuse_rows(file.metadata.row_group(group), sum(length or 0 for length in lengths), path)
        times = table["modificationTime"].cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).to_pylist()
        orders = [(0, None)] * len(paths)
        if not legacy:
            orders = list(zip(table["part"].to_pylist(), table["parts"].to_pylist(), strict=True))
        for row, (written, time, length, order) in enumerate(zip(paths, times, lengths, orders, strict=True)):
            name, part = legacy_name(written) if legacy else (written, order[0])
            if name is not None:
                yield FilePlace(check_member(name), time, length, part, order[1], shard, row, group)


def _names(column: pa.ChunkedArray) -> list[Any]:
    """Return the texts of a column that was read as a dictionary, each text once."""
    found: list[Any] = []
    for chunk in column.chunks:
        words = chunk.dictionary.to_pylist()
        found += [None if place is None else words[place] for place in chunk.indices.to_pylist()]
    return found


def _refuse_pages(group: pq.RowGroupMetaData, path: str) -> None:
    """Raise ArtifactCorruptError where the columns beside the contents unpack to far more than lies there."""
    for chunk in map(group.column, range(group.num_columns)):
        held, packed = chunk.total_uncompressed_size, chunk.total_compressed_size
        if chunk.path_in_schema != "content" and held > max(FREE_PAGES, packed * PAGES_PER_BYTE):
            raise _bomb(path, f"{chunk.path_in_schema} of {packed:,} bytes unpacks to {held:,}")


def _refuse_rows(group: pq.RowGroupMetaData, told: int, path: str) -> None:
    """Raise ArtifactCorruptError where the contents of a row group would unpack to more than its rows can hold."""
    for chunk in map(group.column, range(group.num_columns)):
        if chunk.path_in_schema != "content":
            continue
        held, packed = chunk.total_uncompressed_size, chunk.total_compressed_size
        if held > told + 64 * group.num_rows + _SLACK:
            raise _bomb(path, f"its pages unpack to {held:,} bytes where its rows tell of {told:,}")
        if told > max(FREE_BYTES, packed * BYTES_PER_BYTE):
            raise _bomb(path, f"its rows tell of {told:,} bytes in {packed:,}")


def _bomb(path: str, found: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(f"{path}: {found}; refused as a bomb. Run the producing step again.")


def _open_parquet(stream: Any, path: str) -> pq.ParquetFile:
    """Open a shard. Raises ArtifactCorruptError when it is no parquet file, ArchiveError when it is another table."""
    try:
        # As a dictionary a name that repeats takes its room once, however often it does.
        file = pq.ParquetFile(stream, pre_buffer=False, read_dictionary=["relPath"])
        size = stream.seek(0, os.SEEK_END)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactCorruptError(f"{path} is not a parquet file ({error}). Run the producing step again.") from error
    missing = {*_COLUMNS, "content"} - {*file.schema_arrow.names}
    if missing:
        raise ArchiveError(f"{path} is not a shard of an archive: it has no column {', '.join(sorted(missing))}.")
    if file.metadata.num_rows > max(FREE_ROWS, size):
        raise _bomb(path, f"{size:,} bytes announce {file.metadata.num_rows:,} rows")
    return file
