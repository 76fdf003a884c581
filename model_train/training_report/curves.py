"""Curves of a training as far as it has come: losses of its batches, scores of its epochs; for light and dark pages."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from html import escape

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from detector_training.history import History
from sinara_lib.vision.chart_colours import BAD, FAINT, INK, PAPER, Theme

PALE: Mapping[Theme, str] = {"light": "#9db4d0", "dark": "#4d6788"}
FIRST: Mapping[Theme, str] = {"light": "#1f4e8c", "dark": "#8ab0ff"}
SECOND: Mapping[Theme, str] = {"light": "#c4562b", "dark": "#ff9d73"}
ALT = "Curves of the training loss and of the scores on the eval split over the epochs"


def curves_html(history: History) -> str:
    """Return the curves as HTML: pictures for light and dark pages, and for a phone, where they stand on each other."""
    wide, narrow = (
        {theme: _data_url(draw_curves(history, theme, stacked=stacked)) for theme in ("light", "dark")}
        for stacked in (False, True)
    )
    dark, phone = "(prefers-color-scheme: dark)", "(max-width: 40rem)"
    return (
        f'<picture><source media="{dark} and {phone}" srcset="{narrow["dark"]}">'
        f'<source media="{phone}" srcset="{narrow["light"]}"><source media="{dark}" srcset="{wide["dark"]}">'
        f'<img alt="{escape(ALT)}" width="900" src="{wide["light"]}"></picture>'
    )


def draw_curves(history: History, theme: Theme, *, stacked: bool = False) -> bytes:
    """Return a PNG with the loss of every batch and, beside or below it, the scores of every epoch."""
    size = (4.6, 6.6) if stacked else (10.5, 3.7)
    figure = Figure(figsize=size, layout="constrained", facecolor=PAPER[theme])
    first, second = figure.subplots(2, 1) if stacked else figure.subplots(1, 2)
    for axes in (first, second):
        _dress(axes, theme)
    _draw_losses(first, history, theme)
    _draw_scores(second, history, theme)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=130, facecolor=PAPER[theme])
    return sink.getvalue()


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _dress(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(PAPER[theme])
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(FAINT[theme])
    axes.tick_params(colors=INK[theme])
    axes.grid(axis="y", color=FAINT[theme], linewidth=0.6)
    axes.set_axisbelow(True)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(INK[theme])


def _draw_losses(axes: Axes, history: History, theme: Theme) -> None:
    axes.set(xlabel="epoch", title="Training loss")
    fine = [one for one in history.batches if math.isfinite(one.loss)]
    if not fine:
        _say(axes, theme, "no batch yet" if not history.batches else "the first loss was no number")
        return
    places = [_epochs(history, one.iteration) for one in fine]
    axes.plot(places, [one.loss for one in fine], color=PALE[theme], linewidth=0.8, label="each batch")
    whole = _epochs(history, history.batches[-1].iteration)
    means = {epoch: loss for epoch, loss in history.epoch_losses().items() if epoch <= whole}
    axes.plot(list(means), list(means.values()), color=FIRST[theme], marker="o", markersize=3, label="epoch mean")
    for bad in (one for one in history.batches if not math.isfinite(one.loss)):
        axes.axvline(_epochs(history, bad.iteration), color=BAD[theme], linestyle="--", label=f"loss is {bad.loss}")
    axes.set(xlim=(0, max(1, whole) * 1.02), ylim=(0, None))
    axes.legend(frameon=False, labelcolor=INK[theme])


def _draw_scores(axes: Axes, history: History, theme: Theme) -> None:
    axes.set(xlabel="epoch (0: before training)", title="Score on the eval split", ylim=(0, 1))
    if not history.scorings:
        _say(axes, theme, "nothing scored yet")
        return
    places = [_epochs(history, one.iteration) for one in history.scorings]
    for name, colour in (("AP50", SECOND), ("AP", FIRST)):
        values = [one.scores[name] for one in history.scorings]
        axes.plot(places, values, color=colour[theme], marker="o", markersize=3, label=name)
    if best := history.published:
        place, words = _epochs(history, best.iteration), best.weights.replace("_", " ")
        axes.axvline(place, color=INK[theme], linestyle=":", linewidth=1, label=f"best: {words}")
    axes.set_xlim(-0.02, max(1, places[-1]) * 1.02)
    axes.legend(frameon=False, labelcolor=INK[theme])


def _epochs(history: History, iteration: int) -> float:
    return iteration / (history.plan.batches_per_epoch if history.plan else 1)


def _say(axes: Axes, theme: Theme, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", color=INK[theme], transform=axes.transAxes)
