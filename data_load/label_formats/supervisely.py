"""Supervisely: a JSON file for each image below `ann`, its image below `img`, and meta.json with the classes.

Coordinates are pixels. A polygon and a bitmap become the upright box around them and stay as segmentation. Other shapes
have no box: they are left out and counted. Format: https://developer.supervisely.com/getting-started/supervisely-annotation-format
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from label_formats.geometry import enclosing_box, flat
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.mask_pictures import picture_mask
from label_formats.tally import Tally
from label_formats.values import json_value, list_of, pairs, side, text
from sinara_lib.vision.coco_fields import mapping

BOXED = frozenset({"rectangle", "polygon", "bitmap"})


def parse_supervisely(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read JSON files, given as path and content. Raises DataError naming file and field."""
    tally, images = Tally(), []
    names: dict[str, None] = {}
    for path, data in files:
        content = mapping(json_value(data, path), path)
        if "objects" in content:
            images.append(_image(content, path, tally))
            continue
        for one in list_of(content.get("classes"), f"{path}: classes"):
            names.setdefault(text(mapping(one, f"{path}: class").get("title"), f"{path}: title"))
    return Labels(tuple(images), class_names=tuple(names), tally=tally)


def _image(content: dict[str, Any], path: str, tally: Tally) -> LabelledImage:
    size = mapping(content.get("size"), f"{path}: size")
    width, height = (side(size.get(key), f"{path}: {key}") for key in ("width", "height"))
    objects = []
    for place, one in enumerate(list_of(content.get("objects"), f"{path}: objects")):
        there = f"{path}: object {place}"
        kind = _kind(one)
        if kind not in BOXED:
            tally.found += 1
            tally.leave_out(f"shapes of the kind {kind[:40]}", example=there)
            continue
        with tally.one_object():
            objects.append(_object(mapping(one, there), kind, there, (width or 0, height or 0), tally))
    name = _image_path(path)
    return LabelledImage(name, beside=path, objects=tuple(objects), width=width, height=height)


def _image_path(path: str) -> str:
    """Return where the image of ds/ann/1.jpg.json lies: ds/img/1.jpg."""
    parts = list(PurePosixPath(path.removesuffix(".json")).parts)
    if "ann" in parts[:-1]:
        last = len(parts) - 2 - parts[:-1][::-1].index("ann")
        parts[last] = "img"
    return "/".join(parts)


def _kind(item: object) -> str:
    """Return the kind of shape, which older files leave to be seen from what they hold."""
    if not isinstance(item, dict):
        return "rectangle"
    if item.get("geometryType"):
        return str(item["geometryType"])
    if item.get("bitmap"):
        return "bitmap"
    corners = item["points"].get("exterior") if isinstance(item.get("points"), dict) else None
    return "polygon" if isinstance(corners, list) and len(corners) > 2 else "rectangle"


def _object(item: dict[str, Any], kind: str, place: str, sides: tuple[int, int], tally: Tally) -> LabelledObject:
    label = text(item.get("classTitle"), f"{place}: classTitle")
    if kind == "bitmap":
        bitmap = mapping(item.get("bitmap"), f"{place}: bitmap")
        ((left, top),) = pairs([bitmap.get("origin")], f"{place}: origin", least=1)
        data = text(bitmap.get("data"), f"{place}: data")
        box, mask = picture_mask(data, (int(left), int(top)), sides=sides, place=place)
        return LabelledObject(label, box, mask=mask)
    shape = mapping(item.get("points"), f"{place}: points")
    corners = pairs(shape.get("exterior"), f"{place}: exterior", least=3 if kind == "polygon" else 2)
    if shape.get("interior"):
        tally.note("holes of polygons (the polygons are kept)")
    return LabelledObject(label, enclosing_box(corners), polygons=(flat(corners),) if kind == "polygon" else ())
