"""Training reads straight from the store: what it learns and scores is, to the last bit, what unpacked files give."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
import torch

from detector_training.training import TrainingResult, train_detector
from drawn_splits import draw_split
from inference_files import write_inference_files
from sinara_lib.archive import pack
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco_archive import open_split
from tests.s3_server import start_s3_server
from train_params import TrainParams

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=2, batch_size=3)

Sources = dict[str, str]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Folders of a train and an eval split."""
    folder = tmp_path_factory.mktemp("splits")
    for name, images in (("train", 6), ("eval", 3)):
        draw_split(folder / name, name, images=images, seed=images)
    return {name: str(folder / name) for name in ("train", "eval")}


@pytest.fixture(scope="module", params=["file", "s3"])
def archives(
    request: pytest.FixtureRequest, folders: Sources, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sources]:
    """URLs of the same splits as archives in a store on local disk or on S3."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "file":
            yield _packed(folders, f"file://{tmp_path_factory.mktemp('store')}")
            return
        with start_s3_server() as server:
            root = f"{server.make_bucket('test')}/store"
            storage = {"endpoint_url": server.endpoint, "key_env": "LOOPBACK_KEY", "secret_env": "LOOPBACK_SECRET"}
            patch.setenv("LOOPBACK_KEY", server.key)
            patch.setenv("LOOPBACK_SECRET", server.secret)
            patch.setenv("SINARA_LOOPBACK_ROOT", root)
            patch.setenv("SINARA_LOOPBACK_STORAGE", json.dumps(storage))
            yield _packed(folders, root)


def _packed(folders: Sources, root: str) -> Sources:
    store, now = store_at(root), datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    run = store.start_run(StepAddress("rest", "test", "data_prep"), record, now=now)
    urls = {name: store.url_of(run.entity(f"coco_{name}_dataset")) for name in folders}
    for name, folder in folders.items():
        pack(folder, urls[name])
    return urls


def _trained(sources: Sources, work: Path, *, workers: int) -> TrainingResult:
    params = TINY.model_copy(update={"workers": workers})
    train, evaluate = open_split(sources["train"], "train"), open_split(sources["eval"], "eval")
    return train_detector(params, train=train, evaluate=evaluate, weights=None, work=work)


@pytest.fixture(scope="module")
def from_folders(folders: Sources, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], TrainingResult]:
    """Train from plain files with this many workers, once each."""
    done: dict[int, TrainingResult] = {}

    def train(workers: int) -> TrainingResult:
        if workers not in done:
            done[workers] = _trained(folders, tmp_path_factory.mktemp("work"), workers=workers)
        return done[workers]

    return train


@pytest.mark.parametrize("workers", [0, 2])
def test_losses_scores_and_weights_are_those_of_training_from_plain_files(
    archives: Sources, from_folders: Callable[[int], TrainingResult], tmp_path: Path, workers: int
) -> None:
    expected = from_folders(workers)

    found = _trained(archives, tmp_path, workers=workers)

    assert found.losses == expected.losses
    assert [one.scores for one in found.epochs] == [one.scores for one in expected.epochs]
    first, second = (torch.load(one.last_path, weights_only=True)["state_dict"] for one in (found, expected))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_published_files_are_the_same_and_name_no_store(
    archives: Sources, folders: Sources, from_folders: Callable[[int], TrainingResult], tmp_path: Path
) -> None:
    written = [
        write_inference_files(
            from_folders(0),
            tmp_path / kind,
            train=open_split(sources["train"], "train"),
            evaluate=open_split(sources["eval"], "eval"),
            run_id="run-a",
            dataset_run="run-b",
        )
        for kind, sources in (("archives", archives), ("folders", folders))
    ]

    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in written)
    assert first == second
    assert b"sinara+" not in first["config.py"]
    assert b"://" not in first["config.py"]
