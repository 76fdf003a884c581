"""A training watched from its notebook: curves and table grow while it runs, and stay whatever its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from IPython.display import HTML, DisplayHandle, Markdown, display

from detector_training.batches import batch_html, batch_pictures
from detector_training.history import History, HistoryReader
from training_report.curves import curves_html
from training_report.events import TrainingEvents
from training_report.tables import epochs_table

SECONDS = 1.0


class TrainingDisplay:
    """Curves and table of epochs in the output of a cell."""

    def __init__(self) -> None:
        self._curves: DisplayHandle = display(HTML(""), display_id=True)
        self._table: DisplayHandle = display(Markdown(""), display_id=True)

    def draw(self, history: History) -> None:
        """Draw what there is."""
        self._curves.update(HTML(curves_html(history)))
        self._table.update(Markdown(epochs_table(history)))


@contextmanager
def follow_training(work: str | Path, *, params: Mapping[str, Any], logs: str | Path) -> Iterator[None]:
    """Show the training that goes on in `work` while the body runs, and write TensorBoard's event files into `logs`.

    Both hold all there was when the body ends, in whatever way; then the drawn batches are shown as well. `params`
    stand in TensorBoard's table of runs.
    """
    shown, events, reader = TrainingDisplay(), TrainingEvents(logs, work=work, params=params), HistoryReader(work)
    ended = threading.Event()

    def follow() -> None:
        scored = 0
        while not ended.wait(SECONDS):
            history = reader.read()
            events.write(history)
            if len(history.scorings) > scored:
                scored = len(history.scorings)
                shown.draw(history)

    thread = threading.Thread(target=follow, name="follow-training", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        history = reader.read()
        if history.plan:
            shown.draw(history)
        events.write(history)
        events.close(history)
        for iteration, path in batch_pictures(work):
            display(HTML(batch_html(iteration, path)))
