"""Steps as SinaraML's users have them: what they wrote in notebooks, Python files and params files runs as a job."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.errors import StepFailedError, StopStep
from sinara_lib.step import main, run_step
from sinara_lib.store import ArtifactStore
from step_cases import STEP, MakeStep, only_run, read_report

INTERFACE = """from sinara_lib.params import get_pipeline_params, get_step_params
from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
pipeline_params, step_params = get_pipeline_params(), get_step_params()
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "table"}, {ENTITY_NAME: "notes"}])
substep.exit_in_visualize_mode()
outputs = substep.outputs()"""
WRITE = """import os
import pandas as pd
os.makedirs(outputs.notes)
with open(f"{outputs.notes}/a.txt", "w") as file:
    file.write(step_params["own"]["word"])
os.makedirs(outputs.table.removeprefix("file://"))
pd.DataFrame({"x": [1]}).to_parquet(f"{outputs.table}/rows.parquet")
substep.add_metric("fit", {"r2": 0.5, "steps": [1, 2]})"""
PYTHON_FILE = """import sys
from sinara_lib.substep import NotebookSubstep
NotebookSubstep(pipeline_params, step_params, substep_params).interface()
assert sys.argv[1:3] == ["--params", '{"size": 3}'], sys.argv
print("python file", __name__, substep_params)
sys.exit(0)
"""
Stores = Callable[[str], ArtifactStore]


def _params(folder: Path, **sections: object) -> None:
    path = folder / "params" / "step_params.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **sections}))


@pytest.fixture
def step(make_step: MakeStep, write_notebook: Callable[..., Path]) -> Path:
    """A step of one notebook whose parameters cell sets `substep_params` alone, with keys of its own in its params."""
    folder = make_step({"write.ipynb": []})
    cells = (INTERFACE, WRITE, ("hide_input", "x = 'secret recipe'"))
    write_notebook(folder / "write.ipynb", *cells, parameters="substep_params = {}")
    _params(folder, step_params={"own": {"word": "kept"}, "verbose_output": False})
    return folder


def test_outputs_written_by_open_and_pandas_are_entities_after_the_run_and_a_python_file_is_a_substep(
    step: Path, stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    (step / "count.py").write_text(PYTHON_FILE)
    _params(step, substeps_params=["write.ipynb", {"substep_name": "count.py", "substep_params": {"size": 3}}])
    result = run_step(step, mode="dev")
    run, record = only_run(stores("user"))
    assert stores("user").open(run.entity("notes")).read("a.txt") == b"kept"
    assert [file.path for file in stores("user").open(run.entity("table")).manifest.files] == ["rows.parquet"]
    assert result.metrics == record.metrics == {"fit.r2": 0.5, "fit.steps.0": 1, "fit.steps.1": 2}
    report = stores("user").open(run.entity("reports_write_ipynb"))
    assert json.loads(report.read("metrics.json"))["fit"] == {"r2": 0.5, "steps": [1, 2]}
    assert b"secret recipe" not in report.read("report.html")
    assert b"python file __main__" in stores("user").open(run.entity("reports_count_py")).read("report.html")
    assert "python file" not in capsys.readouterr().out
    assert sorted(path.name for path in step.iterdir() if path.name not in {"params", "count.py", "__pycache__"}) == [
        "step.dev.py",
        "step.prod.py",
        "write.ipynb",
    ]


def test_a_failing_command_fails_its_cell_and_what_was_written_before_is_gone(
    step: Path,
    stores: Stores,
    write_notebook: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    log_as_before: None,
) -> None:
    cells = (INTERFACE, WRITE, "# Fetch", "!exit 3")
    write_notebook(step / "write.ipynb", *cells, parameters="substep_params = {}")
    with pytest.raises(StepFailedError, match=r"'Fetch': `exit 3` ended with exit code 3\. .*failing_commands"):
        run_step(step, mode="dev")
    run, _ = only_run(stores("user"))
    assert [entity.name for entity in stores("user").entities(run)] == ["reports_write_ipynb"]
    assert not list((step.parent / "store").rglob("a.txt")) + list(step.rglob("a.txt"))
    assert read_report(stores("user"), run, "reports_write_ipynb")[1]["result"] == "FAIL"
    place = {"env_name": "test", "pipeline_name": "rest", "zone_name": "test"}
    _params(step, pipeline_params=place, step_params={"own": {"word": "kept"}, "failing_commands": "ignore"})
    monkeypatch.setenv("SINARA_TEST_ROOT", str(tmp_path / "store" / "test"))
    assert main(step, mode="dev", argv=[]) == 0
    assert len(stores("test").entities(only_run(stores("test"))[0])) == 3


def test_design_mode_needs_no_data_and_leaves_no_run(
    step: Path,
    stores: Stores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_notebook: Callable[..., Path],
) -> None:
    reads = INTERFACE.replace("interface(", "interface(inputs=[{'step_name': 'nobody', 'entity_name': 'nothing'}], ")
    write_notebook(step / "write.ipynb", reads, parameters="substep_params = {}")
    monkeypatch.setenv("DESIGN_MODE", "1")
    monkeypatch.setenv("VISUALIZER_SESSION_RUN_ID", str(tmp_path / "design"))
    with pytest.raises(StopStep, match=r"design mode: the interface was written to"):
        run_step(step, mode="dev")
    (page,) = [json.loads(path.read_text()) for path in (tmp_path / "design").iterdir()]
    assert list(page["inputs"]) == ["user.rest.test.nobody.nothing"]
    assert [name.rsplit(".", 1)[-1] for name in page["outputs"]] == ["table", "notes"]
    assert stores("user").runs(STEP) == []
