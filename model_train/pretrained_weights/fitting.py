"""Pretrained weights fitted to our classes: what both label sets name is kept, the rest starts fresh."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from pretrained_weights.checkpoint_file import read_plain_checkpoint
from pretrained_weights.megvii_names import are_megvii_names, mmdet_name
from sinara_lib.errors import DataError
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

logger = logging.getLogger(__name__)

CLASS_LAYERS = "bbox_head.multi_level_conv_cls."
STEM = "backbone.stem.conv.conv.weight"
STEM_WIDTHS = {16: "yolox_nano", 24: "yolox_tiny", 32: "yolox_s", 48: "yolox_m", 64: "yolox_l", 80: "yolox_x"}

Weights = dict[str, torch.Tensor]
Origin = Literal["MMDetection", "Megvii's YOLOX"]


@dataclass(frozen=True)
class Checkpoint:
    """Weights read from a file and the class names they were trained on."""

    path: Path
    weights: Weights
    classes: tuple[str, ...]
    classes_assumed: bool
    """True when the file names no classes and COCO's 80 were taken, because the head has 80 channels."""
    origin: Origin
    """Whose names the layers had; here they have MMDetection's."""


@dataclass(frozen=True)
class FitReport:
    """What became of the pretrained weights."""

    source: str
    origin: Origin
    kept_classes: tuple[str, ...]
    new_classes: tuple[str, ...]
    dropped_classes: tuple[str, ...]
    loaded_layers: int
    unused_layers: tuple[str, ...]
    classes_assumed: bool


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of MMDetection 2.x or 3.x, or of Megvii's YOLOX; nothing in it is executed.

    Weights that an average (EMA) left beside those it was copied into are not taken.
    Raises DataError when the file is no such checkpoint.
    """
    path = Path(path)
    document = read_plain_checkpoint(path)
    weights = _state_dict(document, path)
    origin: Origin = "Megvii's YOLOX" if are_megvii_names(weights) else "MMDetection"
    if origin == "Megvii's YOLOX":
        weights = {mmdet_name(key): value for key, value in weights.items()}
    head = weights.get(f"{CLASS_LAYERS}0.weight")
    if head is None:
        raise DataError(
            f"{path} has no layer {CLASS_LAYERS}0.weight: it is not a checkpoint of YOLOX, neither MMDetection's nor "
            f"Megvii's. Its {len(weights)} layers begin with {', '.join(sorted(weights)[:3])}."
        )
    classes, assumed = _class_names(document, head.shape[0], path)
    return Checkpoint(path, weights, classes, assumed, origin)


def fit_weights(fresh: Weights, checkpoint: Checkpoint, classes: Sequence[str], *, model_name: str) -> FitReport:
    """Copy the checkpoint into `fresh`, the initial weights of a network for `classes`, in place.

    The channels of the class layers are matched by name, whatever their order or number.
    Raises DataError naming the layers when the checkpoint is of another architecture.
    """
    plain = {key: value for key, value in fresh.items() if not key.startswith(CLASS_LAYERS)}
    misfits = [key for key, value in plain.items() if _shape(checkpoint.weights.get(key)) != value.shape]
    misfits += [key for key in fresh if key.startswith(CLASS_LAYERS) and not _fits_head(key, fresh, checkpoint)]
    if misfits:
        raise DataError(_misfit_message(misfits, fresh, checkpoint, model_name))
    for key, value in plain.items():
        value.copy_(checkpoint.weights[key])
    kept = [name for name in classes if name in checkpoint.classes]
    ours = [list(classes).index(name) for name in kept]
    theirs = [checkpoint.classes.index(name) for name in kept]
    for key in fresh.keys() - plain.keys():
        fresh[key][ours] = checkpoint.weights[key][theirs].to(fresh[key].dtype)
    return FitReport(
        source=checkpoint.path.name,
        origin=checkpoint.origin,
        kept_classes=tuple(kept),
        new_classes=tuple(name for name in classes if name not in kept),
        dropped_classes=tuple(name for name in checkpoint.classes if name not in kept),
        loaded_layers=len(fresh),
        unused_layers=tuple(sorted(checkpoint.weights.keys() - fresh.keys())),
        classes_assumed=checkpoint.classes_assumed,
    )


def _state_dict(document: Mapping[str, Any], path: Path) -> Weights:
    weights = next((document[key] for key in ("state_dict", "model") if key in document), document)
    if not isinstance(weights, Mapping) or not weights or not all(map(torch.is_tensor, weights.values())):
        raise DataError(f"{path} holds no `state_dict` (MMDetection) or `model` (Megvii's YOLOX) of tensors.")
    plain = {str(key).removeprefix("module."): value for key, value in weights.items()}
    # MMDetection 2.x keeps a copy of the averaged weights as buffers of the network, named ema_backbone_….
    return {key: value for key, value in plain.items() if not key.startswith("ema_")}


def _class_names(document: Mapping[str, Any], channels: int, path: Path) -> tuple[tuple[str, ...], bool]:
    meta = _mapping(document, "meta", path)
    facts = {**meta, **_mapping(meta, "dataset_meta", path)}
    named = {str(key).lower(): value for key, value in facts.items()}.get("classes")
    if named is not None:
        names = (named,) if isinstance(named, str) else named
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise DataError(f"{path} names its classes by no list of texts. Save it again with one in meta.classes.")
        names = tuple(names)
        if len(names) != channels:
            raise DataError(f"{path} names {len(names)} classes, but its head has {channels} channels.")
        return names, False
    if channels != 80:
        raise DataError(
            f"{path} does not name its {channels} classes, so they cannot be matched with ours. "
            "Save it again with their names in the list meta.dataset_meta.classes."
        )
    logger.info("%s names no classes; its head has 80 channels, so COCO's 80 names are assumed.", path.name)
    return _coco_names(), True


def _mapping(document: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    found = document.get(key) or {}
    if not isinstance(found, Mapping):
        raise DataError(f"{path}: its `{key}` is {type(found).__name__}, no mapping. Save it again without it.")
    return found


def _coco_names() -> tuple[str, ...]:
    ensure_mmcv_ops()
    from mmdet.datasets import CocoDataset

    return tuple(CocoDataset.METAINFO["classes"])


def _shape(tensor: torch.Tensor | None) -> torch.Size | None:
    return None if tensor is None else tensor.shape


def _fits_head(key: str, fresh: Weights, checkpoint: Checkpoint) -> bool:
    found = checkpoint.weights.get(key)
    return found is not None and found.shape[0] == len(checkpoint.classes) and found.shape[1:] == fresh[key].shape[1:]


def _misfit_message(misfits: list[str], fresh: Weights, checkpoint: Checkpoint, model_name: str) -> str:
    def described(key: str) -> str:
        found = checkpoint.weights.get(key)
        return f"{key} {'missing' if found is None else list(found.shape)} (expected {list(fresh[key].shape)})"

    stem = checkpoint.weights.get(STEM)
    looks = STEM_WIDTHS.get(stem.shape[0]) if stem is not None else None
    hint = f"; it looks like {looks}" if looks and looks != model_name else ""
    return (
        f"{checkpoint.path} does not fit {model_name}: {len(misfits)} of {len(fresh)} layers differ, "
        f"first {', '.join(described(key) for key in misfits[:4])}{hint}. Set model_name to the checkpoint's network."
    )
