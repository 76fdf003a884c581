"""Label Studio's tasks, whichever of the ways they are written in: export, JSON-MIN, or a storage's single annotations.

A task may hold several pictures: under several keys, or as a list. Which one a result marks is told by its `to_name`,
the name of the picture's control, and by `item_index` within a list; the labelling setup, which ties names to keys, is
in no export. Numbers of tasks, annotations and regions are unique on one server only: nothing here goes by them.
Format: https://labelstud.io/guide/export
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from label_formats.image_index import IMAGE_SUFFIXES
from label_formats.values import json_value
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping, shown

_REGION_KEYS = frozenset({"x", "points", "rle", "vertices", "original_width"})
_TAIL = re.compile(r"(\d+|[a-z]+)$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Task:
    """One task: its data, and its annotations with a `result` each; `place` names it in messages.

    `short` tells that it comes from JSON-MIN, whose results name the control that marked them as their `to_name`.
    """

    place: str
    path: str
    id: object
    data: dict[str, Any]
    annotations: list[dict[str, Any]]
    short: bool = False

    @property
    def name(self) -> str:
        """Return the task with its number, for messages."""
        return self.place if self.id is None else f"{self.place} (id {self.id})"


def read_tasks(files: Iterable[tuple[str, bytes]]) -> list[Task]:
    """Return all tasks of JSON files, given as path and content. Raises DataError naming file and task."""
    tasks = []
    for path, data in files:
        content = json_value(data, path)
        for number, item in enumerate(content if isinstance(content, list) else [content]):
            place = f"{path}: task {number}"
            tasks.append(_task(mapping(item, place), path, place))
    return tasks


def _task(item: dict[str, Any], path: str, place: str) -> Task:
    if "result" in item and isinstance(item.get("task"), dict):
        data = mapping(item["task"].get("data"), f"{place}: data")
        return Task(place, path, item["task"].get("id"), data, [item])
    if "data" in item:
        annotations = item.get("annotations", item.get("completions"))
        if not isinstance(annotations, list):
            raise DataError(f"{place}: `annotations` must be a list, found {shown(annotations)}. Export it as JSON.")
        found = [mapping(one, f"{place}: annotation") for one in annotations]
        return Task(place, path, item.get("id"), mapping(item["data"], f"{place}: data"), found)
    return _short_task(item, path, place)


def _short_task(item: dict[str, Any], path: str, place: str) -> Task:
    """Return a task of JSON-MIN: data and results side by side, a list of results under the name of each control."""
    result: list[dict[str, Any]] = []
    data: dict[str, Any] = {}
    for key, value in item.items():
        if _is_regions(value):
            result += [{**one, "value": one, "type": _kind(one), "to_name": key} for one in value]
        elif isinstance(value, str | list):
            data[key] = value
    annotation = {key: item[key] for key in ("updated_at", "was_cancelled", "ground_truth") if key in item}
    labelled = bool(result) or item.get("annotation_id") is not None or item.get("annotator") is not None
    annotations = [{**annotation, "id": item.get("annotation_id"), "result": result}] if labelled else []
    return Task(place, path, item.get("id"), data, annotations, short=True)


def _is_regions(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and (_REGION_KEYS & one.keys() or _kind(one)) for one in value)
    )


def _kind(region: Mapping[str, Any]) -> str:
    """Return the key under which a result keeps its labels, which is also its type."""
    return next((key for key in region if key.endswith("labels")), "")


def pictures(data: Mapping[str, Any], key: str | None) -> dict[str, list[str]]:
    """Return the references of a task's data that name pictures, by their keys; of `key` alone where one is given."""
    if key is not None:
        return {key: _texts(data.get(key))} if _texts(data.get(key)) else {}
    found: dict[str, list[str]] = {}
    for name, value in data.items():
        texts = _texts(value)
        if texts and (name == "image" or all(_looks_like_image(one) for one in texts)):
            found[name] = texts
    return found


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return (
        [one for one in values if isinstance(one, str) and one.strip()]
        if all(isinstance(one, str) for one in values)
        else []
    )


def _looks_like_image(reference: str) -> bool:
    return PurePosixPath(urlsplit(reference).path).suffix.lower() in IMAGE_SUFFIXES


def keys_of_controls(names: Sequence[str], keys: Sequence[str], *, short: bool) -> dict[str, str]:
    """Return which key of the data each control's picture stands under, as far as that is certain.

    The same name, or else the same end (`img2` and `image2`, `view_left` and `left`). The one control that is left
    over has the one key that is; in JSON-MIN, where several controls mark one picture, this does not follow.
    """
    if len(keys) == 1:
        return dict.fromkeys(names, keys[0])
    ends = [_tail(key) for key in keys]
    found = {}
    for name in names:
        fitting = [key for key in keys if key == name] or [
            key for key, end in zip(keys, ends, strict=True) if end == _tail(name) and ends.count(end) == 1
        ]
        if len(fitting) == 1:
            found[name] = fitting[0]
    left, free = [one for one in names if one not in found], [one for one in keys if one not in found.values()]
    if len(left) == len(free) == 1 and not short and found:
        found[left[0]] = free[0]
    if len(names) == 1 and not found and "image" in keys:
        found[names[0]] = "image"
    return found


def _tail(name: str) -> str:
    end = _TAIL.search(_HUMP.sub("_", name).lower())
    return end[1] if end else name
