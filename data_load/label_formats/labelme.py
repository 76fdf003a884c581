"""LabelMe JSON: one file for each image, with rectangles, polygons, circles and masks in pixels.

A rotated rectangle and a polygon become the upright box around them and stay as segmentation, a mask too; a circle
becomes the box around it. Lines and points have no box: they are left out and counted. The pictures that files hold
themselves are not read: the image is the one that the file names. Format: https://github.com/wkentaro/labelme
"""

import math
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from label_formats.geometry import enclosing_box, flat
from label_formats.image_index import ImageIndex
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.mask_pictures import picture_mask
from label_formats.tally import Tally
from label_formats.values import json_value, list_of, pairs, side, text
from sinara_lib.vision.coco_fields import mapping

POLYGONS = frozenset({"polygon", "oriented_rectangle", "rotation"})
BOXED = POLYGONS | {"rectangle", "circle", "mask"}


def parse_labelme(files: Iterable[tuple[str, bytes]], *, index: ImageIndex) -> Labels:
    """Read JSON files, given as path and content; `index` knows the images. Raises DataError naming file and field."""
    tally = Tally()
    return Labels(tuple(_image(path, data, index, tally) for path, data in files), tally=tally)


def _image(path: str, data: bytes, index: ImageIndex, tally: Tally) -> LabelledImage:
    content = mapping(json_value(data, path), path)
    sides = tuple(side(content.get(key), f"{path}: {key}") for key in ("imageWidth", "imageHeight"))
    objects = []
    for place, shape in enumerate(list_of(content.get("shapes"), f"{path}: shapes")):
        there = f"{path}: shape {place}"
        kind = str(shape.get("shape_type") or "polygon") if isinstance(shape, dict) else "polygon"
        if kind not in BOXED:
            tally.found += 1
            tally.leave_out(f"shapes of the kind {kind[:40]}", example=there)
            continue
        with tally.one_object():
            objects.append(_object(mapping(shape, there), kind, there, (sides[0] or 0, sides[1] or 0)))
    name = text(content.get("imagePath"), f"{path}: imagePath")
    # Images that were renamed together with their files are still named in them as they were.
    stem = "" if index.find(name, beside=path) else str(PurePosixPath(path).with_suffix(""))
    return LabelledImage(name, stem=stem, beside=path, objects=tuple(objects), width=sides[0], height=sides[1])


def _object(shape: dict[str, Any], kind: str, place: str, sides: tuple[int, int]) -> LabelledObject:
    label = text(shape.get("label"), f"{place}: label")
    found = pairs(shape.get("points"), f"{place}: points", least=3 if kind in POLYGONS else 2)
    if kind == "mask":
        corner = (int(found[0][0]), int(found[0][1]))
        box, mask = picture_mask(text(shape.get("mask"), f"{place}: mask"), corner, sides=sides, place=place)
        return LabelledObject(label, box, mask=mask, attributes=_attributes(shape))
    if kind == "circle":
        (x, y), edge = found[:2]
        radius = math.dist((x, y), edge)
        return LabelledObject(label, (x - radius, y - radius, 2 * radius, 2 * radius), attributes=_attributes(shape))
    polygons = (flat(found),) if kind in POLYGONS else ()
    return LabelledObject(label, enclosing_box(found), polygons=polygons, attributes=_attributes(shape))


def _attributes(shape: dict[str, Any]) -> dict[str, Any]:
    """Return what a person has set; `flags` are marks by name."""
    kept = {
        key: value for key in ("group_id", "description", "difficult") if (value := shape.get(key)) not in (None, "")
    }
    flags = shape.get("flags")
    return kept | {key: value for key, value in (flags if isinstance(flags, dict) else {}).items() if value}
