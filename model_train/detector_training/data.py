"""The splits that data_prep published, checked before any time is spent on them."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import psutil

from sinara_lib.archive import Readable, open_archive, unpack
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoImage
from sinara_lib.vision.coco_archive import FolderFiles, Split
from sinara_lib.vision.image_size import MAX_PIXELS
from sinara_lib.vision.store_backend import archive_url, hold_archive, store_path


def reading_place(split: Split) -> str:
    """Return where mmengine reads the split's files: in the store, or in a folder."""
    return store_path(split.place) if "://" in split.place else split.place


def check_splits(train: Split, evaluate: Split) -> None:
    """Raise DataError unless both splits name the same classes and train has an object of each of them."""
    if train.classes != evaluate.classes:
        raise DataError(
            f"The train split has the classes {', '.join(train.classes)}, "
            f"the eval split {', '.join(evaluate.classes)}; both must come from one run of data_prep."
        )
    absent = [name for name, count in train.objects_per_class().items() if count == 0]
    if absent:
        raise DataError(
            f"The train split has no annotation of: {', '.join(absent)}. "
            "Leave these classes out in data_prep, or give it images that show them."
        )
    if not sum(evaluate.objects_per_class().values()):
        raise DataError("The eval split has no annotation at all, so no epoch could be scored; enlarge its share.")


def pick_example(split: Split) -> CocoImage:
    """Return the image that shows most different classes, then most objects; the first of equals.

    It is packed with the service, so one that the service takes by default is chosen where there is one.
    """

    def richness(image: CocoImage) -> tuple[int, int]:
        kinds = [one.category_id for one in split.dataset.annotations_of(image.id) if not one.iscrowd]
        return len(set(kinds)), len(kinds)

    images = split.dataset.images
    return max([one for one in images if one.width * one.height <= MAX_PIXELS] or images, key=richness)


Cache = Literal["none", "ram", "disk"]


def unpack_split(split: Split, folder: Path) -> Split:
    """Copy a split that lies in the store into a folder, every file checked, and return it as it lies there.

    Raises DataError when the disk has no room for it.
    """
    if "://" not in split.place:
        return split
    folder.mkdir(parents=True)
    needed, free = _size(split.files), shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            _no_room("disk", split.name, needed, free, f"on the disk of {folder}; set TMPDIR, or cache to none")
        )
    unpack(split.place, folder)
    return replace(split, place=str(folder), files=FolderFiles(folder))


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
    needed, free = sum(_size(open_archive(url)) for url in urls), psutil.virtual_memory().available
    if needed > free:
        raise DataError(_no_room("ram", "train and eval", needed, free, "of memory; use disk or none"))
    with ExitStack() as held:
        for url in urls:
            held.enter_context(hold_archive(url))
        yield


def _size(files: Readable) -> int:
    return sum(map(files.length, files.names()))


def _no_room(cache: str, what: str, needed: int, free: int, remedy: str) -> str:
    found = f"needs {needed / 1e9:.1f} GB for the {what} split(s), and there are {free / 1e9:.1f} GB"
    return f"cache: {cache} {found} {remedy}."
