"""The gate opens at its bar, closes below it, and says by how much."""

import pytest
from detector_scoring import score_detections
from quality_gate import GateBar, ScoreParams, enforce_gate, flat_metrics, measure_gate
from scenes import document, random_predictions, random_truth

from sinara_lib.errors import ParamsError, QualityGateError
from sinara_lib.params import parse_params


@pytest.mark.parametrize(("found", "passed"), [(0.5, True), (0.51, True), (0.4999, False), (0.0, False), (None, False)])
def test_a_bar_is_passed_from_its_value_on(found: float | None, passed: bool) -> None:
    bar = GateBar("mean AP", required=0.5, found=found)
    assert bar.passed is passed
    if passed:
        enforce_gate((bar,))
    else:
        with pytest.raises(QualityGateError, match="mean AP"):
            enforce_gate((bar,))


def test_a_closed_gate_says_by_how_much() -> None:
    with pytest.raises(QualityGateError, match=r"is 0\.423, 0\.077 below the bar of 0\.500"):
        enforce_gate((GateBar("mean AP", required=0.5, found=0.423),))


def test_nothing_to_measure_is_said_in_words() -> None:
    scores = score_detections(document([], images=1), [])
    with pytest.raises(QualityGateError, match="could not be measured: the test set has no ground truth"):
        enforce_gate(measure_gate(scores, ScoreParams()))


def test_the_bar_is_measured_at_the_iou_asked_for() -> None:
    truth = random_truth(1)
    scores = score_detections(truth, random_predictions(truth, 1), iou=0.75)
    (bar,) = measure_gate(scores, ScoreParams(threshold_iou=0.75, threshold_map05=0.2))
    assert (bar.name, bar.found) == ("mean AP at IoU 0.75", scores.coco["AP75"])


def test_the_names_of_the_seed_are_understood_in_any_case() -> None:
    params = parse_params(ScoreParams, {"threshold_iou": 0.6, "threshold_MAp05": 0.4})
    assert (params.threshold_iou, params.threshold_map05) == (0.6, 0.4)


@pytest.mark.parametrize("wrong", [{"threshold_iou": 0}, {"threshold_map05": 1.2}, {"threshold_map": 0.5}])
def test_impossible_bars_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        parse_params(ScoreParams, wrong)


def test_flat_metrics_leave_out_what_could_not_be_measured() -> None:
    truth = document(
        [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}], images=1
    )
    assert flat_metrics(score_detections(truth, [])) == {"AP50": 0.0, "AP": 0.0, "AP75": 0.0, "AP50_person": 0.0}
