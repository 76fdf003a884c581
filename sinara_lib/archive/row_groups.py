"""Archives without an index, SinaraML's among them: where the rows lie, and their bytes by whole row groups."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sinara_lib.archive.content import ContentPiece
from sinara_lib.archive.format import FilePlace, check_member, legacy_name
from sinara_lib.errors import ArchiveError, ArtifactCorruptError, SinaraError
from sinara_lib.store.entity import EntityReader

_COLUMNS = ("relPath", "modificationTime", "length")
_KINDS: dict[str, Callable[[pa.DataType], bool]] = {
    "relPath": lambda kind: pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type),
    "modificationTime": pa.types.is_timestamp,
    "length": pa.types.is_integer,
    "content": lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
}
FREE_ROWS = 1_000_000
"""So many rows are never refused; beyond, a shard of n bytes may not announce more than n."""
FREE_BYTES, BYTES_PER_BYTE = 1 << 30, 1_000
"""A row group of so many bytes is never refused; beyond, n bytes may not unpack to more than n times 1000."""
FREE_PAGES, PAGES_PER_BYTE = 64 << 20, 100
"""The same for what a row group unpacks to beside what its rows tell of: names, times and numbers."""


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

    def _places(self, number: int) -> list[FilePlace]:
        path = self._path(number)
        with _damage(path):
            return list(_read_places(self._shard(number), number, path))

    def _path(self, number: int) -> str:
        return f"{self._entity.path}/{self._shards[number]}"

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
            self._open[number] = _open_parquet(self._entity.open_checked(self._shards[number]), self._path(number))
        return self._open[number]

    def _contents(self, key: tuple[int, int]) -> Any:
        if self._process != os.getpid():
            self._entity.reconnect()
            self._forget()
        with self._lock:
            if self._group is None or self._group[0] != key:
                self._group = (key, self._read_contents(key))
            return self._group[1]

    def _read_contents(self, key: tuple[int, int]) -> Any:
        with _damage(self._path(key[0])):
            table = self._shard(key[0]).read_row_group(key[1], columns=["content"])
            table.validate(full=True)
        return table["content"]

    def _row(self, contents: Any, place: FilePlace) -> bytes:
        data: bytes | None = contents[place.offset].as_py() if place.offset < len(contents) else None
        if data is None or len(data) != place.length:
            found = "no" if data is None else len(data)
            raise ArtifactCorruptError(
                f"{self._path(place.shard)}: {place.name!r} has {found} bytes, "
                f"its row says {place.length}. Run the producing step again."
            )
        return data

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupContent, (self._entity, self._shards)


def _read_places(file: pq.ParquetFile, shard: int, path: str) -> Iterator[FilePlace]:
    """Yield the places of a shard's rows by row group, from the columns that every archive has."""
    legacy = "part" not in file.schema_arrow.names
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=[*_COLUMNS, *([] if legacy else ["part", "parts"])])
        table.validate(full=True)
        if empty := [name for name in table.column_names if table[name].null_count and name != "parts"]:
            raise ArtifactCorruptError(f"{path}: {', '.join(empty)} of a row is empty. Run the producing step again.")
        paths, lengths = _names(table["relPath"]), table["length"].to_pylist()
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


@contextmanager
def _damage(path: str) -> Iterator[None]:
    """Turn what pyarrow says of a damaged shard into ArtifactCorruptError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        if isinstance(error, SinaraError):
            raise
        raise ArtifactCorruptError(
            f"{path} cannot be read as parquet: {str(error).partition(chr(10))[0]}. Run the producing step again."
        ) from error


def swollen(held: int, told: int, size: int) -> str | None:
    """Say it where pages would unpack to far more than what their rows tell of, in a shard of `size` bytes."""
    if held > told + max(FREE_PAGES, size * PAGES_PER_BYTE):
        return f"its pages unpack to {held:,} bytes where its rows tell of {told:,}"
    return None


def _refuse_bomb(file: pq.ParquetFile, size: int, path: str) -> None:
    """Raise ArtifactCorruptError for a shard whose rows or bytes are far more than it can hold.

    The columns' own facts are not asked: where those are damaged, pyarrow ends the process.
    """
    if file.metadata.num_rows > max(FREE_ROWS, size):
        raise _bomb(path, f"{size:,} bytes announce {file.metadata.num_rows:,} rows")
    for group in range(file.num_row_groups):
        told = pc.sum(file.read_row_group(group, columns=["length"])["length"]).as_py() or 0
        if told > max(FREE_BYTES, size * BYTES_PER_BYTE):
            raise _bomb(path, f"its rows tell of {told:,} bytes in {size:,}")
        if found := swollen(file.metadata.row_group(group).total_byte_size, told, size):
            raise _bomb(path, found)


def _bomb(path: str, found: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(f"{path}: {found}; refused as a bomb. Run the producing step again.")


def _open_parquet(stream: Any, path: str) -> pq.ParquetFile:
    """Open a shard. Raises ArtifactCorruptError when it is no parquet file, ArchiveError when it is another table."""
    try:
        file = pq.ParquetFile(stream, pre_buffer=False)
        size = stream.seek(0, os.SEEK_END)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, SinaraError):
            raise
        raise ArtifactCorruptError(f"{path} is not a parquet file ({error}). Run the producing step again.") from error
    missing = {*_COLUMNS, "content"} - {*file.schema_arrow.names}
    if missing:
        raise ArchiveError(f"{path} is not a shard of an archive: it has no column {', '.join(sorted(missing))}.")
    # As a dictionary a name that repeats takes its room once, however often it does.
    file = pq.ParquetFile(stream, metadata=file.metadata, pre_buffer=False, read_dictionary=["relPath"])
    if strange := [name for name, is_kind in _KINDS.items() if not is_kind(file.schema_arrow.field(name).type)]:
        raise ArtifactCorruptError(f"{path}: {', '.join(strange)} is of another kind. Run the producing step again.")
    with _damage(path):
        _refuse_bomb(file, size, path)
    return file
