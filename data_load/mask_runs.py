"""Masks as runs: from a tool's code, row by row within a box, to COCO's, column by column over the whole image."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sinara_lib.errors import DataError

MOST_PIXELS = 1 << 28
"""Masks of larger images are refused: each pixel takes a byte while the runs are turned."""


def image_runs(
    counts: Sequence[int], box: tuple[int, int, int, int], *, sides: tuple[int, int], place: str
) -> dict[str, Any]:
    """COCO's uncompressed run-length code of a mask.

    `counts` are runs of zeros and ones in turn, row by row within `box` (left, top, width, height in pixels); `sides`
    are the image's width and height. Raises DataError when they do not fit each other.
    """
    (left, top, width, height), (image_width, image_height) = box, sides
    inside = 0 <= left <= left + width <= image_width and 0 <= top <= top + height <= image_height
    fits = inside and image_width * image_height <= MOST_PIXELS
    if not fits or width < 1 or height < 1 or min(counts, default=-1) < 0 or sum(counts) != width * height:
        raise DataError(
            f"{place}: the mask does not fit: its runs cover {sum(counts):,} pixels, its box is {box}, "
            f"and the image has {image_width} x {image_height} pixels."
        )
    flags = np.arange(len(counts)) % 2 == 1
    part = np.repeat(flags, counts).reshape(height, width)
    columns = np.zeros((width, image_height), dtype=bool)
    columns[:, top : top + height] = part.T
    runs = _runs(columns.ravel())
    runs[0] += left * image_height
    after = (image_width - left - width) * image_height
    if len(runs) % 2:
        runs[-1] += after
    elif after:
        runs.append(after)
    return {"size": [image_height, image_width], "counts": runs}


def _runs(flat: "np.ndarray[Any, np.dtype[np.bool_]]") -> list[int]:
    """Lengths of equal stretches; the first one is of zeros and may be 0."""
    changes = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    lengths: list[int] = np.diff(edges).tolist()
    return [0, *lengths] if flat[0] else lengths
