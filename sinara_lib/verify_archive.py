"""Whether the index of an archive fits its shards: every row in its place, with its name and its bytes."""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from sinara_lib.archive_format import INDEX_FILE, INDEX_SCHEMA, shard_name
from sinara_lib.manifest import FileEntry

_COLUMNS = ["relPath", "modificationTime", "length", "part", "parts"]
_SHOWN = 10


class IndexedRow(NamedTuple):
    """One line of the index: what the shard's row says of itself, and where its bytes lie."""

    facts: tuple[Any, ...]
    offset: int
    sha256: bytes

    @property
    def name(self) -> str:
        """The file it is (a part of)."""
        return str(self.facts[0])

    @property
    def length(self) -> int:
        """Bytes of its content."""
        return int(self.facts[2])


class RowDigests:
    """Hashes the rows of a shard while the shard is read from its start."""

    def __init__(self, rows: Iterable[IndexedRow]) -> None:
        self._rows = sorted(rows, key=lambda row: row.offset)
        self._next = 0
        self._at = 0
        self._digest = hashlib.sha256()
        self._unfit: list[str] = []

    def update(self, chunk: bytes) -> None:
        """Take the next bytes of the shard."""
        view, end = memoryview(chunk), self._at + len(chunk)
        while self._next < len(self._rows) and self._rows[self._next].offset < end:
            row = self._rows[self._next]
            stop = row.offset + row.length
            self._digest.update(view[max(row.offset, self._at) - self._at : min(stop, end) - self._at])
            if stop > end:
                break
            self._close(row)
        self._at = end

    def unfit(self) -> list[str]:
        """Return the names whose bytes are not where and what the index says, once the whole shard was read."""
        while self._next < len(self._rows):
            self._close(self._rows[self._next])
        return self._unfit

    def _close(self, row: IndexedRow) -> None:
        if self._digest.digest() != row.sha256:
            self._unfit.append(row.name)
        self._digest = hashlib.sha256()
        self._next += 1


def read_index(
    fs: AbstractFileSystem, path: str, files: Iterable[FileEntry]
) -> tuple[dict[str, tuple[IndexedRow, ...]], list[str]]:
    """Return the rows that the index at `path`/_INDEX places in each shard, and what is wrong with the index itself.

    `files` are those that stand there at their full size. Without an index there are no rows.
    """
    names = {entry.path for entry in files}
    if INDEX_FILE not in names:
        return {}, []
    try:
        with pa.ipc.open_file(pa.BufferReader(fs.cat_file(f"{path}/{INDEX_FILE}"))) as reader:
            table = reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        return {}, [f"cannot be read as an Arrow file: {error}"]
    if table.schema != INDEX_SCHEMA:
        return {}, [f"has columns {', '.join(table.column_names)}; expected {', '.join(INDEX_SCHEMA.names)}"]
    rows: dict[str, list[IndexedRow]] = {name: [] for name in names if name.endswith(".parquet")}
    lost: dict[str, int] = {}
    facts = zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True)
    places = zip(*(table[name].to_pylist() for name in ("shard", "offset", "sha256")), strict=True)
    for fact, (shard, offset, sha256) in zip(facts, places, strict=True):
        name = shard_name(shard)
        if name in rows:
            rows[name].append(IndexedRow(fact, offset, sha256))
        else:
            lost[name] = lost.get(name, 0) + 1
    problems = [f"places {count} rows in {name}, which is not there whole" for name, count in sorted(lost.items())]
    return {name: tuple(found) for name, found in rows.items()}, problems


def shard_problems(stream: Any, rows: tuple[IndexedRow, ...], digests: RowDigests) -> list[str]:
    """Return what of a shard's rows does not fit the index; `digests` have seen the whole shard."""
    problems = []
    if unfit := digests.unfit():
        problems.append(f"content of {_some(unfit)} is not what the index promises")
    stream.seek(0)
    try:
        table = pq.ParquetFile(stream).read(columns=_COLUMNS)
    except (pa.ArrowInvalid, OSError) as error:
        return [*problems, f"cannot be read as parquet: {error}"]
    facts = list(zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True))
    if facts != (promised := [row.facts for row in rows]):
        problem = f"holds {len(facts)} rows that are not the {len(rows)} of the index"
        indexed, stored = set(promised), set(facts)
        if strange := [fact[0] for fact in facts if fact not in indexed]:
            problem += f"; not in the index: {_some(strange)}"
        if absent := [fact[0] for fact in promised if fact not in stored]:
            problem += f"; not in the shard: {_some(absent)}"
        problems.append(problem)
    return problems


def _some(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
