"""Hugging Face `objects`: a row for each image, with its boxes and classes in one column.

Parquet files of the Hub, and metadata.jsonl, .csv or .parquet of an image folder. Boxes are x, y, width, height in
pixels. Classes are numbers of the names in the features, which parquet files hold, or names.
Format: https://huggingface.co/docs/datasets/image_dataset#object-detection
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.table_reading import read_csv, read_parquet
from label_formats.tally import Tally
from label_formats.values import decoded, list_of, number, side, text, whole
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping, shown

IMAGE_KEYS = ("file_name", "image", "image_path", "path", "filename")
BOX_KEYS = ("bbox", "bboxes", "boxes", "box")
CLASS_KEYS = ("category", "categories", "label", "labels", "class", "classes", "category_id", "category_ids", "name")
OBJECTS = "objects"


@dataclass(frozen=True)
class Rows:
    """The rows of a file, and the names of the classes by their numbers, where it has them."""

    rows: Sequence[Mapping[str, Any]]
    names: Sequence[str] = ()


def parse_hugging_face(files: Iterable[tuple[str, bytes]]) -> Labels:
    """Read files, given as path and content. Raises DataError naming file, row and field."""
    tally, images = Tally(), []
    names: dict[str, None] = {}
    for path, data in files:
        found = _rows(path, data)
        names |= dict.fromkeys(found.names)
        for place, row in enumerate(found.rows, start=1):
            images.append(_image(row, found.names, path, f"{path}: row {place}", tally))
    return Labels(tuple(images), class_names=tuple(names), tally=tally)


def _rows(path: str, data: bytes) -> Rows:
    if path.lower().endswith(".jsonl"):
        written = enumerate(decoded(data, path).split("\n"), start=1)
        lines = [(f"{path}: line {place}", line) for place, line in written if line.strip()]
        return Rows([mapping(_json(line, place), place) for place, line in lines])
    read = read_parquet if path.lower().endswith(".parquet") else read_csv
    found = read(data, path)
    columns = list(found.table)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*found.table.values(), strict=True)]
    return Rows(rows, _class_names(found.features, path))


def _image(row: Mapping[str, Any], names: Sequence[str], path: str, place: str, tally: Tally) -> LabelledImage:
    key = next((key for key in IMAGE_KEYS if row.get(key)), None)
    if key is None:
        raise DataError(f"{place}: names no image; needed is one of {', '.join(IMAGE_KEYS)}.")
    name = text(row[key], f"{place}: {key}")
    # In an image folder names start from the file that holds them; a URL or a whole path starts where it says.
    beside = name if "://" in name or name.startswith("/") else str(PurePosixPath(path).parent / name)
    objects = []
    for number_, one in enumerate(_objects(row.get(OBJECTS), place), start=1):
        with tally.one_object():
            objects.append(_object(one, names, f"{place}: object {number_}"))
    width, height = (side(row.get(key), f"{place}: {key}") for key in ("width", "height"))
    return LabelledImage(beside, beside=path, place=place, objects=tuple(objects), width=width, height=height)


def _objects(value: object, place: str) -> list[Mapping[str, Any]]:
    """Return the objects of a row, which are a list of objects, or an object of lists, or that as JSON."""
    if isinstance(value, str):
        value = _json(value, f"{place}: {OBJECTS}")
    if value is None:
        return []
    if isinstance(value, list):
        return [mapping(one, f"{place}: {OBJECTS}") for one in value]
    lists = mapping(value, f"{place}: {OBJECTS}")
    boxes = list_of(lists.get(_key(lists, BOX_KEYS, place)) or [], f"{place}: boxes")
    columns = {key: several for key, several in lists.items() if isinstance(several, list)}
    if odd := [key for key, several in columns.items() if key in CLASS_KEYS and len(several) != len(boxes)]:
        raise DataError(f"{place}: {OBJECTS}: {odd[0]} has {len(columns[odd[0]])} values for {len(boxes)} boxes.")
    return [{key: several[at] for key, several in columns.items() if at < len(several)} for at in range(len(boxes))]


def _object(item: Mapping[str, Any], names: Sequence[str], place: str) -> LabelledObject:
    box = list_of(item.get(_key(item, BOX_KEYS, place)), f"{place}: bbox")
    if len(box) != 4:
        raise DataError(f"{place}: bbox must be [x, y, width, height], found {shown(box)}.")
    x, y, width, height = (number(one, f"{place}: bbox") for one in box)
    crowd = item.get("iscrowd", item.get("is_crowd"))
    return LabelledObject(
        _name(item.get(_key(item, CLASS_KEYS, place)), names, place),
        (x, y, width, height),
        crowd=crowd is not None and whole(int(crowd) if isinstance(crowd, bool) else crowd, f"{place}: iscrowd") == 1,
        area=None if item.get("area") is None else number(item["area"], f"{place}: area"),
    )


def _name(value: object, names: Sequence[str], place: str) -> str:
    if not names or not isinstance(value, int) or isinstance(value, bool):
        return text(str(value) if isinstance(value, int) else value, f"{place}: class")
    if not 0 <= value < len(names):
        raise DataError(f"{place}: class {value} has no name; the features name {len(names)}.")
    return names[value]


def _key(item: Mapping[str, Any], keys: Sequence[str], place: str) -> str:
    found = next((key for key in keys if key in item), None)
    if found is None:
        raise DataError(
            f"{place}: {OBJECTS} has none of {', '.join(keys)}; it has {', '.join(map(str, item)) or 'nothing'}."
        )
    return found


def _class_names(features: str | None, path: str) -> tuple[str, ...]:
    """Return the names that the features of a parquet file give to the classes of its objects."""
    if features is None:
        return ()
    content: Any = _json(features, f"{path}: features")
    for key in ("info", "features", OBJECTS):
        content = content.get(key) if isinstance(content, dict) else None
    waiting = [content]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            if one.get("_type") == "ClassLabel" and isinstance(one.get("names"), list):
                return tuple(text(name, f"{path}: features") for name in one["names"])
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return ()


def _json(written: str, place: str) -> Any:
    try:
        return json.loads(written)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: is no JSON: {error}.") from error
