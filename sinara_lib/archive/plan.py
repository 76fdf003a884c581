"""Which row goes into which group of which shard: planned from names, sizes and times before anything is written."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sinara_lib.archive import format as archive_format
from sinara_lib.archive.format import check_member
from sinara_lib.errors import ArchiveError


class PackedFile(NamedTuple):
    """A file to pack, or an empty folder: its name ends with a slash."""

    name: str
    size: int
    mtime_ns: int


class ShardRow(NamedTuple):
    """One part of a member; most have one."""

    member: PackedFile
    part: int
    parts: int
    start: int
    """First byte in the file."""
    length: int


Group = list[ShardRow]


class Shard(NamedTuple):
    """The groups of rows of one shard."""

    number: int
    groups: list[Group]


def list_members(folder: Path) -> list[PackedFile]:
    """Return all files and empty folders below `folder`, by name.

    Raises ArchiveError for unsafe names, and for what is neither file nor folder: it could not come back as it was.
    """
    return sorted(_walk(folder, ""))


def _walk(folder: Path, prefix: str) -> Iterator[PackedFile]:
    with os.scandir(folder / prefix) as entries:
        found = list(entries)
    if not found and prefix:
        yield PackedFile(prefix, 0, 0)
    for entry in found:
        name = check_member(prefix + entry.name)
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(folder, name + "/")
        elif stat.S_ISREG(status.st_mode):
            yield PackedFile(name, status.st_size, status.st_mtime_ns)
        else:
            raise ArchiveError(f"Cannot pack {entry.path}: it is {_kind(status.st_mode)}. {_advice(status.st_mode)}")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _advice(mode: int) -> str:
    return "Copy what it points to in its place." if stat.S_ISLNK(mode) else "Remove it from the folder."


def plan_shards(members: list[PackedFile]) -> list[Shard]:
    """Spread members over shards; the same for the same names and sizes. An empty folder gives one empty shard."""
    total = sum(member.size for member in members)
    most = archive_format.SHARD_BYTES
    wanted = min(most, max(most // 8, -(-total // archive_format.SHARDS_WANTED)))
    shards: list[list[Group]] = [[]]
    held = 0
    for group in _groups(members):
        size = sum(row.length for row in group)
        if shards[-1] and held + size > wanted:
            shards.append([])
            held = 0
        shards[-1].append(group)
        held += size
    return [Shard(number, groups) for number, groups in enumerate(shards)]


def _groups(members: list[PackedFile]) -> Iterator[Group]:
    group: Group = []
    held = 0
    for row in _rows(members):
        if group and (held + row.length > archive_format.GROUP_BYTES or len(group) == archive_format.GROUP_ROWS):
            yield group
            group, held = [], 0
        group.append(row)
        held += row.length
    if group:
        yield group


def _rows(members: list[PackedFile]) -> Iterator[ShardRow]:
    most = archive_format.ROW_BYTES
    for member in members:
        parts = max(1, -(-member.size // most))
        for part in range(parts):
            yield ShardRow(member, part, parts, part * most, min(most, member.size - part * most))
