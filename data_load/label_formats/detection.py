"""Which annotation format a set of files is in, judged by their names and first bytes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import get_args

from label_formats.csv_text import csv_header
from label_formats.foreign_formats import RESULTS, foreign_json
from label_formats.json_shape import JsonShape, json_shape
from label_formats.kitti import is_kitti
from label_formats.labelme_xml import is_labelme_xml
from label_formats.open_images import BOX_COLUMNS
from label_formats.via_csv import is_via_csv
from sinara_lib.errors import DataError
from source_params import COLUMN_NAMES, Format

TITLES: dict[Format, str] = {
    "coco": "COCO JSON",
    "voc": "Pascal VOC XML",
    "yolo": "YOLO txt",
    "cvat": "CVAT for images XML",
    "label_studio": "Label Studio JSON",
    "open_images": "Open Images CSV",
    "labelme": "LabelMe JSON",
    "labelme_xml": "LabelMe XML",
    "createml": "CreateML JSON",
    "via": "VGG Image Annotator",
    "supervisely": "Supervisely JSON",
    "kitti": "KITTI txt",
    "hugging_face": "Hugging Face objects",
    "table": "a table",
}
SUFFIXES: dict[Format, frozenset[str]] = {
    "coco": frozenset({".json", ""}),
    "voc": frozenset({".xml"}),
    "yolo": frozenset({".txt", ".yaml", ".yml", ".names"}),
    "cvat": frozenset({".xml"}),
    "label_studio": frozenset({".json", ""}),
    "open_images": frozenset({".csv"}),
    "labelme": frozenset({".json", ""}),
    "labelme_xml": frozenset({".xml"}),
    "createml": frozenset({".json", ""}),
    "via": frozenset({".json", ".csv", ""}),
    "supervisely": frozenset({".json"}),
    "kitti": frozenset({".txt"}),
    "hugging_face": frozenset({".parquet", ".jsonl", ".csv"}),
    "table": frozenset({".csv", ".tsv", ".parquet"}),
}
"""Endings of each format's files."""
GO_ALONG: frozenset[Format] = frozenset({"yolo", "kitti", "open_images"})
"""Formats some of whose files, such as an empty one, do not tell what they are."""
LABEL_SUFFIXES = frozenset().union(*SUFFIXES.values())
HEAD_BYTES = 1 << 16
MOST_HEAD_BYTES = 1 << 26
"""So much of a JSON document is read, where what tells its format stands late."""
OBJECTS = "objects"
"""The column of Hugging Face's tables that holds the boxes."""
CLASS_LISTS = frozenset({"classes.txt", "obj.names"})
_CREATEML = (frozenset({"image", "annotations"}), frozenset({"imagefilename", "annotation"}))
_XML_ROOT = re.compile(rb"<([A-Za-z][\w.-]*)")
_NAMES_KEY = re.compile(r"^(?:\{\s*)?(['\"]?)names\1\s*:", re.MULTILINE)


@dataclass(frozen=True)
class Judgement:
    """What one file is: of a format that is read, or of one known by sight only; neither where it goes with several.

    `empty` is a JSON list of nothing; `ended` tells whether the first bytes hold all that tells the format.
    """

    format: Format | None = None
    foreign: str | None = None
    empty: bool = False
    ended: bool = True


def judge(path: str, head: bytes) -> Judgement:
    """Return what one file surely is, by its name and first bytes, which of a parquet file are its columns by lines."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in {".json", ""}:
        return _judge_json(head)
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix == ".xml":
        return _judge_xml(head)
    if suffix in {".yaml", ".yml"}:
        return Judgement("yolo" if lists_classes(path, head) else None)
    if suffix in {".csv", ".tsv"}:
        return Judgement(_csv_format(head))
    if suffix == ".parquet":
        return Judgement("hugging_face" if OBJECTS.encode() in head.split(b"\n") else "table")
    if suffix == ".jsonl":
        shape = json_shape(head)
        return Judgement("hugging_face" if shape is not None and OBJECTS in shape.keys else None)
    if is_class_list(path):
        return Judgement("yolo")
    return Judgement("kitti" if suffix == ".txt" and is_kitti(head.decode("utf-8", "ignore")) else None)


def is_class_list(path: str) -> bool:
    """Return whether a file lists the classes of YOLO labels, going by its name."""
    pure = PurePosixPath(path)
    return pure.name.lower() in CLASS_LISTS or pure.suffix.lower() == ".names"


def lists_classes(path: str, head: bytes) -> bool:
    """Return whether a file is YAML with the key `names`, which other YAML files of a project lack."""
    is_yaml = path.lower().endswith((".yaml", ".yml"))
    return is_yaml and _NAMES_KEY.search(head.decode(json.detect_encoding(head), "replace")) is not None


def detect(heads: Mapping[str, bytes], *, where: str) -> Format:
    """Return the one format of all files, given as path and first bytes. Raises DataError when none or several fit.

    >>> detect({"street.xml": b"<annotation><filename>street.jpg</filename>"}, where="photos.zip")
    'voc'
    """
    found: dict[Format, str] = {}
    foreign: dict[str, str] = {}
    empty: list[str] = []
    for path, head in heads.items():
        judged = judge(path, head)
        if judged.format is not None:
            found.setdefault(judged.format, path)
        elif judged.foreign is not None:
            foreign.setdefault(judged.foreign, path)
        elif judged.empty:
            empty.append(path)
    # Results beside annotations are what a model found there: no annotations, and in nobody's way.
    rivals = {name: path for name, path in foreign.items() if name != RESULTS}
    if len(found) == 1 and not rivals:
        return next(iter(found))
    if not found:
        raise DataError(_nothing_known(heads, foreign, empty), place=where)
    several = {**{TITLES[kind]: path for kind, path in found.items()}, **rivals}
    raise DataError(
        f"holds annotations in several formats: {_listed(several)}. Say which one counts by the parameter format, or "
        f"name the file or folder in annotations_member.",
        place=where,
    )


def _nothing_known(heads: Mapping[str, bytes], foreign: Mapping[str, str], empty: list[str]) -> str:
    """Return why no file can be read, and what could be."""
    known = f"Known are {', '.join(f'{name} ({TITLES[name]})' for name in get_args(Format))}."
    if foreign:
        return f"holds {_listed(foreign)}, which is not read. {known} Convert it, or check annotations_url."
    if empty:
        return f"{empty[0]} is an empty list: nothing to load. Check the export and annotations_url."
    listed = ", ".join(sorted(heads)[:10]) or "none"
    return (
        f"holds no annotations in a known format; files that may hold some: {listed}. {known} "
        f"Check annotations_url and annotations_member, or say the format."
    )


def _listed(paths: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({path})" for name, path in paths.items())


def files_of(format_name: Format, heads: Mapping[str, bytes]) -> list[str]:
    """Return the files to read for a format: its own, and undecided ones where they go with it or stand alone."""
    kinds = {
        path: judge(path, head).format
        for path, head in heads.items()
        if PurePosixPath(path).suffix.lower() in SUFFIXES[format_name]
    }
    undecided = format_name in GO_ALONG or format_name not in kinds.values()
    return [path for path, kind in kinds.items() if kind == format_name or (kind is None and undecided)]


def _judge_xml(head: bytes) -> Judgement:
    root = _XML_ROOT.search(re.sub(rb"<!--.*?-->", b"", head, flags=re.DOTALL))
    if root and root[1] == b"annotation":
        return Judgement("labelme_xml" if is_labelme_xml(head) else "voc")
    return Judgement("cvat" if root and root[1] == b"annotations" else None)


def _judge_json(head: bytes) -> Judgement:
    shape = json_shape(head)
    if shape is None:
        return Judgement()
    if (known := _json_format(shape)) is not None:
        return Judgement(known)
    if (foreign := foreign_json(shape)) is not None:
        return Judgement(foreign=foreign)
    if _is_label_studio(shape):
        return Judgement("label_studio")
    if shape.kind == "object" and shape.keys & {"images", "annotations"}:
        return Judgement("coco")
    return Judgement(empty=shape.empty, ended=shape.ended)


def _json_format(shape: JsonShape) -> Format | None:
    """Return the format whose keys are its own; those that share theirs are told apart after these."""
    if {"filename", "regions"} <= shape.keys or {"_via_settings", "_via_img_metadata"} & shape.keys:
        return "via"
    if shape.kind == "list":
        return "createml" if shape.keys in _CREATEML or "coordinates" in shape.inner - shape.keys else None
    if {"file", "metadata", "view"} <= shape.keys or {"filename", "regions"} <= shape.inner - shape.keys:
        return "via"
    if {"shapes", "imagePath"} <= shape.keys:
        return "labelme"
    return "supervisely" if {"objects", "size"} <= shape.keys or {"classes", "tags"} <= shape.keys else None


def _is_label_studio(shape: JsonShape) -> bool:
    """Return whether the keys are those of a task, of JSON-MIN's rows, or of an annotation as storages keep it."""
    if {"result", "task"} <= shape.keys:
        return True
    annotated = shape.keys & {"annotations", "completions"}
    if annotated and ("data" in shape.keys or "was_cancelled" in shape.inner):
        return True
    return shape.kind == "list" and bool(shape.inner & {"annotation_id", "annotator", "original_width"})


def _csv_format(head: bytes) -> Format | None:
    header = csv_header(head)
    if is_via_csv(header):
        return "via"
    if OBJECTS in header:
        return "hugging_face"
    if set(header) >= BOX_COLUMNS:
        return "open_images"
    lowered = {name.lower() for name in header}
    return "table" if not lowered.isdisjoint(COLUMN_NAMES["image"]) and len(header) > 1 else None
