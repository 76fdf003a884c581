"""Which layers of the network learn, and where the statistics of its batch normalisation stay as they are."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from training_params import TrainedLayers

LEARNING = {"all": "", "head": "bbox_head.", "last": "bbox_head.multi_level_conv_"}
"""How the names of the layers that learn begin; `last`: the 1 x 1 convolutions that give class, box and objectness."""


def freeze_others(network: nn.Module, trained: TrainedLayers) -> nn.Module:
    """Let only the chosen layers of YOLOX learn; returns the network."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(LEARNING[trained]))
    return network


class FrozenNormStatistics(Hook):
    """Keeps the running mean and variance of batch normalisation as they were loaded: everywhere, or where frozen."""

    def __init__(self, *, everywhere: bool) -> None:
        self._everywhere = everywhere

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Undo what `model.train()` did to these layers at the start of the epoch."""
        if batch_idx == 0:
            for module in runner.model.modules():
                if isinstance(module, _BatchNorm) and (self._everywhere or not module.weight.requires_grad):
                    module.eval()
