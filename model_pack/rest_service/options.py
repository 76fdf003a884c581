"""What a request may ask for: parsed once, and refused when it makes no sense."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from rest_service.errors import RequestError

NAMES = ("min_score", "max_detections", "classes", "file_name")
_LONGEST_NAME = 255
_NAMED = 100
"""Classes that an error lists."""


@dataclass(frozen=True)
class PredictOptions:
    """Options of a prediction; None stands for the packed default."""

    min_score: float | None = None
    max_detections: int | None = None
    classes: frozenset[int] | None = None
    """Category ids to keep."""
    file_name: str | None = None


def read_options(pairs: Iterable[tuple[str, str]], *, categories: Mapping[str, int]) -> PredictOptions:
    """Read options from the query and from form fields; `categories` maps class names to their ids.

    `classes` are names or ids, separated by commas, also given several times; one that is a class's whole name means
    that class, and a JSON list tells names ("7") from ids (7). Raises RequestError (400) naming the
    option, what was found and what is allowed; also for an option that does not exist.
    """
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if name not in NAMES:
            raise _refused("parameter", f"there is no parameter {name[:40]!r}; known are {', '.join(NAMES)}")
        found.setdefault(name, []).append(value)
    return PredictOptions(
        min_score=_score(found["min_score"][-1]) if "min_score" in found else None,
        max_detections=_count(found["max_detections"][-1]) if "max_detections" in found else None,
        classes=_classes(found["classes"], categories) if "classes" in found else None,
        file_name=found["file_name"][-1][:_LONGEST_NAME] if "file_name" in found else None,
    )


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise _refused("min_score", f"min_score must be a number from 0 to 1, found {text[:40]!r}")
    return value


def _count(text: str) -> int:
    # Plain digits only: int() would take "1_000", " 5 " and digits of other scripts too.
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise _refused("max_detections", f"max_detections must be a whole number of at least 1, found {text[:40]!r}")
    return int(text)


def _classes(texts: Iterable[str], categories: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for text in texts:
        # A value that is a class's whole name means it, whatever commas it holds.
        wanted = [text] if text in categories else _json_list(text) or [one.strip() for one in text.split(",")]
        found.update(_class_id(one, categories) for one in wanted)
    return frozenset(found)


def _json_list(text: str) -> list[str | int] | None:
    try:
        values = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    whole = isinstance(values, list) and all(type(one) in (str, int) for one in values)
    return values if whole else None


def _class_id(wanted: str | int, categories: Mapping[str, int]) -> int:
    """Return the id of a class: a number is an id; text is a name, or else an id."""
    ids = {str(i): i for i in categories.values()}
    if isinstance(wanted, str) and wanted in categories:
        return categories[wanted]
    if str(wanted) in ids:
        return ids[str(wanted)]
    known = ", ".join(f"{name} ({i})" for name, i in list(categories.items())[:_NAMED])
    more = f" and {len(categories) - _NAMED} more, see /categories" if len(categories) > _NAMED else ""
    raise _refused("classes", f"there is no class {str(wanted)[:40]!r}; known are {known}{more}")


def _refused(name: str, message: str) -> RequestError:
    return RequestError(HTTPStatus.BAD_REQUEST, f"bad_{name}", message)
