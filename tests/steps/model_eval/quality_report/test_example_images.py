"""Examples show what they should, mistakes are cut out where they are, and their weight has a bound."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from detection_scores.scoring import ImageOutcome, Mistake, score_detections
from quality_report.examples import choose_examples, cut_out_mistakes, draw_examples
from report_cases import Images, examples_of
from scenes import SIDE, document, random_predictions, random_truth


def pixels(picture: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).astype(float)


def test_examples_show_boxes_and_each_side_its_own() -> None:
    truth = random_truth(1)
    predictions = random_predictions(truth, 1)
    for one in examples_of(truth, predictions, score_detections(truth, predictions, resamples=2)):
        known, found = pixels(one.truth), pixels(one.prediction)
        assert known.shape == found.shape
        assert known.std() > 5
        assert np.abs(known - found).max() > 60


def test_best_images_come_first_then_those_with_most_errors_none_twice() -> None:
    outcomes = [
        ImageOutcome(image_id=1, found=1, missed=0, false=0),
        ImageOutcome(image_id=2, found=5, missed=0, false=0),
        ImageOutcome(image_id=3, found=0, missed=9, false=0),
        ImageOutcome(image_id=4, found=3, missed=1, false=1),
        ImageOutcome(image_id=5, found=0, missed=0, false=0),
        ImageOutcome(image_id=6, found=0, missed=0, false=4),
    ]
    scores = replace(score_detections(random_truth(1), [], resamples=2), outcomes=tuple(outcomes))
    assert [one.image_id for one in choose_examples(scores, count=4)] == [2, 1, 3, 6]
    assert [one.image_id for one in choose_examples(scores, count=1)] == [2]
    assert choose_examples(scores, count=0) == []


@pytest.mark.parametrize("budget", [200_000, 60_000])
def test_all_examples_together_keep_to_their_budget(budget: int) -> None:
    truth = random_truth(1, images=24)
    scores = score_detections(truth, [], resamples=2)
    outcomes = [replace(one, missed=1) for one in scores.outcomes][:5]
    drawn = draw_examples(outcomes, images=Images(), truth=truth, predictions=[], shown_score=0.3, budget=budget)
    assert len(drawn) == 5
    assert 0 < sum(len(one.truth) + len(one.prediction) for one in drawn) <= budget


@pytest.mark.parametrize(
    "box", [(100, 100, 60, 40), (-20, -20, 60, 40), (300, 300, 60, 40), (0, 0, 320, 320), (5, 5, 1, 1)]
)
def test_a_mistake_is_cut_out_wherever_it_lies(box: tuple[float, float, float, float]) -> None:
    truth = document([], images=1)
    scores = score_detections(truth, [], resamples=2)
    mistake = Mistake(1, class_name="car", box=box, score=0.5, kind="background")
    (cut,) = cut_out_mistakes(replace(scores, mistakes=(mistake,)), images=Images(), truth=truth)
    picture = pixels(cut.picture)
    assert max(picture.shape[:2]) == 220
    assert picture.std() > 3
    assert SIDE > 220
