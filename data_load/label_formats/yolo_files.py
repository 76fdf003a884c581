"""Which files of a folder are YOLO's labels, and which one names the classes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from label_formats.detection import HEAD_BYTES, is_class_list, lists_classes
from label_formats.image_index import IMAGE_SUFFIXES, ImageIndex
from label_formats.labels import LabelledImage, Labels
from label_formats.yolo import class_names, image_stem, parse_yolo
from sinara_lib.errors import DataError


def read_yolo(files: Mapping[str, Path], chosen: Iterable[str], images: Mapping[str, Path]) -> Labels:
    """Read label files; images without one are images without objects. Raises DataError."""
    chosen = list(chosen)
    index = ImageIndex(images)
    names_file = _names_file(files, chosen)
    labels: dict[str, bytes] = {}
    labelled: set[str | None] = set()
    passed: list[str] = []
    for path in chosen:
        if not path.lower().endswith(".txt") or is_class_list(path):
            continue
        image = index.find_stem(image_stem(path), beside=path)
        if image is None and "labels" not in PurePosixPath(path).parts:
            passed.append("lists of images" if _lists_images(files[path]) else "text files that belong to no image")
            continue
        labels[path] = files[path].read_bytes()
        labelled.add(image)
    parsed = parse_yolo(labels, (names_file, files[names_file].read_bytes()))
    for what in passed:
        parsed.tally.note(what)
    empty = tuple(LabelledImage(path, beside=path, unit="share") for path in images if path not in labelled)
    return replace(parsed, images=parsed.images + empty)


def _names_file(files: Mapping[str, Path], chosen: Iterable[str]) -> str:
    """Return the file that names the classes: the uppermost YAML file with `names`, else the uppermost list.

    Raises DataError when there is none, or when several in one folder name other classes.
    """
    found = [path for path in chosen if is_class_list(path) or lists_classes(path, _head(files[path]))]
    if not found:
        raise DataError("YOLO labels need a data.yaml with `names`, or a classes.txt, beside them; neither is there.")
    ranks = {path: (is_class_list(path), path.count("/")) for path in found}
    first, *others = sorted(path for path in found if ranks[path] == min(ranks.values()))
    names = class_names(first, files[first].read_bytes())
    for other in others:
        if class_names(other, files[other].read_bytes()) != names:
            raise DataError(f"{first} and {other} name other classes. Name the one that counts in annotations_member.")
    return first


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(HEAD_BYTES)


def _lists_images(file: Path) -> bool:
    """Return whether a text file is a list of images, as train.txt is beside a data.yaml."""
    first = _head(file).decode("utf-8", "ignore").strip().partition("\n")[0]
    return PurePosixPath(first.strip()).suffix.lower() in IMAGE_SUFFIXES
