"""What a person sees while long work goes on: progress bars, and the log as plain lines."""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara_lib.tables import printable
from sinara_lib.urls import without_credentials

if TYPE_CHECKING:
    from tqdm import tqdm

PROGRESS_VARIABLE = "SINARA_PROGRESS"


def progress(
    iterable: Iterable[Any] | None = None, *, label: str, total: int | None = None, unit: str = "it"
) -> "tqdm[Any]":
    """Return a tqdm bar over `iterable`, or one to be moved by hand with `update`.

    `unit="B"` scales bytes to kB, MB and GB. The bar is drawn when stderr is a terminal or a cell of Jupyter; under a
    step, whose notebook kernel has no terminal, the step's own terminal decides.
    """
    from tqdm import tqdm  # a short command has no use for it, and it takes its time

    return tqdm(
        iterable,
        desc=label,
        total=total,
        unit=unit,
        unit_scale=unit == "B",
        disable=not _watched(),
        leave=False,
        dynamic_ncols=True,
        mininterval=0.5,
    )


def _watched() -> bool:
    told = os.environ.get(PROGRESS_VARIABLE)
    return (
        told == "1" if told is not None else sys.stderr.isatty() or type(sys.stderr).__module__ == "ipykernel.iostream"
    )


class PlainLines(logging.Formatter):
    """The message alone, tracebacks included: URLs without their credentials, and nothing that a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return "\n".join(map(printable, without_credentials(super().format(record)).split("\n")))


def show_log() -> None:
    """Show what the library and the step's own modules log as plain lines, and the warnings of everybody else."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(PlainLines())
    handler.addFilter(_is_ours)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _is_ours(record: logging.LogRecord) -> bool:
    if record.levelno >= logging.WARNING or record.name.split(".")[0] == "sinara_lib":
        return True
    module = Path(record.pathname)
    # An environment may lie below the step's folder; what is installed there is not the step's.
    return Path.cwd() in module.parents and "site-packages" not in module.parts
