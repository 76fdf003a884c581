"""training_samples: what is learned depends on the seed alone, not on who loads the images or what was drawn before."""

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules

from detector_training.config import TrainingPlace, build_config
from detector_training.data import reading_place
from detector_training.samples import EpochSampler, SeededSamples
from detector_training.training import train_detector
from sinara_lib.vision.coco_archive import Split
from train_params import TrainParams, choose_recipe

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=2, batch_size=3, recipe="fine_tune")


@pytest.fixture
def samples(train: Split) -> SeededSamples:
    register_all_modules(init_default_scope=True)
    place = TrainingPlace(reading_place(train), reading_place(train), "work")
    recipe = choose_recipe(TINY, has_weights=True)
    config = build_config(TINY, recipe, classes=train.classes, train_images=6, place=place)
    built: SeededSamples = DATASETS.build(config.train_dataloader.dataset)
    return built


def _pixels(samples: SeededSamples, number: int) -> torch.Tensor:
    return samples[number]["inputs"]  # type: ignore[no-any-return]


def test_a_sample_does_not_depend_on_what_was_drawn_before_it(samples: SeededSamples) -> None:
    first = [_pixels(samples, number) for number in range(6)]
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)

    again = [_pixels(samples, number) for number in reversed(range(6))][::-1]

    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_an_image_changes_from_epoch_to_epoch(samples: SeededSamples) -> None:
    later = [_pixels(samples, 2 + 6 * epoch) for epoch in range(4)]

    assert len({one.numpy().tobytes() for one in later}) == 4


def test_every_epoch_shows_every_image_once_in_an_order_of_its_own(samples: SeededSamples) -> None:
    sampler = EpochSampler(samples, seed=1)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))

    assert [sorted(each) for each in epochs] == [[*range(start, start + 6)] for start in (0, 6, 12)]
    assert len({tuple(number % 6 for number in each) for each in epochs}) > 1


def test_workers_do_not_change_the_weights(train: Split, evaluate: Split, tmp_path: Path) -> None:
    found = {}
    for workers in (0, 2):
        params = TINY.model_copy(update={"workers": workers})
        result = train_detector(params, train=train, evaluate=evaluate, weights=None, work=tmp_path / str(workers))
        found[workers] = hashlib.sha256(result.last_path.read_bytes()).hexdigest(), result.losses

    assert found[0] == found[2]
