"""A dataset as data_prep publishes it: `annotations.json`, a COCO document, and its files below `images/`.

Everything that reads or writes this layout does it here, from an archive in the store or from a folder.

    split = open_split("file:///…/data_prep/run-26-11-21-013711-482/coco_eval_dataset", "eval")
    for image, data in split.read_images():
        pixels = decode_image(data)
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.archive import ArchiveReader, Readable, open_archive, pack
from sinara_lib.archive.stream import batches_of, iterate
from sinara_lib.errors import DataError
from sinara_lib.store.manifest import Manifest
from sinara_lib.vision.coco import CocoDataset, CocoImage, read_coco, save_coco
from sinara_lib.vision.sinaraml_names import lay_out_split, split_document

ANNOTATIONS = "annotations.json"
IMAGES = "images"


@dataclass(frozen=True)
class Split:
    """One split: its name, where it lies (an archive's URL or a folder), its files, and its COCO document."""

    name: str
    place: str
    files: Readable
    dataset: CocoDataset

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the category ids."""
        return self.dataset.class_names

    def read_image(self, image: CocoImage) -> bytes:
        """Return the bytes of one image file."""
        return self.files.read(member(image))

    def read_images(self, images: Sequence[CocoImage] | None = None) -> Iterator[tuple[CocoImage, bytes]]:
        """Yield images, all unless some are named, with the bytes of their files, in the order they lie in.

        So many of them come with one request.
        """
        order = {name: number for number, name in enumerate(self.files.names())}
        chosen = self.dataset.images if images is None else images
        _refuse_missing(self.name, self.place, chosen, there=order)
        ordered = sorted(chosen, key=lambda image: order[member(image)])
        with contextlib.closing(iterate(self.files, [member(image) for image in ordered])) as files:
            for image, (_, data) in zip(ordered, files, strict=True):
                yield image, data

    def objects_per_class(self) -> dict[str, int]:
        """Count the annotations of each class, crowds left out."""
        names = {category.id: category.name for category in self.dataset.categories}
        counts = Counter(names.get(one.category_id) for one in self.dataset.annotations if not one.iscrowd)
        return {name: counts[name] for name in self.classes}


class FolderFiles:
    """The files below a folder, by their path in it; read as those of an archive are."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        paths = (path for path in self._folder.rglob("*") if path.is_file())
        self._sizes = {path.relative_to(self._folder).as_posix(): path.stat().st_size for path in sorted(paths)}

    def names(self) -> list[str]:
        """Return the names of all files."""
        return list(self._sizes)

    def length(self, name: str) -> int:
        """Return the size of one file in bytes."""
        return self._sizes[name]

    def read(self, name: str) -> bytes:
        """Return the bytes of one file. Raises DataError when the disk refuses."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{self._folder / name}: the file cannot be read: {error.strerror}.") from error

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of each file."""
        return [self.read(name) for name in names]

    def batches(self, names: Collection[str]) -> list[list[str]]:
        """Group those of `names` that are there into batches that are read together."""
        return batches_of(self, names)


def member(image: CocoImage) -> str:
    """Return the name of an image's file within the archive or folder."""
    return f"{IMAGES}/{image.file_name}"


def open_split(source: str | Path, name: str) -> Split:
    """Open a split at the URL of its archive, or in a folder; images stay where they are until they are read.

    One that SinaraML's data_prep published is laid out anew in a temporary folder, which takes its size again.

    Raises DataError when the document is none, lists no image, or lists files that are not there.
    """
    place = str(source)
    files: Readable = open_archive(place) if "://" in place else FolderFiles(place)
    theirs = None if ANNOTATIONS in files.names() else split_document(files.names())
    if theirs is not None:
        place = str(lay_out_split(files, document=theirs, annotations=ANNOTATIONS, images=IMAGES))
        files = FolderFiles(place)
    dataset = read_document(files, place=place)
    if not dataset.images:
        raise DataError(f"The {name} split {place} has no images; give data_prep more images or another share for it.")
    _refuse_missing(name, place, dataset.images, there=set(files.names()))
    return Split(name, place, files, dataset)


def read_document(files: Readable, *, place: str) -> CocoDataset:
    """Read and check the COCO document among `files`, which lie at `place`. Raises DataError."""
    try:
        return read_coco(files.read(ANNOTATIONS), where=f"{place}/{ANNOTATIONS}")
    except DataError as error:
        raise DataError(f"{error} Run data_prep again.") from error


def publish_split(
    dataset: CocoDataset, url: str, *, folder: Path, source: ArchiveReader, copied: Collection[str]
) -> Manifest:
    """Publish a document and its images: those that lie in `folder/images`, and `copied` ones of the archive `source`.

    Copied files have their image's name there and go from archive to archive, byte for byte. The document takes the
    time of the newest image, so that the same data gives the same archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    times = [source.places(name)[0].mtime_us * 1000 for name in copied]
    times += [path.stat().st_mtime_ns for path in (folder / IMAGES).rglob("*") if path.is_file()]
    document, newest = folder / ANNOTATIONS, max(times, default=0)
    save_coco(dataset, document)
    os.utime(document, ns=(newest, newest))
    return pack(folder, url, source=source, names={f"{IMAGES}/{name}": name for name in copied})


def _refuse_missing(name: str, place: str, images: Sequence[CocoImage], *, there: Container[str]) -> None:
    if missing := [image.file_name for image in images if member(image) not in there]:
        raise DataError(
            f"The {name} split {place} lists {len(missing)} image file(s) that are not there: "
            f"{', '.join(missing[:5])}. Run data_prep again."
        )
