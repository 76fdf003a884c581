"""Turns the trained PyTorch detector into one ONNX file with box decoding and NMS inside."""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from detector_export.nms import append_nms
from pack_params import NmsSettings
from sinara_lib.vision.model_pages import STRIDE, ModelCard

OPSET = 18
MODULES_KEY = "pkg.torch.onnx.name_scopes"
"""Where the exporter notes the modules that an operator comes from, the outermost first, its own name last."""

logger = logging.getLogger(__name__)


class RawDetector(nn.Module):
    """The network with box decoding, before NMS.

    Input: images float32 [B, 3, H, W], BGR, 0 to 255. Output: boxes [B, P, 4] as x1, y1, x2, y2 in input
    pixels, and scores [B, P, K], class probability times objectness.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector: Any = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run backbone, neck and head, then decode every level."""
        return self.decode(self.detector.bbox_head(self.detector.extract_feat(images)))

    def decode(self, maps: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
        """Turn the head's maps (class, box, objectness, each of every level) into boxes and scores."""
        strides = self.detector.bbox_head.prior_generator.strides
        levels = [_decode_level(*one, stride=stride[0]) for *one, stride in zip(*maps, strides, strict=True)]
        boxes, scores = zip(*levels, strict=True)
        return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def export_detector(
    detector: nn.Module, path: str | Path, *, card: ModelCard, nms: NmsSettings, metadata: dict[str, str]
) -> None:
    """Write `detector` to one ONNX file, opset 18, with dynamic batch, height and width (multiples of 32).

    Input `images` float32 [B, 3, H, W]; outputs `dets` [B, N, 5] and `labels` [B, N] (see `append_nms`). Constants
    are folded and batch normalisation is part of the convolutions: the exporter runs onnxscript's optimizer.

    >>> export_detector(detector, "model.onnx", card=card, nms=nms, metadata={"run_id": card.run_id})
    >>> [one.name for one in onnx.load("model.onnx").graph.output]
    ['dets', 'labels']
    """
    with tempfile.TemporaryDirectory() as work:
        raw = Path(work) / "raw.onnx"
        export_raw(detector, raw, card=card)
        model = append_nms(onnx.load(raw), nms)
    _keep_scopes_only(model)
    facts = {"classes": json.dumps(card.classes), "input_size": json.dumps(card.input_size), **metadata}
    save_model(model, path, metadata=facts)
    logger.info("Exported %s: opset %d, %.1f MB.", Path(path).name, OPSET, Path(path).stat().st_size / 1e6)


def save_model(model: onnx.ModelProto, path: str | Path, *, metadata: dict[str, str]) -> None:
    """Check a graph and write it to one file with `metadata` as its only properties."""
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def export_raw(detector: nn.Module, path: str | Path, *, card: ModelCard) -> None:
    """Write the network up to decoded boxes and scores as ONNX: outputs `boxes` and `scores` of `RawDetector`."""
    # Of an axis of one cell torch.export would make a constant; the graph itself takes one cell too.
    height, width = (max(side, 2 * STRIDE) for side in card.input_size)
    side = {name: STRIDE * torch.export.Dim(f"{name}_cells", min=2, max=256) for name in ("height", "width")}
    dims = {0: torch.export.Dim("batch", min=1, max=1024), 2: side["height"], 3: side["width"]}
    with torch.no_grad(), _quiet_exporter():
        torch.onnx.export(
            RawDetector(with_strided_stem(detector)).eval(),
            (torch.zeros(2, 3, height, width),),
            str(path),
            input_names=["images"],
            output_names=["boxes", "scores"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={"images": dims},
            external_data=False,
            verbose=False,
        )


def _keep_scopes_only(model: onnx.ModelProto) -> None:
    # The exporter notes the Python source of every operator, with paths of this machine. Which module an operator
    # comes from stays: it names the layer when the models differ.
    for node in model.graph.node:
        kept = [one for one in node.metadata_props if one.key == MODULES_KEY]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.ClearField("doc_string")
    del model.graph.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    # The exporter reports each of hundreds of merged constants, and each operator of packages that are not installed.
    levels = {"onnx_ir": logging.WARNING, "torch.onnx": logging.ERROR}
    before = {name: logging.getLogger(name).level for name in levels}
    try:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _decode_level(cls: Tensor, box: Tensor, objectness: Tensor, *, stride: int) -> tuple[Tensor, Tensor]:
    # One feature map of h x w cells; cell (row, column) predicts an offset and the log of a size, in strides.
    rows, columns = cls.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(rows, dtype=box.dtype, device=box.device),
        torch.arange(columns, dtype=box.dtype, device=box.device),
        indexing="ij",
    )
    corner = torch.stack((x, y), dim=-1).reshape(1, -1, 2)
    prediction = box.flatten(2).transpose(1, 2)
    centre = (prediction[..., :2] + corner) * stride
    half = prediction[..., 2:].exp() * (stride / 2)
    scores = cls.flatten(2).transpose(1, 2).sigmoid() * objectness.flatten(2).transpose(1, 2).sigmoid()
    return torch.cat((centre - half, centre + half), dim=-1), scores


class StridedStem(nn.Module):
    """What mmdet's `Focus` computes, without taking the image apart: one convolution of twice the size and stride.

    `Focus` puts the four pixels of each 2 x 2 square side by side as channels and convolves those. A pixel's weight is
    the same either way, but strided slices and their concatenation take runtimes about a tenth of the network's time.
    Input: images float32 [B, 3, H, W] of even sides.
    """

    def __init__(self, focus: Any) -> None:
        super().__init__()
        self.conv = copy.deepcopy(focus.conv)
        self.conv.conv = _widened(focus.conv.conv)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of the stem, half as high and wide as the images."""
        features: Tensor = self.conv(images)
        return features


def with_strided_stem(detector: nn.Module) -> nn.Module:
    """Return a copy of a detector whose backbone begins with a `StridedStem`; its layers keep their names."""
    changed: Any = copy.deepcopy(detector)
    changed.backbone.stem = StridedStem(changed.backbone.stem)
    return changed.eval()


def _widened(conv: nn.Conv2d) -> nn.Conv2d:
    """Return the convolution over pixels of one over the squares' four pixels; both pad with zeros."""
    out, depth, high, wide = conv.weight.shape
    wider = nn.Conv2d(
        depth // 4,
        out,
        (2 * high, 2 * wide),
        stride=2,
        padding=(2 * int(conv.padding[0]), 2 * int(conv.padding[1])),
        bias=conv.bias is not None,
    )
    with torch.no_grad():
        # Of a square's four pixels Focus takes the left column first, each from its top.
        pixels = conv.weight.reshape(out, 2, 2, depth // 4, high, wide)  # out, column, row, channel, y, x
        wider.weight.copy_(pixels.permute(0, 3, 4, 2, 5, 1).reshape(wider.weight.shape))
        if conv.bias is not None and wider.bias is not None:
            wider.bias.copy_(conv.bias)
    return wider
