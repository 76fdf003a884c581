"""training_hooks: what may be published is the best of the start, every epoch's weights and their average."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from mmdet.evaluation import CocoMetric

from detector_training.training import TrainingResult, train_detector
from sinara_lib.vision.coco_archive import Split
from train_params import TrainParams

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=2, batch_size=3, recipe="from_scratch")
AVERAGED = TINY.model_copy(update={"average_over": 0.5})

Train = Callable[..., TrainingResult]


@pytest.fixture
def train_scored(train: Split, evaluate: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains while the eval split gives the APs it is told, in their order; everything else is real."""

    def run(params: TrainParams, *scores: float) -> TrainingResult:
        told: Iterator[float] = iter(scores)
        monkeypatch.setattr(CocoMetric, "compute_metrics", lambda *_: {"bbox_mAP": next(told), "bbox_mAP_50": 0.5})
        work = tmp_path / f"work_{len(list(tmp_path.iterdir()))}"
        result = train_detector(params, train=train, evaluate=evaluate, weights=None, work=work)
        assert next(told, None) is None
        return result

    return run


def _weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def _same(one: Path, other: Path) -> bool:
    first, second = _weights(one), _weights(other)
    return all(torch.equal(first[key], second[key]) for key in first)


def test_weights_that_beat_their_average_are_those_of_a_training_without_average(train_scored: Train) -> None:
    plain = train_scored(TINY, 0.1, 0.2, 0.3)
    averaged = train_scored(AVERAGED, 0.1, 0.25, 0.2, 0.4, 0.3)

    assert (averaged.best_is, averaged.best["AP"]) == ("epoch_2", 0.4)
    assert averaged.losses == plain.losses
    assert _same(averaged.best_path, plain.best_path)


def test_an_average_that_beats_its_weights_is_published_as_such(train_scored: Train) -> None:
    result = train_scored(AVERAGED, 0.1, 0.2, 0.25, 0.3, 0.4)

    saved = torch.load(result.best_path, weights_only=True)
    assert (result.best_is, saved["meta"]["weights_of"]) == ("epoch_2_averaged", "epoch_2_averaged")
    assert [one.scores["AP"] for one in result.epochs] == [0.25, 0.4]
    assert not _same(result.best_path, train_scored(TINY, 0.1, 0.2, 0.3).best_path)


@pytest.mark.parametrize(
    ("scores", "epochs", "best"), [((0.5, 0.4, 0.3), 2, "start"), ((0.1, 0.2, 0.1, 0.1), 3, "epoch_1")]
)
def test_training_ends_when_patience_does(
    train_scored: Train, scores: tuple[float, ...], epochs: int, best: str
) -> None:
    result = train_scored(TINY.model_copy(update={"epochs": 6, "patience": 2}), *scores)

    assert (len(result.epochs), result.best_is) == (epochs, best)
