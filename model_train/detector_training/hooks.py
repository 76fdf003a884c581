"""What is watched while the runner trains: progress, losses, scores, and the best weights so far."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from detector_training.config import METRIC
from detector_training.history import HistoryWriter, Scores
from detector_training.progress import TrainingProgress
from sinara_lib.errors import DataError

logger = logging.getLogger(__name__)

SCORE_NAMES = {
    "AP": METRIC,
    "AP50": f"{METRIC}_50",
    "AP75": f"{METRIC}_75",
    "AP_small": f"{METRIC}_s",
    "AP_medium": f"{METRIC}_m",
    "AP_large": f"{METRIC}_l",
}


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: mean loss and its parts, learning rate at the end, scores on the eval split, seconds with scoring."""

    epoch: int
    loss: float
    parts: Mapping[str, float]
    learning_rate: float
    scores: Scores
    seconds: float


@dataclass
class Journal:
    """What the training has shown so far; scores of the start come first."""

    start: Scores = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    epochs: list[EpochRecord] = field(default_factory=list)
    best_is: str = ""
    best: Scores = field(default_factory=dict)


@dataclass(frozen=True)
class _Candidate:
    """Weights that could be published, and their scores on the eval split."""

    name: str
    scores: Scores
    weights: Mapping[str, torch.Tensor]


class TrainingWatch(Hook):
    """Scores the start and every epoch, keeps the weights of the best and of the last, and stops at a loss of NaN.

    Where weights are averaged, an epoch is the better of both: the weights as they are, and their average. That costs
    one more pass over the eval split, no training. Runs before the averaging hook takes its weights out of the model
    again, so that what was scored is what is saved. patience: epochs without a better one, after which it ends; 0: all.
    """

    priority = "VERY_HIGH"

    def __init__(self, folder: Path, meta: Mapping[str, Any], journal: Journal, *, patience: int) -> None:
        self.journal = journal
        self._patience = patience
        self._scores_plain = False
        self._plain: _Candidate | None = None
        self.best_path = folder / "best.pth"
        self.last_path = folder / "last.pth"
        self._meta = dict(meta)
        self._images: list[str] = []
        self._sums: dict[str, float] = {}
        self._epoch_began = 0.0
        self._history = HistoryWriter(folder)
        self._progress: TrainingProgress | None = None

    def before_train(self, runner: Runner) -> None:
        """Score the starting point, unless the training goes on from a later one."""
        length = {"epochs": runner.max_epochs, "batches_per_epoch": len(runner.train_dataloader)}
        self._history.begin(**length)
        self._progress = TrainingProgress(**length, done=runner.iter)
        if not self.journal.start:
            runner.val_loop.run()
        self._progress.begin()

    def before_train_epoch(self, runner: Runner) -> None:
        """Begin the sums of the epoch."""
        self._epoch_began, self._sums = time.monotonic(), {}

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Note which images come next."""
        self._images = [str(sample.img_path).rpartition("/")[2] for sample in data_batch["data_samples"]]

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Note the losses of one batch, over all processes. Raises DataError when the loss is not a number."""
        parts = _losses(outputs or {})
        loss = parts["loss"]
        rate = runner.optim_wrapper.get_lr()["lr"][0]
        self._history.add_batch(iteration=runner.iter + 1, epoch=runner.epoch + 1, losses=parts, learning_rate=rate)
        if not math.isfinite(loss):
            raise DataError(self.non_finite_message(runner, loss))
        self.journal.losses.append(loss)
        for key, value in parts.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        if self._progress:
            self._progress.batch(loss)

    def after_train_epoch(self, runner: Runner) -> None:
        """Score the weights as they are, where the scoring of the epoch will see their average."""
        hook = next((one for one in runner.hooks if isinstance(one, EMAHook)), None)
        if hook is not None:
            self._scores_plain = True
            with _set_aside(hook):
                runner.val_loop.run()
            self._scores_plain = False

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Tell how far the scoring is."""
        if self._progress:
            self._progress.scoring(batch_idx + 1, len(runner.val_dataloader))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the scores, and the weights that were scored."""
        # Without a single detection mmdet measures nothing; that is a score of 0.
        scores = {name: float((metrics or {}).get(key, 0.0)) for name, key in SCORE_NAMES.items()}
        if self._progress:
            self._progress.scored(scores)
        epoch = f"epoch_{len(self.journal.epochs) + 1}"
        if not self.journal.start:
            self.journal.start = scores
            logger.info("Start: AP %.3f, AP50 %.3f on the eval split", scores["AP"], scores["AP50"])
            self._compare(_Candidate("start", scores, _weights(runner)), seconds=0.0)
        elif self._scores_plain:
            self._plain = _Candidate(epoch, scores, _weights(runner))
        else:
            plain, self._plain = self._plain, None
            found = _Candidate(f"{epoch}_averaged" if plain else epoch, scores, _weights(runner))
            better = plain if plain and plain.scores["AP"] > scores["AP"] else found
            self._note_epoch(runner, better.scores)
            self._save(self.last_path, better)
            self._compare(better, seconds=time.monotonic() - self._epoch_began)
            self._stop_when_idle(runner)

    def close(self) -> None:
        """Take the bar away and end the history, also after an error."""
        if self._progress:
            self._progress.close()
        self._history.close()

    def non_finite_message(self, runner: Runner, loss: float) -> str:
        """Say at which iteration and on which images training went astray, and what to change."""
        rate = runner.optim_wrapper.get_lr()["lr"][0]
        kept = f" The checkpoint of epoch {runner.epoch} stays in this run." if runner.epoch else ""
        return (
            f"The loss became {loss} at iteration {runner.iter + 1} (epoch {runner.epoch + 1}) "
            f"with learning rate {rate:.2g}, on the images {', '.join(self._images)}. "
            f"Lower learning_rate, or look for broken boxes of these images.{kept}"
        )

    def _note_epoch(self, runner: Runner, scores: Scores) -> None:
        batches = len(runner.train_dataloader)
        means = {key: value / batches for key, value in self._sums.items()}
        record = EpochRecord(
            epoch=len(self.journal.epochs) + 1,
            loss=means.pop("loss"),
            parts=means,
            learning_rate=runner.optim_wrapper.get_lr()["lr"][0],
            scores=scores,
            seconds=time.monotonic() - self._epoch_began,
        )
        self.journal.epochs.append(record)
        logger.info(
            "Epoch %d/%d: loss %.2f, AP %.3f, AP50 %.3f, %.0f s",
            *(record.epoch, runner.max_epochs, record.loss, scores["AP"], scores["AP50"], record.seconds),
        )

    def _compare(self, found: _Candidate, *, seconds: float) -> None:
        """Note what was found, and keep it when nothing was better so far."""
        better = not self.journal.best or found.scores["AP"] > self.journal.best["AP"]
        self._history.add_scores(
            found.name,
            epoch=len(self.journal.epochs),
            iteration=len(self.journal.losses),
            scores=found.scores,
            best=better,
            seconds=seconds,
        )
        if better:
            self.journal.best_is, self.journal.best = found.name, found.scores
            self._save(self.best_path, found)

    def _stop_when_idle(self, runner: Runner) -> None:
        """End the training when no epoch was better for as many as `patience`."""
        best = self.journal.best_is
        idle = len(self.journal.epochs) - (0 if best == "start" else int(best.split("_")[1]))
        if self._patience and idle >= self._patience:
            runner.train_loop.stop_training = True
            logger.info("No epoch was better than %s for %d epochs: training ends.", best.replace("_", " "), idle)

    def _save(self, path: Path, candidate: _Candidate) -> None:
        if is_main_process():
            meta = {**self._meta, "weights_of": candidate.name, "scores": candidate.scores}
            torch.save({"state_dict": dict(candidate.weights), "meta": meta}, path)


@contextlib.contextmanager
def _set_aside(hook: EMAHook) -> Iterator[None]:
    """Let a scoring see the weights as they are: the hook, which exchanges them, finds them exchanged already."""
    hook._swap_ema_parameters()
    yield
    hook._swap_ema_parameters()


def _weights(runner: Runner) -> dict[str, torch.Tensor]:
    network = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def _losses(outputs: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Return the losses of a batch by name: of several processes the mean, each has a batch of its own."""
    parts = {key: value.detach() for key, value in outputs.items() if "loss" in key}
    values = torch.stack(list(parts.values()))
    all_reduce(values, op="mean")
    return dict(zip(parts, values.tolist(), strict=True))
