"""The report is one page that opens anywhere, with pictures that show something and no number made up."""

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from detector_scoring import DetectorScores, ImageOutcome, score_detections
from quality_gate import ScoreParams, measure_gate
from quality_pictures import THEMES, ExampleImage, choose_examples, draw_bars, draw_curves, draw_examples
from quality_report import ReportFacts, write_report
from scenes import SIDE, document, random_predictions, random_truth

from sinara_lib.vision.coco import CocoDataset

FACTS = ReportFacts(
    "yolox_nano",
    run_id="run-26-01-02-030405-678",
    created=datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
    origin={"model_run": "run-m", "test set": "file:///store/<b>&"},
    shown_score=0.3,
)


class Images:
    """Stands in for the archive: a grey image for every name."""

    def read(self, name: str) -> bytes:
        assert name.startswith("images/")
        return cv2.imencode(".png", np.full((SIDE, SIDE, 3), 128, np.uint8))[1].tobytes()


def pixels(picture: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).astype(float)


def examples_of(truth: CocoDataset, predictions: list[dict], scores: DetectorScores) -> list[ExampleImage]:
    outcomes = choose_examples(scores, count=4)
    return draw_examples(outcomes, images=Images(), truth=truth, predictions=predictions, shown_score=0.3)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    truth = random_truth(1)
    predictions = random_predictions(truth, 1)
    scores = score_detections(truth, predictions)
    folder = tmp_path_factory.mktemp("report")
    bars = measure_gate(scores, ScoreParams(threshold_map05=0.99))
    write_report(folder, scores=scores, bars=bars, examples=examples_of(truth, predictions, scores), facts=FACTS)
    return folder


def test_the_page_asks_for_no_address(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|srcset|href|action|url)\s*[=(]\s*["']?(?!data:)[a-z]*:?//""", page)
    assert "<script" not in page
    assert "@import" not in page
    assert all(source.startswith("data:image/") for source in re.findall(r'src(?:set)?="([^"]{0,20})', page))
    assert len(page) < 8_000_000


def test_text_from_outside_is_escaped(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "/&lt;b&gt;&amp;" in page
    assert "<b>&" not in page


def test_the_page_says_the_scores_and_the_verdict(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    numbers = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    assert f">{numbers['coco']['AP50']:.3f}<" in page
    assert "Fails the gate" in page
    assert "below the bar of 0.990" in page
    assert numbers["gate"][0]["passed"] is False
    assert [one["name"] for one in numbers["classes"]] == ["person", "bicycle", "car"]


def test_the_folder_holds_page_numbers_and_pictures(report: Path) -> None:
    assert sorted(path.name for path in report.iterdir()) == ["bars.png", "curves.png", "metrics.json", "report.html"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("draw", [draw_curves, draw_bars])
def test_charts_are_not_blank_and_fit_their_theme(draw: object, theme: str) -> None:
    truth = random_truth(1)
    picture = pixels(draw(score_detections(truth, random_predictions(truth, 1)), theme))
    assert picture.std() > 10
    assert bool(picture[0].mean() > 200) is (theme == "light")


def test_examples_show_boxes_and_each_side_its_own() -> None:
    truth = random_truth(1)
    predictions = random_predictions(truth, 1)
    for one in examples_of(truth, predictions, score_detections(truth, predictions)):
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
    scores = replace(score_detections(random_truth(1), []), outcomes=tuple(outcomes))
    assert [one.image_id for one in choose_examples(scores, count=4)] == [2, 1, 3, 6]
    assert [one.image_id for one in choose_examples(scores, count=1)] == [2]
    assert choose_examples(scores, count=0) == []


@pytest.mark.parametrize("annotations", [[], [1]], ids=["no ground truth at all", "two classes without"])
def test_what_could_not_be_measured_is_said_in_words(tmp_path: Path, annotations: list[int]) -> None:
    known = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}
        for i in annotations
    ]
    scores = score_detections(document(known, images=2), [])
    write_report(tmp_path, scores=scores, bars=measure_gate(scores, ScoreParams()), examples=[], facts=FACTS)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("no ground truth, so nothing to measure") == 3 - len(annotations)
    assert "-1.000" not in page
    assert "nan" not in page.lower().replace("nano", "")[: page.index("data:")]
    assert json.loads((tmp_path / "metrics.json").read_text())["classes"][2]["ap50"] is None
