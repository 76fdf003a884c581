"""The network's first layer as runtimes like it best: the same numbers from one convolution."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


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
