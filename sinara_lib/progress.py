"""Progress bars of long work, silent where nobody watches."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

PROGRESS_VARIABLE = "SINARA_PROGRESS"


def progress(
    iterable: Iterable[Any] | None = None, *, label: str, total: int | None = None, unit: str = "it"
) -> "tqdm[Any]":
    """Return a tqdm bar over `iterable`, or one to be moved by hand with `update`.

    `unit="B"` scales bytes to kB, MB and GB. The bar is drawn when stderr is a terminal; under a step,
    whose notebook kernel has no terminal, the step's own terminal decides.
    """
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
    return told == "1" if told is not None else sys.stderr.isatty()
