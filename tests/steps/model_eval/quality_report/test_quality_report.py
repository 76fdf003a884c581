"""The report is one page that opens anywhere, with its numbers, curves and pictures beside it, and nothing made up."""

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from detection_scores.scoring import score_detections
from quality_report.charts import CHARTS
from quality_report.documents import summary
from report_cases import BASELINE, CASES, NO_BASELINE, report_of
from scenes import random_predictions, random_truth
from sinara_lib.vision.chart_colours import THEMES


def pixels(picture: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).astype(float)


def words_of(page: str) -> str:
    """The text that a reader sees."""
    page = re.sub(r"(?s)<(script|style).*?</\1>", " ", page)
    return re.sub(r"\s+", " ", re.sub(r"(?s)<[^>]*>", " ", page))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    report_of(folder, *CASES["usual"]())
    return folder


def test_the_page_asks_for_no_address(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|srcset|href|action|url)\s*[=(]\s*["']?(?!data:)[a-z]*:?//""", page)
    assert "<script src" not in page
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
    assert "below the threshold of 0.990" in page
    assert numbers["gate"][0]["passed"] is False
    assert [one["name"] for one in numbers["classes"]] == ["person", "bicycle", "car"]
    assert numbers["metrics"]["AP50_car"] == numbers["classes"][2]["ap50"]
    assert numbers["ground_truth"] == "0123"


def test_the_folder_holds_page_summary_numbers_curves_and_pictures(report: Path) -> None:
    charts = [f"{name}.png" for name in CHARTS]
    expected = sorted([*charts, "curves.csv", "metrics.json", "report.html", "report.md"])
    assert sorted(path.name for path in report.iterdir()) == expected


def test_the_curves_are_those_of_the_scores(report: Path) -> None:
    truth, predictions = CASES["usual"]()
    scores = score_detections(truth, predictions, resamples=2)
    with (report / "curves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for one in scores.classes:
        curves = {"precision at recall": one.precision_at_recall, "F1 at score": one.f1_at_score}
        for name, expected in curves.items():
            mine = [row for row in rows if (row["class"], row["curve"]) == (one.name, name)]
            assert [float(row["y"]) for row in mine] == list(expected)
            assert [float(row["x"]) for row in mine] == pytest.approx(np.linspace(0, 1, 101).tolist())


def test_the_summary_holds_gate_scores_changes_and_three_pictures(report: Path) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    numbers = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    assert text.startswith("# Detector quality: fails the gate")
    assert "**failed**: mean AP at IoU 0.50 is" in text
    ap50 = numbers["coco"]["AP50"]
    (line,) = re.findall(r"^\| AP50 \| .*$", text, flags=re.M)
    low, high = numbers["intervals_95"]["AP50"]
    assert line == f"| AP50 | {ap50:.3f} | {low:.3f} to {high:.3f} | {ap50 - 0.9:+.3f} |"
    assert re.findall(r"\]\((\w+\.png)\)", text) == ["curves.png", "bars.png", "confusion.png"]


def test_without_a_baseline_no_change_is_stated(tmp_path: Path) -> None:
    content = report_of(tmp_path, *CASES["usual"](), baseline=NO_BASELINE)
    text = summary(content.scores, content.thresholds, facts=content.facts, baseline=NO_BASELINE)
    assert "There is nothing to compare with." in text
    assert re.search(r"^\| AP50 \| .* \| n/a \|$", text, flags=re.M)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_not_blank_and_fit_their_theme(name: str, theme: str) -> None:
    truth = random_truth(1)
    picture = pixels(CHARTS[name](score_detections(truth, random_predictions(truth, 1), resamples=2), theme))
    assert picture.std() > 10
    assert bool(picture[0].mean() > 200) is (theme == "light")


@pytest.mark.parametrize("case", CASES)
def test_every_odd_input_gives_a_whole_report_without_a_made_up_number(tmp_path: Path, case: str) -> None:
    report_of(tmp_path, *CASES[case]())
    seen = words_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not re.search(r"\b(nan|None|inf|-1\.000)\b", seen)
    numbers = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    if case in ("no annotations", "nothing at all"):
        assert set(numbers["coco"].values()) == {None}
        assert seen.count("no ground truth, so nothing to measure") == 3
        assert "could not be measured: the test set has no ground truth" in seen
        assert numbers["objects"] == 0
    if case == "no predictions":
        assert numbers["coco"]["AP50"] == 0
        assert numbers["calibration"]["error"] is None
        assert "nothing right" in seen
    if case == "classes without ground truth":
        assert seen.count("no ground truth, so nothing to measure") == 2
        assert numbers["metrics"]["AP50_person"] == 0
        assert numbers["metrics"]["AP50_bicycle"] is None


def test_nonsense_is_said_on_the_page_in_the_summary_and_closes_the_gate(tmp_path: Path) -> None:
    content = report_of(tmp_path, *CASES["nonsense among the predictions"](), baseline=BASELINE)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        for reason in ("images that the test set lacks", "classes that the test set lacks", "no number from 0 to 1"):
            assert reason in text, name
    assert content.thresholds[-1].passed is False
    assert "soundness of the input" in content.thresholds[-1].verdict
