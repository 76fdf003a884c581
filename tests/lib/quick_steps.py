"""Pipelines of tiny steps whose notebooks run in this very process: a kernel takes seconds, these take milliseconds.

All else is what a user has: steps' folders, `sinara.toml`, stores, records, `run_pipeline`.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sinara_lib.errors import SinaraError, StepFailedError, StopStep, Unchanged
from sinara_lib.isolation import isolated_modules
from sinara_lib.pipeline import choose_steps, explain_pipeline, pipeline_steps, run_pipeline
from sinara_lib.settings import load_settings
from sinara_lib.step import StepResult
from sinara_lib.store.manifest import SubstepRecord

START = "from sinara_lib.substep import *\nsubstep = NotebookSubstep(pipeline_params, step_params, substep_params)\n"

PUBLISH = """from pathlib import Path
from sinara_lib.store import open_entity, publish_folder
def publish(name, text):
    work = Path(substep.tmp_entities().work) / name
    work.mkdir()
    (work / "it.txt").write_text(str(text))
    publish_folder(work, getattr(substep.outputs(), name))
def read(step, name):
    return open_entity(getattr(substep.inputs(step), name)).read("it.txt").decode()
"""


def run_here(
    source: Path, report: Any, *, parameters: Mapping[str, Any], environ: Mapping[str, str], **_: Any
) -> SubstepRecord:
    """Run a notebook's cells in this process, as `run_reported` does in a kernel, and publish no report."""
    cells = [c for c in json.loads(source.read_text())["cells"] if c["cell_type"] == "code"]
    record = Path(environ["SINARA_SUBSTEP_RECORD"])
    record.parent.mkdir(parents=True, exist_ok=True)
    with _place(source.parent, environ), isolated_modules(source.parent):
        names = dict(parameters)
        for cell in cells:
            if "parameters" in cell["metadata"].get("tags", []):
                continue
            try:
                exec("".join(cell["source"]), names)  # noqa: S102 - the notebook is the test's own
            except (Unchanged, StopStep):
                raise
            except Exception as error:
                raise StepFailedError(f"{source.name}: {type(error).__name__}: {error}") from error
    return SubstepRecord.model_validate_json(record.read_bytes()) if record.is_file() else SubstepRecord()


@contextmanager
def _place(folder: Path, environ: Mapping[str, str]) -> Iterator[None]:
    before, here = dict(os.environ), Path.cwd()
    os.environ.update(environ)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


class Pipeline:
    """A pipeline in a folder: steps to write and change, and runs of them."""

    def __init__(self, folder: Path, write_notebook: Callable[..., Path]) -> None:
        self.folder = folder
        self._write = write_notebook

    def write_step(
        self, name: str, cells: list[str], *, interface: str = "", params: Mapping[str, Any] | None = None, **more: Any
    ) -> Path:
        """Write a step of one notebook, `<name>.ipynb`; `interface` are the arguments of its `interface` call."""
        folder = self.folder / name
        (folder / "params").mkdir(parents=True, exist_ok=True)
        cell = f'{START}substep.interface({interface}tmp_entities=[{{ENTITY_NAME: "work"}}])\n'
        self._write(folder / f"{name}.ipynb", ("interface", cell), PUBLISH, *cells)
        self.write_params(name, params or {}, **more)
        return folder

    def write_params(self, name: str, params: Mapping[str, Any], **more: Any) -> None:
        """Write a step's params file; `more` are sections of it besides the notebook's parameters."""
        job = {
            "pipeline_params": {"pipeline_name": "rest", "zone_name": "test"},
            "substeps_params": [{"substep_name": f"{name}.ipynb", "substep_params": dict(params)}],
            **more,
        }
        (self.folder / name / "params" / "step_params.json").write_text(json.dumps(job))

    def write_settings(self, *names: str) -> None:
        """Write `sinara.toml` with these steps."""
        (self.folder / "sinara.toml").write_text(f"[pipeline]\nsteps = {list(names)}\n")

    def explain(self, *, env: str = "user", **options: Any) -> list[str]:
        """Say of each step whether it would run."""
        return explain_pipeline(pipeline_steps(load_settings(self.folder)), env=env, params=None, **options)

    def run(self, *names: str, start: str | None = None, env: str = "user", **options: Any) -> "Outcome":
        """Run the pipeline, or a part of it, and return what came of it; a failure is kept, not raised."""
        settings = load_settings(self.folder)
        steps = choose_steps(pipeline_steps(settings), list(names), start)
        outcome = Outcome([], [])
        try:
            run_pipeline(
                steps, env=env, params=None, done=outcome.done, begun=outcome.begun, on_start=outcome.take, **options
            )
        except SinaraError as error:
            outcome.error = error
        return outcome


class Outcome:
    """What came of a run: the results, the runs that were begun, the pipeline run's URL, and the error."""

    def __init__(self, done: list[StepResult], begun: list[str]) -> None:
        self.done = done
        self.begun = begun
        self.url = ""
        self.error: SinaraError | None = None

    def take(self, url: str) -> None:
        """Keep the URL of the pipeline's run."""
        self.url = url

    @property
    def ran(self) -> list[str]:
        """The steps whose notebooks ran."""
        return [url.split("/")[-2] for url in self.begun]


@pytest.fixture
def pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_notebook: Callable[..., Path], log_as_before: None
) -> Pipeline:
    """An empty pipeline whose stores lie in the test's folder, and whose notebooks run in this process."""
    monkeypatch.setattr("sinara_lib.reports.reported_notebook.run_reported", run_here)
    for env in ("user", "test", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / "store" / env))
    (tmp_path / "project").mkdir()
    return Pipeline(tmp_path / "project", write_notebook)
