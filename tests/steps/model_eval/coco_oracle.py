"""pycocotools as its authors use it, the oracle of all numbers."""

import contextlib
import io
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sinara_lib.vision.coco import CocoDataset


def official(truth: CocoDataset, predictions: list[dict[str, Any]], *, ious: list[float] | None = None) -> COCOeval:
    """Evaluate, accumulate and summarize; annotations are numbered from 1, since 0 means "no match" to pycocotools."""
    known = COCO()
    known.dataset = {
        "images": [{"id": one.id} for one in truth.images],
        "categories": [{"id": one.id, "name": one.name} for one in truth.categories],
        "annotations": [
            {
                "id": number,
                "image_id": one.image_id,
                "category_id": one.category_id,
                "bbox": list(one.bbox),
                "area": one.area,
                "iscrowd": one.iscrowd,
            }
            for number, one in enumerate(truth.annotations, start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        evaluation = COCOeval(known, _results(known, predictions), "bbox")
        if ious is not None:
            evaluation.params.iouThrs = ious
        evaluation.evaluate()
        evaluation.accumulate()
        if ious is None:
            evaluation.summarize()
    return evaluation


def _results(known: COCO, predictions: list[dict[str, Any]]) -> COCO:
    if predictions:
        return known.loadRes([dict(one) for one in predictions])
    none = COCO()
    none.dataset = {**known.dataset, "annotations": []}
    none.createIndex()
    return none
