"""Parameters: checked at the door, with messages that name the key, what was found and what is allowed."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from params_cases import ONE, TWO, file_of
from sinara_lib.errors import ParamsError, SinaraError
from sinara_lib.params import (
    ParamsModel,
    get_pipeline_params,
    get_step_params,
    get_substep_params,
    load_params,
    parse_params,
)


class Training(ParamsModel):
    model_name: str = "yolox_s"
    epochs: int
    lr: float = 0.01
    flip: bool = True


def test_names_in_upper_case_as_sinaraml_writes_them_are_read() -> None:
    assert parse_params(Training, {"MODEL_NAME": "yolox_m", "EPOCHS": 2}) == Training(model_name="yolox_m", epochs=2)


def test_a_name_given_in_upper_and_lower_case_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"given twice.*EPOCHS"):
        parse_params(Training, {"EPOCHS": 2, "epochs": 3})


def test_a_whole_number_is_taken_for_a_float() -> None:
    assert parse_params(Training, {"epochs": 1, "lr": 1}).lr == 1.0


def test_parameters_are_frozen() -> None:
    with pytest.raises(ValidationError, match=r"frozen"):
        parse_params(Training, {"epochs": 1}).epochs = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "key", "found"),
    [
        ({"epochs": "3"}, "'epochs'", "'3'"),
        ({"epochs": 3.0}, "'epochs'", "3.0"),
        ({"epochs": True}, "'epochs'", "True"),
        ({"epochs": None}, "'epochs'", "None"),
        ({"epochs": 1, "flip": "yes"}, "'flip'", "'yes'"),
        ({"epochs": 1, "model_name": 5}, "'model_name'", "5"),
    ],
)
def test_a_wrong_type_is_refused_naming_key_found_value_and_what_is_allowed(
    data: dict[str, Any], key: str, found: str
) -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params(Training, data, where="model_train.ipynb")
    message = str(caught.value)
    assert message.startswith("model_train.ipynb: ")
    assert f"{key} is {found}" in message
    assert "Allowed here: epochs, flip, lr, model_name." in message


def test_a_misspelt_parameter_is_refused_and_the_right_names_are_listed() -> None:
    with pytest.raises(ParamsError, match=r"unknown key 'epoch'.*Allowed here: epochs, flip"):
        parse_params(Training, {"epochs": 1, "epoch": 2})


def test_the_nearest_right_names_are_offered_also_within_a_section() -> None:
    with pytest.raises(ParamsError, match=r"unknown key 'modelname' \(did you mean model_name\?\)"):
        parse_params(Training, {"epochs": 1, "MODELNAME": "x"})
    with pytest.raises(ParamsError, match=r"'pipeline_params\.zone_nam' \(did you mean zone_name or env_name\?\)"):
        file_of({**ONE, "pipeline_params": {"pipeline_name": "x", "zone_nam": "y"}})


def test_a_key_or_a_value_of_strangers_stays_on_the_line_of_the_message() -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params(Training, {"epochs": "\x1b[2J\n" * 1000, "a\nb": 2})
    assert "unknown key 'a\\nb'" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(ParamsError, match=r"missing key 'epochs'"):
        parse_params(Training, {})


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ParamsError) as caught:
        parse_params(Training, {"epoch": 2, "lr": "fast"})
    assert all(part in str(caught.value) for part in ("missing key 'epochs'", "unknown key 'epoch'", "'lr' is 'fast'"))


def test_a_params_error_is_a_value_error_of_the_library() -> None:
    assert issubclass(ParamsError, SinaraError)
    assert issubclass(ParamsError, ValueError)


@pytest.mark.parametrize(
    ("change", "key", "allowed"),
    [
        ({"pipeline_params": {"pipeline_name": "x", "zone_nam": "y"}}, "pipeline_params.zone_nam", "zone_name"),
        ({"step_params": {"steps_name": "x"}}, "step_params.steps_name", "kernel_name, step_name"),
        ({"substeps_params": [{"substep_name": "a", "parms": {}}]}, "substeps_params.0.parms", "substep_params"),
    ],
)
def test_a_misspelt_key_in_a_section_lists_the_keys_of_that_section(
    change: dict[str, Any], key: str, allowed: str
) -> None:
    with pytest.raises(ParamsError) as caught:
        file_of({**ONE, **change})
    message = str(caught.value)
    assert f"unknown key '{key}'" in message
    assert allowed in message.partition("Allowed")[2]


def test_a_yaml_date_which_json_does_not_know_is_refused_at_the_door(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(
        "pipeline_params: {pipeline_name: rest}\n"
        "substeps_params: [{substep_name: a.ipynb, substep_params: {since: 2024-01-01}}]\n"
    )
    with pytest.raises(ParamsError, match=r"since.* is datetime\.date\(2024, 1, 1\): .*JSON"):
        load_params(tmp_path / "job.yaml")


def test_a_params_file_without_a_notebook_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"substeps_params"):
        file_of({**ONE, "substeps_params": []})


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json"])
def test_a_params_file_may_be_json_or_yaml(tmp_path: Path, suffix: str) -> None:
    yaml = "pipeline_params: {pipeline_name: rest}\nsubsteps_params:\n- substep_name: a.ipynb\n"
    path = tmp_path / f"job{suffix}"
    path.write_text(json.dumps(ONE) if suffix == ".json" else yaml)
    params = load_params(path)
    assert (params.pipeline_params.pipeline_name, params.pipeline_params.zone_name) == ("rest", "test")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "a.json is not valid JSON"),
        ("a.yaml", b"a: [", "a.yaml is not valid YAML"),
        ("a.json", b"[]", "expected an object with pipeline_params"),
        ("a.json", b'{"pipeline_params": {}}', "missing key 'pipeline_params.pipeline_name'"),
        ("a.json", b'{"a": "\xff"}', "a.json is not UTF-8"),
        ("a.json", b'{"a": 1, "a": 2}', "a.json: 'a' is given twice"),
        ("a.yaml", b"a: .nan", "a.yaml: 'a' is NaN"),
    ],
)
def test_a_broken_params_file_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ParamsError, match=message):
        load_params(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_params_file_with_a_byte_order_mark_is_read(tmp_path: Path, suffix: str, encoding: str) -> None:
    path = tmp_path / f"job{suffix}"
    path.write_text(json.dumps(ONE), encoding=encoding)
    assert load_params(path) == file_of(ONE)


def test_a_missing_params_file_is_named_with_what_its_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "sample.json").write_text("{}")
    with pytest.raises(ParamsError, match=r"Cannot read params file .*smple\.json .*holds: sample\.json"):
        load_params(tmp_path / "smple.json")


def test_a_notebook_opened_by_hand_reads_the_sample_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "sample.json").write_text(json.dumps(ONE))
    assert get_pipeline_params() == ONE["pipeline_params"]
    assert get_step_params() == {}
    assert get_substep_params("train.ipynb") == {"epochs": 3, "url": None}


def test_a_notebook_opened_by_hand_can_be_told_another_paramsfile_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job.json").write_text(json.dumps(TWO))
    monkeypatch.setenv("SINARA_STEP_PARAMS_FILE_PATH", str(tmp_path / "job.json"))
    assert get_substep_params("b.ipynb") == {"size": 512, "gate": 0.5}
    with pytest.raises(ParamsError, match=r"has no substep c.ipynb; it lists a.ipynb, b.ipynb"):
        get_substep_params("c.ipynb")


def test_a_notebook_that_runs_elsewhere_than_in_its_folder_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError, match=r"has no params/sample\.json: run the notebook in its step's folder.*--cwd"):
        get_pipeline_params()
