"""Trains a YOLOX detector with mmengine, and never hands back less than it started from."""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import letterbox_transform  # noqa: F401  (registers the transforms that the configuration names)
import torch
from detector_config import TrainingPlace, build_config
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.runner import Runner, set_random_seed
from pretrained_weights import FitReport, fit_weights, load_checkpoint
from training_batches import BatchPictures
from training_data import Split, check_splits
from training_hooks import EpochRecord, FrozenNormStatistics, Scores, TrainingWatch, non_finite_message
from training_params import Recipe, TrainParams, choose_recipe
from training_samples import SeededIterations

from sinara_lib.errors import DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A finished training: where the weights lie, what they score on the eval split, and how it went."""

    params: TrainParams
    recipe: Recipe
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
    params: TrainParams, *, train: Split, evaluate: Split, weights: Path | None, work: str | Path
) -> TrainingResult:
    """Fine-tune from the checkpoint `weights`, or train from scratch when it is None, on the CPU or the first GPU.

    The start and every epoch are scored on `evaluate`; the best of them by COCO AP is kept beside the last.
    Logs and checkpoints go to the folder `work`.
    Raises DataError for unusable data or weights, a loss that is not a number, or too little memory.
    """
    work = Path(work)
    recipe = choose_recipe(params, has_weights=weights is not None)
    config = _prepare(params, recipe, train=train, evaluate=evaluate, work=work)
    began = time.monotonic()
    with _quiet(work):
        fit = _write_start(config, params, train.classes, weights, work / "start.pth")
        runner = _build_runner(config, params, recipe, work)
        watch = TrainingWatch(work, {"dataset_meta": {"classes": list(train.classes)}, "model_name": params.model_name})
        runner.register_hook(watch, priority=watch.priority)
        runner.register_hook(BatchPictures(work, train.classes))
        _run(runner, watch, params)
    journal = watch.journal
    return TrainingResult(
        params=params,
        recipe=recipe,
        classes=train.classes,
        fit=fit,
        best_path=watch.best_path,
        last_path=watch.last_path,
        best_is=journal.best_is,
        start=journal.start,
        best=journal.best,
        last=journal.epochs[-1].scores,
        epochs=tuple(journal.epochs),
        losses=tuple(journal.losses),
        seconds=time.monotonic() - began,
        device=str(next(runner.model.parameters()).device),
        images_seen=len(journal.losses) * config.train_dataloader.batch_size,
    )


def _prepare(params: TrainParams, recipe: Recipe, *, train: Split, evaluate: Split, work: Path) -> Config:
    check_splits(train, evaluate)
    work.mkdir(parents=True, exist_ok=True)
    place = TrainingPlace(train.place, evaluate.place, str(work))
    return build_config(params, recipe, classes=train.classes, train_images=len(train.dataset.images), place=place)


def _write_start(
    config: Config, params: TrainParams, classes: tuple[str, ...], weights: Path | None, path: Path
) -> FitReport | None:
    """Save the weights that training starts from, and make the configuration load them."""
    register_all_modules(init_default_scope=True)
    set_random_seed(params.seed)
    model = MODELS.build(config.model)
    model.init_weights()
    fresh = model.state_dict()
    fit = None
    if weights is not None:
        fit = fit_weights(fresh, load_checkpoint(weights), classes, model_name=params.model_name)
    torch.save({"state_dict": fresh, "meta": {"dataset_meta": {"classes": list(classes)}}}, path)
    config.load_from = str(path)
    return fit


class _Runner(Runner):
    """mmengine's runner, which does not ask the shell for a compiler: on a machine without one, the shell complains."""

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        self.logger.info("torch %s, environment %s", torch.__version__, env_cfg)


def _build_runner(config: Config, params: TrainParams, recipe: Recipe, work: Path) -> Runner:
    config.experiment_name = f"{work.name}-{time.time_ns()}"
    runner = _Runner.from_cfg(config)
    runner.register_hook(SeededIterations(params.seed))
    if recipe.keep_norm_statistics:
        runner.register_hook(FrozenNormStatistics())
    return runner


def _run(runner: Runner, watch: TrainingWatch, params: TrainParams) -> None:
    try:
        runner.train()
    except (RuntimeError, MemoryError) as error:
        if message := _explain(error, runner, params):
            raise DataError(message) from error
        raise
    finally:
        watch.close()


def _explain(error: Exception, runner: Runner, params: TrainParams) -> str | None:
    """Put PyTorch's two usual accidents into words; None for any other error."""
    reason = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in reason:
        return (
            f"Out of memory at iteration {runner.iter + 1}: batch_size is {params.batch_size}, input_size "
            f"{params.input_size}, model_name {params.model_name}. Lower batch_size first, then input_size."
        )
    # The label assignment refuses a score of NaN before a loss can be computed from it.
    if "input should be between 0 and 1" in reason:
        return non_finite_message(runner, float("nan"))
    return None


@contextlib.contextmanager
def _quiet(work: Path) -> Iterator[None]:
    """Send what mmengine, mmdet and pycocotools print to a file in `work`; our own log and bars stay visible."""
    with (
        open(work / "console.log", "a", encoding="utf-8") as console,
        contextlib.redirect_stdout(console),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
