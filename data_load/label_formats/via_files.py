"""The files that VGG Image Annotator writes: JSON of versions 1, 2 and 3, beside its CSV."""

from collections.abc import Iterable
from typing import Any

from label_formats.labels import Labels
from label_formats.values import json_value, list_of, text
from label_formats.via import Region, ViaImages, options_of, via_labels
from label_formats.via_csv import read_via_csv
from label_formats.via_three import attribute_names, shape_of
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping, shown


def parse_via(files: Iterable[tuple[str, bytes]], *, given: str | None = None) -> Labels:
    """Read JSON and CSV files, given as path and content; the class is the attribute `given`, if it is.

    Raises DataError naming file, image and field.
    """
    images = ViaImages()
    for path, data in files:
        if path.lower().endswith(".csv"):
            read_via_csv(data, path, images)
            continue
        content = json_value(data, path)
        if isinstance(content, dict) and "metadata" in content and "file" in content:
            _read_version_3(content, path, images)
        else:
            _read_version_2(content, path, images)
    return via_labels(images, given=given)


def _read_version_2(content: Any, path: str, images: ViaImages) -> None:
    """Read a project, or its regions alone: images by keys, or as a list; version 1 numbers regions by keys too."""
    if isinstance(content, dict) and "_via_img_metadata" in content:
        attributes = mapping(content.get("_via_attributes") or {}, f"{path}: _via_attributes")
        for key, one in mapping(attributes.get("region") or {}, f"{path}: region").items():
            images.options[key] = options_of(one.get("options") if isinstance(one, dict) else None, path)
        content = content["_via_img_metadata"]
    for item in content.values() if isinstance(content, dict) else list_of(content, path):
        name = text(mapping(item, f"{path}: image").get("filename"), f"{path}: filename")
        known = images.add_image(name, path)
        regions = item.get("regions") or []
        for place, one in enumerate(regions.values() if isinstance(regions, dict) else list_of(regions, path)):
            there = f"{path}: {name}: region {place}"
            region = mapping(one, there)
            shape = mapping(region.get("shape_attributes"), f"{there}: shape_attributes")
            known.append(Region(there, shape, mapping(region.get("region_attributes") or {}, there)))


def _read_version_3(content: dict[str, Any], path: str, images: ViaImages) -> None:
    names = attribute_names(content.get("attribute") or {}, path, images)
    files = {
        key: text(mapping(one, f"{path}: file {key}").get("fname"), f"{path}: file {key}: fname")
        for key, one in mapping(content["file"], f"{path}: file").items()
    }
    views = mapping(content.get("view") or {}, f"{path}: view")
    for name in files.values():
        images.add_image(name, path)
    for key, one in mapping(content["metadata"], f"{path}: metadata").items():
        there = f"{path}: metadata {key}"
        item = mapping(one, there)
        view = mapping(views.get(str(item.get("vid"))), f"{there}: view")
        shown_files = [files.get(str(fid)) for fid in list_of(view.get("fid_list"), f"{there}: fid_list")]
        if len(shown_files) != 1 or shown_files[0] is None:
            raise DataError(f"{there}: needs one file, found {shown(view.get('fid_list'))}.")
        values = mapping(item.get("av") or {}, f"{there}: av")
        attributes = {names.get(number_, number_): value for number_, value in values.items()}
        if shape := shape_of(item, there):
            images.add_image(shown_files[0], path).append(Region(there, shape, attributes))
