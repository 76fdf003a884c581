"""Drawn examples of each class for the report."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from dataset_split import hash_order
from IPython.display import Image
from preview_figure import Pixels, as_jpeg

from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.coco_drawing import draw_boxes
from sinara_lib.vision.letterbox import decode_image

_TILE_WIDTH, _GAP = 420, 10

Read = Callable[[str], bytes]
"""The bytes of an image file by its name."""


def draw_gallery(dataset: CocoDataset, read: Read, *, class_name: str, count: int, seed: int = 1) -> Image:
    """Drawn examples of one class, three in a row: images in which its largest object is well visible come first."""
    chosen = choose_examples(dataset, class_name=class_name, count=count, seed=seed)
    shape = float(np.median([image.height / image.width for image in chosen] or [1.0]))
    height = round(_TILE_WIDTH * min(max(shape, 0.6), 1.1))
    tiles = [_tile(dataset, image, read, height=height) for image in chosen]
    return as_jpeg(_mosaic(tiles), alt=f"{len(tiles)} examples of the class {class_name} with their boxes")


def choose_examples(dataset: CocoDataset, *, class_name: str, count: int, seed: int) -> list[CocoImage]:
    """Images that show a class: shuffled by the seed, those where its largest box covers 2 to 60% of them first."""
    category_id = dataset.category_ids[dataset.class_names.index(class_name)]
    largest: dict[int, float] = {}
    for one in dataset.annotations:
        if one.category_id == category_id and not one.iscrowd:
            largest[one.image_id] = max(largest.get(one.image_id, 0.0), one.bbox[2] * one.bbox[3])
    shown = [image for image in dataset.images if image.id in largest]

    def rank(image: CocoImage) -> tuple[bool, bytes]:
        share = largest[image.id] / (image.width * image.height)
        return not 0.02 <= share <= 0.6, hash_order(f"{class_name}/{image.file_name}", seed)

    return sorted(shown, key=rank)[:count]


def _tile(dataset: CocoDataset, image: CocoImage, read: Read, *, height: int) -> Pixels:
    """One drawn example in the gallery's width and the given height, padded with white."""
    pixels = decode_image(read(image.file_name))
    scale = min(_TILE_WIDTH / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    objects = dataset.annotations_of(image.id)
    labels = [dataset.category_ids.index(one.category_id) for one in objects]
    boxes = [[value * scale for value in one.bbox] for one in objects]
    drawn = draw_boxes(small, boxes, labels=labels, class_names=dataset.class_names, min_long_side=0)
    tile = np.full((height, _TILE_WIDTH, 3), 255, dtype=np.uint8)
    top, left = (height - size[1]) // 2, (_TILE_WIDTH - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = drawn
    return tile


def _mosaic(tiles: Sequence[Pixels], columns: int = 3) -> Pixels:
    height, width = tiles[0].shape[:2] if tiles else (1, 1)
    rows = -(-len(tiles) // columns) or 1
    sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet
