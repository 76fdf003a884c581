"""Which annotation format a set of files is in, judged by their names and first bytes."""

import csv
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal, get_args

from label_formats.open_images import BOX_COLUMNS
from label_formats.table import ALIASES
from sinara_lib.errors import DataError

Format = Literal["coco", "voc", "yolo", "cvat", "label_studio", "open_images", "table"]
TITLES: dict[Format, str] = {
    "coco": "COCO JSON",
    "voc": "Pascal VOC XML",
    "yolo": "YOLO txt",
    "cvat": "CVAT for images XML",
    "label_studio": "Label Studio JSON",
    "open_images": "Open Images CSV",
    "table": "a table",
}
SUFFIXES: dict[Format, frozenset[str]] = {
    "coco": frozenset({".json", ""}),
    "voc": frozenset({".xml"}),
    "yolo": frozenset({".txt", ".yaml", ".yml", ".names"}),
    "cvat": frozenset({".xml"}),
    "label_studio": frozenset({".json", ""}),
    "open_images": frozenset({".csv"}),
    "table": frozenset({".csv", ".parquet"}),
}
LABEL_SUFFIXES = frozenset().union(*SUFFIXES.values())
HEAD_BYTES = 1 << 16
CLASS_LISTS = frozenset({"classes.txt", "obj.names"})
_XML_ROOT = re.compile(rb"<([A-Za-z][\w.-]*)")
_NAMES_KEY = re.compile(rb"^names\s*:", re.MULTILINE)


def format_of(path: str, head: bytes) -> Format | None:
    """Return the format that one file is surely of, by its first bytes; None for one that goes with several or none."""
    pure = PurePosixPath(path)
    suffix = pure.suffix.lower()
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix == ".xml":
        root = _XML_ROOT.search(re.sub(rb"<!--.*?-->", b"", head, flags=re.DOTALL))
        kinds: dict[bytes, Format] = {b"annotation": "voc", b"annotations": "cvat"}
        return kinds.get(root[1]) if root else None
    if suffix in {".yaml", ".yml"}:
        return "yolo" if _NAMES_KEY.search(head) else None
    if suffix in {".json", ""}:
        return _json_format(head)
    if suffix == ".csv":
        return _csv_format(head)
    if suffix == ".parquet":
        return "table"
    return "yolo" if is_class_list(path) else None


def is_class_list(path: str) -> bool:
    """Return whether a file lists the classes of YOLO labels, going by its name."""
    pure = PurePosixPath(path)
    return pure.name.lower() in CLASS_LISTS or pure.suffix.lower() == ".names"


def detect(heads: Mapping[str, bytes], *, where: str) -> Format:
    """Return the one format of all files, given as path and first bytes. Raises DataError when none or several fit."""
    found: dict[Format, str] = {}
    for path, head in heads.items():
        if (kind := format_of(path, head)) is not None:
            found.setdefault(kind, path)
    if len(found) == 1:
        return next(iter(found))
    known = ", ".join(f"{name} ({TITLES[name]})" for name in get_args(Format))
    if not found:
        listed = ", ".join(sorted(heads)[:10]) or "none"
        raise DataError(
            f"{where}: holds no annotations in a known format; files that may hold some: {listed}. "
            f"Known are {known}. Check annotations_url and annotations_member, or say the format."
        )
    listed = ", ".join(f"{TITLES[kind]} ({path})" for kind, path in found.items())
    raise DataError(
        f"{where}: holds annotations in several formats: {listed}. Say which one counts by the parameter format, "
        f"or name the file or folder in annotations_member."
    )


def files_of(format_name: Format, heads: Mapping[str, bytes]) -> list[str]:
    """Return the files to read for a format: its own, and undecided ones where they go with it or stand alone."""
    kinds = {
        path: format_of(path, head)
        for path, head in heads.items()
        if PurePosixPath(path).suffix.lower() in SUFFIXES[format_name]
    }
    undecided = format_name in {"yolo", "open_images"} or format_name not in kinds.values()
    return [path for path, kind in kinds.items() if kind == format_name or (kind is None and undecided)]


def _json_format(head: bytes) -> Format | None:
    if head.startswith(b"["):
        return "label_studio"
    if not head.startswith(b"{"):
        return None
    if b'"result"' in head and b'"task"' in head:
        return "label_studio"
    return "coco" if b'"images"' in head or b'"annotations"' in head else None


def _csv_format(head: bytes) -> Format | None:
    try:
        header = next(csv.reader([head.decode("utf-8", "replace").partition("\n")[0].rstrip("\r")]), [])
    except csv.Error:
        return None
    if set(header) >= BOX_COLUMNS:
        return "open_images"
    lowered = {name.lower() for name in header}
    return "table" if not lowered.isdisjoint(ALIASES["image"]) and len(header) > 1 else None
