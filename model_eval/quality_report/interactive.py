"""The charts of the quality report as Plotly figures: plain JSON, one for light and one for dark."""

from __future__ import annotations

import base64
import gzip
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from detection_scores.coco_numbers import RECALLS
from detection_scores.scoring import DetectorScores
from detection_scores.thresholds import THRESHOLDS
from quality_report.charts import BACKGROUND, NOTHING, by_ap50, row_shares
from quality_report.style import ACCENT, FEW_CLASSES, line_colour
from sinara_lib.vision.chart_colours import BAD, FAINT, INK, PAPER, THEMES, Theme

Figure = dict[str, Any]


def plotly_script() -> str:
    """Return Plotly's script."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def pack_script(script: str) -> str:
    """Return a script gzipped, as base64: a third of its size, which the page unpacks by itself."""
    return base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode("ascii")


def build_figures(scores: DetectorScores) -> dict[str, dict[str, Figure]]:
    """Return each chart that has something to show, by name and theme; empty ones stay pictures."""
    measured = any(one.ap50 is not None for one in scores.classes)
    builders: dict[str, Callable[[DetectorScores, Theme], Figure]] = {"confusion": _confusion}
    if measured:
        builders |= {"curves": _curves, "bars": _bars, "f1": _f1, "errors": _errors}
    if scores.calibration.error is not None:
        builders["calibration"] = _calibration
    return {name: {theme: build(scores, theme) for theme in THEMES} for name, build in builders.items()}


def _curves(scores: DetectorScores, theme: Theme) -> Figure:
    lines = {i: one.precision_at_recall for i, one in enumerate(scores.classes) if one.precision_at_recall}
    hover = "recall %{x:.2f}, precision %{y:.3f}"
    axes = {"xaxis": _axis("recall", theme, range=[0, 1]), "yaxis": _axis("precision", theme, range=[0, 1.03])}
    return _figure(_lines(scores, theme, x=RECALLS, lines=lines, hover=hover), theme, height=470, **axes)


def _f1(scores: DetectorScores, theme: Theme) -> Figure:
    lines = {i: one.f1_at_score for i, one in enumerate(scores.classes) if one.f1_at_score}
    hover = "threshold %{x:.2f}, F1 %{y:.3f}"
    axes = {"xaxis": _axis("score threshold", theme, range=[0, 1]), "yaxis": _axis("F1", theme, range=[0, 1.03])}
    return _figure(_lines(scores, theme, x=THRESHOLDS, lines=lines, hover=hover), theme, height=470, **axes)


def _lines(
    scores: DetectorScores, theme: Theme, *, x: np.ndarray, lines: Mapping[int, Sequence[float]], hover: str
) -> list[Figure]:
    few = len(lines) <= FEW_CLASSES
    traces = [
        _line(x, line, scores.classes[index].name, hover)
        | {"line": {"color": line_colour(index, theme), "width": 2 if few else 1}, "opacity": 1 if few else 0.5}
        | {"showlegend": few}
        for index, line in lines.items()
    ]
    mean = np.mean(list(lines.values()), axis=0)
    return [*traces, _line(x, mean, "mean", hover) | {"line": {"color": INK[theme], "width": 4}}]


def _line(x: np.ndarray, y: Sequence[float] | np.ndarray, name: str, hover: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": html.escape(name),
        "x": np.round(x, 2).tolist(),
        "y": np.round(y, 4).tolist(),
        "hovertemplate": hover,
    }


def _bars(scores: DetectorScores, theme: Theme) -> Figure:
    order = [index for index in by_ap50(scores) if scores.classes[index].ap50 is not None]
    classes, colours = [scores.classes[i] for i in order], [line_colour(i, theme) for i in order]
    names = [html.escape(one.name) for one in classes]
    ends = [(one.ap50_interval, one.ap50 or 0.0) for one in classes]
    doubt = {
        "type": "data",
        "symmetric": False,
        "array": [round(max(0.0, at.high - value), 4) if at else 0 for at, value in ends],
        "arrayminus": [round(max(0.0, value - at.low), 4) if at else 0 for at, value in ends],
        "color": INK[theme],
        "thickness": 1.2,
    }
    bars = {"type": "bar", "orientation": "h", "y": names, "marker": {"color": colours}}
    traces = [
        {**bars, "name": "AP50", "x": [_short(one.ap50) for one in classes], "error_x": doubt}
        | {"marker": {"color": colours, "opacity": 0.4}}
        | {"hovertemplate": "AP50 %{x:.3f}<extra>%{y}</extra>"},
        {**bars, "name": "AP", "x": [_short(one.ap) for one in classes]}
        | {"hovertemplate": "AP %{x:.3f}<extra>%{y}</extra>"},
    ]
    axes = {"xaxis": _axis("AP full, AP50 pale", theme, range=[0, 1.02])}
    height = 110 + (46 if len(order) <= FEW_CLASSES else 22) * len(order)
    return _figure(
        traces,
        theme,
        height=height,
        barmode="overlay",
        showlegend=False,
        yaxis=_axis("", theme, showgrid=False),
        **axes,
    )


def _confusion(scores: DetectorScores, theme: Theme) -> Figure:
    matrix, names = np.array(scores.confusion), [html.escape(one.name) for one in scores.classes]
    few = len(names) <= FEW_CLASSES
    cells: Figure = {
        "type": "heatmap",
        "x": [*names, NOTHING],
        "y": [*names, BACKGROUND],
        "z": np.round(row_shares(matrix), 4).tolist(),
        "customdata": matrix.tolist(),
        "colorscale": [[0, PAPER[theme]], [1, ACCENT[theme]]],
        "zmin": 0,
        "zmax": 1,
        "showscale": False,
        "hovertemplate": "%{y} detected as %{x}: %{customdata:,} (%{z:.0%})<extra></extra>",
    }
    if few:
        cells |= {"text": [[f"{n:,}" if n else "" for n in row] for row in matrix.tolist()], "texttemplate": "%{text}"}
    axes = {
        "xaxis": _axis("detected as", theme, showgrid=False, tickangle=-45 if few else -90),
        "yaxis": _axis("is", theme, showgrid=False, autorange="reversed"),
    }
    return _figure([cells], theme, height=max(400, 150 + (44 if few else 13) * len(matrix)), **axes)


def _errors(scores: DetectorScores, theme: Theme) -> Figure:
    kinds = scores.errors[::-1]
    bar = {
        "type": "bar",
        "orientation": "h",
        "x": [_short(kind.ap_lost) for kind in kinds],
        "y": [kind.name for kind in kinds],
        "text": [f"{kind.ap_lost or 0:.3f} ({kind.count:,})" for kind in kinds],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": BAD[theme]},
        "hovertemplate": "%{y}: %{x:.3f} AP lost<extra></extra>",
    }
    most = max(0.01, *(kind.ap_lost or 0.0 for kind in kinds))
    axes = {"xaxis": _axis("AP lost (number of errors)", theme, range=[0, 1.45 * most])}
    return _figure([bar], theme, height=330, yaxis=_axis("", theme, showgrid=False), **axes)


def _calibration(scores: DetectorScores, theme: Theme) -> Figure:
    filled = [one for one in scores.calibration.bins if one.detections]
    bars = {
        "type": "bar",
        "x": [round(one.low + 0.05, 2) for one in filled],
        "y": [_short(one.share_right) for one in filled],
        "width": 0.09,
        "customdata": [[one.detections, _short(one.mean_score)] for one in filled],
        "marker": {"color": ACCENT[theme]},
        "hovertemplate": "%{customdata[0]:,} detections, mean score %{customdata[1]:.3f}<br>"
        "%{y:.1%} of them are right<extra></extra>",
    }
    ideal = {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip"}
    ideal["line"] = {"color": INK[theme], "width": 1, "dash": "dot"}
    axes = {
        "xaxis": _axis("score", theme, range=[0, 1], showgrid=False),
        "yaxis": _axis("share of detections right", theme, range=[0, 1.03]),
    }
    return _figure([bars, ideal], theme, height=400, showlegend=False, **axes)


def _figure(traces: list[Figure], theme: Theme, *, height: int, **layout: Any) -> Figure:
    return {
        "data": traces,
        "layout": {
            "height": height,
            "autosize": True,
            "margin": {"l": 60, "r": 16, "t": 12, "b": 56},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "system-ui, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK[theme]},
            "hoverlabel": {"bgcolor": PAPER[theme], "font": {"color": INK[theme]}},
            "legend": {"orientation": "h", "y": -0.2},
            "dragmode": False,
            **layout,
        },
    }


def _axis(title: str, theme: Theme, **more: Any) -> Figure:
    return {
        "title": {"text": title, "standoff": 10},
        "gridcolor": FAINT[theme],
        "linecolor": FAINT[theme],
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
        **more,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
