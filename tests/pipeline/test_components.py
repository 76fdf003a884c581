"""A step's folder is a component: it runs in a git repository of its own, and by hand in Jupyter."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunStatus
from tests.pipeline.conftest import REPOSITORY, STEPS, Workspace

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
def prod(repositories: dict[str, Path], workspace: Workspace, tiny_params: dict[str, Path]) -> ArtifactStore:
    """The store in which every step has run in prod, from its repository."""
    for step, folder in repositories.items():
        workspace.must(["step.prod.py", "--params", str(tiny_params[step])], folder)
    return workspace.store("prod")


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
    repositories: dict[str, Path], prod: ArtifactStore, tiny_params: dict[str, Path], tmp_path: Path
) -> None:
    by_hand = Workspace(tmp_path)
    for step, notebook in NOTEBOOKS:
        by_hand.must(
            ["-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", notebook],
            repositories[step],
            {"SINARA_STEP_PARAMS_FILE_PATH": str(tiny_params[step]), "JUPYTER_PREFER_ENV_PATH": "1"},
        )
    for step in STEPS:
        address, hand = StepAddress("obj_detect_rest", "test", step), by_hand.store("user")
        published = {e.name for run in hand.runs(address) for e in hand.entities(run)}
        under_step = {e.name for e in prod.entities(prod.runs(address)[0])}
        assert published == {name for name in under_step if not name.startswith("reports_")}
        assert {r.status for run in hand.runs(address) if (r := hand.run_record(run))} == {RunStatus.INTERACTIVE}


def test_the_same_data_has_the_same_content_whatever_the_run(
    repositories: dict[str, Path], workspace: Workspace, prod: ArtifactStore, tiny_params: dict[str, Path]
) -> None:
    for step in ("data_load", "data_prep"):
        workspace.must(["step.dev.py", "--params", str(tiny_params[step])], repositories[step])
    for step in ("data_load", "data_prep"):
        address = StepAddress("obj_detect_rest", "test", step)
        contents = []
        for store in (workspace.store("user"), prod):
            entities = [e for e in store.entities(store.runs(address)[0]) if not e.name.startswith("reports_")]
            contents.append({e.name: store.open(e).manifest.content for e in entities})
        assert contents[0] == contents[1]


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
