"""The gate opens at its thresholds, closes below them, says by how much, and compares with the last run that passed."""

import pytest

from detection_scores.scoring import DetectorScores, score_detections
from eval_params import ScoreParams
from quality_gate.baseline import Baseline
from quality_gate.gate import GateThreshold, enforce_gate, measure_gate
from quality_gate.metrics import listed_metrics, named_metrics
from report_cases import NO_BASELINE
from scenes import document, prediction, random_predictions, random_truth
from sinara_lib.errors import ParamsError, QualityGateError
from sinara_lib.params import parse_params


@pytest.fixture(scope="module")
def scores() -> DetectorScores:
    truth = random_truth(1)
    return score_detections(truth, random_predictions(truth, 1), resamples=2)


def thresholds_of(
    scores: DetectorScores, baseline: Baseline = NO_BASELINE, **asked: object
) -> dict[str, GateThreshold]:
    params = parse_params(ScoreParams, {"threshold_map05": 0.0, **asked})
    return {threshold.name: threshold for threshold in measure_gate(scores, params, baseline=baseline)[1:]}


@pytest.mark.parametrize(("found", "passed"), [(0.5, True), (0.51, True), (0.4999, False), (0.0, False), (None, False)])
def test_a_bar_is_passed_from_its_value_on(found: float | None, passed: bool) -> None:
    threshold = GateThreshold("mean AP", required=0.5, found=found)
    assert threshold.passed is passed
    if passed:
        enforce_gate((threshold,))
    else:
        with pytest.raises(QualityGateError, match="mean AP"):
            enforce_gate((threshold,))


@pytest.mark.parametrize(("found", "passed"), [(0.1, True), (0.09, True), (0.11, False), (None, False)])
def test_a_bar_may_bound_from_above(found: float | None, passed: bool) -> None:
    assert GateThreshold("calibration_error", required=0.1, found=found, rule="at most").passed is passed


def test_a_closed_gate_says_by_how_much() -> None:
    with pytest.raises(QualityGateError, match=r"is 0\.423, 0\.077 below the threshold of 0\.500"):
        enforce_gate((GateThreshold("mean AP", required=0.5, found=0.423),))


def test_nothing_to_measure_is_said_in_words() -> None:
    empty = score_detections(document([], images=1), [])
    with pytest.raises(QualityGateError, match="could not be measured: the test set has no ground truth"):
        enforce_gate(measure_gate(empty, ScoreParams(), baseline=NO_BASELINE))


def test_the_bar_is_measured_at_the_iou_asked_for() -> None:
    truth = random_truth(1)
    strict = score_detections(truth, random_predictions(truth, 1), iou=0.75, resamples=2)
    params = ScoreParams(threshold_iou=0.75, threshold_map05=0.2)
    (threshold,) = measure_gate(strict, params, baseline=NO_BASELINE)
    assert (threshold.name, threshold.found) == ("mean AP at IoU 0.75", strict.coco["AP75"])


def test_any_metric_may_be_asked_for_by_name(scores: DetectorScores) -> None:
    metrics = named_metrics(scores)
    thresholds = thresholds_of(scores, at_least={"AR100": 0.2, "F1_car": 0.9}, at_most={"calibration_error": 0.01})
    assert {name: threshold.found for name, threshold in thresholds.items()} == {
        name: metrics[name] for name in ("AR100", "F1_car", "calibration_error")
    }
    assert [threshold.passed for threshold in thresholds.values()] == [True, False, False]


def test_a_star_stands_for_each_class_that_has_ground_truth(scores: DetectorScores) -> None:
    assert list(thresholds_of(scores, at_least={"AP50_*": 0.1})) == ["AP50_person", "AP50_bicycle", "AP50_car"]
    known = {"id": 1, "image_id": 1, "category_id": 2, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}
    one_class = score_detections(document([known], images=1), [prediction(1, 2, [10, 10, 50, 50], 0.9)])
    assert list(thresholds_of(one_class, at_least={"AP50_*": 0.1})) == ["AP50_bicycle"]
    assert thresholds_of(one_class, at_least={"AP50_car": 0.1})["AP50_car"].passed is False


def test_an_unknown_metric_is_refused_with_those_that_exist(scores: DetectorScores) -> None:
    with pytest.raises(
        ParamsError, match=r"at_least: unknown metric AP50_cat\. Known: AP, AP50, .*person, bicycle, car"
    ):
        thresholds_of(scores, at_least={"AP50_cat": 0.1})


@pytest.mark.parametrize(("drop", "passed"), [(0.0, False), (0.05, False), (0.1, True), (0.2, True)])
def test_a_metric_may_fall_below_the_baseline_by_so_much(scores: DetectorScores, drop: float, passed: bool) -> None:
    before = Baseline("run-x", metrics={"AP50": scores.coco["AP50"] + 0.1}, words="Compared with run-x.")
    (threshold,) = thresholds_of(scores, before, max_drop={"AP50": drop}).values()
    assert threshold.passed is passed
    assert "in run-x and may lose" in threshold.verdict


def test_an_equal_score_has_lost_nothing(scores: DetectorScores) -> None:
    same = Baseline("run-x", metrics=named_metrics(scores), words="Compared with run-x.")
    thresholds = thresholds_of(scores, same, max_drop={"AP50_*": 0.0, "AP": 0.0})
    assert len(thresholds) == 4
    assert all(threshold.passed for threshold in thresholds.values())


def test_the_first_run_has_nothing_to_lose_and_says_so(scores: DetectorScores) -> None:
    (threshold,) = thresholds_of(scores, NO_BASELINE, max_drop={"AP50": 0.0}).values()
    assert threshold.passed
    assert "is not asked: No earlier run passed the gate" in threshold.verdict


def test_a_named_baseline_that_is_gone_closes_the_gate(scores: DetectorScores) -> None:
    gone = Baseline("", metrics={}, words="The baseline run-x is not in the store; was it removed?", missing=True)
    (threshold,) = thresholds_of(scores, gone, max_drop={"AP50": 0.0}).values()
    assert not threshold.passed
    assert "could not be measured: The baseline run-x is not in the store" in threshold.verdict


def test_the_names_of_the_seed_are_understood_in_any_case() -> None:
    params = parse_params(ScoreParams, {"threshold_iou": 0.6, "threshold_MAp05": 0.4})
    assert (params.threshold_iou, params.threshold_map05) == (0.6, 0.4)


@pytest.mark.parametrize(
    "wrong", [{"threshold_iou": 0}, {"threshold_map05": 1.2}, {"threshold_map": 0.5}, {"at_least": {"AP": "high"}}]
)
def test_impossible_bars_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        parse_params(ScoreParams, wrong)


def test_metrics_that_could_not_be_measured_are_none() -> None:
    truth = document(
        [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}], images=1
    )
    metrics = named_metrics(score_detections(truth, [], resamples=2))
    assert metrics["AP50"] == metrics["AP50_person"] == metrics["F1_person"] == metrics["F1"] == 0.0
    listed = {"AP50": 0.0, "AP": 0.0, "AP75": 0.0, "F1": 0.0, "AP50_person": 0.0}
    assert listed_metrics(score_detections(truth, [], resamples=2)) == listed
    assert metrics["AP50_car"] is metrics["F1_car"] is metrics["calibration_error"] is metrics["APlarge"] is None
