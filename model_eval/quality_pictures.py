"""The pictures of the quality report: precision-recall curves, AP bars, images with ground truth beside prediction."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from coco_numbers import RECALLS
from detector_scoring import DetectorScores, ImageOutcome
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sinara_lib.archive import ArchiveReader
from sinara_lib.vision.coco import CocoDataset, draw_boxes
from sinara_lib.vision.coco_drawing import Pixels, class_colour
from sinara_lib.vision.letterbox import decode_image

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
IMAGES_FOLDER = "images"

_INK: Mapping[Theme, str] = {"light": "#1d2129", "dark": "#e8eaed"}
_FAINT: Mapping[Theme, str] = {"light": "#d9dde3", "dark": "#3a4048"}
_PAPER: Mapping[Theme, str] = {"light": "#ffffff", "dark": "#1b1f25"}
_LONG_SIDE = 720


@dataclass(frozen=True)
class ExampleImage:
    """One test image: JPEG with the ground truth drawn, JPEG with the prediction drawn, and what came of it."""

    file_name: str
    truth: bytes
    prediction: bytes
    outcome: ImageOutcome


def draw_curves(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw precision over recall for each class and their mean, as PNG."""
    figure, axes = _canvas(theme, height=4.9)
    measured = [(i, c) for i, c in enumerate(scores.classes) if c.precision_at_recall is not None]
    for index, one in measured:
        curve = np.array(one.precision_at_recall)
        axes.plot(RECALLS, curve, color=_readable(index, theme), linewidth=1.7, label=f"{one.name}  {curve.mean():.2f}")
    if measured:
        mean = np.mean([one.precision_at_recall for _, one in measured], axis=0)
        axes.plot(RECALLS, mean, color=_INK[theme], linewidth=3.2, label=f"mean  {mean.mean():.2f}")
    else:
        axes.text(0.5, 0.5, "no ground truth to measure on", ha="center", color=_INK[theme])
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.03),
        xlabel="recall: share of objects found",
        ylabel="precision: share of detections right",
    )
    axes.grid(color=_FAINT[theme], linewidth=0.8)
    if measured:
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.15),
            ncols=3,
            frameon=False,
            labelcolor=_INK[theme],
            handlelength=1.4,
            columnspacing=1.4,
        )
    return _png(figure, theme)


def draw_bars(scores: DetectorScores, theme: Theme) -> bytes:
    """Draw AP and AP50 of each class as bars, best class on top, as PNG."""
    order = sorted(range(len(scores.classes)), key=lambda i: scores.classes[i].ap50 or -1.0)
    figure, axes = _canvas(theme, height=0.9 + 0.55 * len(order))
    for row, index in enumerate(order):
        one, colour = scores.classes[index], _readable(index, theme)
        if one.ap is None or one.ap50 is None:
            axes.text(0.01, row, "no ground truth", va="center", color=_INK[theme], style="italic")
            continue
        axes.barh(row, one.ap50, height=0.62, color=colour, alpha=0.35)
        axes.barh(row, one.ap, height=0.62, color=colour)
        axes.text(one.ap50 + 0.01, row, f"{one.ap50:.2f}", va="center", color=_INK[theme])
    axes.set_yticks(range(len(order)), [scores.classes[index].name for index in order])
    axes.set(xlim=(0, 1.08), xlabel="full: AP, IoU 0.50 to 0.95 · pale, with number: AP50")
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.grid(axis="x", color=_FAINT[theme], linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    return _png(figure, theme)


def choose_examples(scores: DetectorScores, *, count: int) -> list[ImageOutcome]:
    """Return images to show: half where most went right, then half where most went wrong; none twice."""
    with_objects = [one for one in scores.outcomes if one.found + one.missed]
    best = sorted(with_objects, key=lambda one: (-_share_right(one), -one.found, one.image_id))[: (count + 1) // 2]
    rest = [one for one in scores.outcomes if one not in best and one.missed + one.false]
    worst = sorted(rest, key=lambda one: (-one.missed - one.false, one.image_id))
    return best + worst[: count // 2]


def draw_examples(
    outcomes: Sequence[ImageOutcome],
    *,
    images: ArchiveReader,
    truth: CocoDataset,
    predictions: Sequence[Mapping[str, Any]],
    shown_score: float,
) -> list[ExampleImage]:
    """Draw ground truth and prediction of each image; detections below `shown_score` are left out."""
    names = {image.id: image.file_name for image in truth.images}
    examples = []
    for outcome in outcomes:
        picture = _shrunk(decode_image(images.read(f"{IMAGES_FOLDER}/{names[outcome.image_id]}")))
        known = [(one.bbox, one.category_id, None) for one in truth.annotations_of(outcome.image_id)]
        found = [
            (one["bbox"], one["category_id"], one["score"])
            for one in predictions
            if one["image_id"] == outcome.image_id and one["score"] >= shown_score
        ]
        example = ExampleImage(
            file_name=names[outcome.image_id],
            truth=_jpeg(picture, known, truth),
            prediction=_jpeg(picture, found, truth),
            outcome=outcome,
        )
        examples.append(example)
    return examples


def _share_right(one: ImageOutcome) -> float:
    return one.found / (one.found + one.missed + one.false)


def _shrunk(image: Pixels) -> tuple[Pixels, float]:
    scale = min(1.0, _LONG_SIDE / max(image.shape[:2]))
    if scale == 1.0:
        return image, scale
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale


def _jpeg(picture: tuple[Pixels, float], boxes: Sequence[tuple[Any, int, float | None]], truth: CocoDataset) -> bytes:
    image, scale = picture
    scores = [score for *_, score in boxes if score is not None]
    drawn = draw_boxes(
        image,
        [[side * scale for side in box] for box, *_ in boxes],
        labels=[truth.category_ids.index(category) for _, category, _ in boxes],
        class_names=truth.class_names,
        scores=scores or None,
    )
    return cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _readable(index: int, theme: Theme) -> tuple[float, float, float]:
    # Pale hues vanish on white and deep ones on black: blend towards the ink until they stand out.
    colour = np.array(class_colour(index)) / 255
    target = 0.0 if theme == "light" else 1.0
    weights = np.array([0.2126, 0.7152, 0.0722])
    while abs(float(weights @ colour) - (1 - target)) < 0.42:
        colour = colour + (target - colour) * 0.1
    return tuple(colour.tolist())


def _canvas(theme: Theme, *, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, height), layout="constrained", facecolor=_PAPER[theme])
    axes = figure.add_subplot(facecolor=_PAPER[theme])
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(_FAINT[theme])
    axes.tick_params(colors=_INK[theme], labelsize=11)
    axes.xaxis.label.set_color(_INK[theme])
    axes.yaxis.label.set_color(_INK[theme])
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure, theme: Theme) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=160, facecolor=_PAPER[theme])
    return buffer.getvalue()
