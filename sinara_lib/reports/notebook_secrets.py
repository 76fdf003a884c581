"""The executed copy of a notebook without the credentials that its parameters held."""

from collections.abc import Callable
from functools import partial
from typing import Any

from nbformat import NotebookNode

from sinara_lib.urls import credentials_in, hidden

INJECTED = "injected-parameters"
"""Tag of the cell that papermill writes."""


def notebook_without_credentials(notebook: NotebookNode, params: Any) -> NotebookNode:
    """Return a copy in which parameters and outputs, tracebacks included, show URLs without credentials.

    A password or signature of the parameters is hidden also where it stands without its URL. Code that is no parameter
    stays as it was written.
    """
    shown = partial(hidden, credentials=credentials_in(params))

    copy = NotebookNode({key: _in_texts(value, shown) for key, value in notebook.items() if key != "cells"})
    copy.cells = []
    for cell in notebook.cells:
        copy.cells.append(_in_texts(cell, shown))
        if INJECTED not in cell.metadata.get("tags", []):
            copy.cells[-1].source = cell.source
    return copy


def _in_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Return nested lists and mappings with every text changed."""
    if isinstance(value, dict):
        return type(value)({key: _in_texts(one, change) for key, one in value.items()})
    if isinstance(value, list):
        return [_in_texts(one, change) for one in value]
    return change(value) if isinstance(value, str) else value
