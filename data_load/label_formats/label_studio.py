"""Label Studio JSON: a list of tasks, the shorter JSON-MIN, or single annotations as its storages keep them.

Coordinates are percent of the image's sides. Of several annotations of one task the one marked as ground truth counts,
else the one changed last; cancelled ones and predictions never do. A rotated rectangle (around its top left corner) and
an ellipse become the upright box around them. A region with several labels is one object of each. Regions on an image
that was rotated in the tool, and shapes without a box, are left out and counted.
Format: https://labelstud.io/guide/export
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from label_formats.geometry import Box, ellipse_box, enclosing_box, flat, rectangle, rotated
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.values import json_value, number, side, text
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping, shown

LABEL_KEYS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})


def parse_label_studio(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read JSON files, given as path and content. Raises DataError naming file, task and field."""
    left_out: Counter[str] = Counter()
    tasks: dict[object, tuple[str, dict[str, Any]]] = {}
    for path, data in files:
        content = json_value(data, path)
        for place, item in enumerate(content if isinstance(content, list) else [content]):
            task = _task(mapping(item, f"{path}: task {place}"), f"{path}: task {place}")
            key = task.get("id") if isinstance(task.get("id"), int | str) else (path, place)
            if key in tasks:
                task = {**task, "annotations": [*tasks[key][1]["annotations"], *task["annotations"]]}
            tasks[key] = (f"{path}: task {place}", task)
    images = [_image(task, place, left_out) for place, task in tasks.values()]
    return Labels(tuple(one for one in images if one is not None), left_out=left_out)


def image_path(reference: str) -> str:
    """Return the file that a task names: a URL as it is; of Label Studio's own addresses the path they stand for."""
    for own in ("/data/local-files/?d=", "/data/upload/"):
        host, found, path = reference.partition(own)
        if found and "?" not in host:
            return unquote(path).lstrip("/")
    return reference


def original_stem(name: str) -> str:
    """Of a file uploaded to Label Studio, which puts eight hex digits before its name, the name it had, no suffix."""
    path = PurePosixPath(name)
    found = _UPLOADED.match(path.stem)
    return str(path.with_name(found[1])) if found else ""


def _task(item: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a task with `data` and `annotations`, whichever of the three ways it is written in."""
    if "result" in item and isinstance(item.get("task"), dict):
        return {"id": item["task"].get("id"), "data": item["task"].get("data"), "annotations": [item]}
    if "data" in item:
        annotations = item.get("annotations", item.get("completions"))
        if not isinstance(annotations, list):
            raise DataError(f"{place}: `annotations` must be a list, found {shown(annotations)}. Export it as JSON.")
        return {"id": item.get("id"), "data": item["data"], "annotations": annotations}
    # JSON-MIN: data and regions side by side, a list of regions under the name of the control.
    regions = next((value for value in item.values() if _is_regions(value)), [])
    data = {key: value for key, value in item.items() if isinstance(value, str)}
    result = [{**one, "value": one} for one in regions]
    return {"id": item.get("id"), "data": data, "annotations": [{"result": result}] if regions else []}


def _is_regions(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "x" in one for one in value)


def _image(task: Mapping[str, Any], place: str, left_out: Counter[str]) -> LabelledImage | None:
    annotation = _chosen(task["annotations"], place, left_out)
    if annotation is None:
        left_out["tasks that nobody has labelled"] += 1
        return None
    objects: list[LabelledObject] = []
    sides: tuple[int | None, int | None] = (None, None)
    for number_, region in enumerate(_list(annotation.get("result"), f"{place}: result")):
        there = f"{place}: region {number_}"
        region = mapping(region, there)
        width, height = (side(region.get(f"original_{key}"), f"{there}: {key}") for key in ("width", "height"))
        if width and height:
            sides = (width, height)
        objects += _objects(region, there, left_out, sides=sides)
    name = image_path(_reference(mapping(task["data"], f"{place}: data"), place))
    return LabelledImage(
        name=name,
        stem=original_stem(name),
        beside=place.split(": task ")[0],
        objects=tuple(objects),
        width=sides[0],
        height=sides[1],
        unit="share",
        id=task["id"] if type(task.get("id")) is int else None,
    )


def _chosen(annotations: list[Any], place: str, left_out: Counter[str]) -> dict[str, Any] | None:
    there = [mapping(one, f"{place}: annotation") for one in annotations]
    valid = [one for one in there if not one.get("was_cancelled")]
    if not valid:
        return None
    left_out["annotations of images that have several"] += len(valid) - 1
    # ISO times of one server sort as text.
    return max(
        valid, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at") or ""), str(one.get("id")))
    )


def _reference(data: dict[str, Any], place: str) -> str:
    """Return the value that names the image: `image`, else the first one that looks like one."""
    texts = {key: value for key, value in data.items() if isinstance(value, str) and value.strip()}
    named = [value for value in texts.values() if PurePosixPath(urlsplit(value).path).suffix.lower() in SUFFIXES]
    if "image" in texts or named:
        return text(texts.get("image") or named[0], f"{place}: image")
    raise DataError(f"{place}: no value of `data` names an image; found {shown(data)}.")


def _objects(
    region: dict[str, Any], place: str, left_out: Counter[str], *, sides: tuple[int | None, int | None]
) -> list[LabelledObject]:
    value = region.get("value")
    if not isinstance(value, dict):
        left_out["regions without a shape"] += 1
        return []
    key = next((key for key in LABEL_KEYS if key in value), None)
    if key is None:
        left_out[f"regions of the kind {str(region.get('type', 'unknown'))[:40]}"] += 1
        return []
    if number(region.get("image_rotation") or 0, f"{place}: image_rotation") % 360:
        left_out["regions on an image that was rotated in the tool"] += 1
        return []
    box, polygons = _shape(value, place, sides)
    labels = [text(one, f"{place}: label") for one in _list(value[key], f"{place}: {key}")]
    return [LabelledObject(label, box, polygons=polygons) for label in labels]


def _shape(
    value: Mapping[str, Any], place: str, sides: tuple[int | None, int | None]
) -> tuple[Box, tuple[tuple[float, ...], ...]]:
    """Return the upright box and the polygons of a region, as shares of the image's sides."""
    if "points" in value:
        corners = [(_share(x, place), _share(y, place)) for x, y in _pairs(value["points"], f"{place}: points")]
        return enclosing_box(corners), (flat(corners),)
    x, y = (_share(value.get(key), f"{place}: {key}") for key in ("x", "y"))
    degrees = number(value.get("rotation") or 0, f"{place}: rotation")
    across, down = _extent(value, place)
    if degrees % 360 and not all(sides):
        raise DataError(f"{place}: a rotated shape needs original_width and original_height of its image.")
    # Turning happens in pixels: shares of unlike sides would shear the shape.
    wide, high = (float(one or 1) for one in sides)
    if "radiusX" in value:
        left, top, width, height = ellipse_box(x * wide, y * high, across * wide, down * high, degrees)
        return (left / wide, top / high, width / wide, height / high), ()
    if not degrees % 360:
        return (x, y, across, down), ()
    upright = rectangle(x * wide, y * high, across * wide, down * high)
    corners = [(x / wide, y / high) for x, y in rotated(upright, degrees, around=upright[0])]
    return enclosing_box(corners), (flat(corners),)


def _extent(value: Mapping[str, Any], place: str) -> tuple[float, float]:
    keys = ("radiusX", "radiusY") if "radiusX" in value else ("width", "height")
    across, down = (_share(value.get(key), f"{place}: {key}") for key in keys)
    return across, down


def _share(value: object, place: str) -> float:
    return number(value, place) / 100


def _pairs(value: object, place: str) -> list[tuple[object, object]]:
    pairs = _list(value, place)
    if len(pairs) < 3 or not all(isinstance(one, list) and len(one) == 2 for one in pairs):
        raise DataError(f"{place} must be three or more pairs of numbers, found {shown(value)}.")
    return [(x, y) for x, y in pairs]


def _list(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{place} must be a list, found {shown(value)}.")
    return value
