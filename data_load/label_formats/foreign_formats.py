"""Annotation formats that are known by sight and not read: named in a refusal, never taken for another one."""

import re

from label_formats.json_shape import JsonShape

LABELME_XML = "LabelMe XML"
RESULTS = "COCO results (detections, which name no images and no classes)"
_LABELME_XML = re.compile(rb"<annotation\b.*?<polygon>", re.DOTALL)


def foreign_json(shape: JsonShape) -> str | None:
    """Return the name of a JSON format that is not read; None where it is none of them."""
    return _list_format(shape) if shape.kind == "list" else _object_format(shape)


def is_labelme_xml(head: bytes) -> bool:
    """Return whether an XML file is of LabelMe, whose root is that of Pascal VOC."""
    return b"<bndbox" not in head and _LABELME_XML.search(head) is not None


def _list_format(shape: JsonShape) -> str | None:
    if {"image_id", "category_id"} <= shape.keys or {"image_id", "score"} <= shape.keys:
        return RESULTS
    if "annotations" in shape.keys and "coordinates" in shape.inner:
        return "CreateML JSON"
    if {"name", "labels"} <= shape.keys:
        return "BDD100K (Scalabel) JSON"
    if {"filename", "regions"} <= shape.keys:
        return "VGG Image Annotator (VIA) JSON"
    return None


def _object_format(shape: JsonShape) -> str | None:
    if shape.keys & {"_via_settings", "_via_img_metadata"} or {"filename", "regions"} <= shape.inner - shape.keys:
        return "VGG Image Annotator (VIA) JSON"
    for title, keys in _OBJECTS.items():
        if keys <= shape.keys:
            return title
    if "annotations" in shape.keys and "segments_info" in shape.inner:
        return "COCO panoptic JSON"
    return None


_OBJECTS = {
    "LabelMe JSON": {"shapes", "imagePath"},
    "Supervisely JSON": {"objects", "size"},
    "Datumaro JSON": {"categories", "items"},
    "Darwin JSON": {"annotations", "item"},
    "VoTT JSON": {"asset", "regions"},
    "FiftyOne JSON": {"samples"},
    "Scalabel JSON": {"frames", "config"},
    "GeoJSON": {"features", "type"},
}
"""Formats of one JSON object by the keys that give them away."""
