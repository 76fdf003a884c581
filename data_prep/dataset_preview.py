"""Histograms and heat maps of a dataset and its parts, for the report."""

from collections.abc import Callable, Mapping

import matplotlib as mpl
import numpy as np
from dataset_split import Splits
from dataset_stats import DatasetStats, frequent_classes, measure
from IPython.display import Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from preview_figure import INK, LOOK, as_png, new_figure

from sinara_lib.vision.coco import CocoDataset

_FEW = 100
SPLIT_COLOURS = {"train": "#0072B2", "eval": "#E69F00", "test": "#009E73"}


@mpl.rc_context(LOOK)
def draw_class_histogram(splits: Splits) -> Image:
    """Objects per class in each part: how many, and as a share of the part."""
    parts = {name: measure(part) for name, part in splits.items()}
    names = splits.train.class_names
    figure = new_figure(9.5, 1.6 + 0.55 * len(names), rows=1, columns=2, sharey=True)
    counts, shares = figure.axes
    for place, (name, stats) in enumerate(parts.items()):
        rows = np.arange(len(names)) + (place - 1) * 0.26
        values = np.array(stats.class_objects)
        bars = counts.barh(rows, values, height=0.24, color=SPLIT_COLOURS[name], label=name)
        counts.bar_label(bars, labels=[f"{value:,}" for value in values], padding=3, fontsize=8)
        shares.barh(rows, 100 * values / max(1, values.sum()), height=0.24, color=SPLIT_COLOURS[name])
    counts.set(title="Objects per class", xlabel="objects", yticks=range(len(names)), yticklabels=names)
    shares.set(title="Share of each part's objects", xlabel="% of the part")
    counts.invert_yaxis()
    counts.margins(x=0.12)
    for axes in (counts, shares):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    _legend(figure, counts)
    return as_png(figure, alt="Bar charts of objects per class in train, eval and test")


@mpl.rc_context(LOOK)
def draw_size_histograms(splits: Splits) -> Image:
    """Box size, box aspect ratio and objects per image: one outline per part, heights as shares."""
    parts = {name: measure(part) for name, part in splits.items()}
    figure = new_figure(11, 3.6, rows=1, columns=3)
    size, aspect, crowd = figure.axes
    _outlines(size, parts, lambda stats: np.log2(np.maximum(stats.box_sides, 1)), bins=np.arange(0, 12.1, 0.5))
    size.set(title="Box size", xlabel="square root of box area, pixels", ylabel="% of the part's objects")
    size.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{2**value:.0f}"))
    _mark_coco_sizes(size)
    _outlines(aspect, parts, lambda stats: np.log2(stats.box_aspects), bins=np.arange(-4, 4.25, 0.25))
    aspect.set(title="Box shape", xlabel="width / height", ylabel="% of the part's objects", xticks=range(-4, 5, 2))
    aspect.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{2**value:g}" if value >= 0 else f"1/{2**-value:g}")
    )
    most = max(1, *(int(stats.objects_per_image.max(initial=0)) for stats in parts.values()))
    step = max(1, -(-most // 25))
    _outlines(crowd, parts, lambda stats: stats.objects_per_image, bins=np.arange(-0.5, most + step + 0.5, step))
    crowd.set(title="Objects per image", xlabel="objects", ylabel="% of the part's images")
    crowd.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    for axes in (size, aspect, crowd):
        axes.grid(axis="y")
    _legend(figure, crowd)
    return as_png(figure, alt="Histograms of box size, box shape and objects per image in train, eval and test")


@mpl.rc_context(LOOK)
def draw_heat_maps(dataset: CocoDataset) -> Image:
    """Where objects lie: density of box centres, all classes and up to 11; dots where a class has few objects."""
    stats = measure(dataset)
    panels = [("all classes", np.ones(len(stats.classes), dtype=bool))]
    panels += [(name, stats.classes == stats.class_names.index(name)) for name in frequent_classes(dataset, most=11)]
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(10, 0.5 + 2.1 * rows, rows=rows, columns=columns)
    for axes in figure.axes:
        axes.set_axis_off()
    for axes, (name, chosen) in zip(figure.axes, panels, strict=False):
        centres = stats.centres[chosen]
        if len(centres) < _FEW:
            axes.imshow([[0]], cmap="cividis", extent=(0, 1, 1, 0), aspect=0.75)
            axes.plot(*centres.T, "o", color="#FFE945", markersize=4, alpha=0.8)
        else:
            counts, _, _ = np.histogram2d(centres[:, 1], centres[:, 0], bins=20, range=[[0, 1], [0, 1]])
            axes.imshow(
                _blur(_blur(counts)), cmap="cividis", extent=(0, 1, 1, 0), aspect=0.75, interpolation="bilinear"
            )
        axes.set_title(f"{name} ({len(centres):,})", fontsize=10, weight="normal")
    figure.suptitle(
        "Box centres in the image, brighter where there are more", x=0.01, ha="left", fontsize=11, weight="bold"
    )
    return as_png(figure, alt="Heat maps of box centres, all classes and each class")


def _outlines(
    axes: Axes,
    parts: Mapping[str, DatasetStats],
    values_of: Callable[[DatasetStats], NDArray[np.float64] | NDArray[np.int64]],
    *,
    bins: NDArray[np.float64],
) -> None:
    for name, stats in parts.items():
        values = np.clip(values_of(stats), bins[0], bins[-1])
        weights = np.full(len(values), 100 / max(1, len(values)))
        filled = name == "train"
        style = {"histtype": "stepfilled", "alpha": 0.3} if filled else {"histtype": "step", "linewidth": 1.6}
        axes.hist(values, bins=bins, weights=weights, color=SPLIT_COLOURS[name], label=name, **style)
    found = np.concatenate([values_of(stats) for stats in parts.values()])
    if len(found):
        step = bins[1] - bins[0]
        axes.set_xlim(max(bins[0], found.min() - 2 * step), min(bins[-1], found.max() + 2 * step))


def _mark_coco_sizes(axes: Axes) -> None:
    """COCO calls objects below 32 x 32 pixels small and above 96 x 96 large."""
    for side in (32, 96):
        axes.axvline(np.log2(side), color=INK, linewidth=0.8, linestyle=":")
    height = axes.get_ylim()[1] * 1.02
    for place, align, name in ((4.9, "right", "small"), (5.8, "center", "medium"), (6.7, "left", "large")):
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
