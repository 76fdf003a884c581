"""Whether the index of an archive fits its shards: every row in its place, with its name and its bytes."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from sinara_lib.archive.format import INDEX_FILE, INDEX_SCHEMA, SCHEMA, shard_name
from sinara_lib.archive.index_table import read_table
from sinara_lib.archive.row_groups import swollen
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import FileEntry

_COLUMNS = ["relPath", "modificationTime", "length", "part", "parts"]
_SHOWN = 10
_MOST_TIMES = 1000
"""A shard that claims this many times the rows it should have is not read: that could take all memory."""


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


class ArchiveIndex:
    """The index of one archive, in memory from its first use to its last: once for itself, once for each shard.

    `files` are those that stand in the entity's folder at their full size. Threads may ask at once.
    """

    def __init__(self, fs: AbstractFileSystem, path: str, files: Iterable[FileEntry]) -> None:
        self._fs = fs
        self._path = path
        self._shards = {entry.path for entry in files if entry.path.endswith(".parquet")}
        self._uses = len(self._shards) + 1
        self._lock = Lock()
        self._table: pa.Table | None = None
        self._problem: str | None = None

    def problems(self) -> list[str]:
        """Return what is wrong with the index itself."""
        table, problem = self._use()
        if table is None:
            return [problem] if problem else []
        counts = Counter(shard_name(number) for number in table["shard"].to_pylist())
        lost = sorted(counts.keys() - self._shards)
        return [f"places {counts[name]} rows in {name}, which is not there whole" for name in lost]

    def rows(self, shard: str) -> list[IndexedRow] | None:
        """Return the rows in a shard; None when the index cannot be read."""
        table, _ = self._use()
        if table is None:
            return None
        number = int(re.sub(r"\D", "", shard) or -1)
        inside = table.filter(pc.equal(table["shard"], number))
        facts = _facts(inside)
        return [
            IndexedRow(*row)
            for row in zip(facts, inside["offset"].to_pylist(), inside["sha256"].to_pylist(), strict=True)
        ]

    def _use(self) -> tuple[pa.Table | None, str | None]:
        with self._lock:
            if self._table is None and self._problem is None:
                self._load()
            table = self._table
            self._uses -= 1
            if not self._uses:
                self._table = None
            return table, self._problem

    def _load(self) -> None:
        try:
            with StoreFiles(self._fs).open(f"{self._path}/{INDEX_FILE}") as stream:
                data = stream.read()
            table = read_table(data)
        except (ValueError, OSError) as error:
            self._problem = f"cannot be read as an Arrow file: {error}"
            return
        if table.schema == INDEX_SCHEMA:
            self._table = table
        else:
            expected = ", ".join(INDEX_SCHEMA.names)
            self._problem = f"has columns {', '.join(table.column_names)}; expected {expected}"


def shard_problems(stream: Any, rows: list[IndexedRow], digests: RowDigests) -> list[str]:
    """Return what of a shard's rows does not fit the index; `digests` have seen the whole shard."""
    problems = []
    if unfit := digests.unfit():
        problems.append(f"content of {_some(unfit)} is not what the index promises")
    stream.seek(0)
    try:
        file = pq.ParquetFile(stream)
        if unlike := [name for name in _COLUMNS if _type(file.schema_arrow, name) != SCHEMA.field(name).type]:
            return [*problems, f"has no column {', '.join(unlike)} of an archive's kind"]
        if file.metadata.num_rows > _MOST_TIMES * (len(rows) + 1):
            return [*problems, f"holds {file.metadata.num_rows} rows that are not the {len(rows)} of the index"]
        held = sum(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))
        if found := swollen(held, sum(row.facts[2] for row in rows), stream.seek(0, os.SEEK_END)):
            return [*problems, found]
        table = file.read(columns=_COLUMNS)
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        return [*problems, f"cannot be read as parquet: {error}"]
    facts = list(_facts(table))
    if facts != (promised := [row.facts for row in rows]):
        problem = f"holds {len(facts)} rows that are not the {len(rows)} of the index"
        indexed, stored = set(promised), set(facts)
        if strange := [fact[0] for fact in facts if fact not in indexed]:
            problem += f"; not in the index: {_some(strange)}"
        if absent := [fact[0] for fact in promised if fact not in stored]:
            problem += f"; not in the shard: {_some(absent)}"
        problems.append(problem)
    return problems


def _facts(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield what rows say of themselves; times as numbers, since some are no dates."""
    columns = [table[name].cast(pa.int64()) if name == "modificationTime" else table[name] for name in _COLUMNS]
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _type(schema: pa.Schema, name: str) -> pa.DataType | None:
    return schema.field(name).type if name in schema.names else None


def _some(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
