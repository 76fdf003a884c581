"""What a model scores on the eval split, what it weighs, and how long one image takes."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from export_checks.outputs import Array
from export_checks.parity import Found
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.letterbox import boxes_to_original

LATENCY_ROUNDS = 15


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's average precision over IoU 0.50 to 0.95 (`ap`) and at 0.50 (`ap50`)."""

    ap: float
    ap50: float


def average_precision(dataset: CocoDataset, found: Iterable[Found]) -> AveragePrecision:
    """Score detections (boxes in network pixels) against a split with pycocotools.

    Raises DataError when the split has no object to find.
    """
    if not any(not one.iscrowd for one in dataset.annotations):
        raise DataError("The eval split has no object, so no model can be scored on it; give data_prep another share.")
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = _document(dataset)
        truth.createIndex()
        results = [row for place, detections in found for row in _results(place, detections, dataset.category_ids)]
        if not results:
            return AveragePrecision(0.0, 0.0)
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return AveragePrecision(ap=float(evaluation.stats[0]), ap50=float(evaluation.stats[1]))


def measure_latency(sessions: Mapping[str, ort.InferenceSession], pixels: Array) -> dict[str, float]:
    """Return the milliseconds that each session takes for one image float32 [3, H, W]; they take turns, medians."""
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(LATENCY_ROUNDS + 1):
        for name, session in sessions.items():
            began = time.perf_counter()
            session.run(["dets", "labels"], {"images": pixels[None]})
            seconds[name].append(time.perf_counter() - began)
    return {name: 1000 * statistics.median(each[1:]) for name, each in seconds.items()}  # the first one warms up


def _document(dataset: CocoDataset) -> dict[str, Any]:
    return {
        "images": [{"id": one.id, "width": one.width, "height": one.height} for one in dataset.images],
        "categories": [{"id": one.id, "name": one.name} for one in dataset.categories],
        "annotations": [
            {
                "id": number,
                "image_id": one.image_id,
                "category_id": one.category_id,
                "bbox": list(one.bbox),
                "area": one.bbox[2] * one.bbox[3] if one.area is None else one.area,
                "iscrowd": one.iscrowd,
            }
            for number, one in enumerate(dataset.annotations, start=1)
        ],
    }


def _results(place: Any, found: Any, category_ids: tuple[int, ...]) -> list[dict[str, Any]]:
    corners = boxes_to_original(found.boxes, place.scale, place.width, place.height).tolist()
    return [
        {"image_id": place.image_id, "category_id": category_ids[label], "bbox": [x, y, x2 - x, y2 - y], "score": score}
        for (x, y, x2, y2), score, label in zip(corners, found.scores.tolist(), found.labels.tolist(), strict=True)
    ]
