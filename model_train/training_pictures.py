"""Pictures of a training: curves of loss and score, and images as the network sees them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from detector_training import TrainingResult
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from training_data import Split, pick_example

from sinara_lib.vision.coco import CocoImage, draw_boxes
from sinara_lib.vision.letterbox import decode_image

TILE = 320

Pixels = npt.NDArray[np.uint8]


def draw_curves(result: TrainingResult, path: str | Path) -> Path:
    """Write a PNG with the loss of every batch and the scores of every epoch; returns its path."""
    figure = Figure(figsize=(11, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_losses(left, result)
    _draw_scores(right, result)
    figure.savefig(path, dpi=110)
    return Path(path)


def draw_examples(split: Split, path: str | Path, *, count: int = 6) -> Path:
    """Draw the first images of the split that have objects, with the boxes that are learned from; returns `path`.

    Crowds are left out, as the training leaves them out. The ending of `path` chooses the format.
    """
    busy = [image for image in split.dataset.images if split.dataset.annotations_of(image.id)][:count]
    tiles = [_tile(_draw_image(split, image)) for image in busy or [pick_example(split)]]
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % 3)
    rows = [np.hstack(tiles[start : start + 3]) for start in range(0, len(tiles), 3)]
    Path(path).write_bytes(cv2.imencode(Path(path).suffix, np.vstack(rows))[1].tobytes())
    return Path(path)


def _draw_losses(axes: Axes, result: TrainingResult) -> None:
    batches = len(result.losses) / len(result.epochs)
    places = np.arange(1, len(result.losses) + 1) / batches
    axes.plot(places, result.losses, color="#9db4d0", linewidth=0.8, label="each batch")
    axes.plot(
        [one.epoch for one in result.epochs],
        [one.loss for one in result.epochs],
        color="#1f4e8c",
        marker="o",
        markersize=3,
        label="epoch mean",
    )
    axes.set(xlabel="epoch", title="Training loss", ylim=(0, None))
    axes.legend()


def _draw_scores(axes: Axes, result: TrainingResult) -> None:
    epochs = [0, *(one.epoch for one in result.epochs)]
    for name, colour in (("AP50", "#c4562b"), ("AP", "#1f4e8c")):
        values = [result.start[name], *(one.scores[name] for one in result.epochs)]
        axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=name)
    best = 0 if result.best_is == "start" else int(result.best_is.removeprefix("epoch_"))
    axes.axvline(best, color="#777777", linestyle=":", label=f"published: {result.best_is}")
    axes.set(xlabel="epoch (0: before training)", title="Score on the eval split", ylim=(0, 1))
    axes.legend()


def _draw_image(split: Split, image: CocoImage) -> Pixels:
    pixels = decode_image(split.read_image(image))
    annotations = [one for one in split.dataset.annotations_of(image.id) if not one.iscrowd]
    places = {category_id: place for place, category_id in enumerate(split.dataset.category_ids)}
    return draw_boxes(
        pixels,
        [one.bbox for one in annotations],
        labels=[places[one.category_id] for one in annotations],
        class_names=split.classes,
    )


def _tile(image: Pixels) -> Pixels:
    scale = TILE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:TILE, :TILE]
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile
