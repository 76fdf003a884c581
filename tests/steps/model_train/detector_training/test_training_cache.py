"""training_cache: images come from nearer than the store, are the same, and what has no room is refused."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from mmengine import fileio

from detector_training.data import hold_archives, reading_place, unpack_split
from detector_training.training import train_detector
from published_splits import publish_upstream
from sinara_lib.archive import ArchiveReader
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_archive import Split, member, open_split
from train_params import TrainParams

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=1, batch_size=3, recipe="fine_tune")

Published = tuple[Split, Split]


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """The splits of a run of data_prep in a store."""
    run_id = publish_upstream(tmp_path / "upstream", tmp_path / "store")
    run = tmp_path / "store" / "obj_detect_rest" / "test" / "data_prep" / run_id
    train, evaluate = (open_split(f"file://{run}/coco_{name}_dataset", name) for name in ("train", "eval"))
    return train, evaluate


class StoreWasAskedError(Exception):
    """A file was read from the archive, one by one."""


def _refuse(*_: object) -> None:
    raise StoreWasAskedError


def test_a_cached_training_learns_the_same_and_does_not_go_back_to_the_store(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, evaluate = published
    plain = train_detector(TINY, train=train, evaluate=evaluate, weights=None, work=tmp_path / "plain")
    monkeypatch.setattr(ArchiveReader, "read", _refuse)

    for cache in ("ram", "disk"):
        params = TINY.model_copy(update={"cache": cache, "workers": 1})
        cached = train_detector(params, train=train, evaluate=evaluate, weights=None, work=tmp_path / cache)

        assert cached.losses == plain.losses
        assert cached.last_path.read_bytes() == plain.last_path.read_bytes()


def test_what_is_held_in_memory_is_let_go_of(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    train, _ = published
    image = train.dataset.images[0]
    monkeypatch.setattr(ArchiveReader, "read", _refuse)
    path = f"{reading_place(train)}/{member(image)}"
    with hold_archives("ram", [reading_place(train)]):
        assert fileio.get(path)

    with pytest.raises(StoreWasAskedError):
        fileio.get(path)


def test_splits_that_have_no_room_are_refused_before_they_are_read(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, _ = published
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))

    with (
        pytest.raises(DataError, match=r"cache: ram needs .* use disk or none"),
        hold_archives("ram", [reading_place(train)]),
    ):
        pass
    with pytest.raises(DataError, match=r"cache: disk needs .* for the train split.* set TMPDIR"):
        unpack_split(train, tmp_path / "copy")


def test_a_split_in_a_folder_is_near_enough(train: Split, tmp_path: Path) -> None:
    assert unpack_split(train, tmp_path / "copy") is train
    with hold_archives("ram", [reading_place(train)]):
        assert train.read_image(train.dataset.images[0])
