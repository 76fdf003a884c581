"""What an archive is: columns of its shards and of its index, sizes, and which file names are safe. Pure data."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from sinara_lib.errors import ArchiveError

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
"""Spark's binaryFile table with SinaraML's relPath, and the order of the parts of a large file."""

INDEX_FILE = "_INDEX"
INDEX_SCHEMA = pa.schema(
    [
        *(SCHEMA.field(name) for name in ("relPath", "modificationTime", "length", "part", "parts")),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("sha256", pa.binary(32), nullable=False),
    ]
)
"""One line per row, in shard order: where its content starts in the shard's file, and its sha256."""

ROW_BYTES = 8 << 20
"""A larger file is split over rows."""
GROUP_BYTES = 8 << 20
"""Rows are written in groups of at most this size. Writing takes about five times as much memory per thread."""
GROUP_ROWS = 8192
SHARD_BYTES = 256 << 20
SHARDS_WANTED = 16
"""Small archives get smaller shards, down to an eighth, so that several threads have something to do."""

_UNSAFE = re.compile(r"^\Z|^/|//|(^|/)\.{1,2}(/|\Z)|\\|\0|^[A-Za-z]:")
_RESERVED = re.compile(r"(^|/)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.[^/]*)?(/|\Z)", re.IGNORECASE)
_LEGACY_PART = re.compile(r"(.+)\.parts/part-(\d+)")


class FilePlace(NamedTuple):
    """One row of an archive: a file, one part of a large file, or an empty folder (its name ends with a slash)."""

    name: str
    mtime_us: int
    length: int
    part: int
    parts: int | None
    """None where it is told by the last part only (SinaraML)."""
    shard: int
    """Number of the shard in the archive's list of shards."""
    offset: int
    """First byte of the content in the shard's file; without an index, the row's number in its row group."""
    group: int = -1
    sha256: bytes = b""
    start: int = 0
    """Where the content lies in the file that it is a part of, in bytes."""


def shard_name(number: int) -> str:
    """Return the name of a shard's file."""
    return f"part-{number:05d}.parquet"


def check_member(name: str) -> str:
    """Return `name` when it is a safe relative path; a folder's ends with a slash.

    Raises ArchiveError when it is absolute, climbs out, is a second spelling of another, is not UTF-8, or bears
    a name that Windows keeps for a device.
    """
    if _UNSAFE.search(name):
        raise ArchiveError(f"File name {name!r} is refused: it must be relative and stay inside the archive's folder.")
    if not name.isascii() and name != name.encode(errors="replace").decode():
        raise ArchiveError(f"File name {name!r} is refused: it is not UTF-8. Rename the file.")
    if _RESERVED.search(name):
        raise ArchiveError(f"File name {name!r} is refused: Windows keeps it for a device. Rename the file.")
    return name


def clashing_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of different paths that a file system blind to case or to Unicode's forms takes for one."""
    first: dict[str, str] = {}
    pairs = []
    for path in dict.fromkeys(path for name in names for path in _with_folders(name.rstrip("/"))):
        known = first.setdefault(unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold()), path)
        if known != path:
            pairs.append((known, path))
    return pairs


def legacy_name(path: str) -> tuple[str | None, int]:
    """Read a path that SinaraML wrote: it starts with a slash, and big files lie in `<name>.parts/part-NNNN`.

    Returns name and part; name is None for the empty file that marks a folder of parts.
    """
    name = path.removeprefix("/")
    if name.endswith(".parts/_PARTS"):
        return None, 0
    match = _LEGACY_PART.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, 0)


def _with_folders(path: str) -> Iterator[str]:
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path
