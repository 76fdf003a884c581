"""Scores equal those of pycocotools run the usual way, and what cannot be measured is not made up."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coco_oracle import official
from detection_scores.scoring import score_detections
from scenes import CLASSES, document, perfect_predictions, prediction, random_predictions, random_truth
from sinara_lib.errors import DataError

NAMES = "AP AP50 AP75 APsmall APmedium APlarge AR1 AR10 AR100 ARsmall ARmedium ARlarge".split()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_all_numbers_equal_pycocotools(seed: int) -> None:
    truth = random_truth(seed)
    predictions = random_predictions(truth, seed)
    expected = official(truth, predictions)
    scores = score_detections(truth, predictions, resamples=2)
    for name, value in zip(NAMES, expected.stats, strict=True):
        found = scores.coco[name]
        assert (found is None) == (value == -1), name
        assert found is None or found == pytest.approx(value, abs=1e-10), name
    for index, one in enumerate(scores.classes):
        curve = expected.eval["precision"][0, :, index, 0, 2]
        assert one.precision_at_recall == pytest.approx(tuple(curve), abs=1e-10)
        assert one.ap50 == pytest.approx(curve.mean(), abs=1e-10)
        for place, size in enumerate(("ap", "apsmall", "apmedium", "aplarge")):
            values = expected.eval["precision"][:, :, index, place, 2]
            wanted = None if (values < 0).all() else pytest.approx(values.mean(), abs=1e-10)
            assert getattr(one, size) == wanted
        assert one.ar == pytest.approx(expected.eval["recall"][:, index, 0, 2].mean(), abs=1e-10)


def test_a_perfect_detector_scores_one() -> None:
    truth = random_truth(2, crowds=False)
    scores = score_detections(truth, perfect_predictions(truth))
    assert scores.coco["AP"] == pytest.approx(1, abs=1e-9)
    assert all(one.missed == one.false == 0 for one in scores.outcomes)
    assert sum(one.found for one in scores.outcomes) == scores.objects == len(truth.annotations)


def test_no_prediction_at_all_scores_zero() -> None:
    truth = random_truth(3)
    scores = score_detections(truth, [])
    assert (scores.coco["AP"], scores.coco["AR100"], scores.detections) == (0.0, 0.0, 0)
    assert sum(one.missed for one in scores.outcomes) == scores.objects


def test_a_class_without_ground_truth_has_no_score_and_does_not_move_the_mean() -> None:
    truth = document(
        [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}], images=2
    )
    found = [prediction(1, 1, [10, 10, 50, 50], 0.9), prediction(2, 3, [10, 10, 50, 50], 0.8)]
    scores = score_detections(truth, found)
    absent = scores.classes[2]
    assert (absent.objects, absent.detections) == (0, 1)
    assert (absent.ap, absent.ap50, absent.ap75, absent.ar, absent.precision_at_recall) == (None,) * 5
    assert scores.coco["AP"] == pytest.approx(1.0)
    assert scores.coco["APlarge"] is None


def test_a_test_set_without_annotations_has_no_score() -> None:
    scores = score_detections(document([], images=3), [prediction(1, 1, [0, 0, 9, 9], 0.5)])
    assert set(scores.coco.values()) == {None}
    assert scores.ap_at_iou is None


def test_the_chosen_iou_may_lie_between_cocos_and_leaves_its_numbers_alone() -> None:
    truth = random_truth(4)
    predictions = random_predictions(truth, 4)
    usual, other = score_detections(truth, predictions), score_detections(truth, predictions, iou=0.42)
    assert usual.coco == other.coco
    assert usual.ap_at_iou == usual.coco["AP50"]
    assert other.ap_at_iou is not None
    assert other.ap_at_iou > usual.coco["AP50"]
    curves = [[one.precision_at_recall for one in scores.classes] for scores in (usual, other)]
    assert curves[0] != curves[1]


def test_a_crowd_is_neither_missed_nor_makes_a_detection_false() -> None:
    box = [10.0, 10.0, 200.0, 200.0]
    crowd = {"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 40000, "iscrowd": 1}
    (outcome,) = score_detections(document([crowd], images=1), [prediction(1, 1, [20, 20, 50, 50], 0.9)]).outcomes
    assert (outcome.found, outcome.missed, outcome.false) == (0, 0, 0)


def test_outcomes_count_what_is_shown() -> None:
    objects = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": [60 * i, 10, 40, 40], "area": 1600, "iscrowd": 0}
        for i in range(3)
    ]
    found = [
        prediction(1, 1, [0, 10, 40, 40], 0.9),
        prediction(1, 1, [60, 10, 40, 40], 0.2),
        prediction(1, 1, [250, 200, 40, 40], 0.8),
    ]
    (outcome,) = score_detections(document(objects, images=1), found, shown_score=0.5).outcomes
    assert (outcome.found, outcome.missed, outcome.false) == (1, 2, 1)


NONSENSE = [
    (prediction(99, 1, [0, 0, 1, 1], 0.5), "it is for images that the test set lacks"),
    (prediction(1, 9, [0, 0, 1, 1], 0.5), "it is of classes that the test set lacks"),
    (prediction(1, 1, [0, 0, 1, 1], math.nan), "it has a score that is no number from 0 to 1"),
    (prediction(1, 1, [0, 0, 1, 1], 1.5), "it has a score that is no number from 0 to 1"),
    (prediction(1, 1, [0, 0, math.inf, 1], 0.5), "it has a box that is not finite"),
]


@pytest.mark.parametrize(("wrong", "reason"), NONSENSE)
def test_predictions_that_make_no_sense_are_left_out_and_said_in_words(wrong: dict, reason: str) -> None:
    truth = random_truth(5)
    predictions = random_predictions(truth, 5)
    sound, scores = score_detections(truth, predictions), score_detections(truth, [wrong, *predictions, wrong])
    assert sound.left_out == ()
    (said,) = scores.left_out
    assert said.startswith("2 predictions left out of every score: they ")
    assert score_detections(truth, [*predictions, wrong]).left_out == (
        f"1 prediction left out of every score: {reason}.",
    )
    assert replace(scores, left_out=()) == sound


def test_annotations_that_make_no_sense_are_left_out_and_said_in_words() -> None:
    sound = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}
    scores = score_detections(document([sound, {**sound, "image_id": 7}, {**sound, "category_id": 8}], images=1), [])
    assert scores.objects == 1
    assert scores.left_out == (
        "1 annotation left out of every score: it lies on images that the test set lacks.",
        "1 annotation left out of every score: it belongs to no class of the test set.",
    )


@pytest.mark.parametrize(
    "wrong", [{"image_id": 1}, {**prediction(1, 1, [0, 0, 1, 1], 0.5), "bbox": [1, 2]}, {"image_id": "x"}]
)
def test_what_is_no_coco_result_is_refused(wrong: dict) -> None:
    with pytest.raises(DataError, match="not a COCO result with image_id, category_id, bbox and score"):
        score_detections(random_truth(5), [wrong])


def test_a_test_set_without_images_has_no_score() -> None:
    scores = score_detections(document([], images=0), [prediction(1, 1, [0, 0, 9, 9], 0.5)])
    assert (scores.images, scores.objects, scores.detections, scores.coco["AP"]) == (0, 0, 0, None)
    assert len(scores.left_out) == 1


def test_class_names_follow_the_category_ids() -> None:
    assert tuple(one.name for one in score_detections(random_truth(6), []).classes) == CLASSES
