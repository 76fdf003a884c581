"""Each drawn test set scores what pycocotools gives for it, and intervals behave as intervals must."""

from dataclasses import replace

import numpy as np
import pytest

from coco_oracle import official
from detection_scores.coco_numbers import COCO_IOUS, CocoNumbers, compute_numbers
from detection_scores.intervals import bootstrap, draw_images, resampled_ap
from detection_scores.matching import overlapping_pairs
from detection_scores.table import DetectionTable, build_table
from scenes import document, perfect_predictions, random_predictions, random_truth
from sinara_lib.vision.coco import CocoDataset


def measured(truth: CocoDataset, predictions: list[dict]) -> tuple[DetectionTable, CocoNumbers]:
    table = build_table(truth, predictions)
    pairs = overlapping_pairs(table.detections.image, table.detections.box, objects=table.objects, least=0.1)
    return table, compute_numbers(table, pairs, ious=COCO_IOUS)


def drawn(truth: CocoDataset, predictions: list[dict], times: np.ndarray) -> tuple[CocoDataset, list[dict]]:
    """The test set with each image as often as it was drawn, copies side by side."""
    images, annotations, found = [], [], []
    for image, count in zip(truth.images, times, strict=True):
        for copy in range(int(count)):
            number = image.id * 100 + copy
            images.append(replace(image, id=number))
            annotations += [replace(one, image_id=number) for one in truth.annotations_of(image.id)]
            found += [{**one, "image_id": number} for one in predictions if one["image_id"] == image.id]
    return replace(truth, images=tuple(images), annotations=tuple(annotations)), found


@pytest.mark.parametrize("seed", range(6))
def test_a_drawn_test_set_scores_what_pycocotools_gives_for_it(seed: int) -> None:
    truth = random_truth(seed, images=8)
    predictions = random_predictions(truth, seed)
    draws = draw_images(8, resamples=5, seed=seed)
    values = resampled_ap(*measured(truth, predictions), draws=draws)
    for place in range(5):
        expected = official(*drawn(truth, predictions, draws[:, place])).eval["precision"][..., 0, -1].mean(axis=1)
        np.testing.assert_allclose(values[..., place], np.where(expected < 0, np.nan, expected), atol=1e-10)


def test_the_draws_are_whole_test_sets_and_the_same_for_the_same_seed() -> None:
    draws = draw_images(30, resamples=50, seed=3)
    assert draws.shape == (30, 50)
    assert (draws.sum(axis=0) == 30).all()
    assert (draws == draw_images(30, resamples=50, seed=3)).all()
    assert (draws != draw_images(30, resamples=50, seed=4)).any()


def test_the_score_lies_in_its_interval_and_more_images_narrow_it() -> None:
    widths = []
    for images in (20, 320):
        truth = random_truth(1, images=images)
        table, numbers = measured(truth, random_predictions(truth, 1))
        intervals = bootstrap(table, numbers, resamples=300)
        assert intervals.ap is not None
        assert intervals.ap.low < numbers.ap() < intervals.ap.high
        assert intervals.ap50 is not None
        assert intervals.ap50.low < numbers.ap(ious=[0.5]) < intervals.ap50.high
        widths.append(intervals.ap.high - intervals.ap.low)
    assert widths[1] < 0.5 * widths[0]


def test_a_perfect_detector_has_no_doubt() -> None:
    truth = random_truth(2, images=12, crowds=False)
    interval = bootstrap(*measured(truth, perfect_predictions(truth)), resamples=50).ap
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((1, 1), abs=1e-9)


@pytest.mark.parametrize("annotated", [0, 1])
def test_fewer_than_two_images_with_objects_give_no_interval(annotated: int) -> None:
    known = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}
        for i in range(1, annotated + 1)
    ]
    intervals = bootstrap(*measured(document(known, images=3), []), resamples=20)
    assert (intervals.ap, intervals.ap50) == (None, None)
    assert set(intervals.classes) == {(None, None)}
