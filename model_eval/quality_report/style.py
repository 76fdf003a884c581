"""How charts look in light and in dark, so that static and interactive ones agree."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from sinara_lib.vision.chart_colours import FAINT, INK, PAPER, Theme
from sinara_lib.vision.coco_drawing import class_colour

ACCENT: Mapping[Theme, str] = {"light": "#2457c5", "dark": "#8ab0ff"}
FEW_CLASSES = 12
"""Up to so many classes each gets a line in the legend and numbers in the matrix."""
NO_TRUTH = "no ground truth to measure on"


def line_colour(index: int, theme: Theme) -> str:
    """Return a class' colour as #rrggbb, blended towards the ink until it stands out from the paper."""
    colour = np.array(class_colour(index)) / 255
    target = 0.0 if theme == "light" else 1.0
    weights = np.array([0.2126, 0.7152, 0.0722])
    while abs(float(weights @ colour) - (1 - target)) < 0.42:
        colour = colour + (target - colour) * 0.1
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)


def canvas(theme: Theme, *, height: float, width: float = 5.4) -> tuple[Figure, Axes]:
    """Return an empty chart; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=PAPER[theme])
    axes = figure.add_subplot(facecolor=PAPER[theme])
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(FAINT[theme])
    axes.tick_params(colors=INK[theme], labelsize=11)
    axes.xaxis.label.set_color(INK[theme])
    axes.yaxis.label.set_color(INK[theme])
    axes.set_axisbelow(True)
    return figure, axes


def add_legend(axes: Axes, theme: Theme, *, columns: int = 3) -> None:
    """Put the legend below the chart."""
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=columns,
        frameon=False,
        labelcolor=INK[theme],
        handlelength=1.4,
        columnspacing=1.4,
    )


def say_nothing_measured(axes: Axes, theme: Theme, words: str = NO_TRUTH) -> None:
    """Write across an empty chart why it is empty."""
    axes.text(0.5, 0.5, words, ha="center", color=INK[theme], transform=axes.transAxes)


def png(figure: Figure, theme: Theme) -> bytes:
    """Return the chart as PNG of at most 256 colours, a third of the size of one with all."""
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=160, facecolor=PAPER[theme])
    Image.open(drawn).convert("RGB").quantize(256).save(packed, format="png", optimize=True)
    return packed.getvalue()
