"""CreateML JSON: a list of images, each with boxes given by their centre and sides in pixels.

Format: https://developer.apple.com/documentation/createml/building-an-object-detector-data-source
"""

from collections.abc import Iterable
from typing import Any

from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import json_value, list_of, number, text
from sinara_lib.vision.coco_fields import mapping


def parse_createml(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read JSON files, given as path and content. Raises DataError naming file, image and field."""
    tally = Tally()
    images = [
        _image(mapping(item, f"{path}: image {place}"), path, place, tally)
        for path, data in files
        for place, item in enumerate(list_of(json_value(data, path), path))
    ]
    return Labels(tuple(images), tally=tally)


def _image(item: dict[str, Any], path: str, number_: int, tally: Tally) -> LabelledImage:
    name = text(item.get("image", item.get("imagefilename")), f"{path}: image {number_}: image")
    there = f"{path}: {name}"
    objects = []
    written = item.get("annotations", item.get("annotation"))
    for place, one in enumerate(list_of(written, f"{there}: annotations")):
        with tally.one_object():
            objects.append(_object(one, f"{there}: annotation {place}"))
    return LabelledImage(name, beside=path, place=f"{path}: image {number_}", objects=tuple(objects))


def _object(value: object, place: str) -> LabelledObject:
    item = mapping(value, place)
    box = mapping(item.get("coordinates"), f"{place}: coordinates")
    x, y, width, height = (number(box.get(key), f"{place}: {key}") for key in ("x", "y", "width", "height"))
    return LabelledObject(text(item.get("label"), f"{place}: label"), (x - width / 2, y - height / 2, width, height))
