"""Labels of several files as one: what two files call alike is one image only where it is one file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from label_formats.image_index import ImageIndex
from label_formats.labels import LabelledImage, Labels
from label_formats.tally import Tally
from sinara_lib.errors import DataError


def join(parts: Sequence[Labels], index: ImageIndex) -> Labels:
    """Return the labels of all parts; an image of which several parts tell has the objects of all.

    Raises DataError where they state different sides or groups of it.
    """
    tally = Tally()
    found: dict[str, LabelledImage] = {}
    for part in parts:
        tally.add(part.tally)
        for image in part.images:
            key = index.find(image.name, beside=image.beside) or _own_key(image)
            found[key] = image if (other := found.get(key)) is None else _together(other, image)
    names = dict.fromkeys(name for part in parts for name in part.class_names)
    return Labels(tuple(found.values()), class_names=tuple(names), tally=tally)


def _own_key(image: LabelledImage) -> str:
    """Return what tells an image from others that is not among the files: its URL, or its name beside its labels."""
    return image.name if "://" in image.name else str(PurePosixPath(image.beside).parent / image.name)


def _together(one: LabelledImage, other: LabelledImage) -> LabelledImage:
    extra = {**one.extra, **other.extra}
    for key, value in extra.items():
        _agree(one, other, key, one.extra.get(key, value), value)
    for key in ("width", "height"):
        mine, theirs = getattr(one, key), getattr(other, key)
        _agree(one, other, key, mine or theirs, theirs or mine)
    return replace(
        one,
        objects=one.objects + other.objects,
        width=one.width or other.width,
        height=one.height or other.height,
        extra=extra,
    )


def _agree(one: LabelledImage, other: LabelledImage, key: str, mine: Any, theirs: Any) -> None:
    if mine != theirs:
        raise DataError(f"{other.beside}: {key} of {other.name} is {theirs!r}; {one.beside} says {mine!r}.")
