"""What a person sees of a training while it runs: one bar over all batches, or a line now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from tqdm import tqdm

from sinara_lib.progress import progress

SECONDS_BETWEEN_LINES = 60.0

logger = logging.getLogger(__name__)


class TrainingProgress:
    """Shows epoch, loss, scores and the time that is left; without a terminal a line a minute.

    The time left is told from all that has passed since the first batch, scoring included. `done` batches were
    trained before.
    """

    def __init__(
        self, *, epochs: int, batches_per_epoch: int, done: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._epochs, self._batches = epochs, batches_per_epoch
        self._first = self._done = done
        self._clock = clock
        self._began = self._told = clock()
        self._scores = ""
        self._bar: tqdm[Any] = progress(label="Training", total=epochs * batches_per_epoch, unit="batch")
        self._bar.smoothing = 0  # a mean, not the last seconds' pace
        self._bar.n = self._bar.initial = done

    def batch(self, loss: float) -> None:
        """Note that one batch is done."""
        self._done += 1
        self._bar.set_postfix_str(self._standing(loss), refresh=False)
        self._bar.update(1)
        now = self._clock()
        if self._bar.disable and now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            left = (now - self._began) / (self._done - self._first) * (self._epochs * self._batches - self._done)
            logger.info("%s, %s left", self._standing(loss), timedelta(seconds=round(left)))

    def begin(self) -> None:
        """Note that the first batch comes next: what went before does not count for the time left."""
        self._began = self._told = self._clock()
        self._bar.start_t = self._bar.last_print_t = time.time()

    def scoring(self, done: int, total: int) -> None:
        """Show that a batch of the eval split is scored."""
        self._bar.set_postfix_str(f"scoring the eval split, {done}/{total}{self._scores}", refresh=done % 4 == 0)

    def scored(self, scores: Mapping[str, float]) -> None:
        """Note that all of it is scored."""
        self._scores = f", AP {scores['AP']:.3f}, AP50 {scores['AP50']:.3f}"

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _standing(self, loss: float) -> str:
        epoch, batch = divmod(self._done - 1, self._batches)
        return f"epoch {epoch + 1}/{self._epochs}, batch {batch + 1}/{self._batches}, loss {loss:.2f}{self._scores}"
