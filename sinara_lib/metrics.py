"""Metrics as notebooks give them, nested if they like, and flat as tables show them."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from sinara_lib.errors import InterfaceError

Metric = float | int | str


def checked_metric(name: str, value: Any) -> Any:
    """Return a metric as it can be kept: finite numbers, words, and lists and dicts of them.

    Raises InterfaceError naming the place of what can not.
    """
    if isinstance(value, Mapping):
        return {str(key): checked_metric(f"{name}.{key}", one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [checked_metric(f"{name}.{number}", one) for number, one in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise InterfaceError(f"Metric {name!r} is {value}: only finite numbers and words can be kept.")
    if not isinstance(value, int | float | str):
        kind = type(value).__name__
        raise InterfaceError(f"Metric {name!r} is a {kind}: give an int, float or str, or a dict or list of them.")
    return value


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, Metric]:
    """Return every number and word under its path: `{"eval": {"r2": 0.9}}` is `{"eval.r2": 0.9}`."""
    return dict(_flat("", metrics))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Metric]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _flat(f"{name}.{number}", one)
    else:
        yield name, value
