"""LabelMe XML, of the older tool: one file for each image, with polygons, boxes and the boxes of masks in pixels.

Objects that are part of one of the same name are one object with it: so tools write several polygons of one object, or
a polygon beside its box. Deleted objects are noted and not taken.
Format: http://labelme2.csail.mit.edu/Release3.0/browserTools/php/matlab_toolbox.php
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

from label_formats.geometry import Point, enclosing_box, flat
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import number, points, side, text, xml_root
from sinara_lib.errors import DataError

EDGES = ("xmin", "ymin", "xmax", "ymax")
_OWN = re.compile(rb"<imagesize>|<polygon>\s*(<username>[^<]*</username>|<username/>)?\s*<pt>|<segm>")


def is_labelme_xml(head: bytes) -> bool:
    """Return whether an XML file, whose root is that of Pascal VOC, is LabelMe's."""
    return b"<bndbox" not in head and _OWN.search(head) is not None


def parse_labelme_xml(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read XML files, given as path and content. Raises DataError naming file and field."""
    tally = Tally()
    return Labels(tuple(_image(path, data, tally) for path, data in files), tally=tally)


def _image(path: str, data: bytes, tally: Tally) -> LabelledImage:
    root = xml_root(data, path, tag="annotation")
    objects = []
    for place, items in enumerate(_grouped(root, tally), start=1):
        with tally.one_object():
            objects.append(_object(items, f"{path}: object {place}"))
    return LabelledImage(
        name=(root.findtext("filename") or "").strip(),
        stem=str(PurePosixPath(path).with_suffix("")),
        beside=path,
        objects=tuple(objects),
        width=side(root.findtext("imagesize/ncols"), f"{path}: ncols"),
        height=side(root.findtext("imagesize/nrows"), f"{path}: nrows"),
    )


def _grouped(root: Element, tally: Tally) -> list[list[Element]]:
    """Return the objects, each with those that are part of it and have its name."""
    groups: dict[str, list[Element]] = {}
    deleted = {"1", "true"}
    for place, item in enumerate(root.findall("object")):
        if _told(item, "deleted") in deleted:
            tally.note("deleted objects")
            continue
        whole = groups.get(_told(item, "parts/ispartof"))
        if whole and _told(whole[0], "name") == _told(item, "name"):
            whole.append(item)
            tally.note("parts that are one object with what they are part of")
        else:
            groups[_told(item, "id") or f"at {place}"] = [item]
    return list(groups.values())


def _object(items: list[Element], place: str) -> LabelledObject:
    boxes = [item for item in items if _told(item, "type") == "bounding_box"]
    polygons = [item for item in items if item not in boxes and item.find("polygon") is not None]
    return LabelledObject(
        label=text(items[0].findtext("name"), f"{place}: name"),
        # A box that a person has drawn counts before what encloses the polygons.
        box=enclosing_box(corner for item in boxes or items for corner in _shape(item, place)),
        polygons=tuple(flat(_shape(item, place)) for item in polygons),
        attributes=_attributes(items[0]),
    )


def _shape(item: Element, place: str) -> list[Point]:
    """Return the corners of a polygon, or two of the box around a mask."""
    if (polygon := item.find("polygon")) is not None:
        values = [number(pt.findtext(key), f"{place}: {key}") for pt in polygon.findall("pt") for key in ("x", "y")]
        return points(values, f"{place}: polygon")
    if (box := item.find("segm/box")) is not None:
        left, top, right, bottom = (number(box.findtext(key), f"{place}: {key}") for key in EDGES)
        return [(left, top), (right, bottom)]
    raise DataError(f"{place}: has neither a polygon nor the box of a mask.")


def _attributes(item: Element) -> dict[str, Any]:
    return {key: value for key in ("occluded", "attributes") if (value := _told(item, key)) not in {"", "no"}}


def _told(item: Element, path: str) -> str:
    return (item.findtext(path) or "").strip()
