"""A folder of files as an entity of parquet shards: columns of Spark's binaryFile table plus the order of parts."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from sinara_lib.entity import EntityReader
from sinara_lib.entity_writer import EntityWriter
from sinara_lib.errors import ArchiveError, ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.manifest import Manifest
from sinara_lib.progress import progress
from sinara_lib.store import begin_entity, open_entity

SCHEMA = pa.schema(
    [
        pa.field("relPath", pa.string(), nullable=False),
        pa.field("modificationTime", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("parts", pa.int32(), nullable=False),
        pa.field("content", pa.binary(), nullable=False),
    ]
)
ROW_BYTES = 32 << 20
"""A larger file is split over rows."""
GROUP_BYTES = 8 << 20
"""Rows are written in groups of about this size; it bounds the memory of a random read."""
SHARD_BYTES = 256 << 20

_LEGACY_PART = re.compile(r"(.+)\.parts/part-(\d+)")


class SinaraArchive:
    """SinaraML's names for `pack` and `unpack`."""

    def pack_files_from_tmp_to_store(self, tmp_entity_dir: str | Path, store_path: str) -> Manifest:
        """Pack the files of a folder into the entity at `store_path`."""
        return pack(tmp_entity_dir, store_path)

    def unpack_files_from_store_to_tmp(self, store_path: str, tmp_entity_dir: str | Path) -> None:
        """Unpack the entity at `store_path` into a folder."""
        unpack(store_path, tmp_entity_dir)


def pack(folder: str | Path, url: str) -> Manifest:
    """Pack all files below `folder` into the entity at `url` and commit it.

    Empty files and folders are kept. Raises ArchiveError for names that could not be unpacked safely.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArchiveError(f"Cannot pack {folder}: it is not a folder.")
    members = _members(folder)
    with begin_entity(url) as writer:
        _write_shards(writer, folder, members)
    assert writer.manifest is not None  # noqa: S101 - a clean exit has committed
    return writer.manifest


def unpack(url: str, folder: str | Path) -> None:
    """Unpack the archive entity at `url` into `folder`: same names, bytes and times (to 1 microsecond)."""
    open_archive(url).unpack(folder)


def open_archive(url: str) -> "ArchiveReader":
    """Open the archive entity at `url` for reading. Raises ArtifactNotFoundError or ArtifactCorruptError."""
    return ArchiveReader(open_entity(url))


@dataclass(frozen=True)
class _Place:
    """Where one row lies."""

    shard: str
    group: int
    row: int
    part: int
    parts: int | None
    mtime_us: int


class ArchiveReader:
    """Reads the files of an archive one by one, in shard order, or all into a folder.

    Each shard is checked against its sha256 before its first row is used.
    """

    def __init__(self, entity: EntityReader) -> None:
        self._entity = entity
        self._open: dict[str, pq.ParquetFile] = {}
        self._group: tuple[tuple[str, int], Any] | None = None
        self._places = self._index()

    def names(self) -> list[str]:
        """Return the names of all files (not of empty folders), in shard order."""
        return [name for name in self._places if not name.endswith("/")]

    def read(self, name: str) -> bytes:
        """Return the bytes of one file. Raises ArtifactNotFoundError when the archive has no such file."""
        places = self._places.get(name)
        if places is None:
            raise ArtifactNotFoundError(
                f"{self._entity.path} has no file {name!r}; it holds {len(self._places)}, such as "
                f"{', '.join(self.names()[:3])}."
            )
        return b"".join(self._content(place) for place in places)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of each file, in shard order."""
        for name in self.names():
            yield name, self.read(name)

    def unpack(self, folder: str | Path) -> None:
        """Write every file below `folder`, which is made when absent; existing files are not overwritten."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, places in progress(self._places.items(), label="unpack", unit="file"):
            target = folder / name
            if name.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with _new_file(target) as file:
                for place in places:
                    file.write(self._content(place))
            os.utime(target, ns=(places[0].mtime_us * 1000,) * 2)

    def _index(self) -> dict[str, list[_Place]]:
        places: dict[str, list[_Place]] = {}
        shards = [f.path for f in self._entity.manifest.files if f.path.endswith(".parquet")]
        if not shards:
            raise ArchiveError(f"{self._entity.path} is not an archive: it holds plain files; use fetch_folder.")
        for shard in shards:
            for name, place in self._rows(shard):
                places.setdefault(name, []).append(place)
        for name, rows in places.items():
            rows.sort(key=lambda place: place.part)
            numbers = [place.part for place in rows]
            if numbers != list(range(rows[0].parts or len(rows))):
                raise ArchiveError(
                    f"{self._entity.path}: {name!r} has parts {numbers[:20]}: some are missing or twice."
                )
        for folder in {PurePosixPath(name.rpartition("/")[0]) for name in places}:
            if clash := {str(folder), *map(str, folder.parents)} & places.keys():
                raise ArchiveError(f"{self._entity.path}: {', '.join(clash)} is a file and a folder at once.")
        return places

    def _rows(self, shard: str) -> Iterator[tuple[str, _Place]]:
        file = self._shard(shard)
        legacy = "part" not in file.schema_arrow.names
        columns = ["relPath", "modificationTime"] + ([] if legacy else ["part", "parts"])
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns)
            times = table["modificationTime"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
            orders = (
                [(0, None)] * len(times) if legacy else zip(*(table[c].to_pylist() for c in columns[2:]), strict=True)
            )
            for row, (path, time, order) in enumerate(zip(table["relPath"].to_pylist(), times, orders, strict=True)):
                name, part = _legacy_name(path) if legacy else (path, order[0])
                if name is not None:
                    yield check_member(name), _Place(shard, group, row, part, order[1], time)

    def _shard(self, shard: str) -> pq.ParquetFile:
        if shard not in self._open:
            file = _parquet(self._entity.open_checked(shard), f"{self._entity.path}/{shard}")
            self._open[shard] = file
        return self._open[shard]

    def _content(self, place: _Place) -> bytes:
        key = (place.shard, place.group)
        if self._group is None or self._group[0] != key:
            self._group = (key, self._shard(place.shard).read_row_group(place.group, columns=["content"])["content"])
        data: bytes = self._group[1][place.row].as_py()
        return data


def _parquet(stream: Any, path: str) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(stream, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise ArtifactCorruptError(f"{path} is not a parquet file ({error}). Run the producing step again.") from error
    missing = {"relPath", "modificationTime", "content"} - {*file.schema_arrow.names}
    if missing:
        raise ArchiveError(f"{path} is not a shard of an archive: it has no column {', '.join(sorted(missing))}.")
    return file


def check_member(name: str) -> str:
    """Return `name` when it is a safe relative path; a folder's ends with a slash.

    Raises ArchiveError when it is absolute, climbs out, is a second spelling of another, or is not UTF-8.
    """
    parts = name.removesuffix("/").split("/")
    if {"", ".", ".."} & {*parts} or "\\" in name or "\0" in name or ":" in parts[0]:
        raise ArchiveError(f"File name {name!r} is refused: it must be relative and stay inside the archive's folder.")
    if not name.isascii() and name != name.encode(errors="replace").decode():
        raise ArchiveError(f"File name {name!r} is refused: it is not UTF-8. Rename the file.")
    return name


def _new_file(path: Path) -> IO[bytes]:
    try:
        return path.open("xb")
    except FileExistsError as error:
        raise ArchiveError(f"Cannot unpack {path}: it is there already. Unpack into an empty folder.") from error


def _members(folder: Path) -> list[str]:
    """Return the names below `folder`, sorted; an empty folder's ends with a slash."""
    names = []
    for root, folders, files in os.walk(folder, onerror=_raise):
        base = Path(root).relative_to(folder)
        names += [check_member((base / file).as_posix()) for file in files]
        for link in (name for name in folders if (Path(root) / name).is_symlink()):
            raise ArchiveError(f"Cannot pack {base / link}: it is a link to a folder. Copy its files instead.")
        if not folders and not files and base.parts:
            names.append(check_member(base.as_posix()) + "/")
    return sorted(names)


def _raise(error: OSError) -> None:
    raise error


def _write_shards(writer: EntityWriter, folder: Path, members: list[str]) -> None:
    rows = iter(progress(_file_rows(folder, members), label="pack", total=None, unit="row"))
    writer.rows, shard = 0, 0
    row = next(rows, None)
    while row is not None or shard == 0:
        with (
            writer.open(f"part-{shard:05d}.parquet") as sink,
            pq.ParquetWriter(sink, SCHEMA, compression="none", use_dictionary=False, write_statistics=False) as parquet,
        ):
            row = _fill_shard(parquet, rows, row, writer)
        shard += 1


def _fill_shard(parquet: Any, rows: Iterator[Any], row: Any, writer: EntityWriter) -> Any:
    """Write rows until the shard is full; return the row that comes next, or None."""
    group: list[Any] = []
    written = held = 0
    while row is not None and written + held < SHARD_BYTES:
        group.append(row)
        held += row["length"] + len(row["relPath"])
        if held >= GROUP_BYTES:
            parquet.write_table(pa.Table.from_pylist(group, SCHEMA))
            writer.rows = (writer.rows or 0) + len(group)
            written, held, group = written + held, 0, []
        row = next(rows, None)
    if group:
        parquet.write_table(pa.Table.from_pylist(group, SCHEMA))
        writer.rows = (writer.rows or 0) + len(group)
    return row


def _file_rows(folder: Path, members: list[str]) -> Iterator[dict[str, Any]]:
    for name in members:
        if name.endswith("/"):
            yield _row(name, 0, 0, 1, b"")
            continue
        path = folder / name
        stat = path.stat()
        parts = max(1, -(-stat.st_size // ROW_BYTES))
        with path.open("rb") as file:
            for part in range(parts):
                yield _row(name, stat.st_mtime_ns // 1000, part, parts, file.read(ROW_BYTES))
            if file.tell() != stat.st_size or file.read(1):
                raise ArchiveError(f"{path} changed while it was packed; let its writer finish and pack again.")


def _row(name: str, mtime_us: int, part: int, parts: int, content: bytes) -> dict[str, Any]:
    return {
        "relPath": name,
        "modificationTime": mtime_us,
        "length": len(content),
        "part": part,
        "parts": parts,
        "content": content,
    }


def _legacy_name(path: str) -> tuple[str | None, int]:
    """Read a path that SinaraML wrote: it starts with a slash, and big files lie in `<name>.parts/part-NNNN`."""
    name = path.removeprefix("/")
    if name.endswith(".parts/_PARTS"):
        return None, 0
    match = _LEGACY_PART.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, 0)
