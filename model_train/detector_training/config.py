"""The complete mmengine configuration of one training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara_lib.errors import DataError
from sinara_lib.vision.coco_archive import ANNOTATIONS, IMAGES
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops
from train_params import TrainingRecipe, TrainParams

ensure_mmcv_ops()

import mmdet  # noqa: E402  (can be imported only now)
from mmengine.config import Config  # noqa: E402

METRIC = "coco/bbox_mAP"
LOSS_INTERVAL = 10


@dataclass(frozen=True)
class TrainingPlace:
    """Places of one training: where mmengine reads the two splits, and the folder for logs and checkpoints."""

    train: str
    evaluate: str
    work: str


def build_config(
    params: TrainParams,
    recipe: TrainingRecipe,
    *,
    classes: tuple[str, ...],
    train_images: int,
    place: TrainingPlace,
    processes: int = 1,
) -> Config:
    """Return mmdet's own configuration of the network with our data, schedule and preprocessing.

    Of several processes each sees its share of the `train_images`.

    No normalisation and no padding beyond the letterbox: exactly what OpenMMLab's YOLOX checkpoints were trained on.
    """
    config = Config.fromfile(_network_file(params.model_name))
    model = config.model
    model.bbox_head.num_classes = len(classes)
    model.data_preprocessor.batch_augments = None
    share = -(-train_images // processes)
    batch_size = min(params.batch_size, share)
    iterations = params.epochs * (share // batch_size)
    document: dict[str, Any] = {
        "default_scope": "mmdet",
        "model": model,
        "work_dir": place.work,
        "randomness": {"seed": params.seed},
        "env_cfg": {"cudnn_benchmark": False, "mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0}},
        "log_processor": {"type": "LogProcessor", "window_size": LOSS_INTERVAL, "by_epoch": True},
        "log_level": "INFO",
        **_loops(params.epochs),
        **_data(params, recipe, classes=classes, place=place, batch_size=batch_size),
        "trained_layers": recipe.trained_layers,
        **_optimisation(recipe, iterations=iterations),
        "default_hooks": _default_hooks(),
        "custom_hooks": _average_hooks(recipe, iterations),
    }
    return Config(document)


def _network_file(model_name: str) -> Path:
    path = Path(mmdet.__file__).parent / ".mim" / "configs" / "yolox" / f"{model_name}_8xb8-300e_coco.py"
    if not path.is_file():
        raise DataError(f"The installed mmdet has no configuration of {model_name} at {path}; install mmdet again.")
    return path


def _loops(epochs: int) -> dict[str, Any]:
    return {"train_cfg": {"by_epoch": True, "max_epochs": epochs, "val_interval": 1}, "val_cfg": {"type": "ValLoop"}}


def _data(
    params: TrainParams, recipe: TrainingRecipe, *, classes: tuple[str, ...], place: TrainingPlace, batch_size: int
) -> dict[str, Any]:
    loader = {"num_workers": params.workers, "persistent_workers": params.workers > 0}
    return {
        "train_dataloader": {
            **loader,
            "batch_size": batch_size,
            "drop_last": True,
            "sampler": {"type": "EpochSampler", "shuffle": True},
            "dataset": {
                "type": "SeededSamples",
                "seed": params.seed,
                "dataset": _dataset(place.train, classes, train_pipeline(params, recipe), test_mode=False),
                **_mixed_samples(params, recipe, classes=classes, place=place),
            },
        },
        "val_dataloader": {
            **loader,
            "batch_size": params.batch_size,
            "drop_last": False,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "dataset": _dataset(place.evaluate, classes, eval_pipeline(params), test_mode=True),
        },
        "val_evaluator": {"type": "CocoMetric", "ann_file": f"{place.evaluate}/{ANNOTATIONS}", "metric": "bbox"},
    }


def _dataset(
    place: str, classes: tuple[str, ...], pipeline: list[dict[str, Any]], *, test_mode: bool
) -> dict[str, Any]:
    return {
        "type": "CocoDataset",
        "data_root": place,
        "ann_file": ANNOTATIONS,
        "data_prefix": {"img": f"{IMAGES}/"},
        "metainfo": {"classes": classes},
        "filter_cfg": {"filter_empty_gt": False},
        "test_mode": test_mode,
        "pipeline": pipeline,
    }


def train_pipeline(params: TrainParams, recipe: TrainingRecipe) -> list[dict[str, Any]]:
    """Return the transforms of a training image."""
    return [
        {"type": "DecodeImage"},
        {"type": "LoadAnnotations", "with_bbox": True},
        *([{"type": "YOLOXHSVRandomAug"}] if recipe.colour_change else []),
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "LetterboxImage", "size": tuple(params.input_size)},
        {"type": "FilterAnnotations", "min_gt_bbox_wh": (1, 1), "keep_empty": False},
        {"type": "PackDetInputs"},
    ]


def _mixed_samples(
    params: TrainParams, recipe: TrainingRecipe, *, classes: tuple[str, ...], place: TrainingPlace
) -> dict[str, Any]:
    """Say which samples the epochs before the plain ones see, where images are mixed at all."""
    epochs = params.epochs - recipe.plain_epochs
    if epochs <= 0 or not (recipe.mosaic or recipe.mixup):
        return {}
    read, change = train_pipeline(params, recipe)[:2], train_pipeline(params, recipe)[2:]
    size = tuple(params.input_size)
    mosaic = {"type": "MosaicImage", "size": size, "share": recipe.mosaic}
    mixup = {"type": "MixUpImage", "size": size, "share": recipe.mixup}
    letterboxed = [one["type"] for one in change].index("LetterboxImage") + 1
    mixed = {
        "type": "MultiImageMixDataset",
        "dataset": _dataset(place.train, classes, read, test_mode=False),
        "pipeline": [mosaic, *change[:letterboxed], mixup, *change[letterboxed:]],
    }
    return {"mixed": mixed, "mixed_epochs": epochs}


def eval_pipeline(params: TrainParams) -> list[dict[str, Any]]:
    """Return the transforms of an image to be scored; its boxes stay in original pixels."""
    return [
        {"type": "DecodeImage"},
        {"type": "LetterboxImage", "size": tuple(params.input_size)},
        {"type": "LoadAnnotations", "with_bbox": True},
        {"type": "PackDetInputs", "meta_keys": ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")},
    ]


def _optimisation(recipe: TrainingRecipe, *, iterations: int) -> dict[str, Any]:
    peak, warm_up = recipe.learning_rate, round(recipe.warm_up * iterations)
    return {
        "optim_wrapper": {
            "type": "OptimWrapper",
            "optimizer": {"type": "AdamW", "lr": peak, "weight_decay": recipe.weight_decay},
            "paramwise_cfg": {"norm_decay_mult": 0.0, "bias_decay_mult": 0.0},
            "clip_grad": {"max_norm": recipe.gradient_clip},
        },
        "param_scheduler": _schedule(peak, iterations, warm_up=max(1, warm_up)),
    }


def _schedule(peak: float, iterations: int, *, warm_up: int) -> list[dict[str, Any]]:
    """Rise to the peak in a line over `warm_up` iterations, then fall along half a cosine wave."""
    rise = {"type": "LinearLR", "start_factor": 0.02, "begin": 0, "end": warm_up, "by_epoch": False}
    fall = {
        "type": "CosineAnnealingLR",
        "eta_min": peak * 0.01,
        "begin": warm_up,
        "end": max(iterations, warm_up + 1),
        "T_max": max(1, iterations - warm_up),
        "by_epoch": False,
    }
    return [rise, fall]


def _default_hooks() -> dict[str, Any]:
    return {
        "timer": {"type": "IterTimerHook"},
        "logger": {"type": "LoggerHook", "interval": LOSS_INTERVAL},
        "param_scheduler": {"type": "ParamSchedulerHook"},
        "checkpoint": None,
        "sampler_seed": {"type": "DistSamplerSeedHook"},
    }


def _average_hooks(recipe: TrainingRecipe, iterations: int) -> list[dict[str, Any]]:
    if not recipe.average_over:
        return []
    momentum = 1 / max(1.0, recipe.average_over * iterations)
    return [
        {
            "type": "EMAHook",
            "ema_type": "ExponentialMovingAverage",
            "momentum": min(0.5, momentum),
            "update_buffers": True,
        }
    ]
