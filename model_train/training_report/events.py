"""The history of a training as event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from detector_training.batches import batch_pictures
from detector_training.history import BatchRecord, History, ScoreRecord
from sinara_lib.vision.letterbox import decode_image


class TrainingEvents:
    """Appends what is new in a history to an event file in `folder`; steps are batches, times those of the history.

    Scalars: `train/<loss>`, `train/learning_rate`, `eval/<score>`. Pictures: the batches that were drawn in `work`.
    """

    def __init__(self, folder: str | Path, *, work: str | Path, params: Mapping[str, Any]) -> None:
        self._writer = SummaryWriter(str(folder))
        self._work = Path(work)
        self._params = dict(params)
        self._batches = self._scorings = 0
        self._drawn: set[Path] = set()

    def write(self, history: History) -> None:
        """Append what is new."""
        for batch in history.batches[self._batches :]:
            self._write_batch(batch)
        for scoring in history.scorings[self._scorings :]:
            self._write_scoring(scoring)
        self._batches, self._scorings = len(history.batches), len(history.scorings)
        for iteration, path in batch_pictures(self._work):
            if path not in self._drawn:
                self._drawn.add(path)
                pixels = cv2.cvtColor(decode_image(path.read_bytes()), cv2.COLOR_BGR2RGB)
                self._writer.add_image("train/batches", pixels, iteration, dataformats="HWC")
        self._writer.flush()

    def close(self, history: History) -> None:
        """Append the parameters with the best scores, for TensorBoard's table of runs, and end the file."""
        best = history.published
        measured = {f"best/{name}": value for name, value in best.scores.items()} if best else {}
        plain = {n: v if isinstance(v, bool | int | float | str) else str(v) for n, v in self._params.items()}
        file = self._writer._get_file_writer()
        for summary in hparams(plain, measured):
            file.add_summary(summary)
        for name, value in measured.items():
            self._writer.add_scalar(name, value, best.iteration if best else 0)
        self._writer.close()

    def _write_batch(self, batch: BatchRecord) -> None:
        values = {**batch.losses, "learning_rate": batch.learning_rate}
        for name, value in values.items():
            self._writer.add_scalar(f"train/{name}", value, batch.iteration, walltime=batch.time)

    def _write_scoring(self, scoring: ScoreRecord) -> None:
        for name, value in scoring.scores.items():
            self._writer.add_scalar(f"eval/{name}", value, scoring.iteration, walltime=scoring.time)
