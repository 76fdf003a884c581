"""Proof that the exported file is the trained model: the same raw outputs, the same detections, the same AP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from torch import nn

from detector_export.images import ImagePlace, NetworkImage
from export_checks.layers import first_difference
from export_checks.outputs import RAW_OUTPUTS, Array, Detections, ModelOutput, open_session, run_onnx, run_torch
from pack_params import NmsSettings
from sinara_lib.errors import DataError
from sinara_lib.vision.boxes import iou

RAW_TOLERANCE = 1e-3
SCORE_TOLERANCE = 1e-3
MIN_IOU = 0.99
BATCH = 4
"""Images that the ONNX model gets at once, while PyTorch sees one at a time: so that batching is proven too."""
_LEAST_SCORE = 0.01
"""Errors of scores below one percent are taken relative to one percent: nobody sees the rest."""

Found = tuple[ImagePlace, Detections]


@dataclass(frozen=True)
class ParityRow:
    """Both models on one image."""

    image: str
    box_error: float
    """Largest relative error of a raw box coordinate."""
    score_error: float
    """Largest relative error of a raw score."""
    torch_detections: int
    onnx_detections: int
    unmatched: int
    """Detections of one model that the other does not give (same class, IoU >= 0.99, score within 0.001)."""
    lowest_iou: float
    largest_score_gap: float

    @property
    def passed(self) -> bool:
        """True when the two models agree on this image."""
        return self.unmatched == 0 and max(self.box_error, self.score_error) <= RAW_TOLERANCE


@dataclass(frozen=True)
class Comparison:
    """Both models on one set of images: a row for each that was compared, and what each model found on all."""

    name: str
    rows: list[ParityRow] = field(default_factory=list)
    by_torch: list[Found] = field(default_factory=list)
    by_onnx: list[Found] = field(default_factory=list)


def compare_models(
    detector: nn.Module,
    model: str | Path | onnx.ModelProto,
    *,
    nms: NmsSettings,
    name: str,
    images: Iterable[NetworkImage],
    most: int | None = None,
) -> Comparison:
    """Run both models on all `images` (of one size) and compare the first `most` of them, or all.

    Raises DataError as soon as an image differs beyond the tolerances: it names image, figures and the first layer.
    """
    session = open_session(model, outputs=RAW_OUTPUTS)
    comparison = Comparison(name)
    for image, expected, found in _run_both(detector, session, images, nms=nms):
        comparison.by_torch.append((image.place, expected.found))
        comparison.by_onnx.append((image.place, found.found))
        if most is None or len(comparison.rows) < most:
            row = compare_outputs(image.place.name, expected, found, nms=nms)
            if not row.passed:
                raise DataError(_refusal(row, first_difference(detector, model, image.pixels)))
            comparison.rows.append(row)
    return comparison


def compare_outputs(name: str, expected: ModelOutput, found: ModelOutput, *, nms: NmsSettings) -> ParityRow:
    """Compare what PyTorch (`expected`) and ONNX gave for one image."""
    unmatched, lowest_iou, gap = pair_detections(expected.found, found.found, nms=nms)
    return ParityRow(
        image=name,
        box_error=_relative_error(found.boxes, expected.boxes, scale=_sides(expected.boxes)),
        score_error=_relative_error(found.scores, expected.scores, scale=np.float32(_LEAST_SCORE)),
        torch_detections=len(expected.found.scores),
        onnx_detections=len(found.found.scores),
        unmatched=unmatched,
        lowest_iou=lowest_iou,
        largest_score_gap=gap,
    )


def pair_detections(expected: Detections, found: Detections, *, nms: NmsSettings) -> tuple[int, float, float]:
    """Match what two models found under the same settings; see `match_detections`."""
    thresholds = [nms.score_threshold]
    thresholds += [float(one.scores.min()) for one in (expected, found) if len(one.scores) >= nms.keep_top_k]
    return match_detections(expected, found, threshold=max(thresholds))


def match_detections(expected: Detections, found: Detections, *, threshold: float) -> tuple[int, float, float]:
    """Pair detections of one class greedily by score: returns (unmatched, lowest IoU, largest score gap).

    A detection without partner whose score is within the tolerance of `threshold`, the score at which the list was cut,
    is not counted: rounding alone decides on which side it falls.
    """
    free = set(range(len(found.scores)))
    ious, gaps, unmatched = [1.0], [0.0], 0
    for box, score, label in zip(expected.boxes, expected.scores, expected.labels, strict=True):
        rivals = [i for i in free if found.labels[i] == label and abs(found.scores[i] - score) <= SCORE_TOLERANCE]
        overlaps = iou(box, found.boxes[rivals]) if rivals else np.zeros(0)
        if rivals and overlaps.max() >= MIN_IOU:
            partner = rivals[int(overlaps.argmax())]
            free.remove(partner)
            ious.append(float(overlaps.max()))
            gaps.append(abs(float(found.scores[partner] - score)))
        elif score > threshold + SCORE_TOLERANCE:
            unmatched += 1
    unmatched += sum(1 for i in free if found.scores[i] > threshold + SCORE_TOLERANCE)
    return unmatched, min(ious), max(gaps)


def _run_both(
    detector: nn.Module, session: ort.InferenceSession, images: Iterable[NetworkImage], *, nms: NmsSettings
) -> Iterator[tuple[NetworkImage, ModelOutput, ModelOutput]]:
    left = iter(images)
    while batch := list(islice(left, BATCH)):
        answers = run_onnx(session, np.stack([image.pixels for image in batch]))
        for image, found in zip(batch, answers, strict=True):
            yield image, run_torch(detector, image.pixels, nms), found


def _relative_error(found: Array, expected: Array, *, scale: Any) -> float:
    if not np.isfinite(expected).all() or not np.isfinite(found).all():
        return float("inf")
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), scale)))


def _sides(boxes: Array) -> Array:
    # A corner is a centre minus half a side, so its rounding grows with the side even where the corner is near 0.
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True), 1.0)


def _refusal(row: ParityRow, where: str) -> str:
    return (
        f"The exported model differs from the PyTorch model, nothing is published. Image {row.image}: raw boxes off by "
        f"{row.box_error:.2g}, raw scores by {row.score_error:.2g} (allowed {RAW_TOLERANCE:g}), {row.unmatched} of "
        f"{max(row.torch_detections, row.onnx_detections)} detections differ (allowed 0). {where}"
    )
