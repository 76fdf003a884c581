"""Decides whether a scored detector may ship: each stated threshold beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from detection_scores.scoring import DetectorScores
from eval_params import ScoreParams
from quality_gate.baseline import Baseline
from quality_gate.metrics import CALIBRATION, Metrics, check_names, expand, named_metrics
from sinara_lib.errors import QualityGateError

NO_DETECTION = "no detection is right or wrong"


@dataclass(frozen=True)
class GateThreshold:
    """One threshold: what was asked, and what was found (None: nothing to measure it on)."""

    name: str
    required: float
    found: float | None
    rule: Literal["at least", "at most"] = "at least"
    trouble: str = "the test set has no ground truth for it"
    """Why nothing was found, where that is so."""
    waived: str | None = None
    """Why the threshold is not asked; it is passed then."""

    @property
    def passed(self) -> bool:
        """True when the threshold was reached or waived; what could not be measured has not reached it."""
        if self.waived is not None:
            return True
        if self.found is None:
            return False
        return self.found >= self.required if self.rule == "at least" else self.found <= self.required

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        if self.waived is not None:
            return f"{self.name} is not asked: {self.waived}"
        if self.found is None:
            return f"{self.name} could not be measured: {self.trouble}"
        margin, side = self.found - self.required, "above" if self.found >= self.required else "below"
        return f"{self.name} is {self.found:.3f}, {abs(margin):.3f} {side} the threshold of {self.required:.3f}"


def check_thresholds(params: ScoreParams, classes: Sequence[str]) -> None:
    """Raise ParamsError when a threshold names a metric that does not exist for these classes."""
    for where in ("at_least", "at_most", "max_drop"):
        check_names(list(getattr(params, where)), classes, where=f"score.ipynb, {where}")


def measure_gate(scores: DetectorScores, params: ScoreParams, *, baseline: Baseline) -> tuple[GateThreshold, ...]:
    """Put the scores beside the thresholds. Raises ParamsError for a metric that does not exist."""
    classes = [one.name for one in scores.classes]
    check_thresholds(params, classes)
    metrics = named_metrics(scores)
    thresholds = [
        GateThreshold(f"mean AP at IoU {params.threshold_iou:.2f}", params.threshold_map05, found=scores.ap_at_iou)
    ]
    for rule, asked in (("at least", params.at_least), ("at most", params.at_most)):
        for name, required in asked.items():
            each = expand(name, metrics, classes=classes)
            trouble = NO_DETECTION if name == CALIBRATION else GateThreshold.trouble
            thresholds += [GateThreshold(one, required, found=metrics[one], rule=rule, trouble=trouble) for one in each]
    for name, drop in params.max_drop.items():
        thresholds += [_drop_threshold(one, drop, metrics, baseline) for one in expand(name, metrics, classes=classes)]
    if scores.left_out:
        thresholds.append(
            GateThreshold("soundness of the input", 1, found=None, trouble=" ".join(scores.left_out).rstrip("."))
        )
    return tuple(thresholds)


def enforce_gate(thresholds: tuple[GateThreshold, ...]) -> None:
    """Raise QualityGateError naming every threshold that was missed, and by how much."""
    if missed := [threshold.verdict for threshold in thresholds if not threshold.passed]:
        raise QualityGateError(
            f"The quality gate is closed: {'; '.join(missed)}. Predictions and report are published; "
            "train longer or on more data, or change the thresholds of score.ipynb."
        )


def _drop_threshold(name: str, drop: float, metrics: Metrics, baseline: Baseline) -> GateThreshold:
    if baseline.missing:
        return GateThreshold(f"{name} beside the baseline", 0, found=None, trouble=baseline.words.rstrip("."))
    before = baseline.metrics.get(name)
    if before is None:
        words = f"{baseline.run_id} has no {name}" if baseline.run_id else baseline.words.rstrip(".")
        return GateThreshold(f"{name} beside the baseline", 0, found=metrics[name], waived=words)
    title = f"{name}, which was {before:.3f} in {baseline.run_id} and may lose {drop:.3f},"
    # What was equal before the numbers went through JSON and a subtraction is equal after.
    return GateThreshold(title, max(0.0, before - drop - 1e-12), found=metrics[name])
