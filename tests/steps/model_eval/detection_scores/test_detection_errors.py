"""Kinds of errors and the confusion matrix equal what plain loops over the definitions give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coco_oracle import official
from detection_scores.scoring import DetectorScores, score_detections
from scenes import CLASSES, document, perfect_predictions, prediction, random_predictions, random_truth
from sinara_lib.vision.coco import CocoDataset

SHOWN, IOU = 0.3, 0.5


def scored(truth: CocoDataset, predictions: list[dict]) -> DetectorScores:
    return score_detections(truth, predictions, iou=IOU, shown_score=SHOWN, resamples=2)


def overlap(one: list[float], other: list[float], *, crowd: bool = False) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    union = one[2] * one[3] + (0 if crowd else other[2] * other[3] - shared)
    return shared / union if shared else 0.0


def counted_kinds(truth: CocoDataset, predictions: list[dict]) -> dict[str, int]:
    """TIDE's definitions in loops, over what pycocotools matched."""
    counts = dict.fromkeys(("class", "box", "both", "duplicate", "background", "missed"), 0)
    found, spared = set(), set()
    for one in official(truth, predictions, ious=[IOU]).evalImgs:
        if one is None or one["aRng"] != [0, 1e10]:
            continue
        for place, number in enumerate(one["dtIds"]):
            detection = predictions[number - 1]
            if detection["score"] < SHOWN or one["dtIgnore"][0, place]:
                continue
            if one["dtMatches"][0, place]:
                found.add(int(one["dtMatches"][0, place]) - 1)
                continue
            kind, touched = kind_of(truth, detection)
            counts[kind] += 1
            spared |= {touched} if kind in ("class", "box") else set()
    for number, known in enumerate(truth.annotations):
        counts["missed"] += not known.iscrowd and number not in found and number not in spared
    return counts


def kind_of(truth: CocoDataset, detection: dict) -> tuple[str, int]:
    own, other = (0.0, -1), (0.0, -1)
    for number, known in enumerate(truth.annotations):
        if known.image_id != detection["image_id"] or known.iscrowd:
            continue
        reach = (overlap(detection["bbox"], list(known.bbox)), number)
        if known.category_id == detection["category_id"]:
            own = max(own, reach, key=lambda pair: pair[0])
        else:
            other = max(other, reach, key=lambda pair: pair[0])
    if 0.1 <= own[0] < IOU:
        return "box", own[1]
    if other[0] >= IOU:
        return "class", other[1]
    if own[0] >= IOU:
        return "duplicate", own[1]
    return ("background", -1) if max(own[0], other[0]) < 0.1 else ("both", -1)


def counted_confusion(truth: CocoDataset, predictions: list[dict]) -> list[list[int]]:
    nothing = len(CLASSES)
    matrix = np.zeros((nothing + 1, nothing + 1), dtype=int)
    taken: set[int] = set()
    for detection in sorted(predictions, key=lambda one: -one["score"]):
        if detection["score"] < SHOWN:
            continue
        best, crowded = (IOU, -1), False
        for number, known in enumerate(truth.annotations):
            if known.image_id != detection["image_id"]:
                continue
            reach = overlap(detection["bbox"], list(known.bbox), crowd=bool(known.iscrowd))
            if known.iscrowd:
                crowded |= reach >= IOU and known.category_id == detection["category_id"]
            elif number not in taken and reach >= best[0]:
                best = (reach, number)
        if best[1] >= 0:
            taken.add(best[1])
            matrix[truth.annotations[best[1]].category_id - 1, detection["category_id"] - 1] += 1
        elif not crowded:
            matrix[nothing, detection["category_id"] - 1] += 1
    for number, known in enumerate(truth.annotations):
        matrix[known.category_id - 1, nothing] += not known.iscrowd and number not in taken
    return matrix.tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_kinds_and_confusion_equal_plain_loops(seed: int) -> None:
    truth = random_truth(seed, images=10)
    predictions = random_predictions(truth, seed)
    scores = scored(truth, predictions)
    assert {one.name: one.count for one in scores.errors} == counted_kinds(truth, predictions)
    assert [list(line) for line in scores.confusion] == counted_confusion(truth, predictions)


def one_of_each_kind() -> tuple[CocoDataset, list[dict]]:
    corners = [(10, 10), (150, 10), (10, 150), (150, 150), (10, 250)]
    known = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": [x, y, 40, 40], "area": 1600, "iscrowd": 0}
        for i, (x, y) in enumerate(corners, start=1)
    ]
    found = [
        prediction(1, 1, [10, 10, 40, 40], 0.9),
        prediction(1, 1, [10, 10, 40, 38], 0.8),  # duplicate
        prediction(1, 2, [150, 10, 40, 40], 0.7),  # class
        prediction(1, 1, [10, 165, 40, 50], 0.6),  # box
        prediction(1, 3, [170, 150, 40, 40], 0.5),  # both
        prediction(1, 1, [280, 280, 20, 20], 0.4),  # background
    ]
    return document(known, images=1), found


def test_each_kind_is_told_apart() -> None:
    scores = scored(*one_of_each_kind())
    # Two objects are missed: the one that only a wrong class with a wrong box lies near, and the last one.
    expected = {"class": 1, "box": 1, "both": 1, "duplicate": 1, "background": 1, "missed": 2}
    assert {one.name: one.count for one in scores.errors} == expected


def test_what_an_error_costs_is_the_ap_of_the_mended_detections() -> None:
    truth, found = one_of_each_kind()
    before = official(truth, found, ious=[IOU]).eval["precision"][0, :, 0, 0, 2].mean()
    mended = {
        "class": [*found[:2], {**found[2], "category_id": 1}, *found[3:]],
        "box": [*found[:3], {**found[3], "bbox": [10.0, 150.0, 40.0, 40.0]}, *found[4:]],
        "duplicate": [found[0], *found[2:]],
        "background": found[:5],
        "both": [*found[:4], found[5]],
    }
    lost = {one.name: one.ap_lost for one in scored(truth, found).errors}
    for kind, better in mended.items():
        after = official(truth, better, ious=[IOU]).eval["precision"][0, :, 0, 0, 2].mean()
        assert lost[kind] == pytest.approx(after - before, abs=1e-10), kind
    fewer = document([vars_of(one) for one in truth.annotations[:3]], images=1)
    after = official(fewer, found, ious=[IOU]).eval["precision"][0, :, 0, 0, 2].mean()
    assert lost["missed"] == pytest.approx(after - before, abs=1e-10)


def vars_of(one: object) -> dict:
    return {name: getattr(one, name) for name in ("id", "image_id", "category_id", "area", "iscrowd")} | {
        "bbox": list(one.bbox)
    }


def test_a_perfect_detector_makes_no_error_and_its_matrix_is_diagonal() -> None:
    truth = random_truth(3, crowds=False)
    scores = scored(truth, perfect_predictions(truth))
    assert {one.count for one in scores.errors} == {0}
    assert [one.ap_lost for one in scores.errors] == pytest.approx([0] * 6, abs=1e-9)
    matrix = np.array(scores.confusion)
    assert matrix.sum() == np.trace(matrix) == scores.objects
    assert scores.mistakes == ()


def test_the_largest_mistakes_come_first_and_bear_their_kind() -> None:
    scores = scored(*one_of_each_kind())
    false = [one for one in scores.mistakes if one.kind != "missed"]
    assert [one.kind for one in false] == ["box", "class", "both", "duplicate", "background"]
    assert all(one.score is None and one.class_name == "person" for one in scores.mistakes[len(false) :])


def test_without_ground_truth_errors_cost_nothing_that_could_be_stated() -> None:
    scores = scored(document([], images=2), [prediction(1, 1, [0, 0, 9, 9], 0.5)])
    assert {one.ap_lost for one in scores.errors} == {None}
    assert {one.name: one.count for one in scores.errors}["background"] == 1
