"""The state of a training between two epochs: kept as it goes, and put back, so that it ends where it would have."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from pydantic import TypeAdapter
from torch import nn

from detector_training.history import HISTORY_FILE
from detector_training.hooks import Journal
from sinara_lib.errors import DataError
from sinara_lib.runs.checkpoints import Checkpoints
from train_params import TrainParams

STATE_FILE, JOURNAL_FILE, PARAMS_FILE = "state.pth", "journal.json", "params.json"
CARRIED = ("best.pth", "last.pth", HISTORY_FILE)
MAY_DIFFER = {"workers", "cache"}

JOURNAL = TypeAdapter(Journal)


class TrainingState(Hook):
    """Publishes a checkpoint after each epoch, and puts the state of the one that is resumed back before the first.

    There is no random state in it: what is drawn follows from seed, epoch and iteration (`training_samples`).
    """

    priority = "HIGHEST"

    def __init__(
        self,
        work: Path,
        params: TrainParams,
        journal: Journal,
        *,
        checkpoints: Checkpoints | None,
        resumed: Path | None,
    ) -> None:
        self._work = work
        self._params = params
        self._journal = journal
        self._checkpoints = checkpoints
        self._resumed = resumed

    def before_train(self, runner: Runner) -> None:
        """Put back what was resumed."""
        if self._resumed:
            _restore(runner, torch.load(self._resumed / STATE_FILE, map_location="cpu", weights_only=True))

    def before_train_epoch(self, runner: Runner) -> None:
        """Publish the state after the epoch before; also that which was resumed, as the first one of the new run."""
        self._publish(runner)

    def after_train(self, runner: Runner) -> None:
        """Publish the state after the last epoch: what follows training may fail too."""
        self._publish(runner)

    def _publish(self, runner: Runner) -> None:
        if self._checkpoints is None or runner.epoch == 0 or runner.rank != 0:
            return
        folder = self._work / "checkpoint"
        folder.mkdir()
        torch.save(_state_of(runner), folder / STATE_FILE)
        (folder / JOURNAL_FILE).write_bytes(JOURNAL.dump_json(self._journal))
        (folder / PARAMS_FILE).write_text(self._params.model_dump_json(), encoding="utf-8")
        for name in CARRIED:
            shutil.copyfile(self._work / name, folder / name)
        self._checkpoints.publish(folder, runner.epoch)
        shutil.rmtree(folder)


def take_up(checkpoint: Path, work: Path, *, params: TrainParams) -> None:
    """Lay the files of a checkpoint where the training that goes on expects them.

    Raises DataError when it was made with other parameters.
    """
    before = TrainParams.model_validate_json((checkpoint / PARAMS_FILE).read_bytes())
    changed = {key: value for key, value in before.model_dump().items() if value != getattr(params, key)}
    if unlike := {key: value for key, value in changed.items() if key not in MAY_DIFFER}:
        told = ", ".join(f"{key} was {value}, is {getattr(params, key)}" for key, value in unlike.items())
        raise DataError(
            f"The training that is resumed had other parameters ({told}), so its end would be another one. "
            f"Only {', '.join(sorted(MAY_DIFFER))} may differ; start a new run for the rest."
        )
    for name in CARRIED:
        shutil.copyfile(checkpoint / name, work / name)


def read_journal(checkpoint: Path) -> Journal:
    """Return what the training that is resumed had shown until then."""
    return JOURNAL.validate_json((checkpoint / JOURNAL_FILE).read_bytes())


def _state_of(runner: Runner) -> dict[str, object]:
    average = _average(runner)
    return {
        "epoch": runner.epoch,
        "iteration": runner.iter,
        "stopped": runner.train_loop.stop_training,
        "model": _network(runner).state_dict(),
        "average": average.state_dict() if average else None,
        "optimizer": runner.optim_wrapper.state_dict(),
        "schedulers": [one.state_dict() for one in runner.param_schedulers],
    }


def _restore(runner: Runner, state: dict[str, object]) -> None:
    _network(runner).load_state_dict(state["model"])
    if average := _average(runner):
        average.load_state_dict(state["average"])
    runner.optim_wrapper.load_state_dict(state["optimizer"])
    for scheduler, saved in zip(runner.param_schedulers, state["schedulers"], strict=True):
        scheduler.load_state_dict(saved)
    loop = runner.train_loop
    loop._epoch, loop._iter, loop.stop_training = state["epoch"], state["iteration"], state["stopped"]
    runner.optim_wrapper.initialize_count_status(runner.model, loop.iter, loop.max_iters)


def _network(runner: Runner) -> nn.Module:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def _average(runner: Runner) -> nn.Module | None:
    return next((hook.ema_model for hook in runner.hooks if isinstance(hook, EMAHook)), None)
