"""The charts of the quality report as pictures, for paper and for pages without scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from detection_scores.coco_numbers import RECALLS
from detection_scores.scoring import DetectorScores
from detection_scores.thresholds import THRESHOLDS
from quality_report.style import ACCENT, FEW_CLASSES, add_legend, canvas, line_colour, png, say_nothing_measured
from sinara_lib.vision.chart_colours import BAD, FAINT, INK, PAPER, Theme

NOTHING = "nothing"
BACKGROUND = "background"


def draw_curves(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw precision over recall for each class and their mean."""
    lines = {i: one.precision_at_recall for i, one in enumerate(scores.classes) if one.precision_at_recall}
    figure, axes = canvas(theme, height=4.9)
    axes.set(xlabel="recall: share of objects found", ylabel="precision: share of detections right")
    _draw_lines(axes, theme, scores, x=RECALLS, lines=lines, note=lambda curve: f"{curve.mean():.2f}")
    return png(figure, theme)


def draw_f1(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw F1 over the score threshold for each class and their mean."""
    lines = {i: one.f1_at_score for i, one in enumerate(scores.classes) if one.f1_at_score}
    figure, axes = canvas(theme, height=4.9)
    axes.set(xlabel="threshold: detections scored below it are left out", ylabel="F1")
    _draw_lines(axes, theme, scores, x=THRESHOLDS, lines=lines, note=lambda curve: f"{curve.max():.2f}")
    return png(figure, theme)


def draw_bars(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw AP and AP50 of each class as bars with the 95% interval of AP50, best class on top."""
    order = by_ap50(scores)
    figure, axes = canvas(theme, height=0.9 + (0.55 if len(order) <= FEW_CLASSES else 0.3) * max(1, len(order)))
    for row, index in enumerate(order):
        one, colour = scores.classes[index], line_colour(index, theme)
        if one.ap is None or one.ap50 is None:
            axes.text(0.01, row, "no ground truth", va="center", color=INK[theme], style="italic")
            continue
        axes.barh(row, one.ap50, height=0.62, color=colour, alpha=0.35)
        axes.barh(row, one.ap, height=0.62, color=colour)
        high = one.ap50
        if one.ap50_interval is not None:
            high = max(high, one.ap50_interval.high)
            ends = [one.ap50_interval.low, one.ap50_interval.high]
            axes.plot(ends, [row, row], color=INK[theme], linewidth=1.2, marker="|", markersize=7)
        axes.text(high + 0.015, row, f"{one.ap50:.2f}", va="center", color=INK[theme])
    axes.set_yticks(range(len(order)), [scores.classes[index].name for index in order])
    axes.set_ylim(-0.6, max(1, len(order)) - 0.4)
    axes.set(xlim=(0, 1.12), xlabel="full: AP, IoU 0.50 to 0.95 · pale, with number: AP50")
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.grid(axis="x", color=FAINT[theme], linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    return png(figure, theme)


def draw_confusion(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw which class is taken for which; colours are shares of a row."""
    matrix, names = np.array(scores.confusion), [one.name for one in scores.classes]
    few = len(names) <= FEW_CLASSES
    side = max(4.4, 0.62 * len(matrix)) if few else 9.0
    figure, axes = canvas(theme, height=side, width=max(5.4, side + 0.6))
    shares = row_shares(matrix)
    axes.imshow(shares, cmap=_towards(theme), vmin=0, vmax=1)
    rotated = {"rotation": 45 if few else 90, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(matrix)), [*names, NOTHING], **rotated)
    axes.set_yticks(range(len(matrix)), [*names, BACKGROUND])
    if not few:
        axes.tick_params(labelsize=6)
    axes.set(xlabel="detected as", ylabel="is")
    axes.tick_params(length=0)
    for row, column in np.argwhere(matrix > 0) if few else ():
        dark_cell = shares[row, column] > 0.55
        colour = PAPER[theme] if dark_cell else INK[theme]
        axes.text(column, row, f"{matrix[row, column]:,}", ha="center", va="center", color=colour, fontsize=9)
    return png(figure, theme)


def draw_errors(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw by how much the mean AP would rise without each kind of error, and how many there are."""
    figure, axes = canvas(theme, height=3.6)
    kinds = scores.errors[::-1]
    lost = [kind.ap_lost for kind in kinds]
    if any(value is None for value in lost):
        say_nothing_measured(axes, theme)
        lost = [0.0] * len(kinds)
    axes.barh(range(len(kinds)), lost, height=0.62, color=BAD[theme])
    for row, kind in enumerate(kinds):
        if kind.ap_lost is not None:
            words = f" {kind.ap_lost:.3f}  ({kind.count:,})"
            axes.text(max(0.0, kind.ap_lost), row, words, va="center", color=INK[theme])
    axes.set_yticks(range(len(kinds)), [kind.name for kind in kinds])
    axes.set(xlim=(0, max(0.01, *lost) * 1.45), xlabel="AP lost (number of errors)")
    axes.grid(axis="x", color=FAINT[theme], linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    return png(figure, theme)


def draw_calibration(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw the share of right detections over their score, beside the line on which both agree."""
    figure, axes = canvas(theme, height=4.4)
    filled = [one for one in scores.calibration.bins if one.detections]
    axes.plot([0, 1], [0, 1], color=FAINT[theme], linewidth=2)
    axes.bar([one.low + 0.05 for one in filled], [one.share_right for one in filled], width=0.09, color=ACCENT[theme])
    for one in filled:
        words = f"{one.detections:,}"
        axes.text(one.low + 0.05, one.share_right + 0.015, words, ha="center", fontsize=8, color=INK[theme])
    if not filled:
        say_nothing_measured(axes, theme, "no detection to look at")
    axes.set(xlim=(0, 1), ylim=(0, 1.08), xlabel="score", ylabel="share of detections right")
    axes.grid(axis="y", color=FAINT[theme], linewidth=0.8)
    return png(figure, theme)


CHARTS: Mapping[str, Callable[[DetectorScores, Theme], bytes]] = {
    "curves": draw_curves,
    "bars": draw_bars,
    "f1": draw_f1,
    "confusion": draw_confusion,
    "errors": draw_errors,
    "calibration": draw_calibration,
}
"""Every chart by the name of its file."""


def by_ap50(scores: DetectorScores) -> list[int]:
    """Return the places of the classes, worst AP50 first, those without ground truth before."""

    def height(index: int) -> float:
        value = scores.classes[index].ap50
        return -1.0 if value is None else value

    return sorted(range(len(scores.classes)), key=height)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """Return each cell's share of its row, 0 in an empty row."""
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def _draw_lines(
    axes: Axes,
    theme: Theme,
    scores: DetectorScores,
    *,
    x: np.ndarray,
    lines: Mapping[int, tuple[float, ...]],
    note: Callable[[np.ndarray], str],
) -> None:
    few = len(lines) <= FEW_CLASSES
    for index, line in lines.items():
        name = f"{scores.classes[index].name}  {note(np.array(line))}"
        weight = {"linewidth": 1.7} if few else {"linewidth": 0.8, "alpha": 0.45}
        axes.plot(x, line, color=line_colour(index, theme), label=name if few else None, **weight)
    if lines:
        mean = np.mean(list(lines.values()), axis=0)
        axes.plot(x, mean, color=INK[theme], linewidth=3.2, label=f"mean  {note(mean)}")
        add_legend(axes, theme)
    else:
        say_nothing_measured(axes, theme)
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    axes.grid(color=FAINT[theme], linewidth=0.8)


def _towards(theme: Theme) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("shares", [PAPER[theme], ACCENT[theme]])
