"""A run of the pipeline that failed or was killed goes on: what is done stays, long work from its checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest

from quick_steps import Outcome, Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.cli.main import main as sinara
from sinara_lib.errors import SinaraError
from sinara_lib.layout import split_pipeline_run_url, split_run_url
from sinara_lib.pipeline import pipeline_steps, resume_pipeline
from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Process, RunStatus
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns

OUT = 'outputs=[{ENTITY_NAME: "numbers"}], '
READS = 'inputs=[{STEP_NAME: "make", ENTITY_NAME: "numbers"}], '
TRAIN = """checkpoints = substep.checkpoints()
state = Path(substep.tmp_entities().work) / "state"
before = checkpoints.fetch_resumed(state)
epoch = int((before / "epoch.txt").read_text()) if before else 0
state.mkdir(exist_ok=True)
for epoch in range(epoch + 1, 4):
    (state / "epoch.txt").write_text(str(epoch))
    checkpoints.publish(state, epoch)
    if epoch == 2 and Path("../break").exists():
        raise ValueError("the power went")
publish("numbers", [read("make", "numbers"), "from", 0 if before is None else 2])
"""


@pytest.fixture
def broken(pipeline: Pipeline) -> Pipeline:  # noqa: F811
    """A pipeline of `make`, `train` and `use`, whose training breaks at its second checkpoint at first."""
    pipeline.write_step("make", ['publish("numbers", 1)'], interface=OUT)
    pipeline.write_step("train", [TRAIN], interface=READS + OUT)
    pipeline.write_step("use", ['publish("numbers", 3)'], interface=OUT)
    pipeline.write_settings("make", "train", "use")
    (pipeline.folder / "break").write_text("")
    return pipeline


def _resume(pipeline: Pipeline, run: str | None = None) -> Outcome:  # noqa: F811
    outcome = Outcome([], [])
    steps = pipeline_steps(load_settings(pipeline.folder))
    try:
        resume_pipeline(steps, env="user", run=run, done=outcome.done, begun=outcome.begun, on_start=outcome.take)
    except SinaraError as error:
        outcome.error = error
    return outcome


def _record(store: ArtifactStore, url: str) -> PipelineRunRecord:
    record = PipelineRuns(store, "rest", "test").record(split_pipeline_run_url(url)[1].run_id)
    assert record is not None
    return record


def test_a_failed_run_goes_on_under_its_own_id_with_what_is_done_and_the_checkpoint(
    broken: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    store, first = stores("user"), broken.run()
    assert "the power went" in str(first.error)
    (broken.folder / "break").unlink()
    again = _resume(broken)
    assert again.error is None
    assert again.ran == ["train", "use"]
    assert again.url == first.url
    record = _record(store, first.url)
    assert (record.status, record.attempts, record.reason) == (PipelineStatus.SUCCESS, 2, None)
    assert [step.state for step in record.steps] == [StepState.DONE] * 3
    assert record.steps[0].run == first.begun[0]
    made = store.open(split_run_url(again.begun[0])[1].entity("numbers")).read("it.txt").decode()
    assert made == "['1', 'from', 2]"
    assert "it ended well" in str(_resume(broken, first.url).error)


def test_a_killed_run_goes_on_too(broken: Pipeline, stores: Callable[[str], ArtifactStore], dead: Process) -> None:
    store, first = stores("user"), broken.run()
    runs, record = PipelineRuns(store, "rest", "test"), _record(store, first.url)
    killed = record.step("train").model_copy(update={"state": StepState.RUNNING, "finished": None, "reason": None})
    lost = {"status": PipelineStatus.RUNNING, "process": dead, "finished": None, "reason": None}
    runs.replace(record.with_step(killed).model_copy(update=lost))
    address = split_run_url(first.begun[1])[1]
    train = store.run_record(address)
    assert train is not None
    store.replace_record(address, train.model_copy(update={"status": RunStatus.RUNNING, "process": dead}))
    (broken.folder / "break").unlink()
    assert _resume(broken, record.run_id).ran == ["train", "use"]


def test_a_done_step_whose_run_is_gone_is_made_again(broken: Pipeline, stores: Callable[[str], ArtifactStore]) -> None:
    store, first = stores("user"), broken.run()
    store.fs.rm(f"{store.root}/{split_run_url(first.begun[0])[1].path}", recursive=True)
    (broken.folder / "break").unlink()
    assert _resume(broken).ran == ["make", "train", "use"]


def test_what_cannot_be_resumed_is_one_message(
    broken: Pipeline,
    stores: Callable[[str], ArtifactStore],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(broken.folder)
    assert sinara(["run", "--resume"]) == 1
    assert "has no run of this pipeline" in capsys.readouterr().out
    first = broken.run()
    record = _record(stores("user"), first.url)
    runs = PipelineRuns(stores("user"), "rest", "test")
    at_work = record.model_copy(update={"status": PipelineStatus.RUNNING})
    runs.replace(at_work)
    assert sinara(["run", "--resume", record.run_id]) == 1
    assert "it still runs" in capsys.readouterr().out
    runs.replace(record)
    assert sinara(["run", "--resume", "run-26-11-21-013711-482"]) == 1
    assert "no run of a pipeline" in capsys.readouterr().out
    broken.write_settings("make", "train")
    assert sinara(["run", "--resume", record.run_id]) == 1
    assert "its steps are make, train, use" in capsys.readouterr().out


def test_two_cannot_resume_the_same_run_at_once(broken: Pipeline, stores: Callable[[str], ArtifactStore]) -> None:
    first = broken.run()
    runs, record = PipelineRuns(stores("user"), "rest", "test"), _record(stores("user"), first.url)
    runs.go_on(record)
    with pytest.raises(SinaraError, match=r"is being resumed by somebody else at this moment"):
        runs.go_on(record)
    assert Path(f"{stores('user').root}/rest/test/@runs/{record.run_id}/attempt-2").is_dir()
