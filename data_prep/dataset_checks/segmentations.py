"""Checks of segmentations: polygons and run lengths."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dataset_checks.findings import Box, Ledger, note_box
from sinara_lib.vision.boxes import clip_box, iou, polygon_area
from sinara_lib.vision.coco import CocoAnnotation, CocoImage, Segmentation
from sinara_lib.vision.run_lengths import extent_of, read_runs

Extent = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

# Annotation tools round points to pixels.
_POINT_TOLERANCE = 1.0
_LEAST_OVERLAP = 0.5


def check_segmentation(one: CocoAnnotation, image: CocoImage, ledger: Ledger) -> CocoAnnotation | None:
    """Return the annotation with a sound segmentation or none; None when it is dropped. Its box lies in the image."""
    segmentation = one.segmentation
    if segmentation is None or segmentation == []:
        return one
    if not _is_sound(segmentation, image):
        return _removed(one, image, ledger, fault="segmentation_broken")
    if isinstance(segmentation, list) and _reach(segmentation, image) > _POINT_TOLERANCE:
        if note_box(ledger, "segmentation_over_edge", one, image) == "drop":
            return None
        segmentation = [
            polygon for polygon in (_clamped(points, image) for points in segmentation) if polygon_area(polygon)
        ]
        one = replace(one, segmentation=segmentation or None)
    extent = _extent(segmentation, image)
    if not segmentation or (extent is not None and _overlap(extent, one.bbox, image) >= _LEAST_OVERLAP):
        return one
    return _removed(one, image, ledger, fault="segmentation_unlike_box")


def segmentation_area(segmentation: Segmentation) -> float:
    """Square pixels inside polygons, by the shoelace formula; 0 for run lengths, which are left to the box."""
    return sum(map(polygon_area, segmentation)) if isinstance(segmentation, list) else 0.0


def _removed(one: CocoAnnotation, image: CocoImage, ledger: Ledger, *, fault: str) -> CocoAnnotation | None:
    action = note_box(ledger, fault, one, image)
    if action == "fix":
        return replace(one, segmentation=None)
    return one if action == "keep" else None


def _is_sound(segmentation: list[list[float]] | dict[str, Any], image: CocoImage) -> bool:
    if isinstance(segmentation, dict):
        return read_runs(segmentation, width=image.width, height=image.height) is not None
    return all(map(_is_polygon, segmentation))


def _is_polygon(points: object) -> bool:
    return (
        isinstance(points, list)
        and len(points) >= 6
        and len(points) % 2 == 0
        and all(type(value) in (int, float) and -1e9 < value < 1e9 for value in points)
    )


def _reach(segmentation: Sequence[Sequence[float]], image: CocoImage) -> float:
    """Return how far the farthest point lies outside the image, in pixels; negative when all lie inside."""
    return max(
        max(-min(points), max(points[0::2]) - image.width, max(points[1::2]) - image.height) for points in segmentation
    )


def _clamped(points: Sequence[float], image: CocoImage) -> list[float]:
    sides = (image.width, image.height)
    return [min(max(value, 0.0), float(sides[place % 2])) for place, value in enumerate(points)]


def _extent(segmentation: Segmentation, image: CocoImage) -> Extent | None:
    if isinstance(segmentation, dict):
        runs = read_runs(segmentation, width=image.width, height=image.height)
        return None if runs is None else extent_of(runs, height=image.height)
    points = [points for points in segmentation or ()]
    if not points:
        return None
    return (
        min(min(one[0::2]) for one in points),
        min(min(one[1::2]) for one in points),
        max(max(one[0::2]) for one in points),
        max(max(one[1::2]) for one in points),
    )


def _overlap(extent: Extent, box: Box, image: CocoImage) -> float:
    """Shared area over joint area of a segmentation's extent and a box, both cut to the image.

    Both get a pixel more on each side, so that thin things a pixel apart agree.
    """
    other = (box[0], box[1], box[0] + box[2], box[1] + box[3])
    return float(iou(np.array(_cut(extent, image)), np.array(_cut(other, image))))


def _cut(extent: Extent, image: CocoImage) -> Extent:
    left, top, right, bottom = clip_box(extent, image.width, image.height)
    return left - 1, top - 1, right + 1, bottom + 1
