"""COCO's run lengths: a mask as lengths of runs of 0 and 1 in turn, column by column, as a list or as text.

In the text each number is cut into groups of 5 bits, the lowest first, one per character from code 48 on; the sixth bit
says that more follow. From the fourth number on, the difference to the one two before is written.
Format: https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths


def read_runs(segmentation: dict[str, Any], *, width: int, height: int) -> list[int] | None:
    """Return the runs of a segmentation; None when it is malformed or they do not cover a mask of this size exactly.

    pycocotools fills what short runs leave open with whatever lies in memory, hence this check.
    """
    if segmentation.get("size") != [height, width]:
        return None
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        runs = _from_text(counts)
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        return None
    return runs if runs and min(runs) >= 0 and sum(runs) == width * height else None


def runs_of(mask: NDArray[np.bool_]) -> list[int]:
    """Return the runs of a mask, H x W, column by column; the first is of 0 and may have no length."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs: list[int] = np.diff(np.concatenate(([0], changes, [flat.size]))).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def mask_of(runs: list[int], *, width: int, height: int) -> NDArray[np.uint8]:
    """Return the mask of whole runs: H x W of 0 and 1."""
    mask: NDArray[np.uint8] = np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs).reshape(width, height).T
    return mask


def segmentation_of(mask: NDArray[np.uint8]) -> dict[str, Any]:
    """Return a mask, H x W of 0 and 1, as a segmentation with its runs as text."""
    encoded = run_lengths.encode(np.asfortranarray(mask))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def extent_of(runs: list[int], *, height: int) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of the pixels that are 1; None when there are none."""
    ends = np.cumsum(runs)
    starts, ends = ends[0:-1:2], ends[1::2]
    starts, ends = starts[ends > starts], ends[ends > starts]
    if not len(starts):
        return None
    first, last = starts // height, (ends - 1) // height
    # A run that goes on in the next column reaches from the bottom of one to the top of the other.
    whole = bool((first != last).any())
    top = 0 if whole else int((starts % height).min())
    bottom = height if whole else int(((ends - 1) % height).max()) + 1
    return float(first[0]), float(top), float(last[-1] + 1), float(bottom)


def _from_text(text: str) -> list[int] | None:
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            return None
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return None if shift else runs
