"""training_params: what can be asked for, and which recipe follows."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from sinara_lib.errors import ParamsError
from sinara_lib.params import parse_params
from train_params import FINE_TUNE, FROM_SCRATCH, TrainingRecipe, TrainParams, choose_recipe

FOLDER = Path(__file__).parents[3] / "model_train"


def test_upper_case_names_of_sinaraml_are_understood() -> None:
    assert parse_params(TrainParams, {"MODEL_NAME": "yolox_nano"}).model_name == "yolox_nano"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"input_size": [640, 600]}, "multiples of 32"),
        ({"input_size": [640]}, "input_size"),
        ({"model_name": "yolox_q"}, "yolox_nano"),
        ({"epoch": 3}, "unknown key 'epoch'"),
        ({"epochs": "3"}, "valid integer"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"warm_up": 1.0}, "less than 1"),
        ({"mosaic": 1.5}, "less than or equal to 1"),
        ({"patience": -1}, "greater than or equal to 0"),
        ({"gradient_clip": 0}, "greater than 0"),
        ({"trained_layers": "neck"}, "'last', 'head' or 'all'"),
        ({"norm_statistics": True}, "'keep' or 'learn'"),
    ],
)
def test_a_wrong_parameter_is_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ParamsError, match=says):
        parse_params(TrainParams, wrong)


@pytest.mark.parametrize(
    ("asked", "has_weights", "name"),
    [("auto", True, "fine_tune"), ("auto", False, "from_scratch"), ("from_scratch", True, "from_scratch")],
)
def test_auto_fine_tunes_only_where_there_are_weights(asked: str, has_weights: bool, name: str) -> None:
    params = parse_params(TrainParams, {"recipe": asked})

    assert choose_recipe(params, has_weights=has_weights).name == name


def test_null_is_the_recipes_own_and_everything_else_is_obeyed() -> None:
    asked = {
        "trained_layers": "head",
        "learning_rate": 0.5,
        "warm_up": 0.0,
        "weight_decay": 0.0,
        "gradient_clip": 1.0,
        "norm_statistics": "learn",
        "average_over": 0.0,
        "mosaic": 0.5,
        "mixup": 0.25,
        "plain_epochs": 3,
        "patience": 4,
    }
    given = choose_recipe(parse_params(TrainParams, asked), has_weights=True)

    assert choose_recipe(TrainParams(), has_weights=True) == FINE_TUNE
    assert choose_recipe(TrainParams(), has_weights=False) == FROM_SCRATCH
    assert asked.keys() == {one.name for one in fields(TrainingRecipe)} - {"name", "colour_change"}
    assert {key: getattr(given, key) for key in asked} == asked


def test_without_weights_there_is_nothing_to_keep() -> None:
    assert choose_recipe(TrainParams(recipe="fine_tune"), has_weights=False).trained_layers == "all"


@pytest.mark.parametrize("name", ["step_params.json", "sample.json"])
def test_params_files_parse_and_the_full_job_lists_every_parameter(name: str) -> None:
    given = json.loads((FOLDER / "params" / name).read_text())["substeps_params"][0]["substep_params"]

    parse_params(TrainParams, given)
    if name == "step_params.json":
        assert set(given) == set(TrainParams.model_fields)


def test_the_sample_stays_within_its_budget_of_images() -> None:
    given = json.loads((FOLDER / "params" / "sample.json").read_text())["substeps_params"][0]["substep_params"]

    kept = 398  # of 400 drawn, after data_prep's checks
    batches = int(kept * 0.7) // given["batch_size"]
    assert given["epochs"] * batches * given["batch_size"] <= 2500
