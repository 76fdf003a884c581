"""Parameters are checked, and what is published is exact and repeatable."""

from pathlib import Path
from typing import Any

import pytest

from prep_params import PrepParams
from sinara_lib.errors import ParamsError
from sinara_lib.params import load_params, parse_params

STEP = Path(__file__).parents[3] / "data_prep"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fractions": {"train": 0.7, "eval": 0.2, "test": 0.2}}, "must sum to 1, they sum to 1.1"),
        ({"fractions": {"train": 1.0, "eval": 0.0, "test": 0.0}}, "less than 1"),
        ({"min_object_size": -1}, "min_object_size"),
        ({"empty_share": "some"}, "empty_share"),
        ({"classes": {"vehicle": "car"}}, "classes"),
        ({"tiles": {"width": 640, "height": 480, "overlap": 480}}, "overlap must be smaller than width and height"),
        ({"tiles": {"width": 640}}, "missing key 'tiles.height'"),
        ({"augment": {"copies": 2}}, "nothing would change"),
        ({"augment": {"turn": 2}}, "unknown key 'augment.turn'.*Allowed in augment: colour, copies"),
        ({"min_visible": 1.5}, "min_visible"),
        ({"clases": ["car"]}, "unknown key 'clases'.*Allowed here: augment, checks, classes"),
    ],
)
def test_wrong_parameters_are_refused_by_name(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(ParamsError, match=expected):
        parse_params(PrepParams, given, "data_prep.ipynb")


def test_upper_case_names_are_read() -> None:
    params = parse_params(PrepParams, {"MIN_OBJECT_SIZE": 8, "FILTER_EMPTY_GT": False}, "data_prep.ipynb")
    assert (params.min_object_size, params.filter_empty_gt) == (8.0, False)


@pytest.mark.parametrize("name", ["step_params.json", "sample.json"])
def test_params_files_are_valid_and_ask_for_the_six_road_classes(name: str) -> None:
    substep = load_params(STEP / "params" / name).substeps_params[0]
    params = parse_params(PrepParams, substep.substep_params, name)
    assert params.classes == ["person", "bicycle", "car", "motorcycle", "bus", "truck"]


def test_the_full_job_lists_every_parameter() -> None:
    substep = load_params(STEP / "params" / "step_params.json").substeps_params[0]
    assert set(substep.substep_params) == set(PrepParams.model_fields)
