"""Before and after: images of the source beside what is published in their place, boxes drawn on both."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from dataset_conversion import Counts
from dataset_gallery import Read
from dataset_mapping import Classes, class_sources
from dataset_parts import Part
from dataset_stats import Table
from IPython.display import Image
from preview_figure import Pixels, as_jpeg

from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.coco_drawing import draw_boxes
from sinara_lib.vision.letterbox import decode_image

_HEIGHT, _GAP, _CAPTION = 300, 10, 26
_INK = (51, 51, 51)
_SHOWN = 3


def mapping_table(source: CocoDataset, published: CocoDataset, classes: Classes) -> Table:
    """Each class that is kept: its new id, what it is made of, and its objects before and after checking."""
    before = {name: 0 for name in source.class_names}
    names = dict(zip(source.category_ids, source.class_names, strict=True))
    for one in source.annotations:
        if one.category_id in names:
            before[names[one.category_id]] += 1
    ids = [one.category_id for one in published.annotations]
    rows = []
    for number, (new, old) in enumerate(class_sources(classes, source.class_names).items(), start=1):
        made_of = ", ".join(f"{name} ({before[name]:,})" for name in old)
        rows.append([str(number), new, made_of, f"{sum(before[name] for name in old):,}", f"{ids.count(number):,}"])
    return ["id", "class", "made of", "objects before", "objects kept"], rows


def draw_conversions(source: CocoDataset, parts: Mapping[str, Part], *, count: int = 3) -> Image | None:
    """Images that were made smaller or cut, those with most objects first; None when none was."""
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


def draw_copies(train: Part, *, count: int = 3) -> Image | None:
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
    """What happened to boxes, in words."""
    return (
        f"{counts.cut:,} boxes were cut at the edge of a tile and kept. {counts.dropped:,} pieces were dropped: less "
        f"than {min_visible:.0%} of the box was left, or less than min_object_size. {counts.lost:,} objects are in no "
        f"picture any more. {counts.empty_dropped:,} tiles without objects were left out."
    )


def _cells(part: Part, images: Sequence[CocoImage]) -> list[Pixels]:
    return [_cell(part.dataset, image, part.read, "after") for image in images[:_SHOWN]]


def _cell(dataset: CocoDataset, image: CocoImage, read: Read, caption: str) -> Pixels:
    """One picture with its boxes, brought to a common height; below it the caption and its size."""
    pixels = decode_image(read(image.file_name))
    scale = _HEIGHT / image.height
    width = max(1, round(image.width * scale))
    small = cv2.resize(pixels, (width, _HEIGHT), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    objects = dataset.annotations_of(image.id)
    drawn = draw_boxes(
        small,
        [[value * scale for value in one.bbox] for one in objects],
        labels=[dataset.category_ids.index(one.category_id) for one in objects],
        class_names=dataset.class_names,
        min_long_side=0,
    )
    cell = np.full((_HEIGHT + _CAPTION, width, 3), 255, dtype=np.uint8)
    cell[:_HEIGHT] = drawn
    text = f"{caption}: {image.width} x {image.height}"
    cv2.putText(cell, text, (2, _HEIGHT + 18), cv2.FONT_HERSHEY_SIMPLEX, 0.48, _INK, 1, cv2.LINE_AA)
    return cell


def _sheet(rows: Sequence[Sequence[Pixels]], *, alt: str) -> Image | None:
    if not rows:
        return None
    width = max(sum(cell.shape[1] + _GAP for cell in row) for row in rows) - _GAP
    height = _HEIGHT + _CAPTION
    sheet = np.full((len(rows) * (height + _GAP) - _GAP, width, 3), 255, dtype=np.uint8)
    for place, row in enumerate(rows):
        left, top = 0, place * (height + _GAP)
        for cell in row:
            sheet[top : top + height, left : left + cell.shape[1]] = cell
            left += cell.shape[1] + _GAP
    return as_jpeg(sheet, alt=alt)
