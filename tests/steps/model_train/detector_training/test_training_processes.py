"""Training on devices: several processes train what one does with all their batches, and fail as one."""

from pathlib import Path

import pytest

from detector_training.processes import Devices, choose_devices
from detector_training.training import train_detector
from drawn_splits import draw_split
from sinara_lib.errors import DataError, ParamsError
from sinara_lib.params import parse_params
from train_params import TrainParams

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=2, batch_size=4, recipe="fine_tune")


@pytest.mark.parametrize(
    ("wanted", "gpus", "chosen"),
    [
        ("auto", 0, Devices("cpu", 1, apart=False)),
        ("auto", 2, Devices("cuda", 1, apart=False)),
        ("cpu", 2, Devices("cpu", 1, apart=True)),
        ("cuda", 2, Devices("cuda", 1, apart=False)),
        (2, 0, Devices("cpu", 2, apart=True)),
        (2, 2, Devices("cuda", 2, apart=True)),
        (1, 0, Devices("cpu", 1, apart=False)),
    ],
)
def test_devices_are_what_the_parameter_asks_for(wanted: str | int, gpus: int, chosen: Devices) -> None:
    assert choose_devices(wanted, gpus=gpus) == chosen


@pytest.mark.parametrize(
    ("wanted", "gpus", "message"),
    [("cuda", 0, "devices: cuda, but PyTorch .* sees no CUDA device"), (4, 2, "devices: 4, but PyTorch sees 2")],
)
def test_devices_that_are_not_there_are_refused(wanted: str | int, gpus: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choose_devices(wanted, gpus=gpus)


@pytest.mark.parametrize("wrong", [0, "gpu", True])
def test_devices_that_mean_nothing_are_refused(wrong: object) -> None:
    with pytest.raises(ParamsError, match="devices"):
        parse_params(TrainParams, {"devices": wrong})


def test_two_processes_follow_the_loss_of_one_with_the_doubled_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = draw_split(tmp_path / "train", "train", images=8, seed=1)
    evaluate = draw_split(tmp_path / "eval", "eval", images=3, seed=2)
    one = train_detector(TINY, train=train, evaluate=evaluate, weights=None, work=tmp_path / "one")
    halves = TINY.model_copy(update={"devices": 2, "batch_size": 2})

    two = train_detector(halves, train=train, evaluate=evaluate, weights=None, work=tmp_path / "two")

    assert two.losses == pytest.approx(one.losses, rel=1e-4)
    assert two.last == pytest.approx(one.last, abs=1e-4)
    assert (two.images_seen, two.device) == (one.images_seen, "cpu") == (16, "cpu")
    assert two.last_path.is_file()


def test_what_stops_one_process_is_told_by_the_one_that_waits(tmp_path: Path) -> None:
    train = draw_split(tmp_path / "train", "train", images=4, seed=1)
    evaluate = draw_split(tmp_path / "eval", "eval", images=2, seed=2)
    Path(train.place, "images", "3.png").write_bytes(b"no image")
    pair = TINY.model_copy(update={"devices": 2, "batch_size": 2})

    with pytest.raises(DataError, match=r"3\.png cannot be used: .*Run data_prep again"):
        train_detector(pair, train=train, evaluate=evaluate, weights=None, work=tmp_path / "work")
