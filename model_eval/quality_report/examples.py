"""Test images in the report: ground truth beside prediction, and the worst mistakes cut out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from detection_scores.scoring import DetectorScores, ImageOutcome, Mistake
from detection_scores.table import build_table
from sinara_lib.archive import Readable
from sinara_lib.vision.coco import CocoDataset, draw_boxes
from sinara_lib.vision.coco_archive import member
from sinara_lib.vision.coco_drawing import Pixels, class_colour
from sinara_lib.vision.contact_sheet import jpeg, scaled
from sinara_lib.vision.letterbox import decode_image

BUDGET = 2_200_000
"""Bytes that all examples together may take: a page under 8 MB has to carry them as text, and the charts beside."""
_SIZES = ((720, 85), (600, 80), (480, 75), (360, 65), (240, 50))
"""Long side in pixels and JPEG quality, from the best to what always fits."""
_CROP_SIDE = 220
_CROP_MARGIN = 0.4


@dataclass(frozen=True)
class ExampleImage:
    """One test image: JPEG with the ground truth drawn, JPEG with the prediction drawn, and what came of it."""

    file_name: str
    truth: bytes
    prediction: bytes
    outcome: ImageOutcome


@dataclass(frozen=True)
class CutOut:
    """A mistake with its surroundings, as JPEG."""

    file_name: str
    picture: bytes
    mistake: Mistake


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
    images: Readable,
    truth: CocoDataset,
    predictions: Sequence[Mapping[str, Any]],
    shown_score: float,
    budget: int = BUDGET,
) -> list[ExampleImage]:
    """Draw ground truth and prediction of each image; detections below `shown_score` are left out.

    All pictures together take at most `budget` bytes, at the price of their size.
    """
    found = _shown(truth, predictions, shown_score=shown_score)
    drawn: list[ExampleImage] = []
    for side, quality in _SIZES:
        drawn = [_draw(one, images, truth, found, side=side, quality=quality) for one in outcomes]
        if sum(len(one.truth) + len(one.prediction) for one in drawn) <= budget:
            break
    return drawn


def cut_out_mistakes(scores: DetectorScores, *, images: Readable, truth: CocoDataset) -> list[CutOut]:
    """Cut the largest false detections and missed objects out of their images, the box drawn."""
    records = {image.id: image for image in truth.images}
    made = []
    for one in scores.mistakes:
        image = decode_image(images.read(member(records[one.image_id])))
        colour = class_colour(truth.class_names.index(one.class_name))
        made.append(CutOut(records[one.image_id].file_name, picture=_cut(image, one, colour), mistake=one))
    return made


def _share_right(one: ImageOutcome) -> float:
    return one.found / (one.found + one.missed + one.false)


def _shown(
    truth: CocoDataset, predictions: Sequence[Mapping[str, Any]], *, shown_score: float
) -> dict[int, list[tuple[list[float], int, float]]]:
    """Box, class and score of what is drawn, by image; what makes no sense was left out of the scores as well."""
    table = build_table(truth, predictions)
    shown: dict[int, list[tuple[list[float], int, float]]] = {}
    (rows,) = np.nonzero(table.detections.score >= shown_score)
    for row in rows.tolist():
        image = table.image_ids[table.detections.image[row]]
        box, label = table.detections.box[row].tolist(), int(table.detections.label[row])
        shown.setdefault(image, []).append((box, label, float(table.detections.score[row])))
    return shown


def _draw(
    outcome: ImageOutcome,
    images: Readable,
    truth: CocoDataset,
    found: Mapping[int, list[tuple[list[float], int, float]]],
    *,
    side: int,
    quality: int,
) -> ExampleImage:
    (record,) = (image for image in truth.images if image.id == outcome.image_id)
    image = decode_image(images.read(member(record)))
    scale = min(1.0, side / max(image.shape[:2]))
    if scale < 1.0:
        image = scaled(image, scale)
    known = [
        (list(one.bbox), truth.category_ids.index(one.category_id), None)
        for one in truth.annotations_of(outcome.image_id)
        if one.category_id in truth.category_ids and np.isfinite(one.bbox).all()
    ]

    def drawn(boxes: Sequence[tuple[list[float], int, float | None]]) -> bytes:
        scores = [score for *_, score in boxes if score is not None]
        picture = draw_boxes(
            image,
            [[edge * scale for edge in box] for box, *_ in boxes],
            labels=[label for _, label, _ in boxes],
            class_names=truth.class_names,
            scores=scores or None,
            min_long_side=min(640, side),
        )
        return jpeg(picture, quality=quality)

    return ExampleImage(
        record.file_name, truth=drawn(known), prediction=drawn(found.get(outcome.image_id, [])), outcome=outcome
    )


def _cut(image: Pixels, mistake: Mistake, colour: tuple[int, int, int]) -> bytes:
    x, y, width, height = mistake.box
    rows, columns = image.shape[:2]
    margin = max(8.0, _CROP_MARGIN * max(width, height))
    left, top = (int(np.clip(edge - margin, 0, limit - 1)) for edge, limit in ((x, columns), (y, rows)))
    far = ((x + width, columns), (y + height, rows))
    right, bottom = (int(np.ceil(min(edge + margin, limit))) for edge, limit in far)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    scale = _CROP_SIDE / max(part.shape[:2])
    part = scaled(np.ascontiguousarray(part), scale)
    corners = [(round((px - left) * scale), round((py - top) * scale)) for px, py in ((x, y), (x + width, y + height))]
    cv2.rectangle(part, *corners, color=(16, 16, 16), thickness=4)
    cv2.rectangle(part, *corners, color=colour[::-1], thickness=2)
    return jpeg(part, quality=80)
