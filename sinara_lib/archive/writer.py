"""Writing an archive: shards by several threads, each row's content in one piece, and the index of all rows."""

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from sinara_lib.archive.copying import Copies
from sinara_lib.archive.format import INDEX_FILE, INDEX_SCHEMA, SCHEMA, shard_name
from sinara_lib.archive.plan import Group, PackedFile, Shard, ShardRow, plan_shards
from sinara_lib.errors import ArchiveError
from sinara_lib.parallel import Check, in_threads, thread_count
from sinara_lib.progress import progress
from sinara_lib.store.entity_writer import EntityWriter
from sinara_lib.store.hashing import HashingFile

_PAGE_BYTES = (1 << 31) - 1
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_PREFIX = struct.Struct("<I")
_COLUMNS = {
    "compression": "none",
    "use_dictionary": False,
    "write_statistics": False,
    "column_encoding": "PLAIN",
    "data_page_size": _PAGE_BYTES,
    "data_page_version": "1.0",
}
"""With these a group's content is one page: of each value four bytes of length, then its bytes."""


class _Content(NamedTuple):
    """The bytes of a group's rows one after the other, where each starts (and the last ends), and their sha256."""

    data: pa.Buffer
    starts: list[int]
    digests: list[bytes]


class _ShardSink:
    """Stands between parquet and the shard's file, and notes where the page of content was put."""

    closed = False

    def __init__(self, below: HashingFile) -> None:
        self._below = below
        self._lengths: list[int] = []
        self._first: int | None = None

    def expect(self, lengths: list[int]) -> None:
        """Tell the lengths of the values of the page that is written next, in bytes."""
        self._lengths, self._first = lengths, None

    def offsets(self) -> list[int]:
        """Return where each value of the expected page starts in the file.

        Raises ArchiveError when the last thing written was not that page.
        """
        at, offsets = self._first, []
        if at is None or at + self._page_bytes() != self._below.tell():
            raise ArchiveError("This version of pyarrow lays out parquet pages in another way; nothing was published.")
        for length in self._lengths:
            offsets.append(at + _PREFIX.size)
            at += _PREFIX.size + length
        return offsets

    def write(self, data: Any) -> int:
        """Pass bytes on."""
        view = memoryview(data)
        if view.nbytes == self._page_bytes() and self._starts_with_lengths(view):
            self._first = self._below.tell()
        return self._below.write(view)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._below.tell()

    def flush(self) -> None:
        """Flush the file below."""
        self._below.flush()

    def close(self) -> None:
        """Leave closing to whoever opened the file below."""

    def _page_bytes(self) -> int:
        return sum(self._lengths) + _PREFIX.size * len(self._lengths)

    def _starts_with_lengths(self, page: memoryview) -> bool:
        at = 0
        for length in self._lengths:
            if _PREFIX.unpack_from(page, at)[0] != length:
                return False
            at += _PREFIX.size + length
        return True


def write_archive(
    writer: EntityWriter,
    folder: Path,
    *,
    members: list[PackedFile],
    copies: Copies | None = None,
    threads: int | None = None,
) -> None:
    """Write members of `folder`, and those of `copies`, as shards and index; threads do not change the bytes.

    Memory: per thread about five times GROUP_BYTES. Raises ArchiveError when a file changes meanwhile.
    """
    shards = plan_shards(members)
    writer.rows = sum(len(group) for shard in shards for group in shard.groups)
    lock = Lock()
    with progress(label="pack", total=sum(member.size for member in members), unit="B") as bar:

        def write(shard: Shard, check: Check) -> pa.RecordBatch:
            def advance(count: int) -> None:
                check()
                with lock:
                    bar.update(count)

            return _write_shard(writer, folder, copies=copies, shard=shard, advance=advance)

        lines = list(in_threads(write, shards, threads=threads or thread_count()))
    with writer.open(INDEX_FILE) as sink, pa.ipc.new_file(sink, INDEX_SCHEMA) as index:
        for batch in lines:
            index.write_batch(batch)


def _write_shard(
    writer: EntityWriter, folder: Path, *, copies: Copies | None, shard: Shard, advance: Callable[[int], None]
) -> pa.RecordBatch:
    """Write one shard and return its lines of the index."""
    offsets: list[int] = []
    digests: list[bytes] = []
    with writer.open(shard_name(shard.number)) as file:
        sink = _ShardSink(file)
        with pq.ParquetWriter(sink, SCHEMA, **_COLUMNS) as parquet:
            for group in shard.groups:
                content = _read_group(folder, group, copies)
                sink.expect([row.length for row in group])
                parquet.write_table(_table(group, content), row_group_size=len(group))
                offsets += sink.offsets()
                digests += content.digests
                advance(content.data.size)
    rows = [row for group in shard.groups for row in group]
    place = [pa.array([shard.number] * len(rows), pa.int32()), pa.array(offsets, pa.int64())]
    return pa.RecordBatch.from_arrays(
        [*_row_columns(rows), *place, pa.array(digests, pa.binary(32))], schema=INDEX_SCHEMA
    )


def _table(group: Group, content: _Content) -> pa.Table:
    starts = pa.array(content.starts, pa.int32()).buffers()[1]
    values = pa.Array.from_buffers(pa.binary(), len(group), [None, starts, content.data])
    return pa.Table.from_arrays([*_row_columns(group), values], schema=SCHEMA)


def _row_columns(rows: list[ShardRow]) -> list[pa.Array]:
    times = pa.array([row.member.mtime_ns // 1000 for row in rows], pa.int64())
    return [
        pa.array([row.member.name for row in rows], pa.string()),
        times.cast(SCHEMA.field("modificationTime").type),
        pa.array([row.length for row in rows], pa.int64()),
        pa.array([row.part for row in rows], pa.int32()),
        pa.array([row.parts for row in rows], pa.int32()),
    ]


def _read_group(folder: Path, group: Group, copies: Copies | None) -> _Content:
    """Read the rows of a group, each once, into one buffer."""
    copied = [row for row in group if copies and row.member.name in copies]
    found = iter(copies.read(copied) if copies and copied else ())
    data = pa.allocate_buffer(sum(row.length for row in group))
    view = memoryview(data).cast("B")
    starts, digests = [0], []
    for row in group:
        value = view[starts[-1] : starts[-1] + row.length]
        if copies and row.member.name in copies:
            value[:] = next(found)
        elif not row.member.name.endswith("/"):
            _read_row(f"{folder}/{row.member.name}", row, value)
        digests.append(hashlib.sha256(value).digest())
        starts.append(starts[-1] + row.length)
    return _Content(data, starts, digests)


def _read_row(path: str, row: ShardRow, target: memoryview) -> None:
    try:
        file = os.open(path, _READ)
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} vanished while it was packed; let its writer finish and pack again.") from error
    try:
        done = 0
        while done < row.length and (count := os.preadv(file, [target[done:]], row.start + done)):
            done += count
        status = os.fstat(file)
    finally:
        os.close(file)
    if done < row.length or (status.st_size, status.st_mtime_ns) != row.member[1:]:
        raise ArchiveError(f"{path} changed while it was packed; let its writer finish and pack again.")
