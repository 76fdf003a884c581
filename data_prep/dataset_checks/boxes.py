"""Checks of annotations: their image, class, id, box and area."""

import math
from dataclasses import replace

from dataset_checks.findings import Ledger, note_box
from dataset_checks.segmentations import check_segmentation, segmentation_area
from sinara_lib.vision.boxes import clip_box
from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage

# COCO's own areas differ from ours by how a segmentation is drawn as pixels; more than this is another area.
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


def check_boxes(
    dataset: CocoDataset, ledger: Ledger, *, min_object_size: float, max_aspect_ratio: float
) -> CocoDataset:
    """Clip, correct or drop each annotation; `min_object_size` is the least width and height in pixels."""
    images = {image.id: image for image in dataset.images}
    seen: set[tuple[object, ...]] = set()
    kept = []
    for one in dataset.annotations:
        image = images[one.image_id]
        checked = _check_box(one, image, ledger, min_object_size=min_object_size)
        if checked is None or _is_unwanted(one, checked, image, ledger, max_aspect_ratio=max_aspect_ratio):
            continue
        key = (checked.image_id, checked.category_id, checked.iscrowd, checked.bbox)
        if key in seen and note_box(ledger, "box_repeated", one, image) == "drop":
            continue
        segmented = check_segmentation(checked, image, ledger)
        sound = segmented and _check_area(segmented, ledger)
        if sound is not None:
            seen.add(key)
            kept.append(sound)
    return replace(dataset, annotations=tuple(kept))


def _is_unwanted(
    one: CocoAnnotation, checked: CocoAnnotation, image: CocoImage, ledger: Ledger, *, max_aspect_ratio: float
) -> bool:
    """Note what is strange about a usable annotation; tell whether it is to be dropped for that."""
    actions = []
    if max(checked.bbox[2:]) > max_aspect_ratio * min(checked.bbox[2:]):
        actions.append(note_box(ledger, "box_aspect", one, image))
    if one.iscrowd:
        actions.append(note_box(ledger, "crowd", one, image))
        if isinstance(one.segmentation, list) and one.segmentation:
            actions.append(note_box(ledger, "crowd_outline", one, image))
    return "drop" in actions


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
        if clipped is None or min(clipped.bbox[2:]) >= max(min_object_size, _LEAST_SIDE):
            return clipped
        fault = "box_too_small"
    note_box(ledger, fault, one, image)
    return None


def _clip(one: CocoAnnotation, image: CocoImage, ledger: Ledger) -> CocoAnnotation | None:
    x, y, width, height = one.bbox
    left, top, right, bottom = clip_box((x, y, x + width, y + height), image.width, image.height)
    if min(x, y) >= 0 and max(x + width - right, y + height - bottom) <= _EDGE_TOLERANCE:
        return one
    if note_box(ledger, "box_over_edge", one, image) == "drop":
        return None
    box = (left, top, right - left, bottom - top)
    area = one.area if one.area is None or (one.segmentation and one.area <= box[2] * box[3]) else box[2] * box[3]
    return replace(one, bbox=box, area=area)


def _check_area(one: CocoAnnotation, ledger: Ledger) -> CocoAnnotation | None:
    """Return it with an area above 0: the box's without a segmentation, and with one at most the box's."""
    box_area = one.bbox[2] * one.bbox[3]
    most, least = box_area * (1 + _AREA_TOLERANCE) + 1, box_area * (1 - _AREA_TOLERANCE) - 1
    if one.area is not None and (0 if one.segmentation else least) < one.area <= most and one.area > 0:
        return one
    area = min(box_area, segmentation_area(one.segmentation) or box_area)
    stated = "none" if one.area is None else f"{one.area:g}"
    if ledger.note("area", f"annotation {one.id}: {stated}, should be {area:g}") == "drop":
        return None
    return replace(one, area=area)
