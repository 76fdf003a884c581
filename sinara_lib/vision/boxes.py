"""Geometry of boxes and polygons: overlap, area, clipping. Boxes are corners x1, y1, x2, y2 unless a name says else.

The packed service keeps its own few lines (`model_pack/rest_service`), because it must run without this library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
Corners = tuple[float, float, float, float]
Points = NDArray[np.float64]
"""(n, 2): x and y."""


def corners_of(boxes_xywh: Numbers) -> Numbers:
    """Take boxes [..., 4] of x, y, width, height to their corners."""
    return np.concatenate([boxes_xywh[..., :2], boxes_xywh[..., 2:] + boxes_xywh[..., :2]], axis=-1)


def areas(boxes: Numbers, *, offset: float = 0) -> Numbers:
    """Measure boxes [..., 4]; `offset` is 1 where the last pixel of a side counts as well."""
    return np.asarray((boxes[..., 2] - boxes[..., 0] + offset) * (boxes[..., 3] - boxes[..., 1] + offset))


def shared_areas(boxes: Numbers, others: Numbers, *, offset: float = 0) -> Numbers:
    """Measure what boxes [..., 4] share with others; shapes are broadcast: row with row, one with many, a matrix."""
    width = np.minimum(boxes[..., 2], others[..., 2]) - np.maximum(boxes[..., 0], others[..., 0]) + offset
    height = np.minimum(boxes[..., 3], others[..., 3]) - np.maximum(boxes[..., 1], others[..., 1]) + offset
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0))


def iou(
    boxes: Numbers,
    others: Numbers,
    *,
    offset: float = 0,
    known_areas: tuple[Numbers, Numbers] | None = None,
    crowd: NDArray[np.bool_] | None = None,
) -> Numbers:
    """Divide what boxes share with others by what they cover together; 0 where they share nothing.

    The shapes are broadcast: `iou(boxes[:, None], others[None])` is the matrix of all pairs. known_areas: of both
    sides, where they are known better than corners tell. crowd: others of which a part is as good as the whole; there
    the area of the first box is divided by.
    """
    shared = shared_areas(boxes, others, offset=offset)
    mine, theirs = known_areas or (areas(boxes, offset=offset), areas(others, offset=offset))
    together = mine + theirs - shared
    if crowd is not None:
        together = np.where(crowd, mine, together)
    overlaps = shared > 0
    return np.asarray(np.where(overlaps, shared / np.where(overlaps, together, 1), 0), dtype=shared.dtype)


def clip_box(box: Corners, width: float, height: float) -> Corners:
    """Cut a box at the edges of an image of this size; of one outside, the sides change places."""
    return max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height))


def polygon_area(points: Sequence[float]) -> float:
    """Measure the inside of a polygon x, y, x, y, ... by the shoelace formula, summed without rounding between."""
    xs, ys = points[0::2], points[1::2]
    return abs(math.fsum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs)))) / 2


def clip_polygon(points: Points, size: tuple[int, int]) -> Points:
    """Cut a polygon to (0, 0) to `size`: Sutherland and Hodgman, "Reentrant Polygon Clipping" (1974)."""
    for axis, bound, inwards in ((0, 0, 1), (0, size[0], -1), (1, 0, 1), (1, size[1], -1)):
        inside = inwards * (points[:, axis] - bound)
        if len(points) == 0 or (inside >= 0).all():
            continue
        kept = []
        for place, (start, depth) in enumerate(zip(points, inside, strict=True)):
            end, next_depth = points[(place + 1) % len(points)], inside[(place + 1) % len(points)]
            if depth >= 0:
                kept.append(start)
            if depth * next_depth < 0:
                kept.append(start + (end - start) * (depth / (depth - next_depth)))
                kept[-1][axis] = bound
        points = np.array(kept).reshape(-1, 2)
    return points
