"""The splits that data_prep published, checked before any time is spent on them."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil
from mmengine import fileio

from sinara_lib.archive import open_archive, unpack
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, CocoImage, parse_coco
from sinara_lib.vision.store_backend import archive_url, hold_archive, store_path

ANNOTATIONS = "annotations.json"
IMAGES = "images"


@dataclass(frozen=True)
class Split:
    """One split: where mmengine reads its files, in the store or in a folder, and its COCO document."""

    name: str
    place: str
    dataset: CocoDataset

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the category ids."""
        return self.dataset.class_names

    def image_path(self, image: CocoImage) -> str:
        """Return where mmengine reads the image."""
        return f"{self.place}/{IMAGES}/{image.file_name}"

    def read_image(self, image: CocoImage) -> bytes:
        """Return the bytes of the image file."""
        data: bytes = fileio.get(self.image_path(image))
        return data

    def objects_per_class(self) -> dict[str, int]:
        """Count the annotations of each class, crowds left out."""
        names = {category.id: category.name for category in self.dataset.categories}
        counts = Counter(names.get(one.category_id) for one in self.dataset.annotations if not one.iscrowd)
        return {name: counts[name] for name in self.classes}


def load_split(source: str | Path, name: str) -> Split:
    """Read a split from the URL of its archive, or from a folder; images stay where they are until they are needed.

    Raises DataError when the split is empty or images are missing.
    """
    place = store_path(str(source)) if "://" in str(source) else str(source)
    split = Split(name, place, _read_document(f"{place}/{ANNOTATIONS}"))
    if not split.dataset.images:
        raise DataError(f"The {name} split has no images; give data_prep more images or another share.")
    missing = [one.file_name for one in split.dataset.images if not fileio.isfile(split.image_path(one))]
    if missing:
        raise DataError(
            f"The {name} split lists {len(missing)} image file(s) that are not there: {', '.join(missing[:5])}. "
            "Run data_prep again."
        )
    return split


def _read_document(path: str) -> CocoDataset:
    data = fileio.get_text(path)
    try:
        document = json.loads(data)
    except ValueError as error:
        raise DataError(f"{path} is not a JSON document: {error}. Run data_prep again.") from error
    return parse_coco(document, where=path)


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
    """Return the image that shows most different classes, then most objects; the first of equals."""

    def richness(image: CocoImage) -> tuple[int, int]:
        kinds = [one.category_id for one in split.dataset.annotations_of(image.id) if not one.iscrowd]
        return len(set(kinds)), len(kinds)

    return max(split.dataset.images, key=richness)


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
