"""Annotations that follow their picture when it is made smaller, cut out or turned; what is left of them is counted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sinara_lib.vision.coco import CocoAnnotation, Segmentation

Affine = NDArray[np.float64]
"""(2, 3): from pixels of the source to pixels of the result."""
_WHOLE = 1 - 1e-6
_IN_PIXELS = ("keypoints", "num_keypoints")


@dataclass(frozen=True)
class Rule:
    """What stays of an object that is not wholly in the picture any more.

    It stays when at least `min_visible` of its box does and the rest is no narrower or lower than `min_size` pixels.
    Crowds stay however little is seen of them: they say where not to count.
    """

    min_visible: float
    min_size: float


def scaling(horizontal: float, vertical: float) -> Affine:
    """The map that multiplies x and y."""
    return np.array([[horizontal, 0.0, 0.0], [0.0, vertical, 0.0]])


def shifting(left: float, top: float) -> Affine:
    """The map that takes the point (left, top) to the origin."""
    return np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])


def moved(one: CocoAnnotation, move: Affine, *, size: tuple[int, int], rule: Rule) -> CocoAnnotation | None:
    """The annotation in a picture of `size` (width, height) made by `move`; None when the rule drops it.

    Its box is that of its moved outline where it has polygons, else of its moved box, and is cut at the edges. Outlines
    stay while their object is wholly inside; run lengths and key points do not follow. The area of a cut object
    shrinks like its box.
    """
    polygons = one.segmentation if isinstance(one.segmentation, list) else []
    outline = [_move(np.array(points).reshape(-1, 2), move) for points in polygons]
    corners = np.concatenate(outline) if _turns(move) and outline else _move(_corners(one.bbox), move)
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    x, y = max(left, 0.0), max(top, 0.0)
    width, height = min(right, float(size[0])) - x, min(bottom, float(size[1])) - y
    share = float(max(width, 0.0) * max(height, 0.0) / max((right - left) * (bottom - top), 1e-12))
    if min(width, height) < rule.min_size or share <= 0 or (share < rule.min_visible and not one.iscrowd):
        return None
    grown = float(abs(move[0, 0] * move[1, 1] - move[0, 1] * move[1, 0]))
    segmentation: Segmentation = [points.ravel().tolist() for points in outline] if share >= _WHOLE else None
    return replace(
        one,
        bbox=(float(x), float(y), float(width), float(height)),
        area=None if one.area is None else min(one.area * grown * share, float(width * height)),
        segmentation=segmentation or None,
        extra=_without_pixels(one.extra),
    )


def is_cut(one: CocoAnnotation, piece: CocoAnnotation, move: Affine) -> bool:
    """Whether `piece` shows less than the whole box of `one`; `move` must not turn it."""
    (left, top), (right, bottom) = (f(_move(_corners(one.bbox), move), axis=0) for f in (np.min, np.max))
    return bool(piece.bbox[2] * piece.bbox[3] < (right - left) * (bottom - top) * _WHOLE)


def _corners(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    x, y, width, height = box
    return np.array([(x, y), (x + width, y), (x, y + height), (x + width, y + height)])


def _move(points: NDArray[np.float64], move: Affine) -> NDArray[np.float64]:
    return np.asarray(cv2.transform(points[None], move)[0], dtype=np.float64)


def _turns(move: Affine) -> bool:
    return bool(move[0, 1] or move[1, 0])


def _without_pixels(extra: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in extra.items() if key not in _IN_PIXELS}
