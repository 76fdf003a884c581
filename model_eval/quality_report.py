"""Writes the quality report: one HTML page that opens anywhere, the numbers as JSON, the pictures as PNG."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from detector_scoring import DetectorScores
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from quality_gate import GateBar
from quality_pictures import THEMES, ExampleImage, draw_bars, draw_curves

from sinara_lib.vision.coco_drawing import class_colour

TEMPLATE = "quality_report.html.j2"
NO_GROUND_TRUTH = "no ground truth"
_MEANINGS = {
    "AP": "mean over IoU 0.50 to 0.95",
    "AP50": "at IoU 0.50",
    "AP75": "at IoU 0.75",
    "APsmall": "objects below 32 x 32 pixels",
    "APmedium": "32 x 32 to 96 x 96 pixels",
    "APlarge": "objects above 96 x 96 pixels",
    "AR1": "recall with one detection an image",
    "AR10": "recall with ten",
    "AR100": "recall with a hundred",
    "ARsmall": "recall of small objects",
    "ARmedium": "recall of medium objects",
    "ARlarge": "recall of large objects",
}


@dataclass(frozen=True)
class ReportFacts:
    """Where the scores come from. `origin` is shown as a table: model run, data run, service and so on."""

    model: str
    run_id: str
    created: datetime
    origin: Mapping[str, str]
    shown_score: float


def write_report(
    folder: str | Path,
    *,
    scores: DetectorScores,
    bars: Sequence[GateBar],
    examples: Sequence[ExampleImage],
    facts: ReportFacts,
) -> Path:
    """Write report.html, metrics.json and the PNG pictures into `folder`; returns the path of the page."""
    folder = Path(folder)
    pictures = {
        "curves": {theme: draw_curves(scores, theme) for theme in THEMES},
        "bars": {theme: draw_bars(scores, theme) for theme in THEMES},
    }
    for name, themes in pictures.items():
        (folder / f"{name}.png").write_bytes(themes["light"])
    numbers = metrics_document(scores, bars, facts=facts)
    (folder / "metrics.json").write_text(json.dumps(numbers, indent=1, ensure_ascii=False), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_render(scores, bars, examples, facts=facts, pictures=pictures), encoding="utf-8")
    return page


def metrics_document(scores: DetectorScores, bars: Sequence[GateBar], *, facts: ReportFacts) -> dict[str, Any]:
    """Return every number of the report; null where there is no ground truth to measure on."""
    return {
        "model": facts.model,
        "run_id": facts.run_id,
        "created": facts.created.isoformat(timespec="seconds"),
        "origin": dict(facts.origin),
        "images": scores.images,
        "objects": scores.objects,
        "detections": scores.detections,
        "iou": scores.iou,
        "ap_at_iou": scores.ap_at_iou,
        "coco": scores.coco,
        "classes": [asdict(one) for one in scores.classes],
        "gate": [{**asdict(bar), "passed": bar.passed} for bar in bars],
    }


def _render(
    scores: DetectorScores,
    bars: Sequence[GateBar],
    examples: Sequence[ExampleImage],
    *,
    facts: ReportFacts,
    pictures: Mapping[str, Mapping[str, bytes]],
) -> str:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["number"] = lambda value: NO_GROUND_TRUTH if value is None else f"{value:.3f}"
    environment.filters["png"] = lambda data: _data_url("image/png", data)
    environment.filters["jpeg"] = lambda data: _data_url("image/jpeg", data)
    return environment.get_template(TEMPLATE).render(
        scores=scores,
        bars=bars,
        passed=all(bar.passed for bar in bars),
        examples=examples,
        facts=facts,
        pictures=pictures,
        meanings=_MEANINGS,
        colours=["rgb({}, {}, {})".format(*class_colour(index)) for index in range(len(scores.classes))],
    )


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
