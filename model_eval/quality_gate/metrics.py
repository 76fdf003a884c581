"""Every score that a gate may ask for and a run is listed with, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detection_scores.scoring import DetectorScores
from sinara_lib.errors import ParamsError

CALIBRATION = "calibration_error"
OVERALL = (
    *("AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge"),
    *("AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge"),
    *("F1", CALIBRATION),
)
PER_CLASS = ("AP", "AP50", "AP75", "AR", "F1")
"""Metrics of one class: `AP50_person`; of each class that has ground truth: `AP50_*`."""
EACH = "*"

Metrics = Mapping[str, float | None]


def named_metrics(scores: DetectorScores) -> dict[str, float | None]:
    """Return every metric by name; None where there is nothing to measure it on."""
    metrics: dict[str, float | None] = dict(scores.coco)
    best = {one.name: best_f1(scores, index) for index, one in enumerate(scores.classes)}
    measured = [value for value in best.values() if value is not None]
    metrics["F1"] = sum(measured) / len(measured) if measured else None
    metrics[CALIBRATION] = scores.calibration.error
    for one in scores.classes:
        values = (one.ap, one.ap50, one.ap75, one.ar, best[one.name])
        metrics |= {f"{metric}_{one.name}": value for metric, value in zip(PER_CLASS, values, strict=True)}
    return metrics


def listed_metrics(scores: DetectorScores) -> dict[str, float]:
    """Return the metrics that a run is listed with; what could not be measured is left out."""
    metrics = named_metrics(scores)
    names = ["AP50", "AP", "AP75", "F1", CALIBRATION, *(f"AP50_{one.name}" for one in scores.classes)]
    return {name: value for name in names if (value := metrics[name]) is not None}


def best_f1(scores: DetectorScores, index: int) -> float | None:
    """Return the highest F1 of a class over all thresholds; 0 when nothing is right, None without ground truth."""
    one = scores.classes[index]
    if one.best is not None:
        return one.best.f1
    return 0.0 if one.objects else None


def check_names(names: Sequence[str], classes: Sequence[str], *, where: str) -> None:
    """Raise ParamsError for a metric that does not exist, listing those that do."""
    known = {*OVERALL, *(f"{metric}_{name}" for metric in PER_CLASS for name in (*classes, EACH))}
    if unknown := [name for name in names if name not in known]:
        per_class = ", ".join(f"{metric}_<class>" for metric in PER_CLASS)
        raise ParamsError(
            f"{where}: unknown metric {', '.join(unknown)}. Known: {', '.join(OVERALL)}, {per_class}, with a class out "
            f"of {', '.join(classes)}, or {EACH} for each class."
        )


def expand(name: str, metrics: Metrics, *, classes: Sequence[str]) -> list[str]:
    """Return the metrics a name stands for: itself, or with `*` those of the classes that could be measured."""
    if not name.endswith(f"_{EACH}"):
        return [name]
    each = [f"{name.removesuffix(EACH)}{one}" for one in classes]
    return [one for one in each if metrics[one] is not None]
