"""Reports of small scenes: of a usual detector, and of every odd input."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np

from detection_scores.scoring import DetectorScores, score_detections
from eval_params import ScoreParams
from quality_gate.baseline import Baseline
from quality_gate.gate import measure_gate
from quality_report.documents import ReportFacts
from quality_report.examples import ExampleImage, choose_examples, cut_out_mistakes, draw_examples
from quality_report.report import ReportContent, write_report
from scenes import SIDE, document, perfect_predictions, prediction, random_predictions, random_truth
from sinara_lib.vision.coco import CocoDataset

FACTS = ReportFacts(
    "yolox_nano",
    run_id="run-26-01-02-030405-678",
    created=datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
    origin={"model_run": "run-m", "test set": "file:///store/<b>&"},
    ground_truth="0123",
)
NO_BASELINE = Baseline("", metrics={}, words="No earlier run passed the gate. There is nothing to compare with.")
BASELINE = Baseline("run-26-01-01-000000-000", metrics={"AP50": 0.9, "AP": 0.1}, words="Compared with an older run.")
PARAMS = ScoreParams(threshold_map05=0.99, at_least={"AP50_*": 0.1}, max_drop={"AP50": 0.02})


class Images:
    """Stands in for the archive: an image of noise for every name."""

    def read(self, name: str) -> bytes:
        assert name.startswith("images/")
        noise = np.random.default_rng(len(name)).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        return cv2.imencode(".png", cv2.GaussianBlur(noise, (0, 0), 6))[1].tobytes()


def examples_of(truth: CocoDataset, predictions: list[dict], scores: DetectorScores) -> list[ExampleImage]:
    """Four example images."""
    outcomes = choose_examples(scores, count=4)
    return draw_examples(outcomes, images=Images(), truth=truth, predictions=predictions, shown_score=0.3)


def report_of(
    folder: Path, truth: CocoDataset, predictions: list[dict], *, baseline: Baseline = BASELINE
) -> ReportContent:
    """Score and write the report into `folder`; returns what it shows."""
    scores = score_detections(truth, predictions, resamples=20)
    content = ReportContent(
        scores,
        thresholds=measure_gate(scores, PARAMS, baseline=baseline),
        baseline=baseline,
        examples=examples_of(truth, predictions, scores),
        mistakes=cut_out_mistakes(scores, images=Images(), truth=truth),
        facts=FACTS,
    )
    write_report(folder, content)
    return content


def _one_class_only() -> CocoDataset:
    known = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50], "area": 2500, "iscrowd": 0}
    return document([known], images=2)


def _usual() -> tuple[CocoDataset, list[dict]]:
    truth = random_truth(1)
    return truth, random_predictions(truth, 1)


def _nonsense() -> tuple[CocoDataset, list[dict]]:
    truth, predictions = _usual()
    strangers = [prediction(99, 1, [0, 0, 9, 9], 0.5), prediction(1, 8, [0, 0, 9, 9], 0.5)]
    return truth, [*predictions, *strangers, prediction(1, 1, [0, 0, 9, 9], float("nan"))]


CASES: dict[str, Callable[[], tuple[CocoDataset, list[dict]]]] = {
    "usual": _usual,
    "perfect": lambda: (random_truth(2, crowds=False), perfect_predictions(random_truth(2, crowds=False))),
    "no predictions": lambda: (random_truth(3), []),
    "classes without ground truth": lambda: (_one_class_only(), [prediction(1, 2, [10, 10, 50, 50], 0.8)]),
    "no annotations": lambda: (document([], images=3), [prediction(1, 1, [0, 0, 9, 9], 0.5)]),
    "nothing at all": lambda: (document([], images=0), []),
    "nonsense among the predictions": _nonsense,
}
