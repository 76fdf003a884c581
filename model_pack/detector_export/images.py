"""Images of data_prep's splits as the network takes them: what both models see, and what int8 is calibrated on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector_export.model_card import ModelCard
from sinara_lib.archive import ArchiveReader, open_archive
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, CocoImage, parse_coco
from sinara_lib.vision.letterbox import decode_image, letterbox, to_network_input

ANNOTATIONS_NAME = "annotations.json"
IMAGES_FOLDER = "images"


@dataclass(frozen=True)
class Split:
    """A split of data_prep: where its images are read, and its COCO document."""

    name: str
    archive: ArchiveReader
    dataset: CocoDataset


@dataclass(frozen=True)
class ImagePlace:
    """Which image it is, and how it lies in the network's input."""

    name: str
    scale: float
    """Network pixels per original pixel."""
    width: int
    """Of the original, in pixels, like `height`."""
    height: int
    image_id: int | None = None
    """Its id in the split; None for an image of no split."""


@dataclass(frozen=True)
class NetworkImage:
    """One image, letterboxed: float32 [3, H, W], BGR, 0 to 255."""

    place: ImagePlace
    pixels: NDArray[np.float32]


def open_split(url: str, name: str, *, card: ModelCard) -> Split:
    """Open the archive of a split. Raises DataError when it has no images, or other classes than the model."""
    archive = open_archive(url)
    try:
        document = json.loads(archive.read(ANNOTATIONS_NAME))
    except ValueError as error:
        raise DataError(f"{url}: {ANNOTATIONS_NAME} is not valid JSON ({error}); run data_prep again.") from error
    dataset = parse_coco(document, where=f"{url}/{ANNOTATIONS_NAME}")
    if dataset.class_names != card.classes:
        raise DataError(
            f"The {name} split {url} has the classes {', '.join(dataset.class_names)}, the model of {card.run_id} "
            f"knows {', '.join(card.classes)}: pack the model with the data that it was trained on."
        )
    if not dataset.images:
        raise DataError(f"The {name} split {url} has no images; give data_prep another share for it.")
    return Split(name, archive, dataset)


def spread(images: Sequence[CocoImage], most: int) -> list[CocoImage]:
    """Return `most` of the images, evenly spread over their order; all of them when there are no more."""
    count = min(most, len(images))
    return [images[place * len(images) // count] for place in range(count)]


def read_images(split: Split, images: Sequence[CocoImage], *, size: tuple[int, int]) -> Iterator[NetworkImage]:
    """Yield images of a split letterboxed to `size` (height, width), in the order in which they lie in the archive.

    Raises DataError for an image that cannot be read.
    """
    wanted = {f"{IMAGES_FOLDER}/{image.file_name}": image for image in images}
    order = [name for name in split.archive.names() if name in wanted]
    if len(order) < len(wanted):
        lost = sorted(wanted.keys() - set(order))
        raise DataError(f"The {split.name} split lists images that it does not hold: {', '.join(lost[:3])}.")
    with contextlib.closing(split.archive.iterate(order)) as files:
        for name, data in files:
            try:
                yield prepare_image(data, wanted[name].file_name, size=size, image_id=wanted[name].id)
            except ValueError as error:
                raise DataError(f"Image {name} of the {split.name} split: {error}. Run data_prep again.") from error


def prepare_image(data: bytes, name: str, *, size: tuple[int, int], image_id: int | None = None) -> NetworkImage:
    """Decode and letterbox the bytes of an image file. Raises ValueError when they are no image."""
    image = decode_image(data)
    padded, scale = letterbox(image, size)
    height, width = image.shape[:2]
    return NetworkImage(ImagePlace(name, scale, width, height, image_id), to_network_input(padded))


def noise_image(size: tuple[int, int], *, seed: int) -> NetworkImage:
    """Uniform noise as network input."""
    pixels = np.random.default_rng(seed).integers(0, 256, (3, *size)).astype(np.float32)
    return NetworkImage(ImagePlace("noise", 1.0, width=size[1], height=size[0]), pixels)
