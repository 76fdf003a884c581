"""mixed_images: mosaic and mixup on small pictures whose boxes can be read off the pixels."""

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules

from detector_training.config import TrainingPlace, build_config
from detector_training.data import reading_place
from detector_training.samples import SeededSamples
from drawn_splits import draw_split
from sinara_lib.vision.coco_archive import Split
from train_params import TrainParams, choose_recipe

IMAGES, EPOCHS = 6, 4
PARAMS = TrainParams(model_name="yolox_nano", input_size=[96, 96], epochs=EPOCHS, plain_epochs=1, batch_size=3)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Split:
    return draw_split(tmp_path_factory.mktemp("drawn") / "train", "train", images=IMAGES, seed=3)


def _samples(split: Split, **asked: Any) -> SeededSamples:
    register_all_modules(init_default_scope=True)
    params = PARAMS.model_copy(update=asked)
    recipe = choose_recipe(params, has_weights=False)
    place = TrainingPlace(reading_place(split), reading_place(split), "work")
    config = build_config(params, recipe, classes=split.classes, train_images=IMAGES, place=place)
    built: SeededSamples = DATASETS.build(config.train_dataloader.dataset)
    return built


def _pixels(sample: Any) -> torch.Tensor:
    return sample["inputs"]  # type: ignore[no-any-return]


def _hits(sample: Any) -> list[bool]:
    """Tell for each box large enough whether its middle has the colour of its class: red boxes, cyan discs' boxes."""
    truth, image = sample["data_samples"].gt_instances, _pixels(sample).numpy().astype(int)
    found = []
    for box, label in zip(np.asarray(truth.bboxes.tensor), truth.labels.tolist(), strict=True):
        if min(box[2] - box[0], box[3] - box[1]) < 6:
            continue
        blue, _, red = image[:, int((box[1] + box[3]) / 2), int((box[0] + box[2]) / 2)]
        found.append(bool(red > blue) if label == 0 else bool(blue > red))
    return found


@pytest.mark.parametrize("asked", [{"mosaic": 1.0}, {"mixup": 1.0}, {"mosaic": 0.5, "mixup": 0.5}])
def test_boxes_follow_their_objects_and_the_last_epochs_are_plain(drawn: Split, asked: dict[str, float]) -> None:
    mixed, plain = _samples(drawn, **asked), _samples(drawn)
    early, late = range(IMAGES * (EPOCHS - 1)), range(IMAGES * (EPOCHS - 1), IMAGES * EPOCHS)

    samples = [mixed[number] for number in early]

    assert all(_pixels(one).shape == (3, 96, 96) for one in samples)
    differ = sum(
        not torch.equal(_pixels(one), _pixels(plain[number])) for number, one in zip(early, samples, strict=True)
    )
    assert differ > 0.6 * len(samples)
    hits = [hit for one in samples for hit in _hits(one)]
    assert len(hits) > 2 * IMAGES
    assert np.mean(hits) > 0.9
    assert all(torch.equal(_pixels(mixed[number]), _pixels(plain[number])) for number in late)


def test_a_share_of_nothing_changes_nothing(drawn: Split) -> None:
    none, plain = _samples(drawn, mosaic=0.0, mixup=0.0), _samples(drawn)

    assert all(torch.equal(_pixels(none[number]), _pixels(plain[number])) for number in range(IMAGES))
