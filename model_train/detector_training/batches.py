"""Batches as the network sees them, after every change to their images, drawn with the boxes that are learned from."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from sinara_lib.vision.coco import draw_boxes
from sinara_lib.vision.coco_drawing import Pixels
from sinara_lib.vision.contact_sheet import grid, jpeg, padded, scaled

FOLDER = "batches"
TILE, MOST_TILES = 320, 16


class BatchPictures(Hook):
    """Draws the first two batches, and the first one of the last epoch, when augmentation may be over.

    They are taken where they enter the network, behind the data preprocessor, and drawn by the first process only.
    """

    def __init__(self, work: Path, class_names: Sequence[str]) -> None:
        self._folder = work / FOLDER
        self._class_names = tuple(class_names)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Draw this batch when it is one of those."""
        last = batch_idx == 0 and runner.epoch == runner.max_epochs - 1
        if runner.rank != 0 or not (runner.iter < 2 or last):
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        path = self._folder / f"batch_{runner.iter + 1:07d}.jpg"

        def draw(_: Any, __: Any, output: dict[str, Any]) -> None:
            seen.remove()
            self._draw(output, path)

        seen = model.data_preprocessor.register_forward_hook(draw)

    def _draw(self, batch: dict[str, Any], path: Path) -> None:
        self._folder.mkdir(exist_ok=True)
        tiles = [
            draw_batch_image(image.detach().cpu().numpy(), sample.gt_instances, class_names=self._class_names)
            for image, sample in zip(batch["inputs"][:MOST_TILES], batch["data_samples"], strict=False)
        ]
        part = path.with_suffix(".part")
        part.write_bytes(jpeg(tile_images(tiles)))
        part.replace(path)  # whole when it is seen


def batch_pictures(work: str | Path) -> list[tuple[int, Path]]:
    """Return the drawn batches of a work folder with their iterations, in order."""
    paths = sorted((Path(work) / FOLDER).glob("batch_*.jpg"))
    return [(int(path.stem.removeprefix("batch_")), path) for path in paths]


def batch_html(iteration: int, path: Path) -> str:
    """Return a drawn batch as HTML, with words below it."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    alt = f"Images of batch {iteration} after every change to them, with their boxes"
    caption = f"Batch {iteration}, as the network saw it"
    return f'<figure><img alt="{alt}" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def draw_batch_image(planes: npt.NDArray[Any], instances: Any, *, class_names: Sequence[str]) -> Pixels:
    """Draw one image of a batch: planes 3 x H x W in BGR, boxes as corners in pixels of the same image."""
    pixels = np.ascontiguousarray(planes.transpose(1, 2, 0).clip(0, 255)).astype(np.uint8)
    boxes = instances.bboxes
    corners = getattr(boxes, "tensor", boxes).detach().cpu().numpy().reshape(-1, 4)
    sizes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return draw_boxes(pixels, sizes.tolist(), labels=instances.labels.tolist(), class_names=tuple(class_names))


def tile_images(images: Sequence[Pixels]) -> Pixels:
    """Lay images beside each other, at most four in a row, each fitted into a tile."""
    columns = min(4, math.ceil(math.sqrt(len(images))))
    return grid([_tile(image) for image in images], columns)


def _tile(image: Pixels) -> Pixels:
    small = scaled(image, TILE / max(image.shape[:2]))[:TILE, :TILE]
    return padded(small, (TILE + 4, TILE + 4), corner=(2, 2))
