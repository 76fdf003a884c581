"""Resuming: what a killed or interrupted training had left is enough to end with the weights it would have had."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import psutil
import pytest

from detector_training.history import HistoryReader
from detector_training.training import TrainingResult, train_detector
from published_splits import ADDRESS, STEP, publish_upstream, write_params
from sinara_lib.archive import open_archive
from sinara_lib.errors import DataError
from sinara_lib.layout import RunAddress, split_run_url
from sinara_lib.runs.checkpoints import Checkpoints, newest_checkpoint
from sinara_lib.step import run_step
from sinara_lib.store import ArtifactStore, open_entity, store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco_archive import Split, open_split
from train_params import TrainParams

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=3, batch_size=3, recipe="fine_tune")
KILLED = "run-26-11-21-000001-000"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """What a training that nobody stopped ends with, on the splits that all of these tests have."""
    return _train_whole(TINY, tmp_path_factory.mktemp("whole"))


def _train_whole(params: TrainParams, folder: Path) -> TrainingResult:
    publish_upstream(folder / "upstream", folder / "store")
    splits = [open_split(folder / "upstream" / name, name) for name in ("train", "eval")]
    return train_detector(params, train=splits[0], evaluate=splits[1], weights=None, work=folder / "work")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _new_run(store: ArtifactStore) -> str:
    now = datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    return store.url_of(store.start_run(ADDRESS, record, now=now))


def _kill_after_an_epoch(params: Path, root: Path) -> None:
    """Start the step, and kill it with its kernel as soon as the first checkpoint stands."""
    command = [sys.executable, "step.dev.py", "--params", str(params), "--run-id", KILLED]
    environ = {**os.environ, "SINARA_USER_ROOT": f"file://{root}"}
    step = subprocess.Popen(command, cwd=STEP, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store, run = store_at(f"file://{root}"), RunAddress(ADDRESS, KILLED)
    while newest_checkpoint(store, run) is None:
        assert step.poll() is None
        time.sleep(0.02)
    family = [*psutil.Process(step.pid).children(recursive=True), psutil.Process(step.pid)]
    for process in family:
        process.kill()
    step.wait()


def _killed_and_resumed(params: TrainParams, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the step, kill it after an epoch, resume it; return the URL of the resumed run."""
    root = folder / "store"
    publish_upstream(folder / "upstream", root)
    monkeypatch.setenv("SINARA_USER_ROOT", f"file://{root}")
    _kill_after_an_epoch(write_params(folder / "params.json", **params.model_dump()), root)
    return run_step(STEP, mode="dev", resume=KILLED).run_url


def test_a_step_killed_after_an_epoch_resumes_to_the_weights_of_one_that_was_not(
    whole: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed = _killed_and_resumed(TINY, tmp_path, monkeypatch)

    archive = open_archive(f"{resumed}/obj_detect_inference_files")
    for name, path in (("last.pth", whole.last_path), ("best.pth", whole.best_path)):
        assert _sha256(archive.read(name)) == _sha256(path.read_bytes())
    report = open_entity(f"{resumed}/reports_model_train_ipynb")
    assert json.loads(report.read("metrics.json"))["loss_last_epoch"] == whole.epochs[-1].loss
    inputs = open_entity(f"{resumed}/obj_detect_inference_files").manifest.inputs
    assert any(url.startswith(f"file://{tmp_path}/store/{ADDRESS.path}/{KILLED}/checkpoint_") for url in inputs)


def test_several_processes_killed_after_an_epoch_resume_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = TINY.model_copy(update={"devices": 2, "batch_size": 2})
    whole = _train_whole(pair, tmp_path / "whole")

    resumed = _killed_and_resumed(pair, tmp_path / "killed", monkeypatch)

    archive = open_archive(f"{resumed}/obj_detect_inference_files")
    for name, path in (("last.pth", whole.last_path), ("best.pth", whole.best_path)):
        assert _sha256(archive.read(name)) == _sha256(path.read_bytes())


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C as Python has it, also where the tests were started with signals ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def _train(splits: tuple[Split, Split], work: Path, **changes: object) -> TrainingResult:
    checkpoints = changes.pop("checkpoints", None)
    assert checkpoints is None or isinstance(checkpoints, Checkpoints)
    params = TINY.model_copy(update=changes)
    return train_detector(params, train=splits[0], evaluate=splits[1], weights=None, work=work, checkpoints=checkpoints)


def _interrupt_after_an_epoch(store: ArtifactStore, run: RunAddress) -> None:
    """Press Ctrl-C as soon as the first checkpoint stands."""
    while newest_checkpoint(store, run) is None:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_training_goes_on_and_refuses_other_parameters(
    whole: TrainingResult, train: Split, evaluate: Split, tmp_path: Path, ctrl_c: None
) -> None:
    store, splits = store_at(f"file://{tmp_path}/store"), (train, evaluate)
    first = _new_run(store)
    watching = threading.Thread(target=_interrupt_after_an_epoch, args=(store, split_run_url(first)[1]))
    watching.start()
    with pytest.raises(KeyboardInterrupt):
        _train(splits, tmp_path / "first", checkpoints=Checkpoints(first))
    watching.join()
    left = newest_checkpoint(store, split_run_url(first)[1])
    assert left is not None
    again = Checkpoints(_new_run(store), resumed=store.url_of(left))
    with pytest.raises(DataError, match=r"other parameters \(epochs was 3, is 5\)"):
        _train(splits, tmp_path / "other", checkpoints=again, epochs=5)

    ended = _train(splits, tmp_path / "second", checkpoints=again, workers=1)

    assert left.name < "checkpoint_000003"
    assert ended.losses == whole.losses
    assert [one.scores for one in ended.epochs] == [one.scores for one in whole.epochs]
    assert _sha256(ended.last_path.read_bytes()) == _sha256(whole.last_path.read_bytes())
    assert [one.loss for one in HistoryReader(tmp_path / "second").read().batches] == list(whole.losses)
