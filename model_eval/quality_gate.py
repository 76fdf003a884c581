"""Decides whether a scored detector may ship: each stated bar beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from detector_scoring import DetectorScores
from pydantic import Field

from sinara_lib.errors import QualityGateError
from sinara_lib.params import ParamsModel


class ScoreParams(ParamsModel):
    """Parameters of score.ipynb."""

    threshold_iou: float = Field(default=0.5, gt=0, le=1)
    """A detection counts as right when it overlaps the object by at least this; also used by the curves."""
    threshold_map05: float = Field(default=0.3, ge=0, le=1)
    """The mean AP at `threshold_iou` must reach this, else the step fails."""
    shown_score: float = Field(default=0.3, ge=0, le=1)
    """Detections below it are not drawn in the report's pictures."""
    shown_images: int = Field(default=6, ge=0, le=24)
    """How many test images the report shows: half where the detector does best, half where it does worst."""


@dataclass(frozen=True)
class GateBar:
    """One bar: what was asked, what was found (None: nothing to measure it on)."""

    name: str
    required: float
    found: float | None

    @property
    def passed(self) -> bool:
        """True when the bar was reached; what could not be measured has not reached it."""
        return self.found is not None and self.found >= self.required

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        if self.found is None:
            return f"{self.name} could not be measured: the test set has no ground truth"
        margin, side = self.found - self.required, "above" if self.passed else "below"
        return f"{self.name} is {self.found:.3f}, {abs(margin):.3f} {side} the bar of {self.required:.3f}"


def measure_gate(scores: DetectorScores, params: ScoreParams) -> tuple[GateBar, ...]:
    """Put the scores beside the bars."""
    name = f"mean AP at IoU {params.threshold_iou:.2f}"
    return (GateBar(name=name, required=params.threshold_map05, found=scores.ap_at_iou),)


def flat_metrics(scores: DetectorScores) -> dict[str, float]:
    """Return the scores that a run is listed with, by name; what could not be measured is left out."""
    named = {name: scores.coco[name] for name in ("AP50", "AP", "AP75")}
    named |= {f"AP50_{one.name}": one.ap50 for one in scores.classes}
    return {name: value for name, value in named.items() if value is not None}


def enforce_gate(bars: tuple[GateBar, ...]) -> None:
    """Raise QualityGateError naming every bar that was missed, and by how much."""
    if missed := [bar.verdict for bar in bars if not bar.passed]:
        raise QualityGateError(
            f"The quality gate is closed: {'; '.join(missed)}. Predictions and report are published; "
            "train longer or on more data, or lower threshold_map05 of score.ipynb."
        )
