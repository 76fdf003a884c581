"""Checked reading of single fields of a COCO document: what fits comes back typed, the rest is a DataError.

`place` names the record in messages, such as `instances.json: annotations[17]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sinara_lib.errors import DataError


def mapping(value: object, place: str) -> dict[str, Any]:
    """The value as a JSON object."""
    if not isinstance(value, dict):
        raise DataError(f"{place} must be a JSON object, found {shown(value)}.")
    return value


def items(document: Mapping[str, Any], key: str, place: str) -> list[Any]:
    """The list under a key of the document."""
    value = document.get(key)
    if not isinstance(value, list):
        there = ", ".join(sorted(map(str, document))) or "none"
        raise DataError(f"{place} needs a list `{key}`, found {shown(value)}; keys there are: {there}.")
    return value


def integer(item: Mapping[str, Any], key: str, place: str) -> int:
    """A whole number, also when written as 3.0."""
    value = item.get(key)
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise DataError(f"{place}: `{key}` must be a whole number, found {shown(value)}.")


def number(value: object, key: str, place: str) -> float:
    """A number as float; NaN and infinities pass, data_prep reports them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{place}: `{key}` must hold numbers, found {shown(value)}.")
    try:
        return float(value)
    except OverflowError:
        raise DataError(f"{place}: `{key}` holds a number that is too large.") from None


def file_name(item: Mapping[str, Any], place: str) -> str:
    """The name of the image file: relative, inside its folder."""
    name = item.get("file_name")
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError(f"{place}: `file_name` must be a text that is not empty, found {shown(name)}.")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{place}: `file_name` must stay inside the folder of images, found {shown(name)}.")
    return name


def others(item: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """The fields whose names are not known."""
    return {key: value for key, value in item.items() if key not in known}


def shown(value: object) -> str:
    """A short form of a value for messages."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
