"""YAML as params files may use it: plain values, no key given twice, nothing without end."""

import math
from collections import Counter
from typing import Any

import yaml

from sinara_lib.errors import ParamsError
from sinara_lib.strict_text.values import DEEPEST, LONGEST_NUMBER, REPEATED, TOO_DEEP, check_values, key_words

_MERGE = "tag:yaml.org,2002:merge"
_INT = "tag:yaml.org,2002:int"
_TWICE = "!given-twice"
_MOST = 100_000
"""Values in a document that repeats some by aliases, those counted each time."""


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML text holds; `where` names it in errors.

    Raises ParamsError for what is no YAML, and for what cannot have been meant.
    """
    try:
        document = _Loader(text).get_single_data()
    except _EndlessError as error:
        raise ParamsError(f"{where}: {error}.") from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        # All but the first come from values that are not what their form or tag promises, such as the date 2024-13-40.
        raise ParamsError(f"{where} is not valid YAML: {' '.join(str(error).split())}.") from error
    check_values(document, where)
    return document


class _EndlessError(Exception):
    """The text nests too deeply, or repeats too much; says at which key."""


class _Loader(yaml.SafeLoader):
    """Reads plain values, knows where it is, and marks keys that are given twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._path: list[str] = []
        self._level = 0
        self._count = 0
        self._sizes: dict[str | None, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node; `index` is its key node or its number in `parent`, None for a key and for the whole."""
        named = [] if index is None else [str(getattr(index, "value", index))]
        self._path += named
        if self._level > DEEPEST:
            raise _EndlessError(f"{key_words(self._path)} {TOO_DEEP}")
        self._level += 1
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        before = self._count
        node = super().compose_node(parent, index)
        self._count += self._repeated(str(event.anchor)) if isinstance(event, yaml.AliasEvent) else 1
        self._sizes[event.anchor] = self._count - before
        self._level -= 1
        del self._path[len(self._path) - len(named) :]
        return node

    def _repeated(self, name: str) -> int:
        """Return how many values the alias `*name` repeats."""
        if name not in self._sizes:
            raise _EndlessError(f"{key_words(self._path)} contains itself, as *{name}")
        if self._count + self._sizes[name] > _MOST:
            raise _EndlessError(f"{key_words(self._path)} repeats more than {_MOST:,} values, by *{name}")
        return self._sizes[name]

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        """Compose an object; the value of a key that is given twice is replaced by a mark."""
        node = super().compose_mapping_node(anchor)
        counts = Counter(_name(key) for key, _ in node.value)
        mark = yaml.ScalarNode(_TWICE, "")
        node.value = [(key, mark if counts[_name(key)] > 1 else value) for key, value in node.value]
        return node


def _name(key: yaml.Node) -> object:
    """Return what makes a key the same as another; each `<<` and each key that is no plain value is its own."""
    return (key.tag, key.value) if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE else id(key)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int | float:
    return loader.construct_yaml_int(node) if len(node.value) <= LONGEST_NUMBER else math.inf


_Loader.add_constructor(_TWICE, lambda _loader, _node: REPEATED)
_Loader.add_constructor(_INT, _integer)
