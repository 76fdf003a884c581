"""COCO's precision, recall and average precision, as pycocotools defines them, for all images at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_scores.matching import NOBODY, Pairs, match_greedily
from detection_scores.table import DetectionTable, Flags, Floats, Ints

COCO_IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e5**2),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e5**2),
}
"""Name and bounds in square pixels; both bounds belong to a size, as in pycocotools."""
MAX_DETECTIONS = (1, 10, 100)


@dataclass(frozen=True)
class Matching:
    """What became of each detection at each IoU threshold; objects of one range of areas count, T x D."""

    object: NDArray[np.int32]
    """The object it takes, or NOBODY."""
    counted: Flags
    """False for detections that are neither right nor wrong: on a crowd, or outside the range of areas."""
    objects: Ints
    """Objects of each class that count, [K]."""

    @property
    def right(self) -> Flags:
        """Detections that found an object."""
        return (self.object != NOBODY) & self.counted


@dataclass(frozen=True)
class CocoNumbers:
    """pycocotools' arrays; -1 where there is no ground truth."""

    ious: tuple[float, ...]
    precision: Floats
    """At each recall level, with at most 100 detections: [IoU, recall, class, area]."""
    recall: Floats
    """[IoU, class, area, most detections]."""
    whole: Matching
    """Of objects of every size."""

    def ap(self, *, ious: Sequence[float] = COCO_IOUS, area: str = "all", index: int | None = None) -> float | None:
        """Average precision over IoUs and classes, or of the class at `index`; None without ground truth."""
        return _mean(self.precision[self.rows(ious), :, _columns(index), list(AREAS).index(area)])

    def ar(self, *, area: str = "all", most: int = 100, index: int | None = None) -> float | None:
        """Average recall over COCO's IoUs with at most `most` detections of a class on an image."""
        rows = self.rows(COCO_IOUS)
        return _mean(self.recall[rows, _columns(index), list(AREAS).index(area), MAX_DETECTIONS.index(most)])

    def curve(self, *, iou: float, index: int) -> Floats | None:
        """Precision at each recall level of one class; None without ground truth."""
        values = self.precision[self.rows([iou])[0], :, index, 0]
        return None if (values < 0).all() else values

    def rows(self, ious: Sequence[float]) -> list[int]:
        """Return the places of these IoU thresholds."""
        return [self.ious.index(round(iou, 6)) for iou in ious]


def compute_numbers(table: DetectionTable, pairs: Pairs, *, ious: Sequence[float]) -> CocoNumbers:
    """Match detections with the objects of their class and return every number.

    `pairs` hold at least those of equal class whose IoU reaches the lowest of `ious`.
    """
    same = pairs.where(table.detections.label[pairs.detection] == table.objects.label[pairs.object])
    classes = len(table.class_names)
    thresholds = np.array(ious)
    precision = np.full((len(ious), len(RECALLS), classes, len(AREAS)), -1.0)
    recall = np.full((len(ious), classes, len(AREAS), len(MAX_DETECTIONS)), -1.0)
    whole = match_area(table, same, thresholds=thresholds, area=AREAS["all"])
    for place, (name, area) in enumerate(AREAS.items()):
        found = whole if name == "all" else match_area(table, same, thresholds=thresholds, area=area)
        for index, rows in enumerate(class_slices(table)):
            if not found.objects[index]:
                continue
            right, counted = found.right[:, rows], found.counted[:, rows]
            total, rank = int(found.objects[index]), table.detections.rank[rows]
            for most, limit in enumerate(MAX_DETECTIONS):
                recall[:, index, place, most] = right[:, rank < limit].sum(axis=1) / total
            for row in range(len(ious)):
                precision[row, :, index, place] = precision_at_recall(right[row], counted[row], objects=total)
    return CocoNumbers(tuple(round(float(iou), 6) for iou in ious), precision=precision, recall=recall, whole=whole)


def match_area(table: DetectionTable, pairs: Pairs, *, thresholds: Floats, area: tuple[float, float]) -> Matching:
    """Match where only objects of a range of areas count; a detection outside it is wrong only if it is matched."""
    objects, detections = table.objects, table.detections
    ignored = objects.crowd | (objects.area < area[0]) | (objects.area > area[1])
    chosen = match_greedily(pairs, rank=detections.rank, thresholds=thresholds, ignored=ignored, crowd=objects.crowd)
    outside = (detections.area < area[0]) | (detections.area > area[1])
    on_ignored = np.append(ignored, False)[chosen]
    counted = ~np.where(chosen == NOBODY, outside[None, :], on_ignored)
    totals = np.bincount(objects.label[~ignored], minlength=len(table.class_names)).astype(np.int64)
    return Matching(chosen, counted=counted, objects=totals)


def precision_at_recall(right: Flags, counted: Flags, *, objects: int) -> Floats:
    """Return the highest precision at or beyond each of the 101 recall levels, [101].

    `right` and `counted` are of one class and one threshold, best score first. Precision rises only where a detection
    is right, so the other places need not be looked at.
    """
    (places,) = np.nonzero(right)
    found = np.arange(1, len(places) + 1, dtype=np.float64)
    precision = found / (np.cumsum(counted)[places] + np.spacing(1))
    best = np.maximum.accumulate(precision[::-1])[::-1]
    level = np.searchsorted(found / objects, RECALLS, side="left")
    return np.append(best, 0.0)[np.minimum(level, len(best))]


def class_slices(table: DetectionTable) -> list[slice]:
    """Return where the detections of each class lie; they are sorted by class."""
    edges = np.searchsorted(table.detections.label, np.arange(len(table.class_names) + 1))
    return [slice(int(start), int(stop)) for start, stop in itertools.pairwise(edges)]


def _columns(index: int | None) -> slice:
    return slice(None) if index is None else slice(index, index + 1)


def _mean(values: Floats) -> float | None:
    measured = values[values > -1]
    return float(np.mean(measured)) if measured.size else None
