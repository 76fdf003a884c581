"""What a JSON document is a document of, as far as its beginning tells."""

import json
import re
from dataclasses import dataclass
from typing import Literal

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class JsonShape:
    """A list or an object: `keys` of the object, or of a list's first object; `inner` are the keys of any depth.

    `ended` tells whether the object, or the list's first one, ends within what was read; `empty` a list of nothing.
    """

    kind: Literal["list", "object"]
    keys: frozenset[str]
    inner: frozenset[str]
    ended: bool
    empty: bool = False


def json_shape(head: bytes) -> JsonShape | None:
    """Return the shape of a document by its first bytes, in UTF-8, 16 or 32; None for what is no list and no object."""
    text = _text(head)
    if not text.startswith(("[", "{")):
        return None
    kind: Literal["list", "object"] = "list" if text.startswith("[") else "object"
    level = 2 if kind == "list" else 1
    keys: set[str] = set()
    inner: set[str] = set()
    depth, ended = 0, False
    for token in _TOKEN.finditer(text):
        name, colon = token[1], token[2]
        if name is not None:
            if colon:
                inner.add(name)
                if depth == level and not ended:
                    keys.add(name)
        elif token[0] in "[{":
            depth += 1
        else:
            depth -= 1
            ended = ended or depth < level
    empty = kind == "list" and text[1:].lstrip().startswith("]")
    return JsonShape(kind, frozenset(keys), frozenset(inner), ended, empty)


def _text(head: bytes) -> str:
    """Return the text of the bytes, which may end within a character."""
    encoding = json.detect_encoding(head)
    return head.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
