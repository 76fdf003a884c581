"""Reading an archive: one file by name, all in shard order, or all into a folder."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from sinara_lib.archive.content import Content, RangeContent
from sinara_lib.archive.format import FilePlace
from sinara_lib.archive.index import gather_files, has_index, list_shards, read_index
from sinara_lib.archive.stream import PREFETCH, Files, batches_of, iterate
from sinara_lib.archive.unpacking import unpack_files
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.store.entity import EntityReader


class ArchiveReader:
    """Reads the files of an archive; what is read is checked against its sha256 first.

    With an index a file costs one read by byte range. Without one (SinaraML, and archives made before there was an
    index) each shard is checked whole when the archive is opened, and a file costs its row group.
    May be used by several threads, and goes to other processes by pickle or fork.
    """

    def __init__(self, entity: EntityReader) -> None:
        self.path = entity.path
        shards = list_shards(entity)
        self.content: Content
        if has_index(entity):
            self.content = RangeContent(entity, shards)
            places = list(read_index(entity, shards))
        else:
            from sinara_lib.archive.row_groups import GroupContent

            self.content = GroupContent(entity, shards)
            places = self.content.places()
        self._files = gather_files(places, entity.path)

    def names(self) -> list[str]:
        """Return the names of all files (not of empty folders), in shard order."""
        return [name for name in self._files if not name.endswith("/")]

    def places(self, name: str) -> list[FilePlace]:
        """Return where the rows of a file lie. Raises ArtifactNotFoundError when the archive has no such file."""
        places = self._files.get(name)
        if places is None:
            raise ArtifactNotFoundError(
                f"{self.path} has no file {name!r}; it holds {len(self._files)}, such as {', '.join(self.names()[:3])}."
            )
        return places

    def length(self, name: str) -> int:
        """Return the size of a file in bytes. Raises ArtifactNotFoundError when the archive has no such file."""
        return sum(place.length for place in self.places(name))

    def read(self, name: str) -> bytes:
        """Return the bytes of one file. Raises ArtifactNotFoundError or ArtifactCorruptError."""
        places = self.places(name)
        if len(places) == 1:
            return self.content.read(places[0])
        return b"".join(self.content.read(place) for place in places)

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of several files; those that lie side by side are read together."""
        rows = {name: self.places(name) for name in names}
        found = self.content.read_many([place for places in rows.values() for place in places])
        return [b"".join(found[place] for place in rows[name]) for name in names]

    def batches(self, names: Collection[str]) -> list[list[str]]:
        """Group those of `names` that are there, in shard order, into lists of at most 4 MiB for `read_many`."""
        return batches_of(self, names)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes of each file, in shard order."""
        return self.iterate()

    def iterate(
        self,
        names: Iterable[str] | None = None,
        *,
        shuffle_seed: int | None = None,
        shuffle_window: int | None = None,
        part: tuple[int, int] = (0, 1),
        prefetch: int = PREFETCH,
    ) -> Files:
        """Return an iterator over name and bytes of each file, read ahead by threads; see `stream.iterate`."""
        return iterate(
            self, names, shuffle_seed=shuffle_seed, shuffle_window=shuffle_window, part=part, prefetch=prefetch
        )

    def unpack(self, folder: str | Path) -> None:
        """Write every file below `folder`, which is made when absent, with several threads.

        Existing files are not overwritten; a failure leaves nothing behind.
        """
        places = sorted(
            (place for rows in self._files.values() for place in rows),
            key=lambda place: (place.shard, place.group, place.offset),
        )
        unpack_files(self.content, self._files, Path(folder), places=places)

    def close(self) -> None:
        """Close the files that are open; reading opens them again."""
        self.content.close()

    def __enter__(self) -> "ArchiveReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
