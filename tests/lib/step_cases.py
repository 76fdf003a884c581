"""A step of one notebook that counts, and what the tests of steps ask of its run."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunRecord

MakeStep = Callable[..., Path]
STEP = StepAddress("rest", "test", "count")
RUN_ID = "run-26-01-02-030405-006"
REPORT_FILES = [
    "business_report.html",
    "environment.json",
    "metrics.json",
    "report.html",
    "report.ipynb",
    "runinfo.json",
]
INTERFACE = """from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
from sinara_lib.store import publish_folder
from pathlib import Path
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "numbers"}], tmp_entities=[{ENTITY_NAME: "work"}])
work = Path(substep.tmp_entities().work)"""
PUBLISH = """(work / "n.txt").write_text(str(substep_params))
publish_folder(work, substep.outputs().numbers)
substep.add_metric("count", 3)"""
GOOD = ["# Count the numbers", ("interface", INTERFACE), "## Publish", PUBLISH, ("business_report", "print('three')")]


def only_run(store: ArtifactStore, step: StepAddress = STEP) -> tuple[RunAddress, RunRecord]:
    """The one run that a step has, and its record."""
    (run,) = store.runs(step)
    record = store.run_record(run)
    assert record is not None
    return run, record


def read_report(
    store: ArtifactStore, run: RunAddress, name: str = "reports_count_ipynb"
) -> tuple[list[str], dict[str, Any]]:
    """The files of a notebook's report and what its runinfo.json says."""
    reader = store.open(run.entity(name))
    return [f.path for f in reader.manifest.files], json.loads(reader.read("runinfo.json"))


def git(folder: Path, *args: str) -> str:
    """Run git as some user and give what it prints."""
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    return subprocess.run(
        ["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
