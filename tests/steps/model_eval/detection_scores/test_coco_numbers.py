"""Every number equals pycocotools', on random scenes with ties, crowds, many detections and empty classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coco_oracle import official
from detection_scores.coco_numbers import COCO_IOUS, CocoNumbers, compute_numbers
from detection_scores.matching import overlapping_pairs
from detection_scores.table import build_table
from scenes import document, prediction, random_predictions, random_truth
from sinara_lib.vision.coco import CocoDataset


def numbers_of(truth: CocoDataset, predictions: list[dict], ious: list[float] | None = None) -> CocoNumbers:
    table = build_table(truth, predictions)
    pairs = overlapping_pairs(table.detections.image, table.detections.box, objects=table.objects, least=0.1)
    return compute_numbers(table, pairs, ious=ious or COCO_IOUS)


def assert_equal(truth: CocoDataset, predictions: list[dict], ious: list[float] | None = None) -> None:
    expected, found = official(truth, predictions, ious=ious), numbers_of(truth, predictions, ious)
    assert np.abs(found.precision - expected.eval["precision"][..., -1]).max() < 1e-10
    assert np.abs(found.recall - expected.eval["recall"]).max() < 1e-10


def on_a_grid(rows: list[dict], *, step: float) -> list[dict]:
    """Boxes and scores rounded, so that many IoUs and scores are equal."""
    return [
        {**one, "bbox": [max(step, round(side / step) * step) for side in one["bbox"]], "score": round(one["score"], 1)}
        for one in rows
    ]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000), images=st.integers(1, 12), grid=st.booleans())
def test_precision_and_recall_equal_pycocotools(seed: int, images: int, grid: bool) -> None:
    truth = random_truth(seed, images=images)
    predictions = random_predictions(truth, seed)
    assert_equal(truth, on_a_grid(predictions, step=16) if grid else predictions)


def test_detections_past_the_hundredth_do_not_count() -> None:
    box = [10.0, 10.0, 50.0, 50.0]
    truth = document([{"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 2500, "iscrowd": 0}], images=1)
    crowd_of_them = [prediction(1, 1, [200, 200, 9, 9], 0.9 - i / 1000) for i in range(100)]
    predictions = [*crowd_of_them, prediction(1, 1, box, 0.5)]
    assert_equal(truth, predictions)
    assert numbers_of(truth, predictions).ap() == 0.0


def test_equal_boxes_on_equal_objects_are_matched_as_pycocotools_does() -> None:
    box = [10.0, 10.0, 50.0, 50.0]
    objects = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": box, "area": area, "iscrowd": crowd}
        for i, (area, crowd) in enumerate([(2500, 0), (500, 0), (2500, 1), (9000, 0), (2500, 0)], start=1)
    ]
    assert_equal(document(objects, images=1), [prediction(1, 1, box, 0.5) for _ in range(6)])


def test_any_iou_may_be_asked_for() -> None:
    truth = random_truth(7)
    assert_equal(truth, random_predictions(truth, 7), [0.3, 0.42, 0.5, 1.0])


@pytest.mark.parametrize("annotated", [True, False])
def test_without_predictions_or_ground_truth_the_arrays_are_pycocotools_too(annotated: bool) -> None:
    truth = random_truth(8) if annotated else document([], images=4)
    assert_equal(truth, [])
    assert_equal(truth, [prediction(1, 2, [0, 0, 9, 9], 0.5)])
