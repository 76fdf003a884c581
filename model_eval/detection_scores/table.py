"""Ground truth and predictions as arrays; what makes no sense is left out and said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset

MOST_DETECTIONS = 100
"""Detections of one class on one image that count, the best ones; COCO's limit."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Prediction = Mapping[str, Any]


@dataclass(frozen=True)
class Objects:
    """Ground truth: G rows in the document's order."""

    image: Ints
    """Place in `DetectionTable.image_ids`."""
    label: Ints
    """Place in `DetectionTable.class_names`."""
    box: Floats
    """x, y, width, height in pixels, [G, 4]."""
    area: Floats
    """Square pixels, of the mask where the document states it."""
    crowd: Flags

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class RankedDetections:
    """Predictions that count: D rows, by class, then best score first, equal scores by image."""

    image: Ints
    label: Ints
    box: Floats
    score: Floats
    rank: Ints
    """Place among the detections of its class on its image, best first."""

    def __len__(self) -> int:
        return len(self.image)

    @property
    def area(self) -> Floats:
        """Square pixels of each box."""
        return self.box[:, 2] * self.box[:, 3]


@dataclass(frozen=True)
class DetectionTable:
    """A test set and what a detector said about it."""

    image_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    objects: Objects
    detections: RankedDetections
    given: Ints
    """Predictions of each class, also those past COCO's limit."""
    left_out: tuple[str, ...]
    """What was left out of the scores and why, in words; empty when everything made sense."""


def build_table(truth: CocoDataset, predictions: Sequence[Prediction]) -> DetectionTable:
    """Return both sides as arrays, without rows that name what the test set lacks or hold what is no number.

    Raises DataError when a prediction lacks a field or holds something else than numbers.
    """
    image_ids, category_ids = np.unique([one.id for one in truth.images]).astype(np.int64), np.array(truth.category_ids)
    objects, unusable = _objects(truth, image_ids, category_ids)
    detections, given, wrong = _detections(predictions, image_ids, category_ids)
    return DetectionTable(
        image_ids=tuple(image_ids.tolist()),
        class_names=truth.class_names,
        objects=objects,
        detections=detections,
        given=given,
        left_out=(*unusable, *wrong),
    )


def _objects(truth: CocoDataset, image_ids: Ints, category_ids: Ints) -> tuple[Objects, list[str]]:
    known = truth.annotations
    image, at_home = _places([one.image_id for one in known], image_ids)
    label, classed = _places([one.category_id for one in known], category_ids)
    box = np.array([one.bbox for one in known], dtype=np.float64).reshape(-1, 4)
    area = np.array([one.bbox[2] * one.bbox[3] if one.area is None else one.area for one in known], dtype=np.float64)
    finite = np.isfinite(box).all(axis=1) & np.isfinite(area)
    reasons = {
        "lie on images that the test set lacks": ~at_home,
        "belong to no class of the test set": ~classed,
        "have a box or an area that is not finite": ~finite,
    }
    kept = at_home & classed & finite
    crowd = np.array([one.iscrowd for one in known], dtype=bool)
    objects = Objects(image[kept], label=label[kept], box=box[kept], area=area[kept], crowd=crowd[kept])
    return objects, _in_words(reasons, "annotation")


def _detections(
    predictions: Sequence[Prediction], image_ids: Ints, category_ids: Ints
) -> tuple[RankedDetections, Ints, list[str]]:
    try:
        image, at_home = _places([one["image_id"] for one in predictions], image_ids)
        label, classed = _places([one["category_id"] for one in predictions], category_ids)
        score = np.array([one["score"] for one in predictions], dtype=np.float64)
        box = np.array([one["bbox"] for one in predictions], dtype=np.float64).reshape(len(predictions), 4)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"A prediction is not a COCO result with image_id, category_id, bbox and score ({error!r}); "
            "run predict.ipynb again."
        ) from error
    finite = np.isfinite(box).all(axis=1)
    scored = (score >= 0) & (score <= 1)
    reasons = {
        "are for images that the test set lacks": ~at_home,
        "are of classes that the test set lacks": ~classed,
        "have a box that is not finite": ~finite,
        "have a score that is no number from 0 to 1": ~scored,
    }
    kept = np.flatnonzero(at_home & classed & finite & scored)
    given = np.bincount(label[kept], minlength=len(category_ids)).astype(np.int64)
    image, label, box, score = image[kept], label[kept], box[kept], score[kept]
    rank = rank_within(image * len(category_ids) + label, score)
    (counted,) = np.nonzero(rank < MOST_DETECTIONS)
    order = counted[np.lexsort((rank[counted], image[counted], -score[counted], label[counted]))]
    found = RankedDetections(image[order], label=label[order], box=box[order], score=score[order], rank=rank[order])
    return found, given, _in_words(reasons, "prediction")


def rank_within(group: Ints, score: Floats) -> Ints:
    """Return the place of each row among the rows of its group, best score first; equal scores keep their order."""
    order = np.lexsort((-score, group))
    sorted_group = group[order]
    first = np.searchsorted(sorted_group, sorted_group, side="left")
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - first
    return rank


def _places(ids: Sequence[Any], known: Ints) -> tuple[Ints, Flags]:
    wanted = np.array(ids, dtype=np.int64) if ids else np.zeros(0, dtype=np.int64)
    if not len(known):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=bool)
    place = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return place, known[place] == wanted


def _in_words(reasons: Mapping[str, Flags], what: str) -> list[str]:
    counts = {reason: int(flags.sum()) for reason, flags in reasons.items()}
    return [
        f"{count:,} {what}{'' if count == 1 else 's'} left out of every score: {'it' if count == 1 else 'they'} "
        f"{_singular(reason) if count == 1 else reason}."
        for reason, count in counts.items()
        if count
    ]


def _singular(reason: str) -> str:
    verb, rest = reason.split(" ", 1)
    return f"{ {'are': 'is', 'have': 'has', 'lie': 'lies', 'belong': 'belongs'}[verb] } {rest}"
