"""Checks of annotations: their image, class, id, box, outline and area."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataset_findings import Ledger

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage

# COCO's own areas differ from ours by how an outline is drawn as pixels; more than this is another area.
_AREA_TOLERANCE = 0.05
_EDGE_TOLERANCE = 1e-6
# Narrower boxes, in pixels, are rounding errors of tools; their areas run into the smallest floats.
_LEAST_SIDE = 0.01


def check_references(dataset: CocoDataset, ledger: Ledger) -> CocoDataset:
    """Drop annotations whose image or category the document lacks."""
    images = {image.id for image in dataset.images}
    categories = set(dataset.category_ids)
    kept = []
    for one in dataset.annotations:
        if one.image_id not in images:
            ledger.note("annotation_without_image", f"annotation {one.id}: image {one.image_id}")
        elif one.category_id not in categories:
            ledger.note("category_unknown", f"annotation {one.id}: category {one.category_id}")
        else:
            kept.append(one)
    return replace(dataset, annotations=tuple(kept))


def check_annotation_ids(dataset: CocoDataset, ledger: Ledger) -> CocoDataset:
    """Give a new id where one is below 1, which pycocotools takes for "no match", or is given twice."""
    free = max((one.id for one in dataset.annotations), default=0)
    free = max(free, 0) + 1
    seen: set[int] = set()
    annotations = []
    for one in dataset.annotations:
        if one.id < 1 or one.id in seen:
            ledger.note("annotation_id", f"annotation {one.id} of image {one.image_id} is now {free}")
            annotations.append(replace(one, id=free))
            free += 1
        else:
            annotations.append(one)
        seen.add(one.id)
    return replace(dataset, annotations=tuple(annotations))


def check_boxes(dataset: CocoDataset, ledger: Ledger, *, min_object_size: float) -> CocoDataset:
    """Clip, correct or drop each annotation; `min_object_size` is the least width and height in pixels."""
    images = {image.id: image for image in dataset.images}
    seen: set[tuple[object, ...]] = set()
    kept = []
    for one in dataset.annotations:
        checked = _check_box(one, images[one.image_id], ledger, min_object_size=min_object_size)
        if checked is None:
            continue
        key = (checked.image_id, checked.category_id, checked.iscrowd, checked.bbox)
        if key in seen:
            _note(ledger, "box_repeated", one, images[one.image_id])
            continue
        seen.add(key)
        kept.append(_check_area(_check_segmentation(checked, ledger), ledger))
    for one in kept:
        if one.iscrowd:
            _note(ledger, "crowd", one, images[one.image_id])
    return replace(dataset, annotations=tuple(kept))


def _check_box(
    one: CocoAnnotation, image: CocoImage, ledger: Ledger, *, min_object_size: float
) -> CocoAnnotation | None:
    x, y, width, height = one.bbox
    if not all(map(math.isfinite, one.bbox)):
        fault = "box_not_finite"
    elif width <= 0 or height <= 0:
        fault = "box_without_size"
    elif x >= image.width or y >= image.height or x + width <= 0 or y + height <= 0:
        fault = "box_outside"
    else:
        clipped = _clip(one, image, ledger)
        if min(clipped.bbox[2:]) >= max(min_object_size, _LEAST_SIDE):
            return clipped
        fault = "box_too_small"
    _note(ledger, fault, one, image)
    return None


def _clip(one: CocoAnnotation, image: CocoImage, ledger: Ledger) -> CocoAnnotation:
    x, y, width, height = one.bbox
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, float(image.width)), min(y + height, float(image.height))
    if min(x, y) >= 0 and max(x + width - right, y + height - bottom) <= _EDGE_TOLERANCE:
        return one
    _note(ledger, "box_over_edge", one, image)
    box = (left, top, right - left, bottom - top)
    area = one.area if one.area is None or (one.segmentation and one.area <= box[2] * box[3]) else box[2] * box[3]
    return replace(one, bbox=box, area=area)


def _check_segmentation(one: CocoAnnotation, ledger: Ledger) -> CocoAnnotation:
    outline = one.segmentation
    if not outline or (_is_run_lengths(outline) if isinstance(outline, dict) else all(map(_is_polygon, outline))):
        return one
    ledger.note("segmentation_broken", f"annotation {one.id} of image {one.image_id}")
    return replace(one, segmentation=None)


def _check_area(one: CocoAnnotation, ledger: Ledger) -> CocoAnnotation:
    """The area must be that of the box without an outline, and with one above 0 and not above the box's."""
    box_area = one.bbox[2] * one.bbox[3]
    most, least = box_area * (1 + _AREA_TOLERANCE) + 1, box_area * (1 - _AREA_TOLERANCE) - 1
    if one.area is not None and (0 if one.segmentation else least) < one.area <= most and one.area > 0:
        return one
    area = min(box_area, _outline_area(one.segmentation) or box_area)
    ledger.note("area", f"annotation {one.id}: {one.area} is now {area:g}")
    return replace(one, area=area)


def _outline_area(outline: list[list[float]] | dict[str, Any] | None) -> float:
    """Square pixels inside polygons, by the shoelace formula; 0 for run lengths, which are left to the box."""
    return sum(map(_polygon_area, outline)) if isinstance(outline, list) else 0.0


def _polygon_area(points: Sequence[float]) -> float:
    xs, ys = points[0::2], points[1::2]
    return abs(sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs)))) / 2


def _is_polygon(points: object) -> bool:
    return (
        isinstance(points, list)
        and len(points) >= 6
        and len(points) % 2 == 0
        and all(isinstance(value, int | float) and math.isfinite(value) for value in points)
    )


def _is_run_lengths(outline: dict[str, Any]) -> bool:
    return isinstance(outline.get("counts"), str | list) and isinstance(outline.get("size"), list)


def _note(ledger: Ledger, name: str, one: CocoAnnotation, image: CocoImage) -> None:
    box = ", ".join(f"{value:g}" for value in one.bbox)
    text = f"annotation {one.id}: [{box}] in {image.file_name}, {image.width} x {image.height}"
    ledger.note(name, text, file_name=image.file_name, box=one.bbox)
