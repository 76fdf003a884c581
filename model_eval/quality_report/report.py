"""Writes the quality report: one HTML page that opens anywhere, a summary, numbers, curves and pictures beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detection_scores.scoring import DetectorScores
from quality_gate.baseline import Baseline
from quality_gate.gate import GateThreshold
from quality_report.charts import CHARTS
from quality_report.documents import ReportFacts, between, change, curves_table, metrics_document, number, summary
from quality_report.examples import CutOut, ExampleImage
from quality_report.interactive import build_figures, pack_script, plotly_script
from quality_report.style import FEW_CLASSES
from sinara_lib.reports.page_safety import content_policy, page_scripts
from sinara_lib.vision.chart_colours import THEMES
from sinara_lib.vision.coco_drawing import class_colour

TEMPLATE = "quality_report.html.j2"
MEANINGS = {
    "AP": "mean over IoU 0.50 to 0.95",
    "AP50": "at IoU 0.50",
    "AP75": "at IoU 0.75",
    "APsmall": "objects up to 32 x 32 pixels",
    "APmedium": "32 x 32 to 96 x 96 pixels",
    "APlarge": "objects from 96 x 96 pixels",
    "AR1": "recall with one detection of a class an image",
    "AR10": "recall with ten",
    "AR100": "recall with a hundred",
    "ARsmall": "recall of small objects",
    "ARmedium": "recall of medium objects",
    "ARlarge": "recall of large objects",
}
KINDS = {
    "class": "right place, wrong class",
    "box": "right class, box off",
    "both": "wrong class and box off",
    "duplicate": "found twice",
    "background": "nothing there",
    "missed": "not found at all",
}


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows."""

    scores: DetectorScores
    thresholds: Sequence[GateThreshold]
    baseline: Baseline
    examples: Sequence[ExampleImage]
    mistakes: Sequence[CutOut]
    facts: ReportFacts


def write_report(folder: str | Path, content: ReportContent) -> Path:
    """Write report.html, report.md, metrics.json, curves.csv and the charts as PNG; returns the path of the page."""
    folder, scores = Path(folder), content.scores
    charts = {name: {theme: draw(scores, theme) for theme in THEMES} for name, draw in CHARTS.items()}
    for name, themes in charts.items():
        (folder / f"{name}.png").write_bytes(themes["light"])
    parts = {"facts": content.facts, "baseline": content.baseline}
    numbers = metrics_document(scores, content.thresholds, **parts)
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    (folder / "curves.csv").write_text(curves_table(scores), encoding="utf-8")
    (folder / "report.md").write_text(summary(scores, content.thresholds, **parts), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_render(content, charts), encoding="utf-8")
    return page


def _render(content: ReportContent, charts: Mapping[str, Mapping[str, bytes]]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": number,
        "between": between,
        "png": lambda data: _data_url("image/png", data),
        "jpeg": lambda data: _data_url("image/jpeg", data),
        "json": _as_json,
    }
    environment.filters.update(filters)
    scores, script = content.scores, plotly_script()
    return environment.get_template(TEMPLATE).render(
        scores=scores,
        thresholds=content.thresholds,
        passed=all(threshold.passed for threshold in content.thresholds),
        baseline=content.baseline,
        examples=content.examples,
        mistakes=content.mistakes,
        facts=content.facts,
        charts=charts,
        figures=build_figures(scores),
        plotly=pack_script(script),
        policy=content_policy(*page_scripts(environment, TEMPLATE), script),
        change=change,
        meanings=MEANINGS,
        kinds=KINDS,
        few=FEW_CLASSES,
        colours=["rgb({}, {}, {})".format(*class_colour(index)) for index in range(len(scores.classes))],
    )


def _as_json(value: Any) -> Markup:
    # In a script element only `<` could end the element; inside a JSON string its escape means the same.
    return Markup(json.dumps(value, allow_nan=False).replace("<", "\\u003c"))  # noqa: S704 - nothing left to escape


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
