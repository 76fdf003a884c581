"""KITTI: a text file for each image below `label_2`, its image below `image_2`; a line for each object.

A line is `type truncated occluded alpha left top right bottom` in pixels, then seven numbers of the object in space,
and a score where a program has found it. DontCare marks what nobody has looked at: it is noted and no object.
Format: https://www.cvlibs.net/datasets/kitti/eval_object.php
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import decoded, flag, number
from sinara_lib.errors import DataError

if TYPE_CHECKING:  # reading images takes Pillow, which telling formats apart must not load
    from label_formats.image_index import ImageIndex

NUMBERS = (15, 14)
"""How many follow the type: with a score, and without."""
_LOOKED_AT = 20
"""Lines that tell a format."""


def is_kitti(head: str) -> bool:
    """Return whether a text holds objects of KITTI; lines of YOLO with as many numbers have no name before them."""
    lines = (line.split() for line in head.split("\n")[:_LOOKED_AT])
    return any(words and not _is_number(words[0]) and _numbers(words) is not None for words in lines)


def parse_kitti(files: Iterable[tuple[str, bytes]], *, index: "ImageIndex") -> Labels:
    """Read text files, given as path and content; `index` knows the images. Raises DataError naming file and line."""
    tally, images = Tally(), []
    for path, data in files:
        written = decoded(data, path)
        stem = _image_stem(path)
        if index.find_stem(stem, beside=path) is None and not is_kitti(written):
            tally.note("text files that belong to no image")
            continue
        images.append(LabelledImage("", stem=stem, beside=path, objects=_objects(path, written, tally)))
    return Labels(tuple(images), tally=tally)


def _image_stem(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return "/".join(part.replace("label", "image", 1) if part.startswith("label") else part for part in parts)


def _objects(path: str, written: str, tally: Tally) -> tuple[LabelledObject, ...]:
    found = []
    for place, line in enumerate(written.split("\n"), start=1):
        words = line.split()
        if words[:1] == ["DontCare"]:
            tally.note("regions marked DontCare")
        elif words:
            with tally.one_object():
                found.append(_object(words, f"{path}: line {place}"))
    return tuple(found)


def _object(words: list[str], place: str) -> LabelledObject:
    count = _numbers(words)
    if count is None:
        raise DataError(f"{place}: needs a type and {NUMBERS[-1]} numbers, found {' '.join(words)[:80]!r}.")
    label, values = " ".join(words[:-count]), words[-count:]
    left, top, right, bottom = (number(word, f"{place}: edge") for word in values[3:7])
    attributes = {"truncated": flag(values[0]), "occluded": flag(values[1])}
    return LabelledObject(label, (left, top, right - left, bottom - top), attributes=attributes)


def _numbers(words: list[str]) -> int | None:
    """Return how many numbers follow the type, which may be of several words, or be a number itself."""
    trailing = next((count for count, word in enumerate(reversed(words)) if not _is_number(word)), len(words) - 1)
    if trailing not in NUMBERS:
        return None
    # A share that is none belongs to a type that ends in a number.
    return trailing if -1 <= float(words[-trailing]) <= 1 else NUMBERS[-1]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
