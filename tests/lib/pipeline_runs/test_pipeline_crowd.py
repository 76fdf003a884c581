"""Sixteen runs of one pipeline at once, with kills at random: none reads another's data, every record is true."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.catalog.verify import all_runs, verify_targets
from sinara_lib.layout import RunAddress, split_run_url
from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunRecord, RunStatus
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns, status_of

ROOT = Path(__file__).parents[3]
COUNT = 16
OUT = 'outputs=[{ENTITY_NAME: "numbers"}], '
ONE = '{STEP_NAME: "make", ENTITY_NAME: "numbers"}'
TWO = '{STEP_NAME: "use", ENTITY_NAME: "numbers"}'


@pytest.fixture(params=["disk", "s3"])
def store(
    request: pytest.FixtureRequest,
    pipeline: Pipeline,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> ArtifactStore:
    """The store that all share."""
    if request.param == "s3":
        monkeypatch.setenv("SINARA_USER_ROOT", request.getfixturevalue("s3_root"))
        monkeypatch.setenv("SINARA_USER_STORAGE", os.environ["SINARA_LOOPBACK_STORAGE"])
    return load_settings(pipeline.folder).store("user")


@pytest.fixture
def clones(tmp_path: Path, pipeline: Pipeline) -> Path:  # noqa: F811
    """Clones of a pipeline of three steps, each with a value of its own, as pull requests have."""
    pipeline.write_step("make", ['publish("numbers", substep_params["value"])'], interface=OUT)
    pipeline.write_step("use", ['publish("numbers", read("make", "numbers"))'], interface=f"inputs=[{ONE}], {OUT}")
    both = 'publish("numbers", [read("make", "numbers"), read("use", "numbers")])'
    pipeline.write_step("compare", [both], interface=f"inputs=[{ONE}, {TWO}], {OUT}")
    pipeline.write_settings("make", "use", "compare")
    for number in range(COUNT):
        pipeline.write_params("make", {"value": number})
        shutil.copytree(pipeline.folder, tmp_path / "clones" / f"{number:02d}")
    return tmp_path / "clones"


def _run_all(clones: Path, *, seed: int) -> dict[str, str]:
    """Run the crowd and return how each clone's run ended."""
    script = Path(__file__).with_name("pipeline_crowd.py")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "lib"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), str(clones), str(seed)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    return dict(line.split() for line in done.stdout.splitlines())


def _records(store: ArtifactStore) -> list[PipelineRunRecord]:
    runs = PipelineRuns(store, "rest", "test")
    return [record for run_id in runs.ids() if (record := runs.record(run_id))]


def _record(store: ArtifactStore, address: RunAddress) -> RunRecord:
    record = store.run_record(address)
    assert record is not None
    return record


def _text(store: ArtifactStore, url: str) -> str:
    return store.open(split_run_url(url)[1].entity("numbers")).read("it.txt").decode()


def _assert_true(store: ArtifactStore, record: PipelineRunRecord) -> None:
    """Every good step of a run is a good run, names the run, and was made from its steps alone."""
    own = {step.run for step in record.steps}
    for step in (step for step in record.steps if step.state.is_good):
        found = _record(store, split_run_url(str(step.run))[1])
        assert found.status is RunStatus.SUCCESS
        assert found.pipeline_run == PipelineRuns(store, "rest", "test").url_of(record.run_id)
        assert {url.rpartition("/")[0] for url in found.inputs} <= own


def test_sixteen_runs_at_once_with_kills_read_their_own_data_alone_and_all_end_well_when_they_go_on(
    store: ArtifactStore, clones: Path
) -> None:
    ends = _run_all(clones, seed=7)
    logs = {name: (clones / name / "log.txt").read_text() for name, end in ends.items() if end == "failed"}
    assert logs == {}
    assert {"done", "killed"} == set(ends.values())
    records = _records(store)
    assert sum(record.status is PipelineStatus.SUCCESS for record in records) >= list(ends.values()).count("done")
    assert {status_of(record) for record in records} <= {PipelineStatus.SUCCESS, PipelineStatus.FAILED}
    for record in records:
        _assert_true(store, record)

    for clone in [clone for name, end in ends.items() if end == "done" for clone in [clones / name]]:
        shutil.move(clone, clones.with_name(f"done-{clone.name}"))
    again = _run_all(clones, seed=0)
    assert set(again.values()) <= {"done"}
    records = [record for record in _records(store) if record.status is PipelineStatus.SUCCESS]
    values = sorted(int(_text(store, str(record.step("make").run))) for record in records)
    assert values == list(range(COUNT))
    for record in records:
        _assert_true(store, record)
        assert {step.state for step in record.steps} == {StepState.DONE}
        value = _text(store, str(record.step("make").run))
        assert _text(store, str(record.step("compare").run)) == str([value, value])
    assert verify_targets(all_runs(store)).findings == ()
