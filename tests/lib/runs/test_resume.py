"""--resume: a run that was killed goes on in a new one, with its parameters and inputs and from its last checkpoint."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import pytest

from sinara_lib.catalog.garbage import collect_garbage
from sinara_lib.layout import RunAddress
from sinara_lib.step import main
from sinara_lib.store import ArtifactStore
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunRecord, RunStatus
from step_cases import INTERFACE, RUN_ID, STEP, MakeStep, git

COUNT = """import json, os, signal
checkpoints = substep.checkpoints()
before = checkpoints.fetch_resumed(work / "before")
seen = json.loads((before / "seen.json").read_text()) if before else []
(work / "state").mkdir()
for number in range(len(seen) + 1, 5):
    seen.append([number, substep_params["size"]])
    (work / "state" / "seen.json").write_text(json.dumps(seen))
    checkpoints.publish(work / "state", number)
    if number == 2 and not before:
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
publish_folder(work / "state", substep.outputs().numbers)
checkpoints.clear()"""

Stores = Callable[[str], ArtifactStore]
KILLED = RunAddress(STEP, RUN_ID)


@pytest.fixture
def mode() -> str:
    """What the step is run in; tests that try both modes set it."""
    return "dev"


@pytest.fixture
def killed(make_step: MakeStep, mode: str) -> Path:
    """The folder of a step whose run was killed after its second checkpoint of four."""
    folder = make_step({"count.ipynb": [INTERFACE, "## Count", COUNT]}, params={"count.ipynb": {"size": 1}})
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "step"]):
        git(folder, *arguments)
    command = [sys.executable, f"step.{mode}.py", "--run-id", RUN_ID, "--set", "size=7"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    return folder


def _record(store: ArtifactStore, run: RunAddress) -> RunRecord:
    record = store.run_record(run)
    assert record is not None
    return record


@pytest.mark.parametrize(("mode", "env"), [("dev", "user"), ("prod", "prod")])
def test_a_killed_run_goes_on_with_its_parameters_and_names_its_origin(
    killed: Path, stores: Stores, mode: Literal["dev", "prod"], env: str
) -> None:
    store = stores(env)
    assert [one.name for one in store.entities(KILLED)] == ["checkpoint_000002"]

    assert main(killed, mode=mode, argv=["--resume", RUN_ID]) == 0

    run = store.resolve(STEP, ["numbers"])
    numbers = store.open(run.entity("numbers"))
    assert json.loads(numbers.read("seen.json")) == [[1, 7], [2, 7], [3, 7], [4, 7]]
    assert numbers.manifest.inputs == (store.url_of(KILLED.entity("checkpoint_000002")),)
    assert [one.name for one in store.entities(run)] == ["numbers", "reports_count_ipynb"]
    assert _record(store, KILLED).status is RunStatus.RUNNING
    later = datetime.now(timezone.utc) + timedelta(days=9)
    gone = collect_garbage(store, keep_last=1, older_than=None, now=later, dry_run=True)
    assert store.url_of(KILLED) in gone.kept


def test_what_cannot_be_resumed_says_why(killed: Path, stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    store = stores("user")
    record = _record(store, KILLED)

    def refusal(run: str = RUN_ID, **changes: object) -> str:
        store.replace_record(KILLED, record.model_copy(update=changes))
        assert main(killed, mode="dev", argv=["--resume", run]) == 1
        return capsys.readouterr().out

    alive = this_process()
    assert "it ended well" in refusal(status=RunStatus.SUCCESS)
    assert f"it still runs, in process {os.getpid()}" in refusal(process=alive)
    assert "was run by hand" in refusal(status=RunStatus.INTERACTIVE)
    assert "No run run-26-01-02-030405-777" in refusal("run-26-01-02-030405-777")
    store.fs.rm(f"{store.root}/{KILLED.path}/checkpoint_000002", recursive=True)
    assert "left no checkpoint" in refusal(status=RunStatus.FAILED)
