"""Files of one archive as members of another: copied from shard to shard, without a file on a disk in between."""

from collections.abc import Mapping, Sequence

from sinara_lib.archive.format import check_member
from sinara_lib.archive.plan import PackedFile, ShardRow
from sinara_lib.archive.reader import ArchiveReader


class Copies:
    """Files of an archive under the names they get in a new one. Reading is checked, and may be done by threads."""

    def __init__(self, reader: ArchiveReader, names: Mapping[str, str]) -> None:
        """Take the file `names[new]` of `reader` as `new`. Raises ArtifactNotFoundError for a file it lacks."""
        self._reader = reader
        self._names = {check_member(new): old for new, old in names.items()}
        self.members = [self._member(new, old) for new, old in self._names.items()]

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def read(self, rows: Sequence[ShardRow]) -> list[bytes]:
        """Return the bytes of rows; files that lie side by side are read together."""
        files = list(dict.fromkeys(self._names[row.member.name] for row in rows))
        found = dict(zip(files, self._reader.read_many(files), strict=True))
        return [found[self._names[row.member.name]][row.start : row.start + row.length] for row in rows]

    def _member(self, new: str, old: str) -> PackedFile:
        places = self._reader.places(old)
        return PackedFile(new, sum(place.length for place in places), places[0].mtime_us * 1000)
