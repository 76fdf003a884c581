"""Contact sheets: images brought to one scale, their boxes drawn, laid out in rows. All images are uint8 BGR."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset
from sinara_lib.vision.coco_drawing import Pixels, draw_boxes

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


def scaled(image: Pixels, scale: float) -> Pixels:
    """Make an image smaller by averaging areas, or larger by cubic interpolation; at least one pixel stays."""
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)


def annotated(image: Pixels, objects: Sequence[CocoAnnotation], *, dataset: CocoDataset, scale: float = 1.0) -> Pixels:
    """Bring an image to `scale` and draw the objects of `dataset` that it shows; those of unknown classes are not."""
    labels = {category_id: place for place, category_id in enumerate(dataset.category_ids)}
    known = [one for one in objects if one.category_id in labels]
    return draw_boxes(
        scaled(image, scale),
        np.array([one.bbox for one in known], dtype=np.float64).reshape(-1, 4) * scale,
        labels=[labels[one.category_id] for one in known],
        class_names=dataset.class_names,
        min_long_side=0,
    )


def empty(size: tuple[int, int], *, colour: Colour = WHITE) -> Pixels:
    """Make an image of `size` (width, height) in one colour, blue first."""
    sheet: Pixels = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    return sheet


def padded(
    image: Pixels, size: tuple[int, int], *, corner: tuple[int, int] | None = None, colour: Colour = WHITE
) -> Pixels:
    """Lay an image on an empty one of `size` (width, height): at `corner` (left, top), or in the middle."""
    height, width = image.shape[:2]
    left, top = corner or ((size[0] - width) // 2, (size[1] - height) // 2)
    sheet = empty(size, colour=colour)
    sheet[top : top + height, left : left + width] = image
    return sheet


def grid(tiles: Sequence[Pixels], columns: int, *, gap: int = 0, colour: Colour = WHITE) -> Pixels:
    """Lay tiles of one size out in rows of `columns`; places that are left over stay empty."""
    height, width = tiles[0].shape[:2] if tiles else (1, 1)
    rows = [tiles[start : start + columns] for start in range(0, max(1, len(tiles)), columns)]
    sheet = empty((columns * (width + gap) - gap, len(rows) * (height + gap) - gap), colour=colour)
    return _filled(sheet, rows, step=height + gap, gap=gap)


def rows_of(rows: Sequence[Sequence[Pixels]], *, gap: int = 0, colour: Colour = WHITE) -> Pixels:
    """Lay rows of images of any size below each other; at least one row with one image."""
    height = max(len(cell) for row in rows for cell in row)
    width = max(sum(cell.shape[1] + gap for cell in row) for row in rows) - gap
    sheet = empty((width, len(rows) * (height + gap) - gap), colour=colour)
    return _filled(sheet, rows, step=height + gap, gap=gap)


def jpeg(image: Pixels, *, quality: int = 88) -> bytes:
    """Write an image as JPEG."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def _filled(sheet: Pixels, rows: Sequence[Sequence[Pixels]], *, step: int, gap: int) -> Pixels:
    for number, row in enumerate(rows):
        left, top = 0, number * step
        for cell in row:
            sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
            left += cell.shape[1] + gap
    return sheet
