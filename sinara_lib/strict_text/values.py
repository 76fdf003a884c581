"""What plain values may be, whatever text they come from, and the text of a file."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sinara_lib.errors import ParamsError

DEEPEST = 50
"""Levels of lists and objects within each other."""
LONGEST_NUMBER = 310
"""Digits; with more a whole number is larger than computers calculate with, and Python refuses to read it."""

TOO_DEEP = f"nests deeper than {DEEPEST} levels"
_SHOWN_LEVELS = 8


class _Repeated:
    """Stands for the value of a key that is given twice."""


REPEATED = _Repeated()


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises OSError when it cannot be read, ParamsError when it is no such text.
    """
    data = path.read_bytes()
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        name = error.encoding.upper()
        raise ParamsError(
            f"{path} is not {name} text ({error.reason} at byte {error.start}): save it as UTF-8."
        ) from error


def check_values(document: Any, where: str) -> None:
    """Raise ParamsError naming the first value that cannot have been meant, by its key."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if problem := _problem(value, level=len(path)):
            raise ParamsError(f"{where}: {key_words(path)} {problem}.")
        waiting += reversed([((*path, name), one) for name, one in _children(value)])


def key_words(path: Sequence[str]) -> str:
    """Return the key at the end of `path` as messages show it: on one line, in quotes, not too long."""
    name = ".".join(path[:_SHOWN_LEVELS]) + (".…" if len(path) > _SHOWN_LEVELS else "")
    return repr(name if len(name) <= 200 else f"{name[:200]}…") if path else "the value"


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(name), one) for name, one in value.items())
    elif isinstance(value, list | tuple):
        yield from ((str(number), one) for number, one in enumerate(value))


def _problem(value: Any, *, level: int) -> str | None:
    """Say what is wrong with one value, its children left aside; None when nothing is."""
    if level > DEEPEST:
        return TOO_DEEP
    if value is REPEATED:
        return "is given twice: keep one"
    if isinstance(value, float) and math.isnan(value):
        return "is NaN: give a number"
    if isinstance(value, int | float) and abs(value) > sys.float_info.max:
        return "is infinite, or larger than computers calculate with: give a finite number"
    texts = (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, Mapping) else ()
    if not all(map(_is_unicode, texts)):
        return f"{'is' if isinstance(value, str) else 'has a key that is'} no Unicode text: it holds a lone surrogate"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
