"""A YOLOX-Nano with fixed random weights that finds plenty of objects, and how it is asked."""

import torch
from onnx_nms import NmsSettings
from torch import nn

CLASSES = ("person", "bicycle", "car")
INPUT_SIZE = (96, 128)
MIN_SCORE = 0.465
NMS = NmsSettings(score_threshold=0.2, keep_top_k=50)


def make_lively(detector: nn.Module) -> None:
    """Spread the scores wide, so that thresholds, ranking and suppression all have work to do."""
    generator = torch.Generator().manual_seed(11)
    head = detector.bbox_head
    for convs, spread in (
        (head.multi_level_conv_cls, 3.0),
        (head.multi_level_conv_obj, 3.0),
        (head.multi_level_conv_reg, 0.6),
    ):
        for conv in convs:
            nn.init.normal_(conv.weight, std=spread, generator=generator)
            nn.init.normal_(conv.bias, std=0.5, generator=generator)
