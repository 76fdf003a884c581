"""Both models on prepared images: raw outputs of the network, and detections after suppression."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector_export.export import RawDetector
from pack_params import NmsSettings

# onnxruntime decides at import whether it sends usage data; nothing here may leave the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

RAW_OUTPUTS = ("boxes", "scores")
"""Tensors between network and suppression; they keep their names in the whole graph."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Detections:
    """What one image gave: boxes [N, 4] as x1, y1, x2, y2 in input pixels, scores [N], labels [N]."""

    boxes: Array
    scores: Array
    labels: Array


@dataclass(frozen=True)
class ModelOutput:
    """Raw boxes [P, 4] and scores [P, K] of one image, and what suppression leaves of them."""

    boxes: Array
    scores: Array
    found: Detections


def open_session(
    model: str | Path | onnx.ModelProto, *, outputs: Sequence[str] = (), threads: int = 0
) -> ort.InferenceSession:
    """Open a file or a graph with onnxruntime on the CPU; `outputs` names inner tensors that it shall give too.

    Of a graph with `outputs` a copy is opened. threads: 0 takes all cores.
    """
    if outputs:
        model = _with_outputs(onnx.load(str(model)) if isinstance(model, str | Path) else model, outputs)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    content = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_onnx(session: ort.InferenceSession, batch: Array) -> list[ModelOutput]:
    """Run a session that was opened with `RAW_OUTPUTS` on images float32 [B, 3, H, W]."""
    dets, labels, boxes, scores = session.run(["dets", "labels", *RAW_OUTPUTS], {"images": batch})
    return [
        ModelOutput(boxes[image], scores[image], split_detections(dets[image], labels[image]))
        for image in range(len(batch))
    ]


def split_detections(dets: Array, labels: Array) -> Detections:
    """Take one image's rows of `dets` [N, 5] and `labels` [N] apart; what only fills up is left out."""
    kept = labels >= 0
    return Detections(dets[kept, :4], dets[kept, 4], labels[kept])


def run_torch(detector: nn.Module, pixels: Array, nms: NmsSettings) -> ModelOutput:
    """Run the PyTorch model on one image float32 [3, H, W]; detections come from mmdet's own post-processing."""
    images = torch.from_numpy(pixels[None])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mmdet calls torch.meshgrid in its older form
        maps = detector.bbox_head(detector.extract_feat(images))
        boxes, scores = RawDetector(detector).decode(maps)
        found = _suppress(detector, maps, nms, size=pixels.shape[1:])
    return ModelOutput(boxes[0].numpy(), scores[0].numpy(), found)


def _suppress(
    detector: Any, maps: Sequence[Sequence[Tensor]], nms: NmsSettings, *, size: tuple[int, ...]
) -> Detections:
    # split_thr=1 makes mmdet suppress class by class; its usual way shifts the boxes of each class apart, which costs
    # float32 digits that ONNX does not lose.
    from mmengine.config import ConfigDict

    config = ConfigDict(
        score_thr=nms.score_threshold, nms={"type": "nms", "iou_threshold": nms.iou_threshold, "split_thr": 1}
    )
    meta = {"img_shape": tuple(size), "scale_factor": (1.0, 1.0)}
    (result,) = detector.bbox_head.predict_by_feat(*maps, batch_img_metas=[meta], cfg=config)
    labels = result.labels.numpy()
    rank = np.array([np.sum(labels[:place] == label) for place, label in enumerate(labels)], dtype=int)
    kept = np.flatnonzero(rank < nms.max_output_boxes_per_class)[: nms.keep_top_k]
    return Detections(result.bboxes.numpy()[kept], result.scores.numpy()[kept], labels[kept])


def _with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {one.name for one in copy.graph.output}
    added = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names if n not in known]
    copy.graph.output.extend(added)
    return copy
