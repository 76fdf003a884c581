"""Drawn examples for the report: of each class, and of what the checks found."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from dataset_findings import Example, Finding
from dataset_split import hash_order
from IPython.display import Image
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from preview_figure import FAINT, LOOK, Pixels, as_jpeg, figure_pixels, new_figure

from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.coco_drawing import draw_boxes
from sinara_lib.vision.letterbox import decode_image

_TILE_WIDTH, _GAP = 420, 10


def draw_gallery(dataset: CocoDataset, images: Path, *, class_name: str, count: int, seed: int = 1) -> Image:
    """Drawn examples of one class, three in a row: images in which its largest object is well visible come first."""
    chosen = choose_examples(dataset, class_name=class_name, count=count, seed=seed)
    shape = float(np.median([image.height / image.width for image in chosen] or [1.0]))
    height = round(_TILE_WIDTH * min(max(shape, 0.6), 1.1))
    tiles = [_tile(dataset, image, images, height=height) for image in chosen]
    return as_jpeg(_mosaic(tiles), alt=f"{len(tiles)} examples of the class {class_name} with their boxes")


def choose_examples(dataset: CocoDataset, *, class_name: str, count: int, seed: int) -> list[CocoImage]:
    """Images that show a class: shuffled by the seed, those where its largest box covers 2 to 60% of them first."""
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


@mpl.rc_context(LOOK)
def draw_findings(findings: Sequence[Finding], images: Path) -> Image | None:
    """Up to three examples of each finding about boxes; None when there is none."""
    rows = [(one, [example for example in one.examples if example.box]) for one in findings]
    rows = [(one, examples) for one, examples in rows if examples]
    if not rows:
        return None
    figure = new_figure(10, 2.9 * len(rows), rows=len(rows), columns=3)
    for axes in figure.axes:
        axes.set_axis_off()
    for row, (finding, examples) in enumerate(rows):
        cells = figure.axes[3 * row : 3 * row + 3]
        for axes, example in zip(cells, examples, strict=False):
            _draw_example(axes, example, images)
        cells[0].set_title(f"{finding.check.name}: {finding.count:,} {finding.check.action}", fontsize=10)
    return as_jpeg(figure_pixels(figure), alt="Examples of what the checks found, the box as the document had it")


def _draw_example(axes: Axes, example: Example, images: Path) -> None:
    pixels = decode_image((images / str(example.file_name)).read_bytes())[:, :, ::-1]
    height, width = pixels.shape[:2]
    axes.imshow(pixels, extent=(0, width, height, 0))
    left, top, right, bottom = 0.0, 0.0, float(width), float(height)
    if example.box is not None and all(map(np.isfinite, example.box)):
        x, y, box_width, box_height = example.box
        for colour, line in (("white", 3.4), ("#D55E00", 1.8)):
            axes.add_patch(Rectangle((x, y), box_width, box_height, fill=False, edgecolor=colour, linewidth=line))
        left, right = max(min(left, x), -width), min(max(right, x + box_width), 2 * width)
        top, bottom = max(min(top, y), -height), min(max(bottom, y + box_height), 2 * height)
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=FAINT, linewidth=1))
    margin = 0.03 * max(width, height)
    axes.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin))


def _tile(dataset: CocoDataset, image: CocoImage, images: Path, *, height: int) -> Pixels:
    """One drawn example in the gallery's width and the given height, padded with white."""
    pixels = decode_image((images / image.file_name).read_bytes())
    scale = min(_TILE_WIDTH / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    objects = dataset.annotations_of(image.id)
    labels = [dataset.category_ids.index(one.category_id) for one in objects]
    boxes = [[value * scale for value in one.bbox] for one in objects]
    drawn = draw_boxes(small, boxes, labels=labels, class_names=dataset.class_names, min_long_side=0)
    tile = np.full((height, _TILE_WIDTH, 3), 255, dtype=np.uint8)
    top, left = (height - size[1]) // 2, (_TILE_WIDTH - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = drawn
    return tile


def _mosaic(tiles: Sequence[Pixels], columns: int = 3) -> Pixels:
    height, width = tiles[0].shape[:2] if tiles else (1, 1)
    rows = -(-len(tiles) // columns) or 1
    sheet = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, dtype=np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet
