"""A run of the pipeline is one thing: it has a record, its steps name it and read what it made or chose."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.cli.main import main as sinara
from sinara_lib.errors import ParamsError
from sinara_lib.layout import StepAddress, split_pipeline_run_url, split_run_url
from sinara_lib.step import run_step
from sinara_lib.store import ArtifactStore
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import Process
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns, pipelines_of, status_of

OUT = 'outputs=[{ENTITY_NAME: "numbers"}], '
MAKE = 'publish("numbers", substep_params["value"])'
READS = 'inputs=[{STEP_NAME: "make", ENTITY_NAME: "numbers"}], '
BETWEEN = """import os
if substep_params.get("meddle"):
    from sinara_lib.step import run_step
    told = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("SINARA_RUN")}
    run_step(Path("../make"), mode="dev", assignments=["value=meddled"])
    os.environ.update(told)
"""


@pytest.fixture
def three(pipeline: Pipeline) -> Pipeline:  # noqa: F811
    """A pipeline: `make` publishes a value, `between` lets somebody else run `make`, `use` reads the value."""
    pipeline.write_step("make", [MAKE], interface=OUT, params={"value": "mine"})
    pipeline.write_step("between", [BETWEEN], params={"meddle": True})
    pipeline.write_step("use", ['publish("numbers", read("make", "numbers"))'], interface=READS + OUT)
    pipeline.write_settings("make", "between", "use")
    return pipeline


def record_of(store: ArtifactStore, url: str) -> PipelineRunRecord:
    """The record of the pipeline's run at a URL."""
    address = split_pipeline_run_url(url)[1]
    record = PipelineRuns(store, address.pipeline, address.zone).record(address.run_id)
    assert record is not None
    return record


def text_of(store: ArtifactStore, run_url: str) -> str:
    """What a run published as its numbers."""
    return store.open(split_run_url(run_url)[1].entity("numbers")).read("it.txt").decode()


def test_a_step_reads_what_its_pipeline_run_made_whatever_somebody_else_publishes_meanwhile(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    run, store = three.run(), stores("user")
    assert run.error is None
    assert text_of(store, store.url_of(store.resolve(StepAddress("rest", "test", "make"), ["numbers"]))) == "meddled"
    assert text_of(store, run.done[2].run_url) == "mine"


def test_the_record_tells_status_user_process_steps_and_their_runs_and_each_step_names_it(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    run, store = three.run(), stores("user")
    record = record_of(store, run.url)
    assert (record.status, record.reason, record.process) == (PipelineStatus.SUCCESS, None, this_process())
    assert [(step.name, step.state, step.run) for step in record.steps] == [
        (result.step, StepState.DONE, result.run_url) for result in run.done
    ]
    assert record.finished is not None
    assert record.call == {
        "steps": ["make", "between", "use"],
        "params": None,
        "set": [],
        "unlocked": False,
        "push": False,
        "env": "user",
        "base": None,
        "force": [],
    }
    for result in run.done:
        found = store.run_record(split_run_url(result.run_url)[1])
        assert found is not None
        assert found.pipeline_run == run.url


def test_no_reader_of_steps_sees_the_runs_of_the_pipeline(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    three.run()
    assert [step.step for step in stores("user").steps()] == ["between", "make", "use"]
    (runs,) = pipelines_of(stores("user"))
    assert len(runs.ids()) == 1


def test_a_failed_step_is_told_and_those_after_it_were_not_started(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    three.write_step("between", ["1 / 0"])
    run = three.run()
    record = record_of(stores("user"), run.url)
    reason = "between.ipynb: ZeroDivisionError: division by zero"
    assert (record.status, record.reason) == (PipelineStatus.FAILED, reason)
    states = [(step.state, step.reason) for step in record.steps]
    assert states == [
        (StepState.DONE, None),
        (StepState.FAILED, reason),
        (StepState.NOT_STARTED, "the run ended before it"),
    ]
    assert record.steps[1].run == run.begun[1]


def test_a_run_whose_process_is_gone_has_failed(
    three: Pipeline, stores: Callable[[str], ArtifactStore], dead: Process
) -> None:
    record = record_of(stores("user"), three.run().url)
    killed = record.model_copy(update={"status": PipelineStatus.RUNNING, "process": dead})
    assert status_of(killed) is PipelineStatus.FAILED


def test_a_part_goes_on_from_the_newest_whole_run_and_from_a_named_one(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    store, first = stores("user"), three.run()
    three.write_step("make", [MAKE], interface=OUT, params={"value": "new"})
    second = three.run()
    three.write_step("between", ["1 / 0"])
    assert three.run().error is not None  # failed: not whole
    part = three.run(start="use")
    assert part.ran == []  # kept: it would read the same
    assert text_of(store, part.done[0].run_url) == "new"
    record = record_of(store, part.url)
    assert record.base == second.url
    assert record.steps[0].run == second.done[0].run_url
    assert record.steps[0].reason == f"taken from {second.url.rsplit('/', 1)[1]}"

    for base in (first.url, first.url.rsplit("/", 1)[1]):
        part = three.run("use", base=base)
        assert text_of(store, part.done[0].run_url) == "mine"
        assert record_of(store, part.url).base == first.url


def test_without_a_whole_run_a_part_reads_the_newest_good_runs(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    run_step(three.folder / "make", mode="dev", assignments=["value=alone"])
    part = three.run("use")
    assert text_of(stores("user"), part.done[0].run_url) == "alone"
    assert [step.state for step in record_of(stores("user"), part.url).steps][:2] == [StepState.NOT_STARTED] * 2


def test_a_base_that_is_gone_damaged_in_part_or_of_another_pipeline_is_one_message(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    run = three.run()
    other = run.url.replace("/rest/", "/other/")
    assert isinstance(three.run("use", base=other).error, ParamsError)
    assert "that is a run of another pipeline; this one's lie in" in str(three.run("use", base=other).error)
    gone = "pipeline-20-01-01-000000-000"
    assert "does not exist; see `sinara ls --pipelines`" in str(three.run("use", base=gone).error)
    assert "neither the id of a pipeline's run" in str(three.run("use", base="yesterday").error)
    part = three.run("make")
    assert "that run has no good between; begin with between" in str(three.run("use", base=part.url).error)
    store = stores("user")
    store.fs.rm(f"{store.root}/{split_run_url(run.done[0].run_url)[1].path}", recursive=True)
    assert f"{run.done[0].run_url}, which" in str(three.run("use", base=run.url).error)


def test_the_commands_list_the_runs_and_show_one(three: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    run = three.run()
    run_id = run.url.rsplit("/", 1)[1]
    assert sinara(["ls", "--pipelines"]) == 0
    assert f"{run_id}  SUCCESS" in capsys.readouterr().out
    for name in (run_id, run.url):
        assert sinara(["show", name]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"{run.url}\n  status    SUCCESS\n")
        assert all(result.run_url in shown for result in run.done)
    assert sinara(["show", "pipeline-20-01-01-000000-000"]) == 1
    assert "`sinara ls --pipelines` lists the pipeline's runs" in capsys.readouterr().out


def test_ids_follow_the_newest_run_where_the_clock_goes_back(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    run = three.run()
    record = record_of(stores("user"), run.url)
    runs = PipelineRuns(stores("user"), "rest", "test")
    later = runs.start(record, now=record.started.replace(year=2020))
    assert later.run_id > record.run_id
    assert later.run_id[:-4] == record.run_id[:-4]


@pytest.fixture
def alone(three: Pipeline) -> Path:
    """Two runs of `make`, the second with another value; the folder of `use`."""
    for value in ("first", "second"):
        run_step(three.folder / "make", mode="dev", assignments=[f"value={value}"])
    return three.folder / "use"


def test_a_step_started_alone_reads_the_newest_or_what_it_is_told(
    alone: Path, stores: Callable[[str], ArtifactStore], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from sinara_lib.step import main

    store, step = stores("user"), StepAddress("rest", "test", "use")
    _, first = store.runs(StepAddress("rest", "test", "make"))
    note = tmp_path / "notes" / "run.txt"
    told = ["--read", "make", first.run_id, "--pipeline-run", "flow 7, task 3", "--run-id-file", str(note)]
    for argv, text in (([], "second"), (told, "first"), (["--read", "make", store.url_of(first)], "first")):
        assert main(alone, mode="dev", argv=argv) == 0
        assert text_of(store, store.url_of(store.runs(step)[0])) == text
    monkeypatch.setenv("SINARA_READ", json.dumps({"make": first.run_id}))
    assert main(alone, mode="dev", argv=[]) == 0
    assert text_of(store, store.url_of(store.runs(step)[0])) == "first"
    second = store.runs(step)[2]
    assert note.read_text() == f"{second.run_id}\n"
    record = store.run_record(second)
    assert record is not None
    assert record.pipeline_run == "flow 7, task 3"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--read", "make", "run-20-01-01-000000-000"], "does not exist; `sinara ls` lists the runs"),
        (["--read", "use", "run-20-01-01-000000-000"], "that is this step; name a step that it reads from"),
        (["--read", "make", "file:///s/rest/test/between/run-20-01-01-000000"], "that is a run of between"),
        (["--read", "make", "newest"], "is not a run URL"),
        (["--read", "make", "run-1", "--read", "make", "run-2"], "run-1 and run-2 are told: a step reads one run"),
    ],
)
def test_a_run_that_cannot_be_read_is_told_before_anything_starts(
    alone: Path,
    stores: Callable[[str], ArtifactStore],
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    message: str,
) -> None:
    from sinara_lib.step import main

    assert main(alone, mode="dev", argv=argv) == 1
    assert message in capsys.readouterr().out
    assert stores("user").runs(StepAddress("rest", "test", "use")) == []
