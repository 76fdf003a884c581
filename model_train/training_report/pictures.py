"""Images of a split with the boxes of their objects."""

from __future__ import annotations

from pathlib import Path

import cv2

from detector_training.batches import tile_images
from detector_training.data import pick_example
from sinara_lib.vision.coco import CocoImage, draw_boxes
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.coco_drawing import Pixels
from sinara_lib.vision.letterbox import decode_image


def draw_examples(split: Split, path: str | Path, *, count: int = 6) -> Path:
    """Draw the first images of the split that have objects, with the boxes that are learned from; returns `path`.

    Crowds are left out, as the training leaves them out. The ending of `path` chooses the format.
    """
    busy = [image for image in split.dataset.images if split.dataset.annotations_of(image.id)][:count]
    tiles = tile_images([_draw_image(split, image) for image in busy or [pick_example(split)]])
    Path(path).write_bytes(cv2.imencode(Path(path).suffix, tiles)[1].tobytes())
    return Path(path)


def _draw_image(split: Split, image: CocoImage) -> Pixels:
    pixels = decode_image(split.read_image(image))
    annotations = [one for one in split.dataset.annotations_of(image.id) if not one.iscrowd]
    places = {category_id: place for place, category_id in enumerate(split.dataset.category_ids)}
    return draw_boxes(
        pixels,
        [one.bbox for one in annotations],
        labels=[places[one.category_id] for one in annotations],
        class_names=split.classes,
    )
