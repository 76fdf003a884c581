"""One training as a process does it: what it needs is told in a job, what came of it in an outcome."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import Hook, SyncBuffersHook
from mmengine.runner import Runner, set_random_seed
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from detector_training import transforms  # noqa: F401  (registers those that the configuration names, here and in workers)
from detector_training.batches import BatchPictures
from detector_training.config import TrainingPlace, build_config
from detector_training.data import hold_archives
from detector_training.errors import explain
from detector_training.hooks import Journal, TrainingWatch
from detector_training.samples import SeededIterations
from detector_training.state import TrainingState, read_journal
from pretrained_weights.fitting import FitReport, fit_weights, load_checkpoint
from sinara_lib.errors import DataError
from sinara_lib.runs.checkpoints import Checkpoints
from train_params import TrainedLayers, TrainingRecipe, TrainParams, choose_recipe


@dataclass(frozen=True)
class TrainingJob:
    """What to train on what: everything a process must be told, so that it can be written down."""

    params: TrainParams
    place: TrainingPlace
    classes: tuple[str, ...]
    train_images: int
    weights: Path | None
    run_url: str | None
    """Where checkpoints are published; None: nowhere."""
    resumed: Path | None
    """Folder of the checkpoint to go on from."""


@dataclass(frozen=True)
class TrainingOutcome:
    """What came of a training: the fit of the pretrained weights, the course, and the processes that did it."""

    fit: FitReport | None
    journal: Journal
    device: str
    images_seen: int


def run_job(job: TrainingJob) -> TrainingOutcome:
    """Train in this process, or in this process' part of a group. Raises DataError for what the user can mend."""
    params, work = job.params, Path(job.place.work)
    work.mkdir(parents=True, exist_ok=True)
    recipe = choose_recipe(params, has_weights=job.weights is not None)
    with quiet(work), hold_archives(params.cache, [job.place.train, job.place.evaluate]):
        config = _configure(job, recipe)
        fit = _write_start(config, params, job.classes, job.weights, work / "start.pth")
        runner = _build_runner(config, params, recipe, work)
        journal = read_journal(job.resumed) if job.resumed else Journal()
        watch = _watch(runner, job, recipe, journal)
        _run(runner, watch, params)
    return TrainingOutcome(
        fit=fit,
        journal=journal,
        device=str(next(runner.model.parameters()).device),
        images_seen=len(journal.losses) * config.train_dataloader.batch_size * get_world_size(),
    )


def _configure(job: TrainingJob, recipe: TrainingRecipe) -> Config:
    """Return the configuration, fitted to the device and to the other processes of the group, if there are any."""
    config = build_config(
        job.params,
        recipe,
        classes=job.classes,
        train_images=job.train_images,
        place=job.place,
        processes=get_world_size(),
    )
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        config.optim_wrapper.type = "AmpOptimWrapper"
    if torch.distributed.is_initialized():
        config.launcher = "pytorch"
        if on_gpu:
            config.sync_bn = "torch"
        else:
            config.model_wrapper_cfg = {
                "type": "MMDistributedDataParallel",
                "device_ids": None,
                "broadcast_buffers": False,
            }
    return config


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
    """mmengine's runner with frozen layers; it does not ask the shell for a compiler, which complains where none is."""

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the network, in which only some layers learn, before it is shared out to processes."""
        return freeze_others(super().build_model(model), self.cfg.trained_layers)

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        self.logger.info("torch %s, environment %s", torch.__version__, env_cfg)


def _build_runner(config: Config, params: TrainParams, recipe: TrainingRecipe, work: Path) -> Runner:
    config.experiment_name = f"{work.name}-{time.time_ns()}"
    runner = _Runner.from_cfg(config)
    runner.register_hook(SeededIterations(params.seed))
    learns = recipe.norm_statistics == "learn"
    runner.register_hook(FrozenNormStatistics(everywhere=not learns))
    if learns and runner.distributed:
        runner.register_hook(SyncBuffersHook())
    return runner


def _watch(runner: Runner, job: TrainingJob, recipe: TrainingRecipe, journal: Journal) -> TrainingWatch:
    work = Path(job.place.work)
    meta = {"dataset_meta": {"classes": list(job.classes)}, "model_name": job.params.model_name}
    watch = TrainingWatch(work, meta, journal, patience=recipe.patience)
    runner.register_hook(watch, priority=watch.priority)
    checkpoints = Checkpoints(job.run_url) if job.run_url else None
    state = TrainingState(work, job.params, journal, checkpoints=checkpoints, resumed=job.resumed)
    runner.register_hook(state, priority=state.priority)
    runner.register_hook(BatchPictures(work, job.classes))
    return watch


def _run(runner: Runner, watch: TrainingWatch, params: TrainParams) -> None:
    try:
        runner.train()
    except (RuntimeError, MemoryError, ValueError) as error:
        if message := explain(error, runner, watch, params):
            raise DataError(message) from error
        raise
    finally:
        watch.close()


@contextlib.contextmanager
def quiet(work: Path) -> Iterator[None]:
    """Send what mmengine, mmdet and pycocotools print to a file in `work`; our own log and bars stay visible."""
    with (
        open(work / "console.log", "a", encoding="utf-8") as console,
        contextlib.redirect_stdout(console),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


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
