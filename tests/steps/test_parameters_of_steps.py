"""The parameters of the five steps: light to load, told whole, the same in code, README, schema and params files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from sinara_lib.cli import main
from sinara_lib.params import load_params
from sinara_lib.params_table import parameters_of, params_schema, with_tables
from sinara_lib.step_models import check_step_params, step_models

ROOT = Path(__file__).parents[2]
STEPS = ("data_load", "data_prep", "model_train", "model_pack", "model_eval")
JOBS = [(step, job) for step in STEPS for job in ("sample.json", "step_params.json")]


@pytest.mark.parametrize("step", STEPS)
def test_every_notebook_of_a_step_has_a_model_and_every_parameter_a_meaning(step: str) -> None:
    models = step_models(ROOT / step)
    assert models.keys() == {path.name for path in (ROOT / step).glob("*.ipynb")}
    silent = [one.name for model in models.values() for one in parameters_of(model) if not one.meaning.endswith(".")]
    assert silent == []


@pytest.mark.parametrize("step", STEPS)
def test_the_tables_in_readme_are_those_of_the_models(step: str) -> None:
    page = (ROOT / step / "README.md").read_text(encoding="utf-8")
    assert with_tables(page, step_models(ROOT / step)) == page, "run `make tables`"


@pytest.mark.parametrize(("step", "job"), JOBS)
def test_params_files_pass_the_door_and_the_schema(step: str, job: str) -> None:
    path = ROOT / step / "params" / job
    check_step_params(ROOT / step, load_params(path))
    schema = params_schema(step_models(ROOT / step), step=step)
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(json.loads(path.read_text()))) == []


def test_the_schema_refuses_what_the_door_refuses() -> None:
    document = json.loads((ROOT / "model_train" / "params" / "sample.json").read_text())
    document["substeps_params"][0]["substep_params"] = {"epoch": 3}
    schema = params_schema(step_models(ROOT / "model_train"), step="model_train")
    assert not Draft202012Validator(schema).is_valid(document)


def test_the_models_of_all_steps_load_without_a_package_that_takes_time() -> None:
    code = f"""import sys
from pathlib import Path
from sinara_lib.step_models import step_models
for step in {STEPS}:
    assert step_models(Path({str(ROOT)!r}) / step)
heavy = "cv2 torch av numpy pyarrow PIL matplotlib bentoml onnx mmdet mmengine requests papermill nbformat".split()
print(sorted(sys.modules.keys() & set(heavy)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_command_prints_text_tables_and_schema(capsys: pytest.CaptureFixture[str]) -> None:
    for option, start in ((), "parameters of predict.ipynb:"), (("--markdown",), "predict.ipynb\n\n| name | type |"):
        assert main(["params", str(ROOT / "model_eval"), *option]) == 0
        assert capsys.readouterr().out.startswith(start)
    assert main(["params", str(ROOT / "model_eval"), "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Parameters of step model_eval"
    assert main(["params", "data_lod"]) == 1
    assert "No step data_lod: give a step's folder" in capsys.readouterr().out
