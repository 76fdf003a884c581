"""training_errors: what stops a training is said in one message, with the place and the parameter to change."""

from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from detector_training.errors import explain
from detector_training.history import HistoryReader
from detector_training.job import _run
from detector_training.training import train_detector
from published_splits import ADDRESS
from sinara_lib.errors import DataError
from sinara_lib.runs.checkpoints import Checkpoints
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco_archive import Split, member
from train_params import TrainParams

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=3, batch_size=3, recipe="fine_tune", workers=1)


def _explained(error: Exception, **params: object) -> str | None:
    runner = SimpleNamespace(iter=4, epoch=1)
    return explain(error, runner, SimpleNamespace(), TINY.model_copy(update=params))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "Out of memory at iteration 5 (epoch 2). batch_size is 3"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "Lower batch_size first"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "Lower batch_size first"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "workers is 1"),
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_1>"), "--shm-size"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that"), "--shm-size"),
    ],
)
def test_too_little_memory_is_told_by_its_kind(error: Exception, words: str) -> None:
    assert words in str(_explained(error))


def test_a_cache_in_memory_is_named_among_what_takes_it() -> None:
    assert "cache is ram: use disk or none" in str(_explained(MemoryError(), cache="ram"))


def test_other_errors_are_left_as_they_are() -> None:
    assert _explained(RuntimeError("sizes do not match")) is None
    assert _explained(DataError("a message of ours")) is None


def test_an_image_that_breaks_in_a_worker_is_named_without_the_worker_s_traceback(
    train: Split, evaluate: Split, tmp_path: Path
) -> None:
    Path(train.place, member(train.dataset.images[2])).write_bytes(b"no image any more")

    with pytest.raises(DataError, match=r"^Image .*/3\.png cannot be used: .* Run data_prep again\.$"):
        train_detector(TINY, train=train, evaluate=evaluate, weights=None, work=tmp_path / "work")


def test_a_loss_that_is_no_number_names_its_images_and_keeps_the_last_good_checkpoint(
    train: Split, evaluate: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdet.models import YOLOX

    loss_of, calls = YOLOX.loss, iter([1.0, 1.0, 1.0, float("nan")])

    def loss(model: YOLOX, *inputs: Any) -> dict[str, torch.Tensor]:
        factor = next(calls)
        return {name: value * factor for name, value in loss_of(model, *inputs).items()}

    monkeypatch.setattr(YOLOX, "loss", loss)
    store, now = store_at(f"file://{tmp_path}/store"), datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    run = store.start_run(ADDRESS, record, now=now)

    with pytest.raises(DataError, match=r"became nan at iteration 4 \(epoch 2\)") as failure:
        train_detector(
            TINY,
            train=train,
            evaluate=evaluate,
            weights=None,
            work=tmp_path / "work",
            checkpoints=Checkpoints(store.url_of(run)),
        )

    message = str(failure.value)
    named = message.partition("on the images ")[2].partition(". ")[0].split(", ")
    assert len(named) == 3
    assert set(named) < {one.file_name for one in train.dataset.images}
    assert "The checkpoint of epoch 1 stays in this run" in message
    assert [one.name for one in store.entities(run)] == ["checkpoint_000001"]
    assert len(HistoryReader(tmp_path / "work").read().batches) == 4


def test_a_batch_of_one_value_per_channel_stops_the_training_with_its_parameters() -> None:
    normalisation, watch = torch.nn.BatchNorm2d(2), SimpleNamespace(close=lambda: None)
    runner = SimpleNamespace(train=lambda: normalisation(torch.zeros(1, 2, 1, 1)))
    with pytest.raises(DataError, match=r"batch_size is 3, input_size .*Raise input_size, or set batch_size to 2"):
        _run(runner, watch, TINY)
