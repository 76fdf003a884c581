"""Takes annotations drawn on a picture as it is stored to the picture as EXIF says it is to be seen.

Rule: boxes are given in the frame whose width and height the image record states. A record with the size before
turning has its boxes there, and they are rotated; one with the upright size has upright boxes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinara_lib.vision.coco import CocoAnnotation
from sinara_lib.vision.run_lengths import mask_of, read_runs, segmentation_of

Point = tuple[float, float]


def turn_annotation(one: CocoAnnotation, orientation: int, *, width: int, height: int) -> CocoAnnotation:
    """Return the annotation on the upright picture; width and height are those of the stored picture, in pixels.

    `orientation` is EXIF's, 5 to 8: those that exchange the sides. A malformed segmentation stays as it is.
    """
    turn = _POINTS[orientation]
    x, y, box_width, box_height = one.bbox
    (left, top), (right, bottom) = turn(x, y, width, height), turn(x + box_width, y + box_height, width, height)
    # Width and height change places; sums of the far side would not always give them back exactly.
    box = (min(left, right), min(top, bottom), box_height, box_width)
    return replace(one, bbox=box, segmentation=_rotate_segmentation(one.segmentation, orientation, width, height))


def _rotate_segmentation(segmentation: Any, orientation: int, width: int, height: int) -> Any:
    if isinstance(segmentation, dict):
        return _rotate_runs(segmentation, orientation, width, height)
    if not isinstance(segmentation, list):
        return segmentation
    return [_rotate_polygon(points, orientation, width, height) for points in segmentation]


def _rotate_polygon(points: Any, orientation: int, width: int, height: int) -> Any:
    if not isinstance(points, list) or len(points) % 2 or not all(isinstance(one, int | float) for one in points):
        return points
    rotated = (_POINTS[orientation](x, y, width, height) for x, y in zip(points[0::2], points[1::2], strict=True))
    return [value for point in rotated for value in point]


def _rotate_runs(segmentation: dict[str, Any], orientation: int, width: int, height: int) -> dict[str, Any]:
    runs = read_runs(segmentation, width=width, height=height)
    if runs is None:
        return segmentation
    return segmentation_of(_MASKS[orientation](mask_of(runs, width=width, height=height)))


_POINTS: dict[int, Callable[[float, float, int, int], Point]] = {
    5: lambda x, y, _width, _height: (y, x),
    6: lambda x, y, _width, height: (height - y, x),
    7: lambda x, y, width, height: (height - y, width - x),
    8: lambda x, y, width, _height: (y, width - x),
}
_MASKS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    5: lambda mask: mask.T,
    6: lambda mask: np.rot90(mask, -1),
    7: lambda mask: np.rot90(mask, 2).T,
    8: lambda mask: np.rot90(mask),
}
