"""The detector as TorchScript, with decoding and suppression inside: for programs that stand on PyTorch."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from detector_export.export import RawDetector
from pack_params import NmsSettings
from sinara_lib.vision.model_pages import ModelCard

METADATA_FILE = "metadata.json"
"""Of the extra files in the archive: classes, input size and origin, as the ONNX file has them."""


class Detected(NamedTuple):
    """As the ONNX file answers: dets [B, N, 5], labels [B, N]; shorter images filled up with zeros and label -1."""

    dets: Tensor
    labels: Tensor


class _ScriptedDetector(nn.Module):
    def __init__(self, raw: nn.Module, nms: NmsSettings) -> None:
        super().__init__()
        self.raw = raw
        self.iou_threshold = nms.iou_threshold
        self.score_threshold = nms.score_threshold
        self.per_class = nms.max_output_boxes_per_class
        self.pre_top_k = nms.pre_top_k
        self.keep_top_k = nms.keep_top_k

    def forward(self, images: Tensor) -> Detected:
        boxes, scores = self.raw(images)
        found = [self.suppress(boxes[image], scores[image]) for image in range(boxes.size(0))]
        longest = max([one[1].numel() for one in found])
        dets = torch.zeros((len(found), longest, 5), dtype=boxes.dtype, device=boxes.device)
        labels = torch.full((len(found), longest), -1, dtype=torch.int64, device=boxes.device)
        for image, (rows, classes) in enumerate(found):
            dets[image, : classes.numel()] = rows
            labels[image, : classes.numel()] = classes
        return Detected(dets, labels)

    def suppress(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        best, labels = scores.max(dim=1)
        order = best.argsort(descending=True)[: self.pre_top_k]
        order = order[best[order] >= self.score_threshold]
        boxes, best, labels = boxes[order], best[order], labels[order]
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        free = torch.ones_like(best, dtype=torch.bool)
        counts = torch.zeros(scores.size(1), dtype=torch.int64, device=scores.device)
        kept: list[int] = []
        for row in range(best.numel()):
            label = int(labels[row])
            if bool(free[row]) and int(counts[label]) < self.per_class and len(kept) < self.keep_top_k:
                kept.append(row)
                counts[label] += 1
                low, high = torch.maximum(boxes[row, :2], boxes[:, :2]), torch.minimum(boxes[row, 2:], boxes[:, 2:])
                shared = (high - low).clamp(min=0).prod(dim=1)
                free &= (labels != label) | (shared / (areas[row] + areas - shared) <= self.iou_threshold)
        rows = torch.tensor(kept, dtype=torch.int64, device=boxes.device)
        return torch.cat((boxes[rows], best[rows].unsqueeze(1)), dim=1), labels[rows]


def export_torchscript(
    detector: nn.Module, path: str | Path, *, card: ModelCard, nms: NmsSettings, metadata: dict[str, str]
) -> None:
    """Write `detector` as TorchScript: `Detected` of images float32 [B, 3, H, W], of any batch and size."""
    height, width = card.input_size
    facts = {"classes": card.classes, "input_size": card.input_size, **metadata}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls TorchScript its older form
        raw = torch.jit.trace(RawDetector(detector).eval(), torch.zeros(1, 3, height, width), check_trace=False)
        scripted = torch.jit.freeze(torch.jit.script(_ScriptedDetector(raw, nms).eval()))
        whole = io.BytesIO()
        torch.jit.save(scripted, whole, _extra_files={METADATA_FILE: json.dumps(facts)})
    _copy_without_sources(whole, Path(path))


def _copy_without_sources(archive: io.BytesIO, path: Path) -> None:
    # PyTorch notes the Python source of every operator, with paths of this machine, in members that it can do without.
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as kept:
        for member in whole.infolist():
            if not member.filename.endswith(".debug_pkl"):
                kept.writestr(member.filename, whole.read(member))
