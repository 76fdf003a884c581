"""What a training has shown so far, written down line by line, so that it can be drawn whatever its end.

The process that trains appends to `history.jsonl` in its work folder; whoever watches reads the file.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HISTORY_FILE = "history.jsonl"

Scores = dict[str, float]


@dataclass(frozen=True)
class BatchRecord:
    """One batch: its number from 1 on, its epoch from 1 on, its losses by name, learning rate, seconds since 1970."""

    iteration: int
    epoch: int
    losses: Mapping[str, float]
    learning_rate: float
    time: float

    @property
    def loss(self) -> float:
        """The sum that is minimised."""
        return self.losses["loss"]


@dataclass(frozen=True)
class ScoreRecord:
    """One scoring of the eval split: which weights, after how many epochs and batches, and whether none were better."""

    weights: str
    epoch: int
    iteration: int
    scores: Scores
    best: bool
    seconds: float
    time: float


@dataclass(frozen=True)
class Plan:
    """How long the training is to be: epochs, and batches in each of them."""

    epochs: int
    batches_per_epoch: int


@dataclass(frozen=True)
class History:
    """All batches and scorings up to now; the first scoring is that of the start. `plan` is None before it began."""

    plan: Plan | None = None
    batches: tuple[BatchRecord, ...] = ()
    scorings: tuple[ScoreRecord, ...] = ()

    @property
    def published(self) -> ScoreRecord | None:
        """The best scoring so far."""
        return next((one for one in reversed(self.scorings) if one.best), None)

    def epoch_losses(self) -> dict[int, float]:
        """Return the mean loss of each epoch; of the last one as far as it has come."""
        sums: dict[int, list[float]] = {}
        for one in self.batches:
            if math.isfinite(one.loss):
                sums.setdefault(one.epoch, []).append(one.loss)
        return {epoch: sum(losses) / len(losses) for epoch, losses in sums.items()}


class HistoryWriter:
    """Appends to the history of a work folder; each line is with the system before the training goes on."""

    def __init__(self, work: Path) -> None:
        self._file = (work / HISTORY_FILE).open("a", encoding="utf-8", buffering=1)

    def begin(self, *, epochs: int, batches_per_epoch: int) -> None:
        """Note how long the training is to be."""
        self._write("plan", Plan(epochs, batches_per_epoch))

    def add_batch(self, *, iteration: int, epoch: int, losses: Mapping[str, float], learning_rate: float) -> None:
        """Note one batch."""
        self._write("batch", BatchRecord(iteration, epoch, dict(losses), learning_rate, time.time()))

    def add_scores(
        self, weights: str, *, epoch: int, iteration: int, scores: Scores, best: bool, seconds: float
    ) -> None:
        """Note one scoring."""
        self._write("scores", ScoreRecord(weights, epoch, iteration, scores, best, seconds, time.time()))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, kind: str, record: Any) -> None:
        self._file.write(json.dumps([kind, asdict(record)]) + "\n")


class HistoryReader:
    """Reads a history while it grows: each line once."""

    def __init__(self, work: str | Path) -> None:
        self._path = Path(work) / HISTORY_FILE
        self._at = 0
        self._plan: Plan | None = None
        self._batches: list[BatchRecord] = []
        self._scorings: list[ScoreRecord] = []

    def read(self) -> History:
        """Return all that was written so far: before the first line an empty history; a line in the making waits."""
        if self._path.is_file():
            with self._path.open("rb") as file:
                file.seek(self._at)
                whole = file.read().rpartition(b"\n")[0]
            self._at += len(whole) + 1 if whole else 0
            for line in whole.splitlines():
                self._take(*json.loads(line))
        return History(self._plan, tuple(self._batches), tuple(self._scorings))

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        if kind == "batch":
            self._batches.append(BatchRecord(**body))
        elif kind == "scores":
            self._scorings.append(ScoreRecord(**body))
        else:
            self._plan = Plan(**body)
