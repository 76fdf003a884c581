"""Everything that is measured of a detector on a test set, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detection_scores.coco_numbers import AREAS, COCO_IOUS, MAX_DETECTIONS, CocoNumbers, class_slices, compute_numbers
from detection_scores.errors import FAINT_IOU, FALSE_KINDS, ErrorBreakdown, ErrorKind, break_down, confusion
from detection_scores.intervals import RESAMPLES, Interval, ScoreIntervals, bootstrap
from detection_scores.matching import NOBODY, overlapping_pairs
from detection_scores.table import DetectionTable, Prediction, build_table
from detection_scores.thresholds import BestThreshold, Calibration, best_threshold, calibrate, f1_at_thresholds
from sinara_lib.vision.coco import CocoDataset

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ClassScores:
    """One class. A score is None where there is no ground truth to measure it on."""

    name: str
    objects: int
    """Ground truth boxes, crowds not counted."""
    detections: int
    ap: float | None
    ap50: float | None
    ap75: float | None
    apsmall: float | None
    apmedium: float | None
    aplarge: float | None
    ar: float | None
    """Recall with at most 100 detections an image, mean over IoU 0.50 to 0.95."""
    ap_interval: Interval | None
    ap50_interval: Interval | None
    best: BestThreshold | None
    """The score threshold with the highest F1 at the chosen IoU."""
    precision_at_recall: tuple[float, ...] | None
    """Precision at recall 0.00, 0.01 … 1.00, at the chosen IoU."""
    f1_at_score: tuple[float, ...] | None
    """F1 with the score threshold at 0.00, 0.01 … 1.00, at the chosen IoU."""


@dataclass(frozen=True)
class ImageOutcome:
    """What happened on one image at the chosen IoU, counting detections of at least the shown score."""

    image_id: int
    found: int
    missed: int
    false: int


@dataclass(frozen=True)
class Mistake:
    """A false detection (kind of `detection_errors`) or a missed object (kind "missed", score None)."""

    image_id: int
    class_name: str
    box: Box
    """x, y, width, height in pixels."""
    score: float | None
    kind: str


@dataclass(frozen=True)
class DetectorScores:
    """A detector on a test set."""

    images: int
    objects: int
    detections: int
    left_out: tuple[str, ...]
    """What was left out of every score and why, in words."""
    iou: float
    """The IoU that `ap_at_iou`, curves, outcomes and errors are taken at."""
    shown_score: float
    """Detections below it do not count in outcomes, confusion, counts of errors, mistakes."""
    ap_at_iou: float | None
    coco: dict[str, float | None]
    """COCO's twelve: AP, AP50, AP75, APsmall, APmedium, APlarge, AR1, AR10, AR100, ARsmall, ARmedium, ARlarge."""
    ap_interval: Interval | None
    ap50_interval: Interval | None
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Rows are true classes and background, columns detected classes and nothing."""
    errors: tuple[ErrorKind, ...]
    calibration: Calibration
    """Of all detections that are right or wrong at the chosen IoU."""
    outcomes: tuple[ImageOutcome, ...]
    mistakes: tuple[Mistake, ...]
    """The largest false detections and the largest missed objects, by their area."""


def score_detections(
    truth: CocoDataset,
    predictions: Sequence[Prediction],
    *,
    iou: float = 0.5,
    shown_score: float = 0.3,
    resamples: int = RESAMPLES,
    most_mistakes: int = 12,
) -> DetectorScores:
    """Score COCO results against `truth`; rows that make no sense are left out and said in `left_out`.

    resamples: test sets drawn for the intervals. most_mistakes: of each sort, false and missed.
    Raises DataError for predictions that are not COCO results.

    >>> results = [{"image_id": 1, "category_id": 1, "bbox": [10, 10, 30, 20], "score": 0.9}]
    >>> round(score_detections(truth, results).coco["AP"], 3)
    1.0
    """
    table = build_table(truth, predictions)
    detections = table.detections
    pairs = overlapping_pairs(detections.image, detections.box, objects=table.objects, least=min(FAINT_IOU, iou))
    ious = sorted({*COCO_IOUS, round(iou, 6)})
    numbers = compute_numbers(table, pairs, ious=ious)
    (row,) = numbers.rows([iou])
    errors = break_down(table, pairs, found=numbers.whole, row=row, iou=iou, shown_score=shown_score)
    intervals = bootstrap(table, numbers, resamples=resamples)
    matrix = confusion(table, pairs, iou=iou, shown_score=shown_score)
    return DetectorScores(
        images=len(table.image_ids),
        objects=int((~table.objects.crowd).sum()),
        detections=int(table.given.sum()),
        left_out=table.left_out,
        iou=iou,
        shown_score=shown_score,
        ap_at_iou=numbers.ap(ious=[iou]),
        coco=_twelve(numbers),
        ap_interval=intervals.ap,
        ap50_interval=intervals.ap50,
        classes=_classes(table, numbers, intervals=intervals, row=row),
        confusion=tuple(tuple(line) for line in matrix.tolist()),
        errors=errors.kinds,
        calibration=calibrate(detections.score, numbers.whole.right[row], numbers.whole.counted[row]),
        outcomes=_outcomes(table, numbers, row=row, shown_score=shown_score),
        mistakes=_mistakes(table, errors, shown_score=shown_score, most=most_mistakes),
    )


def _twelve(numbers: CocoNumbers) -> dict[str, float | None]:
    sizes = list(AREAS)[1:]
    return {
        "AP": numbers.ap(),
        "AP50": numbers.ap(ious=[0.5]),
        "AP75": numbers.ap(ious=[0.75]),
        **{f"AP{size}": numbers.ap(area=size) for size in sizes},
        **{f"AR{most}": numbers.ar(most=most) for most in MAX_DETECTIONS},
        **{f"AR{size}": numbers.ar(area=size) for size in sizes},
    }


def _classes(
    table: DetectionTable, numbers: CocoNumbers, *, intervals: ScoreIntervals, row: int
) -> tuple[ClassScores, ...]:
    found, made = numbers.whole, []
    for index, rows in enumerate(class_slices(table)):
        flags = (table.detections.score[rows], found.right[row, rows], found.counted[row, rows])
        objects = int(found.objects[index])
        curve, f1 = numbers.curve(iou=numbers.ious[row], index=index), f1_at_thresholds(*flags, objects=objects)
        one = ClassScores(
            name=table.class_names[index],
            objects=objects,
            detections=int(table.given[index]),
            ap=numbers.ap(index=index),
            ap50=numbers.ap(ious=[0.5], index=index),
            ap75=numbers.ap(ious=[0.75], index=index),
            apsmall=numbers.ap(area="small", index=index),
            apmedium=numbers.ap(area="medium", index=index),
            aplarge=numbers.ap(area="large", index=index),
            ar=numbers.ar(index=index),
            ap_interval=intervals.classes[index][0],
            ap50_interval=intervals.classes[index][1],
            best=best_threshold(*flags, objects=objects),
            precision_at_recall=None if curve is None else tuple(curve.tolist()),
            f1_at_score=None if f1 is None else tuple(f1.tolist()),
        )
        made.append(one)
    return tuple(made)


def _outcomes(table: DetectionTable, numbers: CocoNumbers, *, row: int, shown_score: float) -> tuple[ImageOutcome, ...]:
    shown = table.detections.score >= shown_score
    right, counted = numbers.whole.right[row], numbers.whole.counted[row]

    def per_image(image: np.ndarray) -> list[int]:
        return np.bincount(image, minlength=len(table.image_ids)).tolist()

    found = per_image(table.detections.image[shown & right])
    false = per_image(table.detections.image[shown & counted & ~right])
    objects = per_image(table.objects.image[~table.objects.crowd])
    return tuple(
        ImageOutcome(image, found=hits, missed=all_of_it - hits, false=wrong)
        for image, hits, all_of_it, wrong in zip(table.image_ids, found, objects, false, strict=True)
    )


def _mistakes(table: DetectionTable, errors: ErrorBreakdown, *, shown_score: float, most: int) -> tuple[Mistake, ...]:
    detections, objects = table.detections, table.objects
    (false,) = np.nonzero((errors.detection_kind != NOBODY) & (detections.score >= shown_score))
    false = false[np.argsort(-detections.area[false], kind="stable")][:most]
    (missed,) = np.nonzero(errors.missed)
    missed = missed[np.argsort(-objects.box[missed, 2] * objects.box[missed, 3], kind="stable")][:most]
    made = []
    for side, places in ((detections, false), (objects, missed)):
        for place in places.tolist():
            wrong = side is detections
            x, y, width, height = side.box[place].tolist()
            one = Mistake(
                image_id=table.image_ids[side.image[place]],
                class_name=table.class_names[side.label[place]],
                box=(x, y, width, height),
                score=float(detections.score[place]) if wrong else None,
                kind=FALSE_KINDS[errors.detection_kind[place]] if wrong else "missed",
            )
            made.append(one)
    return tuple(made)
