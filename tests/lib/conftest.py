"""Small real things that the library's tests share: stores, runs and their records, notebooks, steps."""

import itertools
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import fsspec
import nbformat
import platformdirs
import pytest

from lineage_cases import History
from pipeline_cases import PUBLISH
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, publish_folder, store_at
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import Process, Producer, RunRecord, RunStatus
from sinara_lib.substep import NotebookSubstep
from step_cases import git
from substep_cases import make_substep
from tests.s3_server import S3Server, start_s3_server

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


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3-speaking server on loopback with an empty bucket `test`."""
    with start_s3_server() as server:
        server.make_bucket("test")
        yield server


@pytest.fixture
def s3_root(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Root URL of an empty store on S3, the root of the environment `loopback` of this process and its children."""
    root = f"s3://test/store{next(_NUMBER)}"
    monkeypatch.setenv("LOOPBACK_KEY", s3_server.key)
    monkeypatch.setenv("LOOPBACK_SECRET", s3_server.secret)
    storage = {"endpoint_url": s3_server.endpoint, "key_env": "LOOPBACK_KEY", "secret_env": "LOOPBACK_SECRET"}
    monkeypatch.setenv("SINARA_LOOPBACK_ROOT", root)
    monkeypatch.setenv("SINARA_LOOPBACK_STORAGE", json.dumps(storage))
    return root


@pytest.fixture(params=["file", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Root URL of an empty store, on every kind of filesystem."""
    if request.param == "file":
        yield f"file://{tmp_path}/store"
    elif request.param == "s3":
        yield request.getfixturevalue("s3_root")
    else:
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
def url(store: ArtifactStore, run: RunAddress) -> str:
    """URL of an entity that is still to be written."""
    return store.url_of(run.entity("files"))


@pytest.fixture
def finish(store: ArtifactStore) -> Callable[..., None]:
    """Give a run its final status."""

    def finish(run: RunAddress, status: RunStatus = RunStatus.SUCCESS, reason: str | None = None) -> None:
        found = store.run_record(run)
        assert found is not None
        store.replace_record(run, found.model_copy(update={"status": status, "reason": reason}))

    return finish


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """Put the root logger's handlers and level back: a notebook may set them for its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


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


@pytest.fixture
def stores(tmp_path: Path) -> Callable[[str], ArtifactStore]:
    """The store of an environment, in the test's folder."""
    return lambda env: store_at(str(tmp_path / "store" / env))


@pytest.fixture
def step_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a step's folder, as a notebook does, with stores of the test's own."""
    for env in ("user", "test", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / "store" / env))
    folder = tmp_path / "demo-data_prep"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def publish(
    stores: Callable[[str], ArtifactStore], record: RunRecord, now: datetime, tmp_path: Path
) -> Callable[..., RunAddress]:
    """Publish entities in a new finished run of a step and return it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")

    def publish(*names: str, step: str = "data_load", minute: int = 0, **place: str) -> RunAddress:
        store = stores(place.get("env", "user"))
        address = StepAddress(place.get("pipeline", "rest"), place.get("zone", "test"), step)
        run = store.start_run(address, record, now=now + timedelta(minutes=minute))
        for name in names:
            publish_folder(tmp_path / "data", store.url_of(run.entity(name)))
        store.replace_record(run, record.model_copy(update={"run_id": run.run_id, "status": RunStatus.SUCCESS}))
        return run

    return publish


@pytest.fixture
def under_a_step(
    stores: Callable[[str], ArtifactStore],
    record: RunRecord,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], NotebookSubstep]:
    """Start a step's run, and give the substep object of each of its notebooks."""
    run = stores("user").start_run(StepAddress("rest", "test", "data_prep"), record, now=now)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("SINARA_RUN_URL", stores("user").url_of(run))
    monkeypatch.setenv("SINARA_RUN_TMP", str(tmp_path / "tmp"))
    monkeypatch.setenv("SINARA_SUBSTEP_RECORD", str(tmp_path / "record.json"))

    def notebook(name: str) -> NotebookSubstep:
        monkeypatch.setenv("SINARA_NOTEBOOK", name)
        return make_substep()

    return notebook


@pytest.fixture
def history(store: ArtifactStore, now: datetime) -> History:
    """An empty history."""
    return History(store, now)


@pytest.fixture
def dead() -> Process:
    """A process of this machine that has ended."""
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return this_process().model_copy(update={"pid": int(child.stdout), "born": 1.0, "ticks": 1})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache folder of the test's own."""
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def far_step(make_step: Callable[..., Path]) -> Path:
    """A step in a git repository of its own."""
    folder = make_step({"count.ipynb": [PUBLISH]}, name="far/demo-count")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "step")
    return folder
