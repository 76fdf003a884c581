"""Values of a COCO dataset as writers of other formats need them."""

import csv
import io
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage

Files = dict[str, bytes]


def polygon_of(one: CocoAnnotation) -> list[list[float]] | None:
    """The corners of an object that has one polygon."""
    if not (isinstance(one.segmentation, list) and len(one.segmentation) == 1):
        return None
    values = one.segmentation[0]
    return [[x, y] for x, y in zip(values[::2], values[1::2], strict=True)]


def csv_text(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as CSV."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def class_name(dataset: CocoDataset, one: CocoAnnotation) -> str:
    """The name of an object's class."""
    return dataset.class_names[dataset.category_ids.index(one.category_id)]


def stem(image: CocoImage) -> str:
    """The name of an image's file without its ending."""
    return PurePosixPath(image.file_name).stem
