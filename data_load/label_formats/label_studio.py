"""Label Studio JSON: a list of tasks, the shorter JSON-MIN, or single annotations as its storages keep them.

Of several annotations of one picture, also in several tasks or files, the one marked as ground truth counts, else the
one changed last; cancelled ones and predictions never do. Two tasks that disagree, and of which neither is newer, are
refused. Format: https://labelstud.io/guide/export
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from label_formats.image_index import ImageIndex
from label_formats.label_studio_regions import read_regions
from label_formats.label_studio_tasks import Task, keys_of_controls, pictures, read_tasks
from label_formats.labels import LabelledImage, Labels
from label_formats.tally import Tally
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import mapping, shown

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
_FIRST = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Marked:
    """What one annotation says of one picture: its results by their places."""

    task: Task
    reference: str
    annotation: dict[str, Any]
    results: list[tuple[str, dict[str, Any]]]


def parse_label_studio(
    files: Iterable[tuple[str, bytes]], *, index: ImageIndex | None = None, image_key: str | None = None
) -> Labels:
    """Read JSON files, given as path and content; `image_key` is the key of the data that names the picture.

    `index` tells which references mean one file. Raises DataError naming file, task and field.
    """
    known, tally = index or ImageIndex([]), Tally()
    by_picture: dict[str, list[Marked]] = {}
    for marked in _marked(read_tasks(files), image_key, tally):
        name = image_path(marked.reference)
        path = known.find(name, beside=marked.task.path) or _find_upload(known, name, marked.task.path)
        by_picture.setdefault(path or name, []).append(marked)
    return Labels(tuple(_image(several, known, tally) for several in by_picture.values()), tally=tally)


def image_path(reference: str) -> str:
    """Return the file that a task names: a URL as it is; of Label Studio's own addresses the path they stand for."""
    for own in ("/data/local-files/?d=", "/data/upload/"):
        host, found, path = reference.partition(own)
        if found and "?" not in host:
            return unquote(path).lstrip("/")
    return reference


def original_stem(name: str) -> str:
    """Return the name, no suffix, that a file had before its upload; Label Studio puts eight hex digits before it."""
    path = PurePosixPath(name)
    found = _UPLOADED.match(path.stem)
    return str(path.with_name(found[1])) if found else ""


def _find_upload(index: ImageIndex, name: str, path: str) -> str | None:
    stem = original_stem(name)
    return index.find_stem(stem, beside=path) if stem else None


def _marked(tasks: list[Task], image_key: str | None, tally: Tally) -> list[Marked]:
    """Return what each annotation that counts says of each picture of its task."""
    names = _controls(tasks)
    found: list[Marked] = []
    unnamed: list[tuple[Task, dict[str, Any]]] = []
    for task in tasks:
        valid = [one for one in task.annotations if not one.get("was_cancelled")]
        if not valid:
            tally.note("tasks that were skipped" if task.annotations else "tasks that nobody has labelled")
            continue
        keys = pictures(task.data, image_key)
        if not keys:
            unnamed.append((task, max(valid, key=_rank)))
            continue
        known = keys_of_controls(names, list(keys), short=task.short)
        found += [one for annotation in valid for one in _by_picture(task, annotation, keys, known)]
        _count_lost(task, max(valid, key=_rank), keys, known, tally)
    for task, annotation in unnamed:
        told = f"{task.name}: no value of `data` names an image; found {shown(task.data)}"
        if not found:
            raise DataError(f"{told}. Name its key by columns: {{'image': ...}}.")
        tally.note("tasks that name no image")
        _leave_out(_results(task, annotation), "regions of tasks that name no image", told, tally)
    return found


def _controls(tasks: list[Task]) -> list[str]:
    """Return the names of the pictures' controls in all tasks: what regions are tied to."""
    names: dict[str, None] = {}
    for task in tasks:
        for annotation in task.annotations:
            for _, result in _results(task, annotation):
                if isinstance(result.get("value"), dict) and isinstance(result.get("to_name"), str):
                    names.setdefault(result["to_name"])
    return list(names)


def _results(task: Task, annotation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    results = annotation.get("result")
    if not isinstance(results, list):
        raise DataError(f"{task.place}: result must be a list, found {shown(results)}.")
    return [
        (f"{task.place}: region {number}", mapping(one, f"{task.place}: region {number}"))
        for number, one in enumerate(results)
    ]


def _by_picture(
    task: Task, annotation: dict[str, Any], keys: Mapping[str, list[str]], known: Mapping[str, str]
) -> list[Marked]:
    """Return the annotation's results by the picture they mark; a picture without any is one without objects."""
    used = [key for key in keys if key in known.values()]
    shown_keys = used or ["image" if "image" in keys else next(iter(keys))]
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {
        reference: [] for key in shown_keys for reference in keys.get(key, ())
    }
    for place, result in _results(task, annotation):
        reference = _reference(result, keys, known)
        if reference is not None:
            found.setdefault(reference, []).append((place, result))
    return [Marked(task, reference, annotation, results) for reference, results in found.items()]


def _reference(result: dict[str, Any], keys: Mapping[str, list[str]], known: Mapping[str, str]) -> str | None:
    """Return the picture that a result marks; None where the export does not tell which of several."""
    key = next(iter(keys)) if len(keys) == 1 else known.get(str(result.get("to_name")))
    references = keys.get(key, []) if key is not None else []
    index = result.get("item_index", 0 if len(references) == 1 else None)
    return references[index] if type(index) is int and 0 <= index < len(references) else None


def _count_lost(
    task: Task, annotation: dict[str, Any], keys: Mapping[str, list[str]], known: Mapping[str, str], tally: Tally
) -> None:
    """Count regions on one of several pictures where the export does not tell on which."""
    lost = [one for one in _results(task, annotation) if _reference(one[1], keys, known) is None]
    told = f"{task.name}: `to_name` and `item_index` do not tell which of {', '.join(keys)} is meant"
    _leave_out(lost, "regions on one of several pictures, unknown which (name its key by columns.image)", told, tally)


def _leave_out(results: list[tuple[str, dict[str, Any]]], reason: str, example: str, tally: Tally) -> None:
    lost = Tally()
    read_regions(results, lost)
    tally.found += lost.found
    tally.leave_out(reason, lost.found, example=example)


def _image(several: list[Marked], index: ImageIndex, tally: Tally) -> LabelledImage:
    """Return one picture with the objects of the annotation that counts."""
    best = max(_rank(one.annotation) for one in several)
    newest: dict[str, Marked] = {}
    for one in several:
        if _rank(one.annotation) == best:
            other = newest.setdefault(one.task.place, one)
            if str(one.annotation.get("id")) > str(other.annotation.get("id")):
                newest[one.task.place] = one
    _ensure_agreement(list(newest.values()))
    marked = next(iter(newest.values()))
    tally.note("annotations of images that have several", len(several) - 1)
    regions = read_regions(marked.results, tally)
    name = image_path(marked.reference)
    there = index.find(name, beside=marked.task.path) is not None
    return LabelledImage(
        name=name,
        stem="" if there else original_stem(name),
        beside=marked.task.path,
        place=marked.task.name,
        objects=tuple(regions.objects),
        width=regions.sides[0],
        height=regions.sides[1],
        unit="share",
        id=marked.task.id if type(marked.task.id) is int else None,
    )


def _ensure_agreement(marked: list[Marked]) -> None:
    """Refuse tasks that say different things of one picture, where none of them is newer."""
    first = _said(marked[0])
    for other in marked[1:]:
        if _said(other) != first:
            raise DataError(
                f"{marked[0].task.name} and {other.task.name} are two tasks of one image, "
                f"{image_path(other.reference)}, that disagree, and none is newer or marked as ground truth. "
                f"Remove one of them."
            )


def _said(marked: Marked) -> list[str]:
    return sorted(map(repr, read_regions(marked.results, Tally()).objects))


def _rank(annotation: Mapping[str, Any]) -> tuple[bool, datetime]:
    """Return what counts more: ground truth, then the newest."""
    return bool(annotation.get("ground_truth")), _time(annotation.get("updated_at"))


def _time(value: object) -> datetime:
    """Return a time as aware UTC; the first of all where there is none."""
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else _FIRST
    except ValueError:
        return _FIRST
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
