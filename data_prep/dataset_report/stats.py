"""Numbers of a dataset and its parts: what the tables show and the pictures draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_split import MEDIUM_AREA, SMALL_AREA, Splits
from sinara_lib.tables import bold
from sinara_lib.vision.coco import CocoDataset

Table = tuple[list[str], list[list[str]]]
MOST_CLASSES, SHOWN_CLASSES = 100, 40
"""Of more classes than the first, tables and charts show so many with most objects, and the rest as one row."""
SIZES = ("small", "medium", "large")
"""By box area, as COCO divides them: below 32 x 32 pixels, below 96 x 96, and above."""


@dataclass(frozen=True)
class DatasetStats:
    """Counts of one dataset; per-class tuples follow `class_names`, arrays have one value per object or image."""

    class_names: tuple[str, ...]
    images: int
    empty_images: int
    objects: int
    crowds: int
    class_objects: tuple[int, ...]
    class_images: tuple[int, ...]
    box_sides: NDArray[np.float64]
    """Square root of the box area, pixels."""
    box_aspects: NDArray[np.float64]
    """Width divided by height."""
    objects_per_image: NDArray[np.int64]
    centres: NDArray[np.float64]
    """(objects, 2): x and y of box centres as shares of image width and height."""
    classes: NDArray[np.int64]
    """(objects,): places in `class_names`."""


PartStats = Mapping[str, DatasetStats]
"""The numbers of train, eval and test, by name, in this order."""


def measure(dataset: CocoDataset) -> DatasetStats:
    """Count and measure one dataset whose boxes lie inside their images and have a size."""
    rows = {image.id: number for number, image in enumerate(dataset.images)}
    place = {category_id: number for number, category_id in enumerate(dataset.category_ids)}
    sides = np.array([(image.width, image.height) for image in dataset.images], dtype=np.float64).reshape(-1, 2)
    boxes = np.array([one.bbox for one in dataset.annotations], dtype=np.float64).reshape(-1, 4)
    images = np.array([rows[one.image_id] for one in dataset.annotations], dtype=np.int64)
    classes = np.array([place[one.category_id] for one in dataset.annotations], dtype=np.int64)
    counts = np.bincount(images, minlength=len(rows))
    shown = np.unique(images * max(1, len(place)) + classes) % max(1, len(place))
    return DatasetStats(
        class_names=dataset.class_names,
        images=len(dataset.images),
        empty_images=int((counts == 0).sum()),
        objects=len(dataset.annotations),
        crowds=sum(one.iscrowd for one in dataset.annotations),
        class_objects=tuple(np.bincount(classes, minlength=len(place)).tolist()),
        class_images=tuple(np.bincount(shown, minlength=len(place)).tolist()),
        box_sides=np.sqrt(boxes[:, 2] * boxes[:, 3]),
        box_aspects=boxes[:, 2] / boxes[:, 3],
        objects_per_image=counts,
        centres=(boxes[:, :2] + boxes[:, 2:] / 2) / sides[images],
        classes=classes,
    )


def measure_parts(splits: Splits) -> PartStats:
    """Count and measure each part."""
    return {name: measure(part) for name, part in splits.items()}


def size_counts(stats: DatasetStats) -> NDArray[np.int64]:
    """(classes, 3): small, medium and large objects of each class, by box area as COCO divides them."""
    bins = np.digitize(stats.box_sides**2, [SMALL_AREA, MEDIUM_AREA])
    counts = np.zeros((len(stats.class_names), len(SIZES)), dtype=np.int64)
    np.add.at(counts, (stats.classes, bins), 1)
    return counts


def frequent_classes(stats: DatasetStats, *, most: int = 12) -> list[str]:
    """Return names of the classes that have objects, in the document's order; of many, those with most objects."""
    counts = dict(zip(stats.class_names, stats.class_objects, strict=True))
    chosen = sorted(filter(counts.__getitem__, counts), key=lambda name: -counts[name])[:most]
    return [name for name in stats.class_names if name in set(chosen)]


def shown_places(counts: Sequence[int]) -> list[int]:
    """Return the places of the classes that tables and charts show: all, or of too many those with most objects."""
    if len(counts) <= MOST_CLASSES:
        return list(range(len(counts)))
    return sorted(sorted(range(len(counts)), key=lambda place: -counts[place])[:SHOWN_CLASSES])


def rest_words(classes: int, shown: int) -> str:
    """Say what the row for the classes that are not shown stands for."""
    return f"{classes - shown:,} further classes"


def absent_words(parts: PartStats, *, most: int = 10) -> str:
    """Say which classes that have objects have none in a part; empty when every part shows every class."""
    there = np.sum([one.class_objects for one in parts.values()], axis=0)
    words = []
    for part, stats in parts.items():
        names = [
            name
            for name, mine, all_ in zip(stats.class_names, stats.class_objects, there, strict=True)
            if all_ > mine == 0
        ]
        if names:
            more = f" and {len(names) - most:,} more" if len(names) > most else ""
            words.append(f"{part} shows no {', '.join(names[:most])}{more}")
    if not words:
        return ""
    return (
        f"Not every part shows every class: {'; '.join(words)}. There it is not learned, or not scored; give more "
        "images of it, other fractions, or time_stretch where all of them are in one group."
    )


def split_table(parts: PartStats) -> Table:
    """Return images and objects of each part, in all and per class, with each part's share."""
    stats = list(parts.values())
    headers = ["", *parts, "all"]
    rows = [
        [bold("images"), *_shares([one.images for one in stats])],
        ["without objects", *_shares([one.empty_images for one in stats])],
        [bold("objects"), *_shares([one.objects for one in stats])],
        ["crowds among them", *_shares([one.crowds for one in stats])],
    ]
    sizes = [size_counts(one).sum(axis=0) for one in stats]
    rows += [[f"{name} objects", *_shares([int(one[place]) for one in sizes])] for place, name in enumerate(SIZES)]
    objects = np.array([one.class_objects for one in stats])
    shown = shown_places(objects.sum(axis=0).tolist())
    for number in shown:
        name = stats[0].class_names[number]
        rows.append([f"{name}: objects", *_shares([one.class_objects[number] for one in stats])])
        rows.append([f"{name}: images", *_shares([one.class_images[number] for one in stats])])
    if len(shown) < objects.shape[1]:
        rest = np.delete(objects, shown, axis=1).sum(axis=1).tolist()
        rows.append([f"{rest_words(objects.shape[1], len(shown))} (parts.csv): objects", *_shares(rest)])
    return headers, rows


def _shares(counts: Sequence[int]) -> list[str]:
    total = sum(counts)
    return [f"{count:,} ({count / total:.0%})" if total else "0" for count in counts] + [f"{total:,}"]
