"""Shapes that are no upright box: what encloses them. y points down, as in images."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sinara_lib.errors import DataError
from sinara_lib.vision.run_lengths import runs_of

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""x, y, width, height."""


def enclosing_box(points: Iterable[Point]) -> Box:
    """Return the smallest upright box, x, y, width, height, around at least one point."""
    xs, ys = zip(*points, strict=True)
    left, top = min(xs), min(ys)
    return left, top, max(xs) - left, max(ys) - top


def rotated(corners: Iterable[Point], degrees: float, *, around: Point) -> list[Point]:
    """Return points rotated clockwise, as seen on the screen, around one point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = around
    return [(x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine) for x, y in corners]


def ellipse_box(x: float, y: float, across: float, down: float, degrees: float) -> Box:
    """Return the upright box around an ellipse given by its centre, half axes and clockwise turn."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width = math.hypot(across * cosine, down * sine)
    half_height = math.hypot(across * sine, down * cosine)
    return x - half_width, y - half_height, 2 * half_width, 2 * half_height


def rectangle(x: float, y: float, width: float, height: float) -> list[Point]:
    """Return corners of an upright rectangle, clockwise from the top left."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def flat(corners: Iterable[Point]) -> tuple[float, ...]:
    """Return points as COCO writes a polygon: x, y, x, y, ..."""
    return tuple(value for corner in corners for value in corner)


MOST_PIXELS = 1 << 28
"""Masks of larger images are refused: each pixel takes a byte while the runs are rotated."""


def image_runs(
    counts: Sequence[int], box: tuple[int, int, int, int], *, sides: tuple[int, int], place: str
) -> dict[str, Any]:
    """COCO's uncompressed run-length code of a mask.

    `counts` are runs of zeros and ones in turn, row by row within `box` (left, top, width, height in pixels); `sides`
    are the image's width and height. Raises DataError when they do not fit each other.
    """
    (left, top, width, height), (image_width, image_height) = box, sides
    inside = 0 <= left <= left + width <= image_width and 0 <= top <= top + height <= image_height
    fits = inside and image_width * image_height <= MOST_PIXELS
    if not fits or width < 1 or height < 1 or min(counts, default=-1) < 0 or sum(counts) != width * height:
        raise DataError(
            f"{place}: the mask does not fit: its runs cover {sum(counts):,} pixels, its box is {box}, "
            f"and the image has {image_width} x {image_height} pixels."
        )
    flags = np.arange(len(counts)) % 2 == 1
    part = np.repeat(flags, counts).reshape(height, width)
    columns = np.zeros((width, image_height), dtype=bool)
    columns[:, top : top + height] = part.T
    runs = runs_of(columns.T)
    runs[0] += left * image_height
    after = (image_width - left - width) * image_height
    if len(runs) % 2:
        runs[-1] += after
    elif after:
        runs.append(after)
    return {"size": [image_height, image_width], "counts": runs}
