"""Drawn examples of each class for the report."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from IPython.display import Image

from dataset_checks.classes import Classes, class_sources
from dataset_conversion.conversion import Counts
from dataset_conversion.parts import SplitPart
from dataset_report.stats import Table, rest_words, shown_places
from dataset_report.style import Pixels, as_jpeg
from dataset_split import hash_order
from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.contact_sheet import annotated, grid, padded, rows_of
from sinara_lib.vision.letterbox import decode_image

_TILE_WIDTH = 420

Read = Callable[[str], bytes]
"""The bytes of an image file by its name."""


def draw_gallery(dataset: CocoDataset, read: Read, *, class_name: str, count: int, seed: int = 1) -> Image:
    """Drawn examples of one class, three in a row: images in which its largest object is well visible come first."""
    chosen = choose_examples(dataset, class_name=class_name, count=count, seed=seed)
    shape = float(np.median([image.height / image.width for image in chosen] or [1.0]))
    height = round(_TILE_WIDTH * min(max(shape, 0.6), 1.1))
    tiles = [_tile(dataset, image, read, height=height) for image in chosen]
    return as_jpeg(grid(tiles, 3, gap=_GAP), alt=f"{len(tiles)} examples of the class {class_name} with their boxes")


def choose_examples(dataset: CocoDataset, *, class_name: str, count: int, seed: int) -> list[CocoImage]:
    """Return images that show a class, shuffled by the seed, first those where its largest box covers 2 to 60%."""
    category_id = dataset.category_ids[dataset.class_names.index(class_name)]
    largest: dict[int, float] = {}
    for one in dataset.annotations:
        if one.category_id == category_id and not one.iscrowd:
            largest[one.image_id] = max(largest.get(one.image_id, 0.0), one.bbox[2] * one.bbox[3])
    shown = [image for image in dataset.images if image.id in largest]

    def rank(image: CocoImage) -> tuple[bool, bytes]:
        share = largest[image.id] / (image.width * image.height)
        return not 0.02 <= share <= 0.6, hash_order(f"{class_name}/{image.file_name}", seed)

    return sorted(shown, key=rank)[:count]


def _tile(dataset: CocoDataset, image: CocoImage, read: Read, *, height: int) -> Pixels:
    """Return one drawn example in the gallery's width and the given height, padded with white."""
    scale = min(_TILE_WIDTH / image.width, height / image.height)
    drawn = annotated(
        decode_image(read(image.file_name)), dataset.annotations_of(image.id), dataset=dataset, scale=scale
    )
    return padded(drawn, (_TILE_WIDTH, height))


_HEIGHT, _GAP, _CAPTION = 300, 10, 26
_INK = (51, 51, 51)
_SHOWN = 3


def mapping_table(source: CocoDataset, published: CocoDataset, classes: Classes, *, whole: bool = False) -> Table:
    """Return each class that is kept: its new id, what it is made of, and its objects before and after checking.

    Of too many classes those with most objects are shown, and the rest as one row, unless the table is to be `whole`.
    """
    names = dict(zip(source.category_ids, source.class_names, strict=True))
    before = Counter(names.get(one.category_id) for one in source.annotations)
    kept = Counter(one.category_id for one in published.annotations)
    sources = list(class_sources(classes, source.class_names).items())
    first = [sum(before[name] for name in old) for _, old in sources]
    shown = list(range(len(first))) if whole else shown_places(first)
    rows = []
    for place in shown:
        new, old = sources[place]
        made_of = ", ".join(f"{name} ({before[name]:,})" for name in old)
        rows.append([str(place + 1), new, made_of, f"{first[place]:,}", f"{kept[place + 1]:,}"])
    if len(shown) < len(sources):
        rest = set(range(len(sources))).difference(shown)
        counts = [sum(first[place] for place in rest), sum(kept[place + 1] for place in rest)]
        words = rest_words(len(sources), len(shown))
        rows.append(["", words, "listed in classes.csv", *(f"{count:,}" for count in counts)])
    return ["id", "class", "made of", "objects before", "objects kept"], rows


def draw_conversions(source: CocoDataset, parts: Mapping[str, SplitPart], *, count: int = 3) -> Image | None:
    """Return images that were made smaller or cut, those with most objects first; None when none was."""
    rows = []
    for part in parts.values():
        made: dict[str, list[CocoImage]] = {}
        for image in part.dataset.images:
            recipe = part.conversion.recipes.get(image.file_name)
            if recipe is not None and recipe.change is None:
                made.setdefault(recipe.source, []).append(image)
        rows += [(part, name, images) for name, images in made.items()]
    by_name = {image.file_name: image for image in source.images}
    rows.sort(key=lambda row: (-len(source.annotations_of(by_name[row[1]].id)), row[1]))
    sheets = [
        [
            _cell(source, by_name[name], part.files.read, "before"),
            *_cells(part, sorted(images, key=lambda one: -len(part.dataset.annotations_of(one.id)))),
        ]
        for part, name, images in rows[:count]
    ]
    return _sheet(sheets, alt="Images before and after they were made smaller or cut, with their boxes")


def draw_copies(train: SplitPart, *, count: int = 3) -> Image | None:
    """Training images beside their changed copies, those with most objects first; None when there are none."""
    made: dict[str, list[CocoImage]] = {}
    for image in train.dataset.images:
        if origin := image.extra.get("augmented"):
            made.setdefault(origin, []).append(image)
    originals = [image for image in train.dataset.images if image.file_name in made]
    originals.sort(key=lambda one: (-len(train.dataset.annotations_of(one.id)), one.file_name))
    sheets = [
        [_cell(train.dataset, one, train.read, "before"), *_cells(train, made[one.file_name])]
        for one in originals[:count]
    ]
    return _sheet(sheets, alt="Training images and their changed copies, with their boxes")


def conversion_words(counts: Counts, *, min_visible: float) -> str:
    """Return what happened to boxes, in words."""
    return (
        f"{counts.cut:,} boxes were cut at the edge of a tile and kept. {counts.dropped:,} pieces were dropped: less "
        f"than {min_visible:.0%} of the box was left, or less than min_object_size. {counts.lost:,} objects are in no "
        f"picture any more. {counts.empty_dropped:,} tiles without objects were left out."
    )


def _cells(part: SplitPart, images: Sequence[CocoImage]) -> list[Pixels]:
    return [_cell(part.dataset, image, part.read, "after") for image in images[:_SHOWN]]


def _cell(dataset: CocoDataset, image: CocoImage, read: Read, caption: str) -> Pixels:
    """Return one picture with its boxes, brought to a common height; below it the caption and its size."""
    drawn = annotated(
        decode_image(read(image.file_name)),
        dataset.annotations_of(image.id),
        dataset=dataset,
        scale=_HEIGHT / image.height,
    )
    cell = padded(drawn, (drawn.shape[1], _HEIGHT + _CAPTION), corner=(0, 0))
    text = f"{caption}: {image.width} x {image.height}"
    cv2.putText(cell, text, (2, _HEIGHT + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.48, _INK, 1, cv2.LINE_AA)
    return cell


def _sheet(rows: Sequence[Sequence[Pixels]], *, alt: str) -> Image | None:
    if not rows:
        return None
    return as_jpeg(rows_of(rows, gap=_GAP), alt=alt)
