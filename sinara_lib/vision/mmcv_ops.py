"""Lets mmdet import and run when mmcv was installed without its compiled operators."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from sinara_lib.vision.boxes import iou

logger = logging.getLogger(__name__)

_EXTENSION = "mmcv._ext"


def ensure_mmcv_ops() -> None:
    """Make `mmcv._ext` importable; call it before mmdet is imported, as often as you like.

    Compiled operators are used when mmcv has them. Otherwise a stand-in takes their place: `nms` in plain PyTorch,
    and every other operator raises NotImplementedError, with its name, when it is called.
    """
    if _EXTENSION in sys.modules:
        return
    try:
        importlib.import_module(_EXTENSION)
    except ModuleNotFoundError as error:
        if error.name != _EXTENSION:
            raise
        sys.modules[_EXTENSION] = stand_in()
        logger.debug("mmcv has no compiled operators: nms runs in plain PyTorch")


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
    """Greedy non-maximum suppression with the signature and the arithmetic of mmcv's compiled operator.

    boxes: N x 4 corners (x1, y1, x2, y2). scores: N. offset: 0, or 1 for boxes whose last pixel counts.
    Returns the indices of the kept boxes, int64, best score first. A box goes when its IoU with a kept one is above
    the threshold; equal is kept. Source: mmcv/ops/csrc/pytorch/cpu/nms.cpp describes the same rule.
    """
    order = torch.sort(scores, dim=0, descending=True).indices
    ranked = boxes[order].detach().float().cpu().numpy()
    rows: list[int] = []
    left: NDArray[np.intp] = np.arange(len(ranked))
    while len(left):
        best, left = left[0], left[1:]
        rows.append(int(best))
        left = left[~(iou(ranked[best], ranked[left], offset=offset) > np.float32(iou_threshold))]
    return order[torch.tensor(rows, dtype=torch.int64, device=order.device)]


def stand_in() -> ModuleType:
    """Return the module that takes the place of `mmcv._ext`."""
    module = ModuleType(_EXTENSION, "Stand-in for mmcv's compiled operators.")
    module.__spec__ = ModuleSpec(_EXTENSION, loader=None, origin=__name__)
    module.__dict__["nms"] = nms
    module.__dict__["__getattr__"] = _missing
    return module


def _missing(name: str) -> Callable[..., NoReturn]:
    if name.startswith("__"):
        raise AttributeError(name)

    def raise_missing(*_args: object, **_kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f"the operator {name!r} needs mmcv's compiled operators: install mmcv built with MMCV_WITH_OPS=1"
        )

    return raise_missing
