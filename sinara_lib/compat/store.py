"""SinaraML's `sinara.store`: SinaraStore, which is gone; asking for a name says what to use instead."""

from typing import Any

from sinara_lib.compat.dropped import dropped


def __getattr__(name: str) -> Any:
    return dropped(__name__, name)
