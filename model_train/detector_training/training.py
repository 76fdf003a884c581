"""Trains a YOLOX detector with mmengine, and never hands back less than it started from."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from detector_training.config import TrainingPlace
from detector_training.data import check_splits, reading_place, unpack_split
from detector_training.hooks import EpochRecord, Scores
from detector_training.job import TrainingJob, run_job
from detector_training.processes import choose_devices, run_in_processes
from detector_training.state import take_up
from pretrained_weights.fitting import FitReport
from sinara_lib.runs.checkpoints import Checkpoints
from sinara_lib.vision.coco_archive import Split
from train_params import TrainingRecipe, TrainParams, choose_recipe


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: where the weights lie, what they score on the eval split, and how it went."""

    params: TrainParams
    recipe: TrainingRecipe
    classes: tuple[str, ...]
    fit: FitReport | None
    best_path: Path
    last_path: Path
    best_is: str
    start: Scores
    best: Scores
    last: Scores
    epochs: tuple[EpochRecord, ...]
    losses: tuple[float, ...]
    seconds: float
    device: str
    images_seen: int


def train_detector(
    params: TrainParams,
    *,
    train: Split,
    evaluate: Split,
    weights: Path | None,
    work: str | Path,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult:
    """Fine-tune from the checkpoint `weights`, or train from scratch when it is None, on the devices asked for.

    The start and every epoch are scored on `evaluate`; the best of them by COCO AP is kept beside the last.
    Logs and weights go to the folder `work`. After each epoch the state is published to `checkpoints`; the one they
    resume is gone on from. Splits in the store are read from there, or cached; those in folders are read as they lie.
    Raises DataError for unusable data or weights, a loss that is not a number, or too little memory.

    >>> result = train_detector(params, train=train, evaluate=evaluate, weights=None, work=work)
    >>> len(result.epochs) == params.epochs, result.best["AP"] >= result.start["AP"], result.best_path.name
    (True, True, 'best.pth')
    """
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    check_splits(train, evaluate)
    devices = choose_devices(params.devices, gpus=torch.cuda.device_count())
    if params.cache == "disk":
        train, evaluate = (unpack_split(one, work / "cache" / one.name) for one in (train, evaluate))
    job = _describe(params, work, train=train, evaluate=evaluate, weights=weights, checkpoints=checkpoints)
    began = time.monotonic()
    outcome = run_in_processes(job, devices) if devices.apart else run_job(job)
    journal = outcome.journal
    return TrainingResult(
        params=params,
        recipe=choose_recipe(params, has_weights=weights is not None),
        classes=train.classes,
        fit=outcome.fit,
        best_path=work / "best.pth",
        last_path=work / "last.pth",
        best_is=journal.best_is,
        start=journal.start,
        best=journal.best,
        last=journal.epochs[-1].scores,
        epochs=tuple(journal.epochs),
        losses=tuple(journal.losses),
        seconds=time.monotonic() - began,
        device=outcome.device,
        images_seen=outcome.images_seen,
    )


def _describe(
    params: TrainParams,
    work: Path,
    *,
    train: Split,
    evaluate: Split,
    weights: Path | None,
    checkpoints: Checkpoints | None,
) -> TrainingJob:
    resumed = checkpoints.fetch_resumed(work / "resumed") if checkpoints else None
    if resumed:
        take_up(resumed, work, params=params)
    return TrainingJob(
        params=params,
        place=TrainingPlace(reading_place(train), reading_place(evaluate), str(work)),
        classes=train.classes,
        train_images=len(train.dataset.images),
        weights=weights,
        run_url=checkpoints.run_url if checkpoints else None,
        resumed=resumed,
    )
