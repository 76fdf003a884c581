"""Annotation formats that are known by sight and not read: named in a refusal, never taken for another one."""

from label_formats.json_shape import JsonShape

RESULTS = "COCO results (detections, which name no images and no classes)"


def foreign_json(shape: JsonShape) -> str | None:
    """Return the name of a JSON format that is not read; None where it is none of them."""
    return _list_format(shape) if shape.kind == "list" else _object_format(shape)


def _list_format(shape: JsonShape) -> str | None:
    if {"image_id", "category_id"} <= shape.keys or {"image_id", "score"} <= shape.keys:
        return RESULTS
    if {"name", "labels"} <= shape.keys:
        return "BDD100K (Scalabel) JSON"
    return None


def _object_format(shape: JsonShape) -> str | None:
    for title, keys in _OBJECTS.items():
        if keys <= shape.keys:
            return title
    if "annotations" in shape.keys and "segments_info" in shape.inner:
        return "COCO panoptic JSON"
    return None


_OBJECTS = {
    "Datumaro JSON": {"categories", "items"},
    "Darwin JSON": {"annotations", "item"},
    "VoTT JSON": {"asset", "regions"},
    "FiftyOne JSON": {"samples"},
    "Scalabel JSON": {"frames", "config"},
    "GeoJSON": {"features", "type"},
}
"""Formats of one JSON object by the keys that give them away."""
