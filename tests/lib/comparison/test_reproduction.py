"""A run is repeated from its own record: same commit, parameters and inputs, apart from the store."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sinara_lib.cli.main import main
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.settings import load_settings
from sinara_lib.step import run_step
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunStatus
from step_cases import git

MAKE = """from pathlib import Path
from sinara_lib.archive import pack
from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "numbers"}], tmp_entities=[{ENTITY_NAME: "work"}])
(Path(substep.tmp_entities().work) / "n.txt").write_text("made of " + str(substep_params["size"]))
pack(substep.tmp_entities().work, substep.outputs().numbers)"""
USE = """import json, uuid
from pathlib import Path
from sinara_lib.archive import open_archive
from sinara_lib.store import publish_folder
from sinara_lib.substep import ENTITY_NAME, STEP_NAME, NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(
    inputs=[{STEP_NAME: "make", ENTITY_NAME: "numbers"}],
    outputs=[{ENTITY_NAME: "copy"}, {ENTITY_NAME: "dice"}],
    tmp_entities=[{ENTITY_NAME: "work"}, {ENTITY_NAME: "chance"}],
)
text = open_archive(substep.inputs("make").numbers).read("n.txt").decode()
(Path(substep.tmp_entities().work) / "n.json").write_text(json.dumps({"text": text, "run": substep.run_id}))
publish_folder(substep.tmp_entities().work, substep.outputs().copy)
(Path(substep.tmp_entities().chance) / "u.txt").write_text(str(uuid.uuid4()) if substep_params["dice"] else "six")
publish_folder(substep.tmp_entities().chance, substep.outputs().dice)
substep.add_metric("letters", len(text))"""


@dataclass
class Project:
    """A pipeline of two steps in a repository, and its store."""

    folder: Path
    store: ArtifactStore

    def run(self, step: str, *assignments: str) -> RunAddress:
        """Run a step as it stands."""
        result = run_step(self.folder / step, mode="dev", assignments=assignments)
        return RunAddress(StepAddress("rest", "test", step), result.run_id)

    def commit(self) -> None:
        """Commit everything."""
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "-m", "change")


@pytest.fixture
def project(tmp_path: Path, make_step: Callable[..., Path], stores: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The pipeline, committed; the test stands in it."""
    make_step({"make.ipynb": [MAKE]}, name="project/make", params={"make.ipynb": {"size": 3}})
    make_step({"use.ipynb": [USE]}, name="project/use", params={"use.ipynb": {"dice": False}})
    project = Project(tmp_path / "project", stores("user"))
    (project.folder / "sinara.toml").write_text('[pipeline]\nsteps = ["make", "use"]\n')
    git(project.folder, "init", "-q", "-b", "main")
    project.commit()
    monkeypatch.chdir(project.folder)
    return project


def _verdicts(told: str) -> dict[str, str]:
    rows = [line.split("  ") for line in told.split("\noutputs\n", 1)[1].split("\n\n", 1)[0].splitlines()]
    return {cells[1].strip(): next(c for c in cells[2:] if c).strip() for cells in rows if len(cells) > 2}


def test_the_old_commit_parameters_and_inputs_are_used_whatever_is_newer(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project.run("make", "size=7")
    run = project.run("use")
    project.run("make", "size=8000")
    notebook = project.folder / "use" / "use.ipynb"
    notebook.write_text(notebook.read_text().replace("len(text)", "len(text) + 100"))
    project.commit()
    before = project.store.runs(StepAddress("rest", "test", "use"))
    assert main(["reproduce", run.run_id]) == 0
    told = capfd.readouterr().out
    assert _verdicts(told) == {"copy": "byte-equal", "dice": "byte-equal"}
    assert "letters  9  9  0" in told
    assert project.store.runs(StepAddress("rest", "test", "use")) == before
    assert git(project.folder, "worktree", "list").count("\n") == 0
    assert git(project.folder, "tag") == ""


def test_what_comes_out_different_is_named_with_its_files_and_ends_with_1(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project.run("make")
    run = project.run("use", "dice=true")
    assert main(["reproduce", run.run_id, "--keep", str(tmp_path / "kept")]) == 1
    told = capfd.readouterr().out
    assert _verdicts(told) == {"copy": "byte-equal", "dice": "different"}
    assert "u.txt" in told
    assert "failed: not reproduced: dice came out different." in told
    assert (tmp_path / "kept" / "user" / run.path / "dice" / "u.txt").is_file()
    assert main(["reproduce", run.run_id, "--keep", str(tmp_path / "kept")]) == 1
    assert "kept is not empty: name a new folder" in capfd.readouterr().out


def test_an_archive_that_was_packed_at_another_time_is_equal_in_value(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    run = project.run("make")
    assert main(["reproduce", run.run_id]) == 0
    assert _verdicts(capfd.readouterr().out) == {"numbers": "equal in value"}


def test_what_cannot_be_reproduced_is_refused_in_words(
    project: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project.run("make")
    run = project.run("use")
    store = project.store
    record = store.run_record(run)
    assert record is not None
    dirty = record.producer.model_copy(update={"uncommitted": True})
    nowhere = record.producer.model_copy(update={"commit": None})
    lost = record.producer.model_copy(update={"commit": "0" * 40})
    for change, words in (
        ({"producer": dirty}, "it was made with uncommitted changes"),
        ({"producer": nowhere}, "outside of any commit"),
        ({"producer": lost}, f"has no commit {'0' * 40}: `git fetch`"),
        ({"status": RunStatus.FAILED}, "it is FAILED: nothing to compare with"),
        ({"status": RunStatus.INTERACTIVE}, "its notebook was run by hand"),
    ):
        store.replace_record(run, record.model_copy(update=change))
        assert main(["reproduce", run.run_id]) == 1
        assert words in capfd.readouterr().out
    store.replace_record(run, record)
    shutil.rmtree(f"{store.root}/{made.path}")
    assert main(["reproduce", run.run_id]) == 1
    assert "numbers was removed: without it the run cannot be reproduced" in capfd.readouterr().out
    (project.folder / "sinara.toml").write_text('[pipeline]\nsteps = ["make"]\n')
    assert main(["reproduce", run.run_id]) == 1
    assert "No step use in this pipeline" in capfd.readouterr().out
    assert [step.name for step in load_settings().steps] == ["make"]


def test_a_repetition_that_fails_is_told_with_its_reason(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    notebook = project.folder / "make" / "make.ipynb"
    flaw = f"from pathlib import Path\\nassert not Path('{project.folder}/../once').exists(), 'only once'\\n"
    notebook.write_text(notebook.read_text().replace('"from pathlib import Path\\n"', f'"{flaw}"'))
    project.commit()
    run = project.run("make")
    (project.folder / ".." / "once").touch()
    assert main(["reproduce", run.run_id]) == 1
    told = capfd.readouterr().out
    assert f"failed: {run.run_id} could not be run again: make.ipynb" in told
    assert "only once" in told


def test_a_run_on_s3_is_repeated_on_disk_and_nothing_is_written_to_the_bucket(
    project: Project, s3_root: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINARA_USER_ROOT", s3_root)
    monkeypatch.setenv("SINARA_USER_STORAGE", os.environ["SINARA_LOOPBACK_STORAGE"])
    project.run("make")
    run = project.run("use")
    store = load_settings(project.folder).store("user")
    before = sorted(store.fs.find(store.root))

    assert main(["reproduce", run.run_id, "--env", "user"]) == 0

    told = capfd.readouterr().out
    assert s3_root in told
    assert _verdicts(told) == {"copy": "byte-equal", "dice": "byte-equal"}
    store.fs.invalidate_cache()
    assert sorted(store.fs.find(store.root)) == before
