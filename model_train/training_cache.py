"""Images of the splits nearer than the store: in memory, or in a folder of this run."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import psutil
from training_data import Split

from sinara_lib.archive import open_archive, unpack
from sinara_lib.errors import DataError
from sinara_lib.vision.store_backend import archive_url, hold_archive

Cache = Literal["none", "ram", "disk"]


def unpack_split(split: Split, folder: Path) -> Split:
    """Copy a split that lies in the store into a folder, every file checked, and return it as it lies there.

    Raises DataError when the disk has no room for it.
    """
    if (url := archive_url(split.place)) is None:
        return split
    folder.mkdir(parents=True)
    needed, free = _size(url), shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            _no_room("disk", split.name, needed, free, f"on the disk of {folder}; set TMPDIR, or cache to none")
        )
    unpack(url, folder)
    return replace(split, place=str(folder))


@contextmanager
def hold_archives(cache: Cache, places: Sequence[str]) -> Iterator[None]:
    """With `ram`, read the archives at `places` into memory once; processes forked inside share these bytes.

    Raises DataError when they do not fit into the memory that is free, or processes cannot be forked here.
    """
    urls = [url for place in places if cache == "ram" and (url := archive_url(place)) is not None]
    if urls and "fork" not in multiprocessing.get_all_start_methods():
        raise DataError(
            "cache: ram needs processes that share memory, which this system cannot fork; use disk or none."
        )
    needed, free = sum(map(_size, urls)), psutil.virtual_memory().available
    if needed > free:
        raise DataError(_no_room("ram", "train and eval", needed, free, "of memory; use disk or none"))
    with ExitStack() as held:
        for url in urls:
            held.enter_context(hold_archive(url))
        yield


def _size(url: str) -> int:
    archive = open_archive(url)
    return sum(archive.length(name) for name in archive.names())


def _no_room(cache: str, what: str, needed: int, free: int, remedy: str) -> str:
    found = f"needs {needed / 1e9:.1f} GB for the {what} split(s), and there are {free / 1e9:.1f} GB"
    return f"cache: {cache} {found} {remedy}."
