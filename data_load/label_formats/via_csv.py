"""CSV of VGG Image Annotator: a row for each region, with JSON in its cells."""

import json
from typing import Any

from label_formats.csv_text import open_csv
from label_formats.values import decoded, list_of, text
from label_formats.via import Region, ViaImages
from label_formats.via_three import attribute_names, shape_of
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping

_HEADER, _ATTRIBUTES = "# CSV_HEADER = ", "# ATTRIBUTE = "


def is_via_csv(header: list[str]) -> bool:
    """Return whether a CSV file is VIA's, by its first line as columns."""
    first = header[0].lower() if header else ""
    return "region_shape_attributes" in header or first.startswith("# exported using vgg image annotator")


def read_via_csv(data: bytes, path: str, images: ViaImages) -> None:
    """Add the regions of a file of version 2, which has a header, or of 3, where that is a remark."""
    remarks, table = _parted(decoded(data, path))
    told = {key: line.removeprefix(key) for key in (_HEADER, _ATTRIBUTES) for line in remarks if line.startswith(key)}
    names = attribute_names(_json(told.get(_ATTRIBUTES, "{}"), path), path, images)
    rows = open_csv("\n".join([told[_HEADER], *table] if _HEADER in told else table).encode(), path, delimiters=",")
    header = [name.removeprefix("#").strip() for name in rows.header]
    for line, cells in rows.rows:
        place, row = f"{path}: line {line + len(remarks)}", dict(zip(header, cells, strict=False))
        if "metadata_id" in row:
            _add_version_3(row, names, place, path, images)
        else:
            _add_version_2(row, place, path, images)


def _add_version_2(row: dict[str, str], place: str, path: str, images: ViaImages) -> None:
    known = images.add_image(text(row.get("filename"), f"{place}: filename"), path)
    shape = mapping(_json(row.get("region_shape_attributes"), place), f"{place}: region_shape_attributes")
    if shape:
        attributes = mapping(_json(row.get("region_attributes"), place), f"{place}: region_attributes")
        known.append(Region(place, shape, attributes))


def _add_version_3(row: dict[str, str], names: dict[str, str], place: str, path: str, images: ViaImages) -> None:
    files = list_of(_json(row.get("file_list"), place), f"{place}: file_list")
    if len(files) != 1:
        raise DataError(f"{place}: file_list must name one file, found {len(files)}.")
    known = images.add_image(text(files[0], f"{place}: file_list"), path)
    written = {"xy": row.get("spatial_coordinates"), "z": row.get("temporal_coordinates")}
    shape = shape_of({key: _json(cell, place) for key, cell in written.items()}, place)
    if shape:
        values = mapping(_json(row.get("metadata"), place), f"{place}: metadata")
        known.append(Region(place, shape, {names.get(key, key): value for key, value in values.items()}))


def _parted(written: str) -> tuple[list[str], list[str]]:
    """Return the remarks of version 3, and the lines after them; version 1 begins its header with the same sign."""
    lines = written.splitlines()
    count = next((place for place, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    return lines[:count], lines[count:]


def _json(cell: str | None, place: str) -> Any:
    try:
        return json.loads(cell or "null")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: a cell holds no JSON: {error}.") from error
