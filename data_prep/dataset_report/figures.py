"""The figures of the report as numbers: what the pictures draw, and what is published beside them as JSON and CSV."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_report.stats import SIZES, DatasetStats, PartStats, Table, size_counts
from sinara_lib.store import publish_folder
from sinara_lib.store.manifest import Manifest
from sinara_lib.tables import csv_table
from split_memory import SPLIT_FILE, SplitRecord

HEAT_CELLS = 20


@dataclass(frozen=True)
class Histogram:
    """How many values lie between one edge and the next; the first and last bin hold what lies beyond."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    def shares(self) -> NDArray[np.float64]:
        """Percentages of all values; zeros when there are none."""
        return np.asarray(100 * self.counts / max(1, int(self.counts.sum())), dtype=np.float64)


def size_histogram(stats: DatasetStats) -> Histogram:
    """Square roots of box areas in pixels, two bins to each doubling."""
    return _histogram(stats.box_sides, 2 ** np.arange(0, 12.1, 0.5))


def aspect_histogram(stats: DatasetStats) -> Histogram:
    """Return width by height of boxes, four bins to each doubling."""
    return _histogram(stats.box_aspects, 2 ** np.arange(-4, 4.1, 0.25))


def crowd_histogram(stats: DatasetStats, *, most: int) -> Histogram:
    """Return objects per image, at most 25 bins up to `most`."""
    step = max(1, -(-most // 25))
    return _histogram(stats.objects_per_image, np.arange(-0.5, most + step + 0.5, step))


def heat_map(stats: DatasetStats, class_name: str | None = None) -> NDArray[np.int64]:
    """Box centres per cell of the image, rows from top to bottom; of all classes or of one."""
    chosen = slice(None) if class_name is None else stats.classes == stats.class_names.index(class_name)
    centres = stats.centres[chosen]
    counts, _, _ = np.histogram2d(centres[:, 1], centres[:, 0], bins=HEAT_CELLS, range=[[0, 1], [0, 1]])
    return counts.astype(np.int64)


def share_gap(parts: PartStats) -> float:
    """Return the most that a part's share of the images of a class differs from its share of all, from 0 to 1."""
    stats = list(parts.values())
    images = np.array([one.images for one in stats])
    shown = np.array([one.class_images for one in stats])[:, np.sum([one.class_images for one in stats], axis=0) > 0]
    if not shown.size:
        return 0.0
    return float(np.abs(shown / shown.sum(axis=0) - (images / images.sum())[:, None]).max())


def most_objects(parts: PartStats) -> int:
    """Return the objects of the fullest image, at least 1."""
    return max(1, *(int(stats.objects_per_image.max(initial=0)) for stats in parts.values()))


def figures_json(parts: PartStats) -> str:
    """Return all numbers behind the report's pictures, of each part."""
    most = most_objects(parts)
    return json.dumps(
        {
            "classes": list(parts["train"].class_names),
            "share_gap": share_gap(parts),
            "parts": {name: _figures(stats, most=most) for name, stats in parts.items()},
        }
    )


def parts_csv(parts: PartStats) -> str:
    """Return one line for each part and class: images, objects, crowds and not, and objects of each size."""
    rows: list[list[object]] = [["part", "class", "images", "objects", *SIZES]]
    for name, stats in parts.items():
        sizes = size_counts(stats).tolist()
        for place, class_name in enumerate(stats.class_names):
            rows.append([name, class_name, stats.class_images[place], stats.class_objects[place], *sizes[place]])
    return csv_table(rows)


def _figures(stats: DatasetStats, *, most: int) -> Mapping[str, Any]:
    drawn = {
        "box_size": size_histogram(stats),
        "box_aspect": aspect_histogram(stats),
        "objects_per_image": crowd_histogram(stats, most=most),
    }
    return {
        "images": stats.images,
        "empty_images": stats.empty_images,
        "objects": stats.objects,
        "crowds": stats.crowds,
        "class_images": list(stats.class_images),
        "class_objects": list(stats.class_objects),
        "class_sizes": size_counts(stats).tolist(),
        "histograms": {
            name: {"edges": one.edges.round(4).tolist(), "counts": one.counts.tolist()} for name, one in drawn.items()
        },
        "centres": heat_map(stats).tolist(),
    }


def _histogram(values: NDArray[np.float64] | NDArray[np.int64], edges: NDArray[np.float64]) -> Histogram:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    return Histogram(edges, counts)


def classes_csv(classes: Table) -> str:
    """Return the table of all classes, as `mapping_table` makes it, with plain numbers."""
    headers, rows = classes
    return csv_table([headers, *([*row[:3], *(count.replace(",", "") for count in row[3:])] for row in rows)])


def publish_summary(parts: PartStats, record: SplitRecord, classes: Table, folder: Path, url: str) -> Manifest:
    """Publish `split.json`, `figures.json`, `parts.csv` and `classes.csv`, written into an empty folder, as files.

    Figures are those of what is published; the split is that of the source's images; `classes` are all classes.
    """
    (folder / SPLIT_FILE).write_text(record.as_json(), encoding="utf-8")
    (folder / "figures.json").write_text(figures_json(parts), encoding="utf-8")
    (folder / "parts.csv").write_text(parts_csv(parts), encoding="utf-8")
    (folder / "classes.csv").write_text(classes_csv(classes), encoding="utf-8")
    return publish_folder(folder, url)
