"""Histograms and heat maps of a dataset and its parts, for the report."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from IPython.display import Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from dataset_report.figures import Histogram, aspect_histogram, crowd_histogram, heat_map, most_objects, size_histogram
from dataset_report.stats import DatasetStats, PartStats, frequent_classes, rest_words, shown_places
from dataset_report.style import INK, LOOK, as_png, new_figure

_FEW = 100
_MANY = 20
SPLIT_COLOURS = {"train": "#0072B2", "eval": "#E69F00", "test": "#009E73"}


@mpl.rc_context(LOOK)
def draw_class_histogram(parts: PartStats) -> Image:
    """Return objects per class in each part: how many, and as a share of the part."""
    names, objects = _shown_classes(parts)
    many = len(names) > _MANY
    figure = new_figure(9.5, 1.6 + (0.28 if many else 0.55) * len(names), rows=1, columns=2, sharey=True)
    counts, shares = figure.axes
    for place, (name, values) in enumerate(zip(parts, objects, strict=True)):
        rows = np.arange(len(names)) + (place - 1) * 0.26
        bars = counts.barh(rows, values, height=0.24, color=SPLIT_COLOURS[name], label=name)
        counts.bar_label(bars, labels=[f"{value:,}" for value in values], padding=3, fontsize=5 if many else 8)
        shares.barh(rows, 100 * values / max(1, values.sum()), height=0.24, color=SPLIT_COLOURS[name])
    counts.set(title="Objects per class", xlabel="objects", yticks=range(len(names)), yticklabels=names)
    shares.set(title="Share of each part's objects", xlabel="% of the part")
    counts.set_ylim(len(names) - 0.5, -0.5)
    counts.margins(x=0.12)
    for axes in (counts, shares):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    _legend(figure, counts)
    return as_png(figure, alt="Bar charts of objects per class in train, eval and test")


def _shown_classes(parts: PartStats) -> tuple[list[str], NDArray[np.int64]]:
    """Return names and objects (parts, rows); of too many classes those with most objects, and the rest as one."""
    names = parts["train"].class_names
    objects = np.array([one.class_objects for one in parts.values()], dtype=np.int64)
    shown = shown_places(objects.sum(axis=0).tolist())
    chosen = [names[place] for place in shown]
    if len(shown) == len(names):
        return chosen, objects
    rest = np.delete(objects, shown, axis=1).sum(axis=1, keepdims=True)
    return [*chosen, rest_words(len(names), len(shown))], np.hstack([objects[:, shown], rest])


@mpl.rc_context(LOOK)
def draw_size_histograms(parts: PartStats) -> Image:
    """Box size, box aspect ratio and objects per image: one outline per part, heights as shares."""
    figure = new_figure(11, 3.6, rows=1, columns=3)
    size, aspect, crowd = figure.axes
    _outlines(size, {name: size_histogram(stats) for name, stats in parts.items()})
    size.set(title="Box size", xlabel="square root of box area, pixels", ylabel="% of the part's objects")
    size.xaxis.set_major_locator(FixedLocator(2.0 ** np.arange(13)))
    size.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    _mark_coco_sizes(size)
    _outlines(aspect, {name: aspect_histogram(stats) for name, stats in parts.items()})
    aspect.set(title="Box shape", xlabel="width / height", ylabel="% of the part's objects")
    aspect.xaxis.set_major_locator(FixedLocator(2.0 ** np.arange(-4, 5, 2)))
    aspect.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}"))
    most = most_objects(parts)
    _outlines(crowd, {name: crowd_histogram(stats, most=most) for name, stats in parts.items()})
    crowd.set(title="Objects per image", xlabel="objects", ylabel="% of the part's images")
    crowd.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    for axes in (size, aspect):
        axes.xaxis.set_minor_locator(NullLocator())
    for axes in (size, aspect, crowd):
        axes.grid(axis="y")
    _legend(figure, crowd)
    return as_png(figure, alt="Histograms of box size, box shape and objects per image in train, eval and test")


@mpl.rc_context(LOOK)
def draw_heat_maps(stats: DatasetStats) -> Image:
    """Draw where objects lie: density of box centres, all classes and up to 11; dots where a class has few objects."""
    panels: list[str | None] = [None, *frequent_classes(stats, most=11)]
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(10, 0.5 + 2.1 * rows, rows=rows, columns=columns)
    for axes in figure.axes:
        axes.set_axis_off()
    for axes, name in zip(figure.axes, panels, strict=False):
        centres = stats.centres[stats.classes == stats.class_names.index(name)] if name else stats.centres
        if len(centres) < _FEW:
            axes.imshow([[0]], cmap="cividis", extent=(0, 1, 1, 0), aspect=0.75)
            axes.plot(*centres.T, "o", color="#FFE945", markersize=4, alpha=0.8)
        else:
            smooth = _blur(_blur(heat_map(stats, name).astype(float)))
            axes.imshow(smooth, cmap="cividis", extent=(0, 1, 1, 0), aspect=0.75, interpolation="bilinear")
        axes.set_title(f"{name or 'all classes'} ({len(centres):,})", fontsize=10, weight="normal")
    figure.suptitle(
        "Box centres in the image, brighter where there are more", x=0.01, ha="left", fontsize=11, weight="bold"
    )
    return as_png(figure, alt="Heat maps of box centres, all classes and each class")


def _outlines(axes: Axes, parts: Mapping[str, Histogram]) -> None:
    for name, histogram in parts.items():
        style = {"fill": True, "alpha": 0.3} if name == "train" else {"linewidth": 1.6}
        axes.stairs(histogram.shares(), histogram.edges, color=SPLIT_COLOURS[name], label=name, **style)
    edges = next(iter(parts.values())).edges
    if edges[0] > 0:
        axes.set_xscale("log", base=2)
    if len(filled := np.flatnonzero(sum(histogram.counts for histogram in parts.values()))):
        axes.set_xlim(edges[max(0, filled[0] - 2)], edges[min(len(edges) - 1, filled[-1] + 3)])


def _mark_coco_sizes(axes: Axes) -> None:
    """COCO calls objects below 32 x 32 pixels small and above 96 x 96 large."""
    for side in (32, 96):
        axes.axvline(side, color=INK, linewidth=0.8, linestyle=":")
    height = axes.get_ylim()[1] * 1.02
    for place, align, name in ((30, "right", "small"), (55, "center", "medium"), (104, "left", "large")):
        axes.text(place, height, name, ha=align, va="bottom", fontsize=7)
    axes.set_ylim(top=height * 1.08)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))


def _blur(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth by the binomial weights 1, 2, 1 in both directions, so that few objects still read as a region."""
    for axis in (0, 1):
        padded = np.pad(counts, [(1, 1) if one == axis else (0, 0) for one in (0, 1)], mode="edge")
        before, after = (np.take(padded, range(start, start + counts.shape[axis]), axis) for start in (0, 2))
        counts = (before + 2 * counts + after) / 4
    return counts
