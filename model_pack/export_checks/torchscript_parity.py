"""Proof that the TorchScript file finds what the detector finds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from detector_export.images import NetworkImage
from export_checks.outputs import run_torch, split_detections
from export_checks.parity import pair_detections
from pack_params import NmsSettings
from sinara_lib.errors import DataError


def check_torchscript(
    path: str | Path, detector: nn.Module, *, nms: NmsSettings, images: Iterable[NetworkImage]
) -> None:
    """Raise DataError unless the file finds on `images` what the detector finds: class, place and score."""
    scripted = torch.jit.load(str(path))
    for image in images:
        with torch.no_grad():
            answer = scripted(torch.from_numpy(image.pixels[None]))
        found = split_detections(answer.dets[0].numpy(), answer.labels[0].numpy())
        expected = run_torch(detector, image.pixels, nms).found
        if unmatched := pair_detections(expected, found, nms=nms)[0]:
            most = max(len(expected.scores), len(found.scores))
            raise DataError(
                "The TorchScript model differs from the PyTorch model, nothing is published. "
                f"Image {image.place.name}: {unmatched} of {most} detections differ (allowed 0)."
            )
