"""Which files an archive has, and where their rows lie, as its `_INDEX` tells."""

from collections.abc import Iterator

import pyarrow as pa

from sinara_lib.archive.format import INDEX_FILE, INDEX_SCHEMA, FilePlace, check_member
from sinara_lib.archive.index_table import read_table
from sinara_lib.errors import ArchiveError, ArtifactCorruptError
from sinara_lib.store.entity import EntityReader


def list_shards(entity: EntityReader) -> list[str]:
    """Return the names of an archive's shards, in order. Raises ArchiveError when the entity holds plain files."""
    shards = sorted(f.path for f in entity.manifest.files if f.path.endswith(".parquet"))
    if not shards:
        raise ArchiveError(f"{entity.path} is not an archive: it holds plain files; use fetch_folder.")
    return shards


def is_archive(entity: EntityReader) -> bool:
    """Tell whether an entity is an archive and not plain files; of SinaraML everything in parquet is one."""
    manifest = entity.manifest
    return manifest.rows is not None or any(f.path.endswith(".parquet") and f.sha256 is None for f in manifest.files)


def has_index(entity: EntityReader) -> bool:
    """Tell whether the archive says where each row lies; those of SinaraML do not."""
    return entity.manifest.file(INDEX_FILE) is not None


def read_index(entity: EntityReader, shards: list[str]) -> Iterator[FilePlace]:
    """Yield the places of all rows, in shard order, from the checked index.

    Raises ArtifactCorruptError when the index is no index or points outside of the shards.
    """
    data = entity.read(INDEX_FILE)
    try:
        table = read_table(data)
    except ValueError as error:
        raise ArtifactCorruptError(f"{entity.path}/{INDEX_FILE} is not an index ({error}).") from error
    if not table.schema.equals(INDEX_SCHEMA):
        raise ArtifactCorruptError(
            f"{entity.path}/{INDEX_FILE} has other columns; a newer sinara_lib wrote it: update."
        )
    sizes = [next(f.size for f in entity.manifest.files if f.path == shard) for shard in shards]
    times = table["modificationTime"].combine_chunks().view(pa.int64())
    columns = [times if name == "modificationTime" else table[name] for name in INDEX_SCHEMA.names]
    for name, time, length, part, parts, shard, offset, sha256 in zip(*(c.to_pylist() for c in columns), strict=True):
        if not (0 <= shard < len(shards) and 0 <= offset and 0 <= length <= sizes[shard] - offset):
            raise ArtifactCorruptError(f"{entity.path}/{INDEX_FILE}: {name!r} lies outside of the archive's shards.")
        yield FilePlace(check_member(name), time, length, part, parts, shard, offset, sha256=sha256)


def gather_files(places: list[FilePlace], where: str) -> dict[str, list[FilePlace]]:
    """Return name -> places in the order of the file's bytes; names in shard order.

    Raises ArchiveError when a name repeats, lacks parts, or is a file and a folder at once.
    """
    files: dict[str, list[FilePlace]] = {}
    for place in places:
        files.setdefault(place.name, []).append(place)
    for name, rows in files.items():
        if len(rows) > 1 or rows[0].part or (rows[0].parts or 1) > 1:
            files[name] = _joined(rows, where)
    _check_folders(files, where)
    return files


def _joined(rows: list[FilePlace], where: str) -> list[FilePlace]:
    rows = sorted(rows, key=lambda place: place.part)
    numbers = [place.part for place in rows]
    if numbers != list(range(rows[0].parts or len(rows))):
        raise ArchiveError(f"{where}: {rows[0].name!r} has parts {numbers[:20]}: some are missing or twice.")
    start, joined = 0, []
    for place in rows:
        joined.append(place._replace(start=start, parts=len(rows), mtime_us=rows[0].mtime_us))
        start += place.length
    return joined


def _check_folders(files: dict[str, list[FilePlace]], where: str) -> None:
    checked: set[str] = set()
    for name in files:
        folder = name.rpartition("/")[0]
        while folder and folder not in checked:
            if folder in files:
                raise ArchiveError(f"{where}: {folder} is a file and a folder at once.")
            checked.add(folder)
            folder = folder.rpartition("/")[0]
