"""A step's folder is a component: it runs in a git repository of its own, and by hand in Jupyter.

The dataset that goes through the steps is one whose every name is an attack: nothing of it runs, or is lost from view.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinara_lib.cli.main import main
from sinara_lib.comparison.pipeline_index import write_index
from sinara_lib.layout import StepAddress
from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunStatus
from tests.pipeline.conftest import REPOSITORY, STEPS, TINY, Workspace, write_params
from tests.pipeline.hostile_dataset import CLASSES, draw_hostile_dataset

NOTEBOOKS = [
    (step, substep["substep_name"])
    for step in STEPS
    for substep in json.loads((REPOSITORY / step / "params" / "sample.json").read_text("utf-8"))["substeps_params"]
]
"""Every notebook of the pipeline in the order it runs."""


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each step folder copied into a repository of its own, named as SinaraML's users name theirs."""
    base = tmp_path_factory.mktemp("repositories")
    folders = {}
    for step in STEPS:
        folders[step] = base / f"obj_detect_rest-{step}"
        shutil.copytree(
            REPOSITORY / step, folders[step], ignore=shutil.ignore_patterns("tmp", "__pycache__", ".ipynb_checkpoints")
        )
        _git(folders[step], "init", "--quiet")
        _git(folders[step], "add", "--all")
        _git(folders[step], "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "step")
    return folders


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Params files of a tiny job on the hostile dataset, one per step."""
    source = draw_hostile_dataset(tmp_path_factory.mktemp("hostile"))
    job = {step: source["data_load"] if step == "data_load" else TINY[step] + source.get(step, []) for step in STEPS}
    return write_params(tmp_path_factory.mktemp("params"), job)


@pytest.fixture(scope="module")
def prod(repositories: dict[str, Path], workspace: Workspace, params: dict[str, Path]) -> ArtifactStore:
    """The store in which every step has run in prod, from its repository."""
    for step, folder in repositories.items():
        said = workspace.must(["step.prod.py", "--params", str(params[step])], folder)
        assert "\x1b" not in said, step
    return workspace.store("prod")


@pytest.fixture
def runs(prod: ArtifactStore, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """URLs of the five runs, in whose environment the test stands."""
    for name, value in workspace.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(REPOSITORY)
    return [prod.url_of(prod.runs(StepAddress("obj_detect_rest", "test", step))[0]) for step in STEPS]


@pytest.fixture
def pages(runs: list[str], workspace: Workspace, tmp_path: Path) -> list[Path]:
    """Every page that the runs published, the index, and those between runs."""
    assert main(["compare", "--env", "prod", "--html", str(tmp_path / "compare.html")]) == 0
    assert main(["diff", runs[0], runs[1], "--html", str(tmp_path / "diff.html")]) == 0
    write_index(runs, load_settings())
    return [*(workspace.root / "prod").rglob("*.html"), *tmp_path.glob("*.html")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    from tests.browser import open_browser

    with open_browser() as browser:
        yield browser


def test_each_step_runs_in_prod_from_a_repository_of_its_own_and_tags_its_commit(
    repositories: dict[str, Path], prod: ArtifactStore
) -> None:
    for step, folder in repositories.items():
        run = prod.runs(StepAddress("obj_detect_rest", "test", step))[0]
        record = prod.run_record(run)
        assert record is not None
        assert record.status is RunStatus.SUCCESS
        assert record.producer.commit == _git(folder, "rev-parse", "HEAD")
        assert not record.producer.uncommitted
        assert _git(folder, "tag", "--list", "--format=%(refname:short) %(contents)", "run-*").split() == [
            run.run_id,
            prod.url_of(run),
        ]


def test_each_notebook_runs_by_hand_from_its_folder_and_publishes_the_same_outputs(
    repositories: dict[str, Path], prod: ArtifactStore, params: dict[str, Path], tmp_path: Path
) -> None:
    by_hand = Workspace(tmp_path)
    for step, notebook in NOTEBOOKS:
        by_hand.must(
            ["-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", notebook],
            repositories[step],
            {"SINARA_STEP_PARAMS_FILE_PATH": str(params[step]), "JUPYTER_PREFER_ENV_PATH": "1"},
        )
    for step in STEPS:
        address, hand = StepAddress("obj_detect_rest", "test", step), by_hand.store("user")
        published = {e.name for run in hand.runs(address) for e in hand.entities(run)}
        under_step = {e.name for e in prod.entities(prod.runs(address)[0])}
        assert published == {name for name in under_step if not name.startswith("reports_")}
        assert {r.status for run in hand.runs(address) if (r := hand.run_record(run))} == {RunStatus.INTERACTIVE}


def test_the_same_data_has_the_same_content_whatever_the_run(
    repositories: dict[str, Path], workspace: Workspace, prod: ArtifactStore, params: dict[str, Path]
) -> None:
    for step in ("data_load", "data_prep"):
        workspace.must(["step.dev.py", "--params", str(params[step])], repositories[step])
    for step in ("data_load", "data_prep"):
        address = StepAddress("obj_detect_rest", "test", step)
        contents = []
        for store in (workspace.store("user"), prod):
            entities = [e for e in store.entities(store.runs(address)[0]) if not e.name.startswith("reports_")]
            contents.append({e.name: store.open(e).manifest.content for e in entities})
        assert contents[0] == contents[1]


def test_no_page_runs_or_fetches_what_a_name_says(pages: list[Path], browser: Any) -> None:
    names = {path.name for path in pages}
    assert {"report.html", "business_report.html", "index.html", "compare.html", "diff.html"} <= names
    assert len(pages) >= 15
    for path in pages:
        opened = browser.new_page()
        asked: list[str] = []
        opened.on("request", lambda request, asked=asked: asked.append(request.url))
        opened.goto(path.as_uri())
        opened.wait_for_timeout(100)
        assert "taken" not in opened.title(), path
        assert [url for url in asked if url != path.as_uri() and not url.startswith(("data:", "blob:"))] == [], path
        opened.close()


def test_every_class_is_shown_as_it_is_written(pages: list[Path], browser: Any) -> None:
    (quality,) = [path for path in pages if path.parent.name == "model_quality_report"]
    opened = browser.new_page()
    opened.goto(quality.as_uri())
    text = opened.inner_text("body")
    opened.close()
    assert all(name.split("\x1b")[0] in text for name in CLASSES)


def test_no_command_shows_what_a_terminal_obeys_or_a_comment_calls(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [["show", run] for run in runs] + [["lineage", runs[-1]], ["verify", "--all", "--env", "prod"]]
    for command in [*commands, *(["report", run, "--format", "md"] for run in runs)]:
        assert main(command) == 0
        said = capsys.readouterr().out
        assert "\x1b" not in said, command
        if command[-1] == "md":
            assert not [sign for sign in ("<script", "<img", "@team") if sign in said], command


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
