"""CVAT for images 1.1: one XML file with the boxes, polygons and masks of all images.

A rotated box and an ellipse become the upright box around them; a rotated box also its four corners as a polygon. A
polygon becomes its upright box and stays as segmentation, and so does a mask. Other shapes have no box: they are
left out and counted. Format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element

from label_formats.geometry import Box, ellipse_box, enclosing_box, flat, image_runs, rectangle, rotated
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import flag, number, points, side, text, whole, xml_root
from sinara_lib.errors import DataError

SHAPES = frozenset({"box", "polygon", "ellipse", "mask"})
FLAGS = ("occluded", "z_order", "group_id")


def parse_cvat(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read XML files, given as path and content. Raises DataError naming file, image and field."""
    images: list[LabelledImage] = []
    names: dict[str, None] = {}
    tally = Tally()
    for path, data in files:
        root = xml_root(data, path, tag="annotations")
        if root.find("track") is not None:
            raise DataError(f"{path}: holds tracks of a video. Export the task as `CVAT for images 1.1`.")
        for label in root.iterfind("meta//labels/label"):
            if label.find("parent") is None:
                names.setdefault(text(label.findtext("name"), f"{path}: label"))
        items = root.findall("image")
        # A project's tasks may use a name twice, frames of videos above all: their files lie in folders of the subsets.
        count = Counter(item.get("name") for item in items)
        images += [_image(item, path, tally, repeated=count[item.get("name")] > 1) for item in items]
    return Labels(tuple(images), class_names=tuple(names), tally=tally)


def _image(item: Element, path: str, tally: Tally, *, repeated: bool) -> LabelledImage:
    name = text(item.get("name"), f"{path}: name of an image")
    place = f"{path}: {name}"
    width, height = side(item.get("width"), f"{place}: width"), side(item.get("height"), f"{place}: height")
    objects = []
    for shape in item:
        if shape.tag not in SHAPES:
            tally.found += 1
            tally.leave_out(f"shapes of the kind {shape.tag[:40]}", example=place)
            continue
        with tally.one_object():
            objects.append(_object(shape, f"{place}: {shape.tag}", sides=(width or 0, height or 0)))
    return LabelledImage(
        name=f"{item.get('subset', '')}/{name}" if repeated else name,
        beside=path,
        objects=tuple(objects),
        width=width,
        height=height,
        id=whole(item.get("id"), f"{place}: id") if item.get("id") else None,
    )


def _object(shape: Element, place: str, *, sides: tuple[int, int]) -> LabelledObject:
    box, polygons, mask = _geometry(shape, place, sides)
    return LabelledObject(
        label=text(shape.get("label"), f"{place}: label"),
        box=box,
        polygons=polygons,
        mask=mask,
        attributes=_attributes(shape, place),
    )


def _geometry(
    shape: Element, place: str, sides: tuple[int, int]
) -> tuple[Box, tuple[tuple[float, ...], ...], dict[str, Any] | None]:
    """Return the upright box, the polygons, and the mask of a shape."""
    degrees = number(shape.get("rotation", "0"), f"{place}: rotation")
    if shape.tag == "box":
        left, top, right, bottom = _numbers(shape, place, "xtl", "ytl", "xbr", "ybr")
        if not degrees % 360:
            return (left, top, right - left, bottom - top), (), None
        upright = rectangle(left, top, right - left, bottom - top)
        corners = rotated(upright, degrees, around=((left + right) / 2, (top + bottom) / 2))
        return enclosing_box(corners), (flat(corners),), None
    if shape.tag == "ellipse":
        x, y, across, down = _numbers(shape, place, "cx", "cy", "rx", "ry")
        return ellipse_box(x, y, across, down, degrees), (), None
    if shape.tag == "mask":
        left, top, width, height = (
            whole(shape.get(key), f"{place}: {key}") for key in ("left", "top", "width", "height")
        )
        counts = [whole(word, f"{place}: rle") for word in (shape.get("rle") or "").split(",")]
        mask = image_runs(counts, (left, top, width, height), sides=sides, place=place)
        return (float(left), float(top), float(width), float(height)), (), mask
    words = (shape.get("points") or "").replace(";", ",").split(",")
    values = [number(word, f"{place}: points") for word in words]
    return enclosing_box(points(values, place)), (tuple(values),), None


def _numbers(shape: Element, place: str, *keys: str) -> tuple[float, ...]:
    return tuple(number(shape.get(key), f"{place}: {key}") for key in keys)


def _attributes(shape: Element, place: str) -> dict[str, Any]:
    found: dict[str, Any] = {key: flag(value) for key in FLAGS if (value := (shape.get(key) or "").strip())}
    if degrees := number(shape.get("rotation", "0"), f"{place}: rotation"):
        found["rotation"] = degrees
    for more in shape.findall("attribute"):
        found[text(more.get("name"), f"{place}: attribute")] = (more.text or "").strip()
    return found
