"""Parameters are checked, and what is published is exact and repeatable."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from dataset_prep import PrepParams, write_dataset
from prep_cases import box, dataset_of, picture, write_picture

from sinara_lib.errors import ParamsError
from sinara_lib.params import load_params, parse_params
from sinara_lib.vision.coco import load_coco

STEP = Path(__file__).parents[3] / "data_prep"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fractions": {"train": 0.7, "eval": 0.2, "test": 0.2}}, "must sum to 1, they sum to 1.1"),
        ({"fractions": {"train": 1.0, "eval": 0.0, "test": 0.0}}, "less than 1"),
        ({"min_object_size": -1}, "min_object_size"),
        ({"empty_share": "some"}, "empty_share"),
        ({"clases": ["car"]}, "unknown key 'clases'.*Allowed here: classes, empty_share"),
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


def test_a_written_dataset_holds_the_document_and_the_files_with_their_times(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number, seconds in ((1, 1_000_000_000), (2, 1_500_000_000), (3, 1_700_000_000)):
        write_picture(source / "in" / f"{number}.jpg")
        os.utime(source / "in" / f"{number}.jpg", (seconds, seconds))
    images = [picture(number, file_name=f"in/{number}.jpg") for number in (1, 2)]
    dataset = dataset_of(images, [box(1)])
    target = tmp_path / "out"
    write_dataset(dataset, target, images=source)
    assert load_coco(target / "annotations.json") == dataset
    files = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert files == ["annotations.json", "images/in/1.jpg", "images/in/2.jpg"]
    assert (target / "images/in/1.jpg").read_bytes() == (source / "in/1.jpg").read_bytes()
    assert (target / "images/in/1.jpg").stat().st_mtime == 1_000_000_000
    assert (target / "annotations.json").stat().st_mtime == 1_500_000_000


def test_a_part_without_images_is_a_document_without_records(tmp_path: Path) -> None:
    write_dataset(dataset_of([], []), tmp_path / "out", images=tmp_path)
    assert json.loads((tmp_path / "out" / "annotations.json").read_bytes())["images"] == []
