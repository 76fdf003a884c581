"""How version 3 of VGG Image Annotator writes shapes and attributes: by numbers, in its JSON and its CSV alike."""

from collections.abc import Mapping
from typing import Any

from label_formats.values import list_of
from label_formats.via import ViaImages, options_of
from sinara_lib.vision.coco_fields import mapping

_SHAPES: Mapping[object, tuple[str, ...]] = {
    2: ("rect", "x", "y", "width", "height"),
    3: ("circle", "cx", "cy", "r"),
    4: ("ellipse", "cx", "cy", "rx", "ry"),
}
"""Shapes by their number, with the names that version 2 gives to what follows."""
_NO_BOX: Mapping[object, str] = {1: "point", 5: "line", 6: "polyline", 9: "circle through points"}
_POLYGONS = (7, 8)


def attribute_names(written: object, path: str, images: ViaImages) -> dict[str, str]:
    """Return the name of each attribute by its number, and note what its options mean."""
    names: dict[str, str] = {}
    for key, one in mapping(written, f"{path}: attribute").items():
        item = mapping(one, f"{path}: attribute {key}")
        names[key] = str(item.get("aname"))
        images.options[names[key]] = options_of(item.get("options"), path)
    return names


def shape_of(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a shape as version 2 writes it; none for a remark about the whole image."""
    if item.get("z"):
        return {"name": "stretch of a video"}
    numbers = list_of(item.get("xy") or [], f"{place}: xy")
    if not numbers:
        return {}
    kind, values = numbers[0], numbers[1:]
    if kind in _POLYGONS:
        return {"name": "polygon", "all_points_x": values[::2], "all_points_y": values[1::2]}
    name, *keys = _SHAPES.get(kind, (_NO_BOX.get(kind, f"number {kind}"),)) if isinstance(kind, int) else ("unknown",)
    return {"name": name, **dict(zip(keys, values, strict=False))}
