"""Pascal VOC: one XML file for each image.

In files of the VOC challenges themselves, which say so in <database>, coordinates count pixels from 1 and both ends
belong to the box. What labelling tools write today is taken as edges in pixels from 0. Each box of an object is one.
Format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import flag, number, side, text, xml_root

CHALLENGE = "The VOC"
FLAGS = ("difficult", "truncated", "occluded")


def parse_voc(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read XML files, given as path and content. Raises DataError naming file and field."""
    tally = Tally()
    images = tuple(_image(path, data, tally) for path, data in files)
    return Labels(images, tally=tally)


def _image(path: str, data: bytes, tally: Tally) -> LabelledImage:
    root = xml_root(data, path, tag="annotation")
    counts_from_one = (root.findtext("source/database") or "").strip().startswith(CHALLENGE)
    objects = []
    for place, item in enumerate(root.findall("object"), start=1):
        boxes = item.findall("bndbox")
        if not boxes:
            tally.found += 1
            tally.leave_out("objects without an upright box", example=f"{path}: object {place}")
        for box in boxes:
            with tally.one_object():
                objects.append(_object(item, box, f"{path}: object {place}", offset=int(counts_from_one)))
    return LabelledImage(
        name=(root.findtext("filename") or "").strip(),
        stem=str(PurePosixPath(path).with_suffix("")),
        beside=path,
        objects=tuple(objects),
        width=side(root.findtext("size/width"), f"{path}: width"),
        height=side(root.findtext("size/height"), f"{path}: height"),
    )


def _object(item: Element, box: Element, place: str, *, offset: int) -> LabelledObject:
    left, top, right, bottom = (
        number(box.findtext(key), f"{place}: {key}") for key in ("xmin", "ymin", "xmax", "ymax")
    )
    return LabelledObject(
        label=text(item.findtext("name"), f"{place}: name"),
        box=(left - offset, top - offset, right - left + offset, bottom - top + offset),
        attributes=_attributes(item, place),
    )


def _attributes(item: Element, place: str) -> dict[str, Any]:
    found: dict[str, Any] = {key: flag(value) for key in FLAGS if (value := (item.findtext(key) or "").strip())}
    if pose := (item.findtext("pose") or "").strip():
        found["pose"] = pose
    for more in item.findall("attributes/attribute"):
        found[text(more.findtext("name"), f"{place}: attribute")] = (more.findtext("value") or "").strip()
    return found
