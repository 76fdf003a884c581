"""SinaraML's `sinara.bentoservice`, BentoML 0.13's, which is gone: a name asked for says what to use instead."""

from typing import Any

from sinara_lib.compat.dropped import dropped


def __getattr__(name: str) -> Any:
    return dropped(__name__, name)
