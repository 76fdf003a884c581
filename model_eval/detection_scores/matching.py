"""Which detection overlaps which object, and the greedy matching of COCO, for all images at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_scores.table import Flags, Floats, Ints, Objects
from sinara_lib.vision.boxes import corners_of, iou

NOBODY = -1
_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Pairs:
    """Detections and objects of the same image that overlap: P rows."""

    detection: Ints
    object: Ints
    iou: Floats
    """Intersection over union; for a crowd, over the detection's area."""

    def where(self, kept: Flags) -> Pairs:
        """Return the pairs that `kept` marks."""
        return Pairs(self.detection[kept], object=self.object[kept], iou=self.iou[kept])


def overlapping_pairs(image: Ints, box: Floats, *, objects: Objects, least: float) -> Pairs:
    """Return all pairs of IoU `least` or more, classes aside; `image` [D] and `box` [D, 4] are the detections'."""
    by_image = np.argsort(objects.image, kind="stable")
    first = np.searchsorted(objects.image[by_image], image, side="left")
    count = np.searchsorted(objects.image[by_image], image, side="right") - first
    parts = []
    for start, stop in _blocks(count):
        some = np.arange(start, stop)
        detection = np.repeat(some, count[some])
        within = np.arange(len(detection)) - np.repeat(np.cumsum(count[some]) - count[some], count[some])
        partner = by_image[first[detection] + within]
        overlap = box_iou(box[detection], objects.box[partner], crowd=objects.crowd[partner])
        kept = overlap >= least
        parts.append((detection[kept], partner[kept], overlap[kept]))
    detection, partner, overlaps = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Pairs(detection, object=partner, iou=overlaps)


def box_iou(box: Floats, other: Floats, *, crowd: Flags) -> Floats:
    """Return the IoU of row with row, boxes as x, y, width, height; over the first box's area where `other` is a crowd.

    The order of the operations is that of pycocotools, so that a box on the edge of a threshold falls on its side.
    """
    sizes = (box[:, 2] * box[:, 3], other[:, 2] * other[:, 3])
    return iou(corners_of(box), corners_of(other), known_areas=sizes, crowd=crowd)


def match_greedily(pairs: Pairs, *, rank: Ints, thresholds: Floats, ignored: Flags, crowd: Flags) -> NDArray[np.int32]:
    """Return the object that each detection takes at each IoU threshold, [T, D]; NOBODY where it takes none.

    Detections of one image choose in the order of `rank` [D]: the free object with the highest IoU of at least the
    threshold, one that counts before one that is `ignored` [G], the last of equals; a crowd is never used up.
    Detections that may want the same object must differ in rank.
    """
    taken = np.zeros((len(thresholds), len(ignored)), dtype=bool)
    chosen = np.full((len(thresholds), len(rank)), NOBODY, dtype=np.int32)
    lowest = np.minimum(thresholds, 1 - 1e-10)[:, None]
    order = np.lexsort((-pairs.object, -pairs.iou, ignored[pairs.object], pairs.detection, rank[pairs.detection]))
    detection, wanted, overlaps = pairs.detection[order], pairs.object[order], pairs.iou[order]
    turns = [*np.nonzero(np.diff(rank[detection], prepend=-1))[0].tolist(), len(order)]
    for start, stop in itertools.pairwise(turns):
        objects = wanted[start:stop]
        free = (overlaps[start:stop] >= lowest) & (crowd[objects] | ~taken[:, objects])
        mine = detection[start:stop]
        (firsts,) = np.nonzero(np.diff(mine, prepend=-1))
        place = np.where(free, np.arange(stop - start), stop - start)
        best = np.minimum.reduceat(place, firsts, axis=1)
        row, column = np.nonzero(best < stop - start)
        got = objects[best[row, column]]
        chosen[row, mine[firsts[column]]] = got
        taken[row, got] = True
    return chosen


def _blocks(count: Ints) -> list[tuple[int, int]]:
    """Cut the detections into runs of about `_PAIRS_AT_ONCE` pairs, which bounds the memory."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(_PAIRS_AT_ONCE, total, _PAIRS_AT_ONCE), side="left") + 1
    edges = np.unique([0, *cuts, len(count)])
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)) or [(0, 0)]
