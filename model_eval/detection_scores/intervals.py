"""How sure a score is: average precision on test sets drawn again from the images, with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detection_scores.coco_numbers import COCO_IOUS, RECALLS, CocoNumbers, class_slices
from detection_scores.table import DetectionTable, Flags, Floats, Ints

RESAMPLES = 1000
SEED = 20170417
_AT_ONCE = 125
_QUANTILES = (0.025, 0.975)


@dataclass(frozen=True)
class Interval:
    """The middle 95% of a score over the drawn test sets."""

    low: float
    high: float


@dataclass(frozen=True)
class ScoreIntervals:
    """Intervals of AP and AP50, together and of each class; None where fewer than two images have objects of it."""

    ap: Interval | None
    ap50: Interval | None
    classes: tuple[tuple[Interval | None, Interval | None], ...]
    """AP and AP50 of each class."""


def bootstrap(
    table: DetectionTable, numbers: CocoNumbers, *, resamples: int = RESAMPLES, seed: int = SEED
) -> ScoreIntervals:
    """Return 95% intervals by the percentile bootstrap over images; the same seed gives the same ones."""
    images = len(table.image_ids)
    draws = draw_images(images, resamples=resamples, seed=seed)
    values = resampled_ap(table, numbers, draws=draws)
    first = numbers.rows([0.5])[0]
    rows = numbers.rows(COCO_IOUS)
    objects, counts = table.objects, ~table.objects.crowd
    spread = [len(np.unique(objects.image[counts & (objects.label == k)])) > 1 for k in range(len(table.class_names))]
    some = len(np.unique(objects.image[counts])) > 1
    classes = tuple(
        (_interval(values[rows, k].mean(axis=0)), _interval(values[first, k])) if spread[k] else (None, None)
        for k in range(len(table.class_names))
    )
    overall, overall50 = mean_over_classes(values[rows].mean(axis=0)), mean_over_classes(values[first])
    return ScoreIntervals(
        ap=_interval(overall) if some else None, ap50=_interval(overall50) if some else None, classes=classes
    )


def draw_images(images: int, *, resamples: int, seed: int) -> Floats:
    """Return how often each image is drawn, [images, resamples]; each column sums to the number of images."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, max(images, 1), size=(resamples, images))
    cells = drawn + np.arange(resamples)[:, None] * images
    counts = np.bincount(cells.ravel(), minlength=images * resamples)
    return np.ascontiguousarray(counts.reshape(resamples, images).T, dtype=np.float64)


def resampled_ap(table: DetectionTable, numbers: CocoNumbers, *, draws: Floats) -> Floats:
    """Return the AP of each IoU and class on each drawn test set, [IoU, class, resamples]; NaN without ground truth.

    Equals what pycocotools gives for a test set that holds each image as often as it was drawn, copies side by side.
    """
    objects, found = table.objects, numbers.whole
    values = np.full((len(numbers.ious), len(table.class_names), draws.shape[1]), np.nan)
    for index, rows in enumerate(class_slices(table)):
        homes = objects.image[(objects.label == index) & ~objects.crowd]
        image, right, counted = table.detections.image[rows], found.right[:, rows], found.counted[:, rows]
        for start in range(0, draws.shape[1], _AT_ONCE):
            some = draws[:, start : start + _AT_ONCE]
            total = some[homes].sum(axis=0)
            measured = total > 0
            ap = _weighted_ap(image, right, counted, draws=some, objects=np.maximum(total, 1))
            values[:, index, start : start + _AT_ONCE][:, measured] = ap[:, measured]
    return values


def mean_over_classes(values: Floats) -> Floats:
    """Return the mean over the classes that have ground truth, [resamples]; NaN where none has."""
    measured = ~np.isnan(values)
    count = measured.sum(axis=0)
    return np.where(count > 0, np.where(measured, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _weighted_ap(image: Ints, right: Flags, counted: Flags, *, draws: Floats, objects: Floats) -> Floats:
    """AP of one class, [T, R]: detections best first, each worth as often as its image was drawn."""
    (ends,) = np.nonzero(right.any(axis=0))
    values = np.zeros((len(right), draws.shape[1]))
    if not len(ends):
        return values
    image, right, counted = image[: ends[-1] + 1], right[:, : ends[-1] + 1], counted[:, : ends[-1] + 1]
    weights = draws[image]
    # Only at right detections does precision rise: all that lies between two of them is summed at once.
    starts = np.concatenate(([0], ends[:-1] + 1))
    everything = np.cumsum(np.add.reduceat(weights, starts, axis=0), axis=0)
    for row in range(len(right)):
        here = right[row, ends]
        if not here.any():
            continue
        seen = everything[here]
        (uncounted,) = np.nonzero(~counted[row])
        if len(uncounted):
            seen = seen - _summed_before(weights, uncounted, ends[here])
        values[row] = _interpolated(np.cumsum(weights[ends[here]], axis=0), seen, objects=objects)
    return values


def _summed_before(weights: Floats, places: Ints, ends: Ints) -> Floats:
    sums = np.vstack([np.zeros((1, weights.shape[1])), np.cumsum(weights[places], axis=0)])
    return sums[np.searchsorted(places, ends, side="right")]


def _interpolated(found: Floats, seen: Floats, *, objects: Floats) -> Floats:
    """Mean over the 101 recall levels of the highest precision at or beyond each; rows are right detections."""
    best = np.maximum.accumulate((found / (seen + np.spacing(1)))[::-1], axis=0)[::-1]
    recall = found / objects
    reached = np.floor(recall * 100 + 1e-9)
    # COCO's levels are rounded numbers: where recall is one of them exactly, the rounded one decides.
    exact = np.nonzero(np.abs(recall * 100 - reached) < 1e-9)
    reached[exact] -= RECALLS[reached[exact].astype(np.int64)] > recall[exact]
    levels = np.diff(reached, axis=0, prepend=-1.0)
    return np.einsum("nr,nr->r", best, levels) / len(RECALLS)


def _interval(values: Floats) -> Interval | None:
    measured = values[~np.isnan(values)]
    if not len(measured):
        return None
    low, high = np.quantile(measured, _QUANTILES)
    return Interval(float(low), high=float(high))
