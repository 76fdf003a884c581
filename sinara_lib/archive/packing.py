"""Packs a folder of files into one entity of parquet shards, opens one, and brings its files back."""

import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from sinara_lib.archive.arrival import arrival
from sinara_lib.archive.copying import Copies
from sinara_lib.archive.format import clashing_names
from sinara_lib.archive.index import is_archive
from sinara_lib.archive.outside import is_outside, open_outside, write_outside
from sinara_lib.archive.plan import list_members
from sinara_lib.archive.reader import ArchiveReader
from sinara_lib.errors import ArchiveError
from sinara_lib.store import begin_entity, open_entity
from sinara_lib.store.entity_folder import fetch_files
from sinara_lib.store.manifest import Manifest

log = logging.getLogger(__name__)


class SinaraArchive:
    """SinaraML's names for `pack` and `unpack`."""

    def pack_files_from_tmp_to_store(self, tmp_entity_dir: str | Path, store_path: str) -> Manifest:
        """Pack the files of a folder into the entity at `store_path`."""
        return pack(tmp_entity_dir, store_path)

    def unpack_files_from_store_to_tmp(self, store_path: str, tmp_entity_dir: str | Path) -> None:
        """Unpack the entity at `store_path` into a folder."""
        unpack(store_path, tmp_entity_dir)


def pack(
    folder: str | Path, url: str, *, source: ArchiveReader | None = None, names: Mapping[str, str] | None = None
) -> Manifest:
    """Pack all files below `folder` into the entity at `url` and commit it; `url` may be a folder of one's own too.

    With `source`, an archive's reader, its files `names[new]` are packed too, as `new`, straight from shard to shard.
    Names, bytes, times (to 1 microsecond) and empty folders are kept; permissions and the times of folders are not.
    The same files give the same bytes. Warns of names that differ by case or Unicode form only.
    Raises ArchiveError for what could not come back as it was: unsafe names, links, pipes, devices; and for a name
    that the folder has and `names` too.

    >>> manifest = pack("photos", url)
    >>> open_archive(url).names()
    ['cat.jpg', 'more/dog.jpg']
    """
    from sinara_lib.archive.writer import write_archive

    if is_outside(url):
        return write_outside(url, lambda place: pack(folder, place, source=source, names=names))
    folder = Path(folder)
    if not folder.is_dir():
        raise ArchiveError(f"Cannot pack {folder}: it is not a folder.")
    copies = Copies(source, names or {}) if source else None
    members = sorted([*list_members(folder), *(copies.members if copies else ())])
    if twice := [one.name for one, other in pairwise(members) if one.name == other.name]:
        raise ArchiveError(f"Cannot pack {', '.join(twice[:3])} twice: from {folder} and from another archive.")
    clashes = clashing_names(member.name for member in members)
    if clashes:
        shown = ", ".join(f"{one} and {other}" for one, other in clashes[:3])
        log.warning("%s: names that some file systems take for one and cannot unpack: %s.", folder, shown)
    with begin_entity(url) as writer:
        write_archive(writer, folder, members=members, copies=copies)
    assert writer.manifest is not None  # noqa: S101 - a clean exit has committed
    return writer.manifest


def unpack(url: str, folder: str | Path) -> None:
    """Unpack the archive entity at `url` into `folder`: same names, bytes and times (to 1 microsecond)."""
    open_archive(url).unpack(folder)


def fetch(url: str, folder: str | Path) -> list[str]:
    """Write the files of the entity at `url`, an archive or plain files, into `folder`; return their names.

    All of them or none. Raises ArchiveError when one of them is there already.

    >>> manifest = pack("photos", url)
    >>> fetch(url, "here")
    ['cat.jpg', 'more/dog.jpg']
    """
    entity = open_entity(url)
    if is_archive(entity):
        reader = ArchiveReader(entity)
        reader.unpack(folder)
        return reader.names()
    names = [file.path for file in entity.manifest.files]
    with arrival(Path(folder), names, needed=entity.manifest.bytes) as hidden:
        fetch_files(entity, hidden)
    return names


def open_archive(url: str) -> ArchiveReader:
    """Open the archive entity at `url` for reading. Raises ArtifactNotFoundError or ArtifactCorruptError.

    >>> manifest = pack("photos", url)
    >>> open_archive(url).read("more/dog.jpg")
    b'woof'
    """
    return ArchiveReader(open_outside(url) if is_outside(url) else open_entity(url))
