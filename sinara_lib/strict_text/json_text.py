"""JSON as files and arguments may use it: no key given twice, every number finite."""

import json
import math
from collections import Counter
from typing import Any

from sinara_lib.errors import ParamsError
from sinara_lib.strict_text.values import LONGEST_NUMBER, REPEATED, TOO_DEEP, check_values


def parse_json(text: str, where: str) -> Any:
    """Return what a JSON text holds; `where` names it in errors.

    Raises json.JSONDecodeError for what is no JSON, ParamsError for what cannot have been meant.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_int=read_integer)
    except RecursionError:
        from sinara_lib.strict_text.yaml_text import parse_yaml  # it counts levels as it reads, and JSON is YAML

        parse_yaml(text.expandtabs(), where)
        raise ParamsError(f"{where}: the text {TOO_DEEP}.") from None
    check_values(document, where)
    return document


def read_integer(text: str) -> int | float:
    """Return the number that digits write out; infinity for more digits than computers calculate with."""
    return int(text) if len(text) <= LONGEST_NUMBER else math.inf


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        found |= {name: REPEATED for name, count in Counter(name for name, _ in pairs).items() if count > 1}
    return found
