"""Proof that the exported file is the trained model: the same raw outputs, the same detections."""

from __future__ import annotations

import html
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from detector_export import RawDetector
from numpy.typing import NDArray
from onnx_nms import NmsSettings
from torch import nn

from sinara_lib.errors import DataError

# onnxruntime decides at import whether it sends usage data; nothing here may leave the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

RAW_TOLERANCE = 1e-3
SCORE_TOLERANCE = 1e-3
MIN_IOU = 0.99
_RAW = ("boxes", "scores")
_LEAST_SCORE = 0.01
"""Errors of scores below one percent are taken relative to one percent: nobody sees the rest."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Detections:
    """What one image gave: boxes [N, 4] as x1, y1, x2, y2 in input pixels, scores [N], labels [N]."""

    boxes: Array
    scores: Array
    labels: Array


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


def check_parity(
    detector: nn.Module, onnx_path: str | Path, *, nms: NmsSettings, images: Mapping[str, Array]
) -> list[ParityRow]:
    """Run both models on `images` (float32 [3, H, W] each, all of one size) and compare them.

    The ONNX file gets them as one batch, PyTorch one by one, so that batching is proven too.
    Raises DataError naming the image and the figures when the models differ beyond the tolerances.
    """
    batch = np.stack(list(images.values()))
    raw_onnx, found = _run_onnx(onnx_path, batch)
    rows = []
    for index, name in enumerate(images):
        raw_torch, expected = _run_torch(detector, batch[index : index + 1], nms)
        errors = (
            _relative_error(raw_onnx["boxes"][index], raw_torch["boxes"], scale=_sides(raw_torch["boxes"])),
            _relative_error(raw_onnx["scores"][index], raw_torch["scores"], scale=np.float32(_LEAST_SCORE)),
        )
        rows.append(_compare(name, errors=errors, expected=expected, found=found[index], nms=nms))
    if failed := [row for row in rows if not row.passed]:
        raise DataError(f"{onnx_path}: differs from the PyTorch model, nothing is published. {_reasons(failed)}")
    return rows


def parity_table(rows: list[ParityRow]) -> Any:
    """Return the comparison as a table for the notebook, one column per image."""
    from IPython.display import HTML

    facts = {
        "raw boxes, largest relative error": lambda row: f"{row.box_error:.1e}",
        "raw scores, largest relative error": lambda row: f"{row.score_error:.1e}",
        "detections of PyTorch": lambda row: str(row.torch_detections),
        "detections of ONNX": lambda row: str(row.onnx_detections),
        "not in the other model": lambda row: str(row.unmatched),
        "lowest IoU of a pair": lambda row: f"{row.lowest_iou:.5f}",
        "largest score gap of a pair": lambda row: f"{row.largest_score_gap:.1e}",
        "same model": lambda row: "yes" if row.passed else "no",
    }
    head = "".join(f"<th>{html.escape(row.image)}</th>" for row in rows)
    body = "".join(f"<tr><th>{k}</th>{''.join(f'<td>{f(row)}</td>' for row in rows)}</tr>" for k, f in facts.items())
    return HTML(f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>")


def noise_image(size: tuple[int, int], *, seed: int) -> NDArray[np.float32]:
    """Uniform noise as network input, float32 [3, H, W]."""
    return np.random.default_rng(seed).integers(0, 256, (3, *size)).astype(np.float32)


def match_detections(expected: Detections, found: Detections, *, bar: float) -> tuple[int, float, float]:
    """Pair detections of one class greedily by score: returns (unmatched, lowest IoU, largest score gap).

    A detection without partner whose score is within the tolerance of `bar`, the score at which the list was cut,
    is not counted: rounding alone decides on which side it falls.
    """
    free = set(range(len(found.scores)))
    ious, gaps, unmatched = [1.0], [0.0], 0
    for box, score, label in zip(expected.boxes, expected.scores, expected.labels, strict=True):
        rivals = [i for i in free if found.labels[i] == label and abs(found.scores[i] - score) <= SCORE_TOLERANCE]
        overlaps = _iou(box, found.boxes[rivals]) if rivals else np.zeros(0)
        if rivals and overlaps.max() >= MIN_IOU:
            partner = rivals[int(overlaps.argmax())]
            free.remove(partner)
            ious.append(float(overlaps.max()))
            gaps.append(abs(float(found.scores[partner] - score)))
        elif score > bar + SCORE_TOLERANCE:
            unmatched += 1
    unmatched += sum(1 for i in free if found.scores[i] > bar + SCORE_TOLERANCE)
    return unmatched, min(ious), max(gaps)


def _compare(
    name: str, *, errors: tuple[float, float], expected: Detections, found: Detections, nms: NmsSettings
) -> ParityRow:
    bars = [nms.score_threshold]
    bars += [float(one.scores.min()) for one in (expected, found) if len(one.scores) >= nms.keep_top_k]
    unmatched, lowest_iou, gap = match_detections(expected, found, bar=max(bars))
    return ParityRow(
        image=name,
        box_error=errors[0],
        score_error=errors[1],
        torch_detections=len(expected.scores),
        onnx_detections=len(found.scores),
        unmatched=unmatched,
        lowest_iou=lowest_iou,
        largest_score_gap=gap,
    )


def _run_onnx(path: str | Path, batch: Array) -> tuple[dict[str, Array], list[Detections]]:
    # The tensors between network and NMS keep their names in the file: shown as outputs, they are what is compared.
    model = onnx.load(str(path))
    for name in _RAW:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    dets, labels, *raw = session.run(["dets", "labels", *_RAW], {"images": batch})
    found = [Detections(d[k >= 0, :4], d[k >= 0, 4], k[k >= 0]) for d, k in zip(dets, labels, strict=True)]
    return dict(zip(_RAW, raw, strict=True)), found


def _run_torch(detector: nn.Module, image: Array, nms: NmsSettings) -> tuple[dict[str, Array], Detections]:
    # Detections come from mmdet's own post-processing. split_thr=1 makes it run NMS class by class; its usual
    # way shifts the boxes of each class apart, which costs float32 digits that ONNX does not lose.
    from mmengine.config import ConfigDict

    tensor = torch.from_numpy(image)
    config = ConfigDict(
        score_thr=nms.score_threshold, nms={"type": "nms", "iou_threshold": nms.iou_threshold, "split_thr": 1}
    )
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mmdet calls torch.meshgrid in its older form
        boxes, scores = RawDetector(detector)(tensor)
        outputs = detector.bbox_head(detector.extract_feat(tensor))
        meta = {"img_shape": tuple(image.shape[2:]), "scale_factor": (1.0, 1.0)}
        (result,) = detector.bbox_head.predict_by_feat(*outputs, batch_img_metas=[meta], cfg=config)
    labels = result.labels.numpy()
    rank = np.array([np.sum(labels[:i] == label) for i, label in enumerate(labels)], dtype=int)
    kept = np.flatnonzero(rank < nms.max_output_boxes_per_class)[: nms.keep_top_k]
    raw = {"boxes": boxes[0].numpy(), "scores": scores[0].numpy()}
    return raw, Detections(result.bboxes.numpy()[kept], result.scores.numpy()[kept], labels[kept])


def _relative_error(found: Array, expected: Array, *, scale: Any) -> float:
    if not np.isfinite(expected).all() or not np.isfinite(found).all():
        return float("inf")
    return float(np.max(np.abs(found - expected) / np.maximum(np.abs(expected), scale)))


def _sides(boxes: Array) -> Array:
    # A corner is a centre minus half a side, so its rounding grows with the side even where the corner is near 0.
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True), 1.0)


def _iou(box: Array, others: Array) -> Array:
    corners = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(corners, 0, None).prod(axis=1)
    areas = np.prod(box[2:] - box[:2]) + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))


def _reasons(rows: list[ParityRow]) -> str:
    return " ".join(
        f"Image {row.image}: raw boxes off by {row.box_error:.2g}, raw scores by {row.score_error:.2g} "
        f"(allowed {RAW_TOLERANCE:g}), {row.unmatched} of {max(row.torch_detections, row.onnx_detections)} "
        "detections differ (allowed 0)."
        for row in rows
    )
