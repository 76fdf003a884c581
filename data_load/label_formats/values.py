"""Single values of annotation files: what fits comes back typed, the rest is a DataError that names the place."""

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from label_formats.geometry import Point
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import shown

MOST_BRACKETS = 150_000_000
"""No JSON document has more lists and objects: as Python's objects they take some 10 GB."""
MOST_PIXELS = 1 << 17
"""The longest side of an image that is believed, in pixels."""


def number(value: object, place: str) -> float:
    """Return a finite number, also one written as text."""
    try:
        if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
            found = float(value)
            if math.isfinite(found):
                return found
    except (ValueError, OverflowError):
        pass
    raise DataError(f"{place} must be a finite number, found {shown(value)}.")


def whole(value: object, place: str) -> int:
    """Return a whole number, also one written as text or as 3.0."""
    found = number(value, place)
    if not found.is_integer():
        raise DataError(f"{place} must be a whole number, found {shown(value)}.")
    return int(found)


def flag(value: str) -> int | str:
    """Return a flag that decides nothing: a whole number where it is one, else the text as it stands."""
    try:
        return whole(value, "flag")
    except DataError:
        return value


def side(value: object, place: str) -> int | None:
    """Return width or height of an image in pixels; None for nothing or 0, which tools write for unknown."""
    if value is None or value == "":
        return None
    found = whole(value, place)
    if not 0 <= found <= MOST_PIXELS:
        raise DataError(f"{place} must be from 0 to {MOST_PIXELS}, found {shown(value)}.")
    return found or None


def text(value: object, place: str) -> str:
    """Return a text that is not empty, without spaces around it."""
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place} must be a text that is not empty, found {shown(value)}.")
    return value.strip()


def points(values: Sequence[float], place: str) -> list[Point]:
    """Coordinates x, y, x, y, ... of a polygon as points, at least three."""
    if len(values) < 6 or len(values) % 2:
        raise DataError(f"{place}: a polygon needs at least three points, found {len(values)} coordinates.")
    return list(zip(values[::2], values[1::2], strict=True))


def list_of(value: object, place: str) -> list[Any]:
    """Return a list of anything."""
    if not isinstance(value, list):
        raise DataError(f"{place} must be a list, found {shown(value)}.")
    return value


def pairs(value: object, place: str, *, least: int) -> list[Point]:
    """Return points written as [[x, y], ...], at least so many."""
    found = list_of(value, place)
    if len(found) < least or not all(isinstance(one, list) and len(one) == 2 for one in found):
        raise DataError(f"{place} must be {least} or more pairs of numbers, found {shown(value)}.")
    return [(number(x, place), number(y, place)) for x, y in found]


def decoded(data: bytes, place: str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 or 32, as its first bytes tell; without a byte order mark."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-SIG")
        raise DataError(f"{place}: is not {name} text ({error.reason} at byte {error.start}).") from error


def refuse_json_bomb(data: bytes, place: str) -> None:
    """Raise DataError for a document of more lists and objects than memory holds: some 70 bytes each."""
    if len(data) > MOST_BRACKETS and data.count(b"[") + data.count(b"{") > MOST_BRACKETS:
        raise DataError(f"holds more than {MOST_BRACKETS:,} lists and objects, the limit. Split it.", place=place)


def json_value(data: bytes, place: str) -> Any:
    """Return the value of a JSON file."""
    refuse_json_bomb(data, place)
    try:
        return json.loads(decoded(data, place))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: is not a JSON document: {error}.") from error


def xml_root(data: bytes, place: str, *, tag: str) -> Element:
    """Return the root of an XML file, which must be `tag`; a file with a document type or entities is refused."""
    try:
        root: Element = ElementTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError(
            f"{place}: declares a document type or entities, which annotation files do not need; refused as unsafe."
        ) from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise DataError(f"{place}: is not an XML document: {error}.") from error
    if root.tag != tag:
        raise DataError(f"{place}: the root must be <{tag}>, found <{root.tag}>.")
    return root
