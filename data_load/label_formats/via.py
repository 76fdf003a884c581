"""VGG Image Annotator (VIA), versions 1 to 3: projects and exports as JSON, and its CSV; coordinates in pixels.

The class is one of the attributes of a region: the only one, or one of a usual name, or the one that the parameter
columns names. A region with several ticked values is an object of each. A polygon becomes the upright box around it and
stays as segmentation; a circle and an ellipse become the box around them. Points, lines and stretches of a video have
no box: they are left out and counted. Format: https://www.robots.ox.ac.uk/~vgg/software/via/docs/user_guide.html
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from label_formats.geometry import Box, ellipse_box, enclosing_box, flat
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import list_of, number, points, text
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping

USUAL = ("label", "class", "class_name", "category", "category_name", "label_id", "name", "type", "object")
BOXED = frozenset({"rect", "polygon", "circle", "ellipse"})


@dataclass(frozen=True)
class Region:
    """One region: its kind with the numbers of its shape, and its attributes by their names."""

    place: str
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]


@dataclass
class ViaImages:
    """The regions of each image by file and name, in their order, and what the options of attributes mean.

    Two files may mean different images by one name, which only the images' folders tell.
    """

    regions: dict[tuple[str, str], list[Region]] = field(default_factory=dict)
    options: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_image(self, name: str, path: str) -> list[Region]:
        """Return the regions of an image, known from now on."""
        return self.regions.setdefault((path, name), [])


def via_labels(images: ViaImages, *, given: str | None) -> Labels:
    """Return the labels of all images, classes by the attribute `given`, if it is. Raises DataError."""
    tally = Tally()
    key = _class_key(images, given)
    found = [
        LabelledImage(name, beside=path, objects=_objects(regions, key, images.options, tally))
        for (path, name), regions in images.regions.items()
    ]
    return Labels(tuple(found), class_names=tuple(images.options.get(key, {}).values()), tally=tally)


def _class_key(images: ViaImages, given: str | None) -> str:
    """Return the attribute that is the class. Raises DataError where none is, or several may be."""
    keys = dict.fromkeys(key for regions in images.regions.values() for one in regions for key in one.attributes)
    if given is not None and (given in keys or not keys):
        return given
    usual = [key for key in keys if key.lower() in USUAL]
    if given is None and (len(keys) == 1 or len(usual) == 1):
        return (usual or list(keys))[0]
    if not keys:
        return USUAL[0]
    what = f"label: {given}" if given else "the class"
    raise DataError(
        f"regions have no attribute for {what} that stands out; they have {', '.join(keys)}. "
        f'Name one in the parameter columns, as {{"label": "{next(iter(keys))}"}}.'
    )


def _objects(
    regions: Iterable[Region], key: str, options: Mapping[str, Mapping[str, str]], tally: Tally
) -> tuple[LabelledObject, ...]:
    found: list[LabelledObject] = []
    for region in regions:
        kind = str(region.shape.get("name"))
        names = _class_names(region.attributes.get(key), options.get(key, {}))
        for name in names:
            if kind not in BOXED:
                tally.found += 1
                tally.leave_out(f"regions of the kind {kind[:40]}", example=region.place)
                continue
            with tally.one_object():
                found.append(_object(region, name, key))
    return tuple(found)


def _class_names(value: Any, options: Mapping[str, str]) -> list[object]:
    """Return the names of a value: one, or those that are ticked; what is none counts as one that is odd."""
    ticked = [name for name, is_set in value.items() if is_set] if isinstance(value, dict) else [value]
    return [options.get(one) or one if isinstance(one, str) else one for one in ticked] or [None]


def _object(region: Region, name: object, key: str) -> LabelledObject:
    box, polygons = _shape(region.shape, region.place)
    spelled = str(name) if type(name) in (int, float) else name
    others = {
        other: value for other, value in region.attributes.items() if other != key and value not in ("", {}, None)
    }
    return LabelledObject(text(spelled, f"{region.place}: {key}"), box, polygons=polygons, attributes=others)


def _shape(shape: Mapping[str, Any], place: str) -> tuple[Box, tuple[tuple[float, ...], ...]]:
    def numbers(*keys: str) -> list[float]:
        return [number(shape.get(key), f"{place}: {key}") for key in keys]

    if shape["name"] == "rect":
        x, y, width, height = numbers("x", "y", "width", "height")
        return (x, y, width, height), ()
    if shape["name"] == "circle":
        x, y, radius = numbers("cx", "cy", "r")
        return (x - radius, y - radius, 2 * radius, 2 * radius), ()
    if shape["name"] == "ellipse":
        x, y, across, down = numbers("cx", "cy", "rx", "ry")
        turn = math.degrees(number(shape.get("theta") or 0, f"{place}: theta"))
        return ellipse_box(x, y, across, down, turn), ()
    xs, ys = (list_of(shape.get(f"all_points_{axis}"), f"{place}: all_points_{axis}") for axis in "xy")
    if len(xs) != len(ys):
        raise DataError(f"{place}: the polygon has {len(xs)} x and {len(ys)} y.")
    corners = points([number(one, f"{place}: points") for pair in zip(xs, ys, strict=True) for one in pair], place)
    return enclosing_box(corners), (flat(corners),)


def options_of(written: object, place: str) -> dict[str, str]:
    """Return what the options of an attribute mean, where a person has written more than their keys."""
    found = mapping(written, place) if isinstance(written, dict) else {}
    return {str(key): name for key, name in found.items() if isinstance(name, str) and name.strip()}
