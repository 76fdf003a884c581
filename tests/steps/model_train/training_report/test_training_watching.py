"""What is seen of a training: its history, curves, batches, progress and TensorBoard's event files."""

import io
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from detector_training.batches import batch_pictures, draw_batch_image, tile_images
from detector_training.history import HISTORY_FILE, History, HistoryReader, HistoryWriter
from detector_training.progress import TrainingProgress
from training_report.curves import curves_html, draw_curves
from training_report.events import TrainingEvents
from training_report.tables import epochs_table

NAMES = ("AP", "AP50", "AP75")


def _write(folder: Path, *, epochs: int, scores: tuple[float, ...], batches: int = 4) -> History:
    """Write a training whose loss falls from 8 and whose start and epochs score `scores`."""
    writer = HistoryWriter(folder)
    writer.begin(epochs=epochs, batches_per_epoch=batches)
    best = -1.0
    for epoch, score in enumerate(scores):
        for iteration in range((epoch - 1) * batches + 1, epoch * batches + 1) if epoch else ():
            losses = {"loss": 8.0 / iteration, "loss_cls": 1.0}
            writer.add_batch(iteration=iteration, epoch=epoch, losses=losses, learning_rate=1e-3 * iteration)
        writer.add_scores(
            f"epoch_{epoch}" if epoch else "start",
            epoch=epoch,
            iteration=epoch * batches,
            scores=dict.fromkeys(NAMES, score),
            best=score > best,
            seconds=2.0 * epoch,
        )
        best = max(best, score)
    writer.close()
    return HistoryReader(folder).read()


def test_a_history_is_read_while_it_is_written_and_a_line_in_the_making_waits(tmp_path: Path) -> None:
    reader = HistoryReader(tmp_path)
    assert reader.read() == History()
    whole = _write(tmp_path, epochs=2, scores=(0.1, 0.3, 0.2))
    text = (tmp_path / HISTORY_FILE).read_bytes()
    cut = len(text) - 30
    (tmp_path / HISTORY_FILE).write_bytes(text[:cut])

    first = reader.read()
    with (tmp_path / HISTORY_FILE).open("ab") as file:
        file.write(text[cut:])

    assert (len(first.batches), len(first.scorings)) == (8, 2)
    assert reader.read() == reader.read() == whole
    assert whole.published is not None
    assert whole.published.weights == "epoch_1"
    assert whole.epoch_losses() == pytest.approx({1: 8 * (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 2: 8 * 0.6345238 / 4})


def test_the_table_marks_the_best_weights_and_names_each_epochs_loss(tmp_path: Path) -> None:
    lines = epochs_table(_write(tmp_path, epochs=2, scores=(0.1, 0.3, 0.2))).splitlines()

    assert len(lines) == 5
    assert lines[2] == "| start |  |  | 0.100 | 0.100 | 0.100 | 0 |"
    assert lines[3].startswith("| **epoch 1** | **4.17** | **4.0e-03** | **0.300** |")
    assert lines[4].startswith("| epoch 2 | 1.27 |")


def _colours(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).reshape(-1, 3)


@pytest.mark.parametrize("scores", [(), (0.1,), (0.1, 0.3, 0.2)])
def test_curves_are_drawn_for_both_pages_however_far_the_training_came(
    tmp_path: Path, scores: tuple[float, ...]
) -> None:
    history = _write(tmp_path, epochs=9, scores=scores)

    light, dark = _colours(draw_curves(history, "light")), _colours(draw_curves(history, "dark"))

    assert light.shape == dark.shape
    assert light.mean() > 220
    assert dark.mean() < 60
    assert len(np.unique(light, axis=0)) > 20
    assert curves_html(history).count("data:image/png;base64,") == 4


def test_a_loss_that_was_no_number_is_marked_where_it_was(tmp_path: Path) -> None:
    before = draw_curves(_write(tmp_path, epochs=9, scores=(0.1, 0.3)), "light")
    writer = HistoryWriter(tmp_path)
    writer.add_batch(iteration=5, epoch=2, losses={"loss": float("nan")}, learning_rate=1e-3)
    writer.close()

    after = draw_curves(HistoryReader(tmp_path).read(), "light")

    red = np.abs(_colours(after).astype(int) - (0xB3, 0x26, 0x1E)).sum(axis=1) < 30
    assert red.sum() > 50
    assert not (np.abs(_colours(before).astype(int) - (0xB3, 0x26, 0x1E)).sum(axis=1) < 30).any()


def test_tensorboard_reads_losses_scores_batches_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "batches").mkdir()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "batches" / "batch_0000001.jpg")
    events = TrainingEvents(tmp_path / "logs", work=tmp_path, params={"epochs": 2, "input_size": [64, 64]})
    _write(tmp_path, epochs=2, scores=(0.1, 0.3, 0.2))
    history = HistoryReader(tmp_path).read()
    half = History(history.plan, history.batches[:5], history.scorings[:2])
    events.write(half)
    events.write(half)
    events.write(history)
    events.close(history)

    read = EventAccumulator(str(tmp_path / "logs"))
    read.Reload()

    losses = [(one.step, one.value) for one in read.Scalars("train/loss")]
    assert losses == [(one.iteration, pytest.approx(one.loss)) for one in history.batches]
    assert read.Scalars("train/loss")[3].wall_time == pytest.approx(history.batches[3].time)
    assert [(one.step, one.value) for one in read.Scalars("eval/AP50")] == [
        (0, pytest.approx(0.1)),
        (4, pytest.approx(0.3)),
        (8, pytest.approx(0.2)),
    ]
    assert [(one.step, one.width, one.height) for one in read.Images("train/batches")] == [(1, 40, 30)]
    assert [one.value for one in read.Scalars("best/AP")] == [pytest.approx(0.3)]
    assert "_hparams_/session_start_info" in read.summary_metadata


def test_without_a_terminal_a_line_a_minute_tells_how_far_it_is_and_what_is_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINARA_PROGRESS", "0")
    now = [100.0]
    watched = TrainingProgress(epochs=2, batches_per_epoch=10, clock=lambda: now[0])
    watched.scored({"AP": 0.25, "AP50": 0.5})
    watched.begin()
    with caplog.at_level(logging.INFO):
        for _ in range(12):
            now[0] += 10
            watched.batch(4.0)
    watched.close()

    assert caplog.messages == [
        "epoch 1/2, batch 6/10, loss 4.00, AP 0.250, AP50 0.500, 0:02:20 left",
        "epoch 2/2, batch 2/10, loss 4.00, AP 0.250, AP50 0.500, 0:01:20 left",
    ]


def test_on_a_terminal_one_bar_shows_all_batches_with_loss_and_scores(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINARA_PROGRESS", "1")
    watched = TrainingProgress(epochs=2, batches_per_epoch=10, done=5)
    watched.scored({"AP": 0.25, "AP50": 0.5})
    watched.begin()
    watched.batch(4.0)
    watched.scoring(4, 8)
    watched.close()

    drawn = capsys.readouterr().err
    assert "6/20" in drawn
    assert "scoring the eval split, 4/8, AP 0.250, AP50 0.500" in drawn


def test_a_batch_is_drawn_with_its_boxes_where_they_lie() -> None:
    boxes = torch.tensor([[8.0, 4.0, 40.0, 28.0]])
    instances = SimpleNamespace(bboxes=boxes, labels=torch.tensor([1]))

    drawn = draw_batch_image(np.full((3, 32, 64), 114, np.float32), instances, class_names=["person", "car"])
    sheet = tile_images([drawn] * 5)

    changed = np.argwhere((drawn != 114).any(axis=2))
    scale = drawn.shape[1] / 64
    assert changed[:, 1].min() / scale == pytest.approx(8, abs=2)
    assert changed[:, 0].max() / scale == pytest.approx(28, abs=2)
    assert sheet.shape[1] > sheet.shape[0]
    assert not batch_pictures(Path("nowhere"))


def test_a_history_is_plain_json(tmp_path: Path) -> None:
    _write(tmp_path, epochs=1, scores=(0.1,))

    kinds = [json.loads(line)[0] for line in (tmp_path / HISTORY_FILE).read_text().splitlines()]

    assert kinds == ["plan", "scores"]
