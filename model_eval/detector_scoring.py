"""COCO metrics of detections against ground truth, computed by pycocotools."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoAnnotation, CocoDataset

COCO_IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALLS = tuple(step / 100 for step in range(101))
AREAS = ("all", "small", "medium", "large")
MAX_DETECTIONS = (1, 10, 100)

Prediction = Mapping[str, Any]


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
    ar: float | None
    """Recall with at most 100 detections an image, mean over IoU 0.50 to 0.95."""
    precision_at_recall: tuple[float, ...] | None
    """Precision at recall 0.00, 0.01 … 1.00, at the chosen IoU."""


@dataclass(frozen=True)
class ImageOutcome:
    """What happened on one image at the chosen IoU, counting detections of at least the shown score."""

    image_id: int
    found: int
    missed: int
    false: int


@dataclass(frozen=True)
class DetectorScores:
    """A detector on a test set."""

    images: int
    objects: int
    detections: int
    iou: float
    """The IoU that `ap_at_iou` and the precision-recall curves are taken at."""
    ap_at_iou: float | None
    coco: dict[str, float | None]
    """COCO's twelve: AP, AP50, AP75, APsmall, APmedium, APlarge, AR1, AR10, AR100, ARsmall, ARmedium, ARlarge."""
    classes: tuple[ClassScores, ...]
    outcomes: tuple[ImageOutcome, ...]


def score_detections(
    truth: CocoDataset, predictions: Sequence[Prediction], *, iou: float = 0.5, shown_score: float = 0.3
) -> DetectorScores:
    """Score COCO results against `truth`.

    iou: for the curves and `ap_at_iou`. shown_score: detections below it do not count in `outcomes`.
    Raises DataError for predictions of unknown images or classes, or whose numbers are not finite.
    """
    _check(truth, predictions)
    evaluation = _evaluate(truth, predictions, iou=iou)
    table = _Table(evaluation)
    return DetectorScores(
        images=len(truth.images),
        objects=sum(not one.iscrowd for one in truth.annotations),
        detections=len(predictions),
        iou=iou,
        ap_at_iou=table.ap(ious=[iou]),
        coco=_twelve(table),
        classes=tuple(
            _class_scores(table, truth, predictions, index=index, iou=iou) for index in range(len(truth.class_names))
        ),
        outcomes=_outcomes(evaluation, iou=iou, shown_score=shown_score),
    )


class _Table:
    """Means out of pycocotools' arrays: precision [IoU, recall, class, area, count]; recall lacks the second axis."""

    def __init__(self, evaluation: COCOeval) -> None:
        self.ious = [round(float(value), 6) for value in evaluation.params.iouThrs]
        self.precision: NDArray[np.float64] = evaluation.eval["precision"]
        self.recall: NDArray[np.float64] = evaluation.eval["recall"]

    def ap(self, *, ious: Sequence[float] = COCO_IOUS, area: str = "all", index: int | None = None) -> float | None:
        """Average precision over IoUs and classes, or of the class at `index`."""
        return _mean(self.precision[self._rows(ious), :, _columns(index), AREAS.index(area), -1])

    def ar(self, *, area: str = "all", most: int = 100, index: int | None = None) -> float | None:
        """Average recall over COCO's IoUs with at most `most` detections an image."""
        rows = self._rows(COCO_IOUS)
        return _mean(self.recall[rows, _columns(index), AREAS.index(area), MAX_DETECTIONS.index(most)])

    def curve(self, *, iou: float, index: int) -> tuple[float, ...] | None:
        """Precision over recall of one class; None without ground truth."""
        values = self.precision[self._rows([iou])[0], :, index, 0, -1]
        return None if (values < 0).all() else tuple(float(value) for value in values)

    def _rows(self, ious: Sequence[float]) -> list[int]:
        return [self.ious.index(round(iou, 6)) for iou in ious]


def _columns(index: int | None) -> slice:
    return slice(None) if index is None else slice(index, index + 1)


def _mean(values: NDArray[np.float64]) -> float | None:
    measured = values[values > -1]
    return float(np.mean(measured)) if measured.size else None


def _twelve(table: _Table) -> dict[str, float | None]:
    sizes = AREAS[1:]
    return {
        "AP": table.ap(),
        "AP50": table.ap(ious=[0.5]),
        "AP75": table.ap(ious=[0.75]),
        **{f"AP{size}": table.ap(area=size) for size in sizes},
        **{f"AR{most}": table.ar(most=most) for most in MAX_DETECTIONS},
        **{f"AR{size}": table.ar(area=size) for size in sizes},
    }


def _class_scores(
    table: _Table, truth: CocoDataset, predictions: Sequence[Prediction], *, index: int, iou: float
) -> ClassScores:
    category = truth.category_ids[index]
    return ClassScores(
        name=truth.class_names[index],
        objects=sum(one.category_id == category and not one.iscrowd for one in truth.annotations),
        detections=sum(one["category_id"] == category for one in predictions),
        ap=table.ap(index=index),
        ap50=table.ap(ious=[0.5], index=index),
        ap75=table.ap(ious=[0.75], index=index),
        ar=table.ar(index=index),
        precision_at_recall=table.curve(iou=iou, index=index),
    )


def _evaluate(truth: CocoDataset, predictions: Sequence[Prediction], *, iou: float) -> COCOeval:
    images = [{"id": image.id} for image in truth.images]
    categories = [{"id": category.id, "name": category.name} for category in truth.categories]
    known = [_truth_record(one, number) for number, one in enumerate(truth.annotations, start=1)]
    found = [_prediction_record(one, number) for number, one in enumerate(predictions, start=1)]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        sides = [_coco(images, categories, annotations) for annotations in (known, found)]
        evaluation = COCOeval(*sides, iouType="bbox")
        if not np.isclose(evaluation.params.iouThrs, iou).any():
            evaluation.params.iouThrs = np.sort(np.append(evaluation.params.iouThrs, iou))
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _coco(images: list[Any], categories: list[Any], annotations: list[Any]) -> COCO:
    coco = COCO()
    coco.dataset = {"images": images, "categories": categories, "annotations": annotations}
    coco.createIndex()
    return coco


def _truth_record(one: CocoAnnotation, number: int) -> dict[str, Any]:
    area = one.bbox[2] * one.bbox[3] if one.area is None else one.area
    return {
        "id": number,
        "image_id": one.image_id,
        "category_id": one.category_id,
        "bbox": list(one.bbox),
        "area": area,
        "iscrowd": one.iscrowd,
    }


def _prediction_record(one: Prediction, number: int) -> dict[str, Any]:
    return {**one, "id": number, "area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0}


def _outcomes(evaluation: COCOeval, *, iou: float, shown_score: float) -> tuple[ImageOutcome, ...]:
    row = [round(float(value), 6) for value in evaluation.params.iouThrs].index(round(iou, 6))
    whole = evaluation.params.areaRng[0]
    counts = {int(image): [0, 0, 0] for image in evaluation.params.imgIds}
    for one in evaluation.evalImgs:
        if one is None or one["aRng"] != whole:
            continue
        shown = np.asarray(one["dtScores"]) >= shown_score
        matched = (np.asarray(one["dtMatches"])[row] > 0) & shown
        counted = ~np.asarray(one["dtIgnore"], dtype=bool)[row]
        found = int((matched & counted).sum())
        objects = int((~np.asarray(one["gtIgnore"], dtype=bool)).sum())
        false = int((shown & ~matched & counted).sum())
        counts[int(one["image_id"])] = [
            a + b for a, b in zip(counts[int(one["image_id"])], (found, objects - found, false), strict=True)
        ]
    return tuple(ImageOutcome(image, *numbers) for image, numbers in counts.items())


def _check(truth: CocoDataset, predictions: Sequence[Prediction]) -> None:
    images = {image.id for image in truth.images}
    strangers = sorted({one["image_id"] for one in predictions} - images)
    if strangers:
        raise DataError(f"Predictions name {len(strangers)} images that the test set lacks, first id {strangers[0]}.")
    classes = sorted({one["category_id"] for one in predictions} - set(truth.category_ids))
    if classes:
        raise DataError(f"Predictions name the category ids {classes}; the test set has {list(truth.category_ids)}.")
    for one in predictions:
        if not all(math.isfinite(value) for value in (one["score"], *one["bbox"])):
            raise DataError(f"A prediction for image {one['image_id']} is not finite: {dict(one)}.")
