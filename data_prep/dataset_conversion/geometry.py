"""Annotations that follow their picture when it is made smaller, cut out or rotated."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from prep_params import Rule
from sinara_lib.vision.boxes import clip_box, clip_polygon, polygon_area
from sinara_lib.vision.coco import CocoAnnotation, Segmentation
from sinara_lib.vision.run_lengths import mask_of, read_runs, segmentation_of

Affine = NDArray[np.float64]
"""(2, 3): from points of the source to points of the result, in pixels."""
Points = NDArray[np.float64]
"""(n, 2): x and y."""
_WHOLE = 1 - 1e-6
_KEY_POINTS = ("keypoints", "num_keypoints")


@dataclass(frozen=True)
class ObjectPiece:
    """What a picture shows of an object, and whether the picture's edge cuts it."""

    annotation: CocoAnnotation
    cut: bool


@dataclass(frozen=True)
class _Visible:
    """What a picture shows of a segmentation: as COCO writes it, its extent (left, top, right, bottom), its area."""

    segmentation: Segmentation
    extent: tuple[float, float, float, float]
    area: float


def scaling(horizontal: float, vertical: float) -> Affine:
    """Return the map that multiplies x and y."""
    return np.array([[horizontal, 0.0, 0.0], [0.0, vertical, 0.0]])


def shifting(left: float, top: float) -> Affine:
    """Return the map that takes the point (left, top) to the origin."""
    return np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]])


def pixel_move(move: Affine) -> Affine:
    """Return the same map for OpenCV, whose pixels have their middle at whole numbers; points have theirs at halves."""
    return move + np.array([[0, 0, 0.5 * (move[0, 0] + move[0, 1] - 1)], [0, 0, 0.5 * (move[1, 0] + move[1, 1] - 1)]])


def moved(one: CocoAnnotation, move: Affine, *, size: tuple[int, int], rule: Rule) -> ObjectPiece | None:
    """Return the object in a picture of `size` (width, height) made by `move`; None when it is not there or dropped.

    Box and segmentation are cut at the picture's edges. The box of an object that is cut or rotated is that of its
    segmentation, where it has one. The area is that of the segmentation, else of the box. Key points do not follow.
    """
    polygons = [np.array(points).reshape(-1, 2) for points in one.segmentation or () if isinstance(points, list)]
    rotated = bool(move[0, 1] or move[1, 0])
    corners = _move(np.concatenate(polygons) if rotated and polygons else _corners(one.bbox), move)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    box = clip_box((left, top, right, bottom), *size)
    share = max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0) / max((right - left) * (bottom - top), 1e-12)
    if share <= 0 or (share < rule.min_visible and not one.iscrowd):
        return None
    visible = _visible(one, polygons, move, size) if one.segmentation else None
    if visible is not None and not visible.area:
        return None
    if visible is not None and (rotated or share < _WHOLE):
        box = visible.extent
    width, height = box[2] - box[0], box[3] - box[1]
    if min(width, height) < rule.min_object_size:
        return None
    annotation = replace(
        one,
        bbox=(box[0], box[1], width, height),
        area=width * height if visible is None else min(visible.area, width * height),
        segmentation=visible.segmentation if visible else None,
        extra={key: value for key, value in one.extra.items() if key not in _KEY_POINTS},
    )
    return ObjectPiece(annotation, cut=share < _WHOLE)


def _visible(one: CocoAnnotation, polygons: list[Points], move: Affine, size: tuple[int, int]) -> _Visible | None:
    """Return the part of a segmentation that the picture shows; None when it is malformed."""
    if isinstance(one.segmentation, dict):
        return _moved_mask(one.segmentation, move, size)
    moved_polygons = [_move(points, move) for points in polygons]
    pieces = [piece for points in moved_polygons if len(piece := clip_polygon(points, size)) > 2]
    if not pieces:
        return _Visible(None, (0.0, 0.0, 0.0, 0.0), 0.0)
    points = np.concatenate(pieces)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    whole = sum(map(_area, moved_polygons))
    # The document's own area, counted in pixels, stays the measure; cutting takes its share of it.
    grown = abs(float(move[0, 0] * move[1, 1] - move[0, 1] * move[1, 0]))
    measure = 1.0 if one.area is None or not whole else one.area * grown / whole
    area = sum(map(_area, pieces)) * measure
    return _Visible([piece.ravel().tolist() for piece in pieces], (left, top, right, bottom), area)


def _moved_mask(segmentation: dict[str, object], move: Affine, size: tuple[int, int]) -> _Visible | None:
    sides = segmentation.get("size")
    if not isinstance(sides, list) or len(sides) != 2:
        return None
    runs = read_runs(segmentation, width=sides[1], height=sides[0])
    if runs is None:
        return None
    mask = mask_of(runs, width=sides[1], height=sides[0])
    shown = np.asarray(cv2.warpAffine(np.ascontiguousarray(mask), pixel_move(move), size, flags=cv2.INTER_NEAREST))
    columns, rows = np.flatnonzero(shown.any(axis=0)), np.flatnonzero(shown.any(axis=1))
    if not len(columns):
        return _Visible(None, (0.0, 0.0, 0.0, 0.0), 0.0)
    extent = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    return _Visible(segmentation_of(shown.astype(np.uint8)), extent, float(shown.sum()))


def _area(points: Points) -> float:
    return polygon_area(points.ravel().tolist())


def _corners(box: tuple[float, float, float, float]) -> Points:
    x, y, width, height = box
    return np.array([(x, y), (x + width, y), (x, y + height), (x + width, y + height)])


def _move(points: Points, move: Affine) -> Points:
    return points @ move[:, :2].T + move[:, 2]
