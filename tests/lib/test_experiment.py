"""A notebook as a function: parameters are arguments, a sweep is a loop, and each call is a run like any other."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.errors import ParamsError, StepFailedError
from sinara_lib.experiment import Experiment
from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore, open_entity
from sinara_lib.store.manifest import RunStatus

SQUARE = """from pathlib import Path
from sinara_lib.store import publish_folder
from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "square"}], tmp_entities=[{ENTITY_NAME: "work"}])
(Path(substep.tmp_entities().work) / "n.txt").write_text(str(substep_params["side"] ** 2))
publish_folder(substep.tmp_entities().work, substep.outputs().square)
substep.add_metric("area", substep_params["side"] ** 2 + substep_params.get("more", 0))"""
FULL_JOB = "params/step_params.json"


@pytest.fixture
def notebook(make_step: Callable[..., Path]) -> Path:
    """A step of two notebooks, ended by a markdown cell; its full job names a parameter more than the sample."""
    params = {"square.ipynb": {"side": 2, "more": 100}}
    folder = make_step({"square.ipynb": [SQUARE, "## The end"], "other.ipynb": ["1 / 0"]}, params=params)
    job = (folder / FULL_JOB).read_text()
    (folder / "params" / "sample.json").write_text(job.replace(', "more": 100', ""))
    return folder / "square.ipynb"


def test_a_sweep_is_a_loop_over_runs_of_the_one_notebook(
    notebook: Path, stores: Callable[[str], ArtifactStore]
) -> None:
    square = Experiment.function(notebook)
    results = [square(), *(square(side=side) for side in (3, 4))]
    assert [result.metrics["area"] for result in results] == [4, 9, 16]
    assert [open_entity(result.outputs["square"]).read("n.txt") for result in results] == [b"4", b"9", b"16"]
    runs = stores("user").runs(StepAddress("rest", "test", "count"))
    assert [run.run_id for run in reversed(runs)] == [result.run_id for result in results]


def test_the_signature_tells_parameters_and_defaults(notebook: Path) -> None:
    assert str(inspect.signature(Experiment.function(notebook))) == "(*, side=2, more=Ellipsis)"
    assert str(inspect.signature(Experiment.function(notebook, params=FULL_JOB))) == "(*, side=2, more=100)"


def test_what_only_the_full_job_names_can_be_given_and_has_its_own_default_else(notebook: Path) -> None:
    square = Experiment.function(notebook)
    assert square(more=1).metrics["area"] == 5


def test_an_unknown_parameter_is_refused_before_anything_runs(
    notebook: Path, stores: Callable[[str], ArtifactStore]
) -> None:
    with pytest.raises(ParamsError, match=r"square\.ipynb has no parameter sid; it has: side, more\."):
        Experiment.function(notebook)(sid=3)
    assert stores("user").steps() == []


def test_a_notebook_that_is_not_there_or_not_listed_is_refused(notebook: Path) -> None:
    with pytest.raises(ParamsError, match=r"No notebook .*cube\.ipynb"):
        Experiment.function(notebook.with_name("cube.ipynb"))
    notebook.with_name("cube.ipynb").write_bytes(notebook.read_bytes())
    with pytest.raises(ParamsError, match=r"sample\.json does not list cube\.ipynb; it lists square\.ipynb, other"):
        Experiment.function(notebook.with_name("cube.ipynb"))


def test_a_call_that_fails_is_recorded_as_a_failed_run(notebook: Path, stores: Callable[[str], ArtifactStore]) -> None:
    with pytest.raises(StepFailedError, match="unsupported operand"):
        Experiment.function(notebook)(side="three")
    store = stores("user")
    (run,) = store.runs(StepAddress("rest", "test", "count"))
    record = store.run_record(run)
    assert record is not None
    assert record.status is RunStatus.FAILED


def test_a_notebook_can_call_another_one(notebook: Path, write_notebook: Callable[..., Path], tmp_path: Path) -> None:
    from sinara_lib.runs.notebook import NotebookEnd, Outcome, read_notebook, run_notebook

    code = (
        f"from sinara_lib.experiment import Experiment\nprint(Experiment.function({str(notebook)!r})(side=5).metrics)"
    )
    target = tmp_path / "executed.ipynb"
    end = run_notebook(write_notebook(tmp_path / "sweep.ipynb", code), target, parameters={}, environ={})
    assert end == NotebookEnd(Outcome.DONE)
    printed = [o.text for cell in read_notebook(target).cells for o in cell.get("outputs", []) if "text" in o]
    assert any("{'area': 25}" in text for text in printed)
