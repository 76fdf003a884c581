"""The regions of one Label Studio annotation as objects: coordinates are percent of the picture's sides.

A rotated rectangle (around its top left corner) and an ellipse become the upright box around them. A region with
several labels is one object of each. One region may be told by several results, such as its shape by one control and
its label by another. Regions on a picture that was rotated in the tool, regions without a label, and shapes without a
box are left out and counted.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from label_formats.geometry import Box, ellipse_box, enclosing_box, flat, rectangle, rotated
from label_formats.labels import LabelledObject
from label_formats.tally import ODD, Tally
from label_formats.values import number, side, text
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import shown

LABEL_KEYS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
_GEOMETRY = ("x", "y", "width", "height", "radiusX", "radiusY", "rotation", "points", "rle", "vertices", "sequence")

Sides = tuple[int | None, int | None]


@dataclass
class Regions:
    """What one annotation marks on one picture, and the picture's sides in pixels where it says them."""

    objects: list[LabelledObject] = field(default_factory=list)
    sides: Sides = (None, None)


def read_regions(results: Iterable[tuple[str, dict[str, Any]]], tally: Tally) -> Regions:
    """Read the results of one picture, given with their places; what is not taken is counted."""
    found = Regions()
    bare: dict[tuple[str, str], str] = {}
    labelled: set[tuple[str, str]] = set()
    seen: set[tuple[str, str, str]] = set()
    for place, result in results:
        value = result.get("value")
        shape = _geometry(value) if isinstance(value, Mapping) else None
        if shape is None or not isinstance(value, Mapping):
            tally.note(f"results of the kind {_kind(result)}, which mark no object")
            continue
        number_ = str(result.get("id") or "")
        labels = _labels(value)
        if not labels:
            bare.setdefault((number_, shape), place)
            continue
        labelled.add((number_, shape))
        # Without a number, as in JSON-MIN, two equal results are two objects.
        fresh = [one for one in labels if not number_ or (number_, shape, str(one)) not in seen]
        seen |= {(number_, shape, str(one)) for one in fresh}
        _take(result, fresh, place, found, tally)
    for region, place in bare.items():
        if region not in labelled:
            tally.found += 1
            tally.leave_out("regions without a label", example=place)
    return found


def _take(result: Mapping[str, Any], labels: list[object], place: str, found: Regions, tally: Tally) -> None:
    """Add an object for each label, or count why there is none."""
    tally.found += len(labels)
    value = result["value"]
    try:
        width, height = (side(result.get(f"original_{key}"), f"{place}: {key}") for key in ("width", "height"))
        if width and height:
            found.sides = (width, height)
        if not any(key in value for key in LABEL_KEYS) or not _has_box(value):
            tally.leave_out(f"regions of the kind {_kind(result)}", len(labels), example=place)
        elif number(result.get("image_rotation") or 0, f"{place}: image_rotation") % 360:
            tally.leave_out("regions on an image that was rotated in the tool", len(labels), example=place)
        else:
            _ensure_lists(value, place)
            box, polygons = _shape(value, place, found.sides)
            names = [text(one, f"{place}: label") for one in labels]
            found.objects += [LabelledObject(name, box, polygons=polygons) for name in names]
    except DataError as error:
        tally.leave_out(ODD, len(labels), example=str(error), excusable=True)


def _geometry(value: Mapping[str, Any]) -> str | None:
    """Return what tells one shape from another; None for a result that has none."""
    found = {key: value[key] for key in _GEOMETRY if key in value}
    return json.dumps(found, sort_keys=True) if found else None


def _labels(value: Mapping[str, Any]) -> list[object]:
    """Return the labels of a result; what stands in place of a list counts as one."""
    for key, labels in value.items():
        if key.endswith("labels") and labels:
            return labels if isinstance(labels, list) else [labels]
    return []


def _ensure_lists(value: Mapping[str, Any], place: str) -> None:
    for key in LABEL_KEYS:
        if key in value:
            _list(value[key], f"{place}: {key}")


def _kind(result: Mapping[str, Any]) -> str:
    return str(result.get("type") or "unknown")[:40]


def _has_box(value: Mapping[str, Any]) -> bool:
    """Return whether a shape is a polygon, an ellipse or a rectangle; a keypoint has no height."""
    return "points" in value or "radiusX" in value or ("x" in value and "height" in value)


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
