"""Small real datasets for the tests of data_prep: pictures written to a folder and records made to fit them."""

import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage

CATEGORIES = (CocoCategory(1, "person"), CocoCategory(3, "car"), CocoCategory(18, "dog"))


def write_picture(path: Path, *, width: int = 64, height: int = 48) -> None:
    """Write coarse noise of its own for each name; the name's ending chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(path.name.encode())).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(noise, (width, height), interpolation=cv2.INTER_NEAREST))


def picture(number: int, **changes: Any) -> CocoImage:
    """An image record that fits what `write_picture` writes."""
    fields: dict[str, Any] = {"id": number, "file_name": f"{number:03}.jpg", "width": 64, "height": 48}
    return CocoImage(**(fields | changes))


def box(number: int, *, image: int = 1, **changes: Any) -> CocoAnnotation:
    """A sound annotation of a car, changed where told."""
    fields: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": 3,
        "bbox": (5.0 + number, 6.0, 20.0, 10.0),
        "area": 200.0,
    }
    return CocoAnnotation(**(fields | changes))


def dataset_of(images: list[CocoImage], annotations: list[CocoAnnotation]) -> CocoDataset:
    """A dataset of people, cars and dogs."""
    return CocoDataset(tuple(images), tuple(annotations), CATEGORIES)
