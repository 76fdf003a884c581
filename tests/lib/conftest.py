"""Small real things that the library's tests share: a store's clock and records, notebooks, steps."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fsspec
import nbformat
import pytest

from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.manifest import Producer, RunRecord, RunStatus
from sinara_lib.store import ArtifactStore, store_at

_NUMBER = itertools.count()

PARAMETERS = "pipeline_params = {}\nstep_params = {}\nsubstep_params = {}"
STEP_FILE = """import sys
from pathlib import Path
from sinara_lib.step import main
sys.exit(main(Path(__file__).parent, mode={mode!r}))
"""


@pytest.fixture
def now() -> datetime:
    """The time at which runs of these tests start."""
    return datetime(2026, 11, 21, 1, 37, 11, 482_000, tzinfo=timezone.utc)


@pytest.fixture(params=["file", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Root URL of an empty store, on every kind of filesystem that needs no server."""
    if request.param == "file":
        yield f"file://{tmp_path}/store"
        return
    url = f"memory://store{next(_NUMBER)}"
    yield url
    memory = fsspec.filesystem("memory")
    if memory.exists(url):
        memory.rm(url, recursive=True)


@pytest.fixture
def store(root: str) -> ArtifactStore:
    """An empty store."""
    return store_at(root)


@pytest.fixture
def step() -> StepAddress:
    """A step's address."""
    return StepAddress("rest", "test", "data_load")


@pytest.fixture
def record(now: datetime) -> RunRecord:
    """The record of a run that has just started and wants an id."""
    return RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))


@pytest.fixture
def run(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime) -> RunAddress:
    """A run that goes on."""
    return store.start_run(step, record, now=now)


@pytest.fixture
def finish(store: ArtifactStore) -> Callable[..., None]:
    """Give a run its final status."""

    def finish(run: RunAddress, status: RunStatus = RunStatus.SUCCESS, reason: str | None = None) -> None:
        found = store.run_record(run)
        assert found is not None
        store.replace_record(run, found.model_copy(update={"status": status, "reason": reason}))

    return finish


@pytest.fixture
def write_notebook() -> Callable[..., Path]:
    """Write a notebook: text with `#` at its start is a heading, `(tag, code)` a tagged cell, else code."""

    def write(path: Path, *cells: str | tuple[str, str], parameters: str | None = PARAMETERS) -> Path:
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        tagged = [("parameters", parameters)] if parameters is not None else []
        for cell in (*tagged, *cells):
            tags, text = ([cell[0]], cell[1]) if isinstance(cell, tuple) else ([], cell)
            make = nbformat.v4.new_markdown_cell if text.startswith("#") else nbformat.v4.new_code_cell
            notebook.cells.append(make(text, metadata={"tags": tags}))
        nbformat.write(notebook, path)
        return path

    return write


@pytest.fixture
def make_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_notebook: Callable[..., Path]) -> Any:
    """Write a step's folder with its notebooks; its store is new and lies in the test's folder."""
    for env in ("user", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / "store" / env))

    def make(notebooks: dict[str, list[Any]], *, name: str = "demo-count", params: Any = None) -> Path:
        folder = tmp_path / name
        (folder / "params").mkdir(parents=True)
        for notebook, cells in notebooks.items():
            write_notebook(folder / notebook, *cells)
        job = {
            "pipeline_params": {"pipeline_name": "rest", "zone_name": "test"},
            "substeps_params": [{"substep_name": n, "substep_params": (params or {}).get(n, {})} for n in notebooks],
        }
        (folder / "params" / "step_params.json").write_text(json.dumps(job))
        for mode in ("dev", "prod"):
            (folder / f"step.{mode}.py").write_text(STEP_FILE.format(mode=mode))
        return folder

    return make
