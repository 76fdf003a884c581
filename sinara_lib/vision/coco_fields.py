"""Checked reading of single fields of a COCO document: what fits comes back typed, the rest is a DataError.

`place` names the record in messages, such as `instances.json: annotations[17]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from sinara_lib.errors import DataError

_MOST = (1 << 53) - 1


def mapping(value: object, place: str) -> dict[str, Any]:
    """Return the value as a JSON object."""
    if not isinstance(value, dict):
        raise DataError(f"{place} must be a JSON object, found {shown(value)}.")
    return value


def items(document: Mapping[str, Any], key: str, place: str) -> list[Any]:
    """Return the list under a key of the document."""
    value = document.get(key)
    if not isinstance(value, list):
        there = ", ".join(sorted(map(str, document))) or "none"
        raise DataError(f"{place} needs a list `{key}`, found {shown(value)}; keys there are: {there}.")
    return value


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object whose keys differ; ValueError for one that is given twice, of which readers keep either."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} is given twice in one object")
    return found


def integer(item: Mapping[str, Any], key: str, place: str) -> int:
    """Return a whole number of at most 53 bits, which every reader of JSON keeps exactly; also when written as 3.0."""
    value = item.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise DataError(f"{place}: `{key}` must be a whole number, found {shown(value)}.")
    if abs(value) > _MOST:
        raise DataError(f"{place}: `{key}` must be at most {_MOST}, found {shown(value)}.")
    return value


def flag(item: Mapping[str, Any], key: str, place: str) -> int:
    """0 or 1, also when written as false or true; 0 where the key is absent or null."""
    value = item.get(key)
    if value is None:
        return 0
    if isinstance(value, bool | int | float) and value in (0, 1):
        return int(value)
    raise DataError(f"{place}: `{key}` must be 0 or 1, found {shown(value)}.")


def text(item: Mapping[str, Any], key: str, place: str) -> str:
    """Return a text that is not empty and can be written as UTF-8."""
    value = item.get(key)
    if isinstance(value, str) and value and not any("\ud800" <= one <= "\udfff" for one in value):
        return value
    raise DataError(f"{place}: `{key}` must be a text that is not empty, found {shown(value)}.")


def number(value: object, key: str, place: str) -> float:
    """Return a number as float; NaN and infinities pass, data_prep reports them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{place}: `{key}` must hold numbers, found {shown(value)}.")
    try:
        return float(value)
    except OverflowError:
        raise DataError(f"{place}: `{key}` holds a number that is too large.") from None


def file_name(item: Mapping[str, Any], place: str) -> str:
    """Return the name of the image file: relative, inside its folder."""
    name = text(item, "file_name", place)
    if "\0" in name:
        raise DataError(f"{place}: `file_name` must not hold the character 0, found {shown(name)}.")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{place}: `file_name` must stay inside the folder of images, found {shown(name)}.")
    return name


def others(item: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return the fields whose names are not known."""
    return {key: value for key, value in item.items() if key not in known}


def refuse_repeats(values: Sequence[int | str], *, what: str, where: str) -> None:
    """Raise DataError for values that are given more than once."""
    if repeated := [str(value) for value, count in Counter(values).items() if count > 1]:
        raise DataError(f"{where}: each {what} must be given once; given more than once: {', '.join(repeated)}.")


def shown(value: object) -> str:
    """Return a short form of a value for messages."""
    if value is None:
        return "nothing"
    if isinstance(value, int) and abs(value) > 10**80:
        return "a number of over 80 digits"
    words = ascii(value)
    return words if len(words) <= 80 else f"{words[:77]}..."
