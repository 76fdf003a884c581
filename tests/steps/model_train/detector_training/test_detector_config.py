"""detector_config: mmdet's own networks, our data, and nothing done to the pixels but the letterbox."""

from pathlib import Path
from typing import get_args

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

from detector_training.config import TrainingPlace, build_config
from train_params import FINE_TUNE, FROM_SCRATCH, ModelName, TrainParams, choose_recipe

PLACE = TrainingPlace("train", "eval", "work")


@pytest.mark.parametrize("model_name", get_args(ModelName))
def test_every_network_builds_from_the_written_file_alone(model_name: str, tmp_path: Path) -> None:
    params = TrainParams(model_name=model_name, input_size=[64, 64])
    config = build_config(params, FINE_TUNE, classes=("a", "b", "c"), train_images=80, place=PLACE)
    config.dump(tmp_path / "config.py")

    register_all_modules(init_default_scope=True)
    with torch.device("meta"):
        network = MODELS.build(Config.fromfile(tmp_path / "config.py").model)

    assert network.bbox_head.multi_level_conv_cls[0].out_channels == 3


def test_pixels_reach_the_network_as_the_letterbox_left_them() -> None:
    register_all_modules(init_default_scope=True)
    config = build_config(TrainParams(), FROM_SCRATCH, classes=("a",), train_images=80, place=PLACE)
    preprocessor = MODELS.build(config.model.data_preprocessor)
    pixels = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)

    batch = preprocessor({"inputs": [pixels], "data_samples": []}, training=True)["inputs"]

    assert torch.equal(batch[0], pixels.float())


def test_the_recipe_reaches_the_optimizer_the_schedule_and_the_average() -> None:
    asked = {"learning_rate": 0.5, "warm_up": 0.1, "weight_decay": 0.25, "gradient_clip": 3.0, "average_over": 0.5}
    params = TrainParams(epochs=10, batch_size=8, **asked)
    recipe = choose_recipe(params, has_weights=True)
    config = build_config(params, recipe, classes=("a",), train_images=80, place=PLACE)

    wrapper, (rise, fall), (average,) = config.optim_wrapper, config.param_scheduler, config.custom_hooks
    assert (wrapper.optimizer.lr, wrapper.optimizer.weight_decay, wrapper.clip_grad.max_norm) == (0.5, 0.25, 3.0)
    assert (rise.end, fall.begin, fall.end) == (10, 10, 100)
    assert average.momentum == pytest.approx(1 / 50)
    assert config.trained_layers == "last"


@pytest.mark.parametrize(
    ("asked", "epochs"),
    [
        ({}, None),
        ({"mosaic": 0.5, "plain_epochs": 10}, None),
        ({"mixup": 0.5}, 10),
        ({"mosaic": 1, "plain_epochs": 4}, 6),
    ],
)
def test_images_are_mixed_in_the_epochs_before_the_plain_ones(asked: dict[str, float], epochs: int | None) -> None:
    params = TrainParams(epochs=10, **asked)
    recipe = choose_recipe(params, has_weights=True)
    config = build_config(params, recipe, classes=("a",), train_images=80, place=PLACE)

    assert config.train_dataloader.dataset.get("mixed_epochs") == epochs


def test_a_batch_is_never_larger_than_the_split() -> None:
    config = build_config(TrainParams(batch_size=8, epochs=3), FINE_TUNE, classes=("a",), train_images=5, place=PLACE)

    assert config.train_dataloader.batch_size == 5
    assert config.param_scheduler[1].end == 3
