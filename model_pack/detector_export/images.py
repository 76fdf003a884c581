"""Images of data_prep's splits as the network takes them: what both models see, and what int8 is calibrated on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoImage
from sinara_lib.vision.coco_archive import Split, member, open_split
from sinara_lib.vision.letterbox import decode_image, letterbox, to_network_input
from sinara_lib.vision.model_pages import ModelCard


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


def open_fitting_split(url: str, name: str, *, card: ModelCard) -> Split:
    """Open the archive of a split. Raises DataError when it has no images, or other classes than the model."""
    split = open_split(url, name)
    if split.classes != card.classes:
        raise DataError(
            f"The {name} split {url} has the classes {', '.join(split.classes)}, the model of {card.run_id} "
            f"knows {', '.join(card.classes)}: pack the model with the data that it was trained on."
        )
    return split


def spread(images: Sequence[CocoImage], most: int) -> list[CocoImage]:
    """Return `most` of the images, evenly spread over their order; all of them when there are no more."""
    count = min(most, len(images))
    return [images[place * len(images) // count] for place in range(count)]


def read_images(split: Split, images: Sequence[CocoImage], *, size: tuple[int, int]) -> Iterator[NetworkImage]:
    """Yield images of a split letterboxed to `size` (height, width), in the order in which they lie in the archive.

    Raises DataError for an image that cannot be read.
    """
    with contextlib.closing(split.read_images(images)) as files:
        for image, data in files:
            try:
                yield prepare_image(data, image.file_name, size=size, image_id=image.id)
            except ValueError as error:
                place = f"Image {member(image)} of the {split.name} split"
                raise DataError(f"{place}: {error}. Run data_prep again.") from error


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
