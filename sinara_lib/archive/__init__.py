"""A folder of files as one entity of parquet shards, and back: same names, bytes and times.

Front door: the names below, in `packing`. `writer` writes what `plan` lays out, `reader` finds files by `index` and
`content` (`row_groups` without an index), `stream` reads all in order, `unpacking` and `arrival` put them into a
folder, or none. A folder as an entity of plain files belongs to `sinara_lib.store`; checking what is stored to
`sinara_lib.catalog`.
"""

from sinara_lib.archive.packing import SinaraArchive, fetch, open_archive, pack, unpack
from sinara_lib.archive.reader import ArchiveReader
from sinara_lib.archive.stream import Readable

__all__ = ["ArchiveReader", "Readable", "SinaraArchive", "fetch", "open_archive", "pack", "unpack"]
