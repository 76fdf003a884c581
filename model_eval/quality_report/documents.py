"""What the quality report says besides its page: the numbers as JSON, the curves as CSV, a summary in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from detection_scores.coco_numbers import RECALLS
from detection_scores.intervals import Interval
from detection_scores.scoring import ClassScores, DetectorScores
from detection_scores.thresholds import THRESHOLDS
from quality_gate.baseline import Baseline
from quality_gate.gate import GateThreshold
from quality_gate.metrics import named_metrics
from sinara_lib.gate import JudgedThreshold
from sinara_lib.tables import csv_table, markdown_table, plain

NOT_MEASURED = "n/a"


@dataclass(frozen=True)
class ReportFacts:
    """Where the scores come from. `origin` is shown as a table: model run, data run, service and so on."""

    model: str
    run_id: str
    created: datetime
    origin: Mapping[str, str]
    ground_truth: str
    """The same for the same ground truth, whatever the run."""


def metrics_document(
    scores: DetectorScores, thresholds: Sequence[GateThreshold], *, facts: ReportFacts, baseline: Baseline
) -> dict[str, Any]:
    """Return every number of the report; null where there is nothing to measure it on."""
    curves = ("precision_at_recall", "f1_at_score")
    return {
        "model": facts.model,
        "run_id": facts.run_id,
        "created": facts.created.isoformat(timespec="seconds"),
        "origin": dict(facts.origin),
        "ground_truth": facts.ground_truth,
        "images": scores.images,
        "objects": scores.objects,
        "detections": scores.detections,
        "left_out": list(scores.left_out),
        "iou": scores.iou,
        "shown_score": scores.shown_score,
        "ap_at_iou": scores.ap_at_iou,
        "coco": scores.coco,
        "intervals_95": {"AP": _as_pair(scores.ap_interval), "AP50": _as_pair(scores.ap50_interval)},
        "metrics": named_metrics(scores),
        "classes": [{key: value for key, value in asdict(one).items() if key not in curves} for one in scores.classes],
        "confusion": [list(row) for row in scores.confusion],
        "errors": [asdict(one) for one in scores.errors],
        "calibration": asdict(scores.calibration),
        "baseline": {"run_id": baseline.run_id or None, "words": baseline.words},
        "gate": [
            JudgedThreshold(**asdict(one), passed=one.passed, verdict=one.verdict).model_dump() for one in thresholds
        ],
    }


def curves_table(scores: DetectorScores) -> str:
    """Return precision over recall and F1 over the score threshold of each class as CSV: class, curve, x, y."""
    rows = [["class", "curve", "x", "y"]]
    for one in scores.classes:
        curves = {
            "precision at recall": (RECALLS, one.precision_at_recall),
            "F1 at score": (THRESHOLDS, one.f1_at_score),
        }
        for name, (x, y) in curves.items():
            rows += [[one.name, name, f"{a:.2f}", repr(b)] for a, b in zip(x.tolist(), y or (), strict=y is not None)]
    return csv_table(rows)


def summary(
    scores: DetectorScores, thresholds: Sequence[GateThreshold], *, facts: ReportFacts, baseline: Baseline
) -> str:
    """Return the report in Markdown: gate, scores, classes, three charts; what a pull request comment needs."""
    passed = all(threshold.passed for threshold in thresholds)
    overall = [
        [name, number(scores.coco[name]), between(interval), change(scores.coco[name], baseline.metrics.get(name))]
        for name, interval in (("AP", scores.ap_interval), ("AP50", scores.ap50_interval), ("AP75", None))
    ]
    classes = [
        [one.name, f"{one.objects:,}", number(one.ap50), between(one.ap50_interval), number(one.ap), *_best(one)]
        for one in scores.classes
    ]
    warnings = [f"> {plain(words)}" for words in scores.left_out]
    return "\n".join(
        [
            f"# Detector quality: {'passes' if passed else 'fails'} the gate",
            "",
            f"{plain(facts.model)}, {facts.run_id}: {scores.images:,} images, {scores.objects:,} objects, "
            f"{scores.detections:,} detections. {plain(baseline.words)}",
            "",
            *([*warnings, ""] if warnings else []),
            *(
                f"- {'passed' if threshold.passed else '**failed**'}: {plain(threshold.verdict)}"
                for threshold in thresholds
            ),
            "",
            markdown_table(["score", "value", "95% interval", "change"], overall),
            "",
            markdown_table(["class", "objects", "AP50", "95% interval", "AP", "best F1", "at score"], classes),
            "",
            "![Precision and recall](curves.png)",
            "![Average precision by class](bars.png)",
            "![Which class is taken for which](confusion.png)",
            "",
        ]
    )


def number(value: float | None) -> str:
    """Return three decimals, or what is said where nothing was measured."""
    return NOT_MEASURED if value is None else f"{value:.3f}"


def between(interval: Interval | None) -> str:
    """Return an interval in words."""
    return NOT_MEASURED if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"


def change(value: float | None, before: float | None) -> str:
    """Return a change with its sign."""
    return NOT_MEASURED if value is None or before is None else f"{value - before:+.3f}"


def _best(one: ClassScores) -> tuple[str, str]:
    return (number(one.best.f1), number(one.best.score)) if one.best else (NOT_MEASURED, NOT_MEASURED)


def _as_pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
