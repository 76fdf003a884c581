"""A step from its command line: parameters, records, reports and exit codes."""

import json
from collections.abc import Callable

import pytest

from sinara_lib.errors import StepFailedError
from sinara_lib.layout import StepAddress
from sinara_lib.step import RUN_ID_VARIABLE, main, run_step
from sinara_lib.store import ArtifactStore
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunStatus
from step_cases import GOOD, INTERFACE, PUBLISH, REPORT_FILES, RUN_ID, STEP, MakeStep, only_run, read_report


def test_a_good_step_is_recorded_published_and_reported(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_step({"count.ipynb": GOOD}, params={"count.ipynb": {"size": 1}})
    assert main(folder, mode="dev", argv=["--set", "size=2", "--set", "pipeline_params.zone_name=test"]) == 0
    store = stores("user")
    run, record = only_run(store)
    assert (record.status, record.reason) == (RunStatus.SUCCESS, None)
    assert record.finished is not None
    assert record.finished >= record.started
    assert record.params["substeps_params"][0]["substep_params"] == {"size": 2}
    assert record.process == this_process()
    assert record.costs is not None
    assert record.costs.seconds >= record.costs.cpu_seconds > 0.1
    assert record.costs.peak_memory > 20_000_000
    assert store.open(run.entity("numbers")).read("n.txt") == b"{'size': 2}"
    files, info = read_report(store, run)
    assert files == REPORT_FILES
    assert (info["result"], info["status"], info["reason"]) == ("SUCCESS", "COMPLETE", None)
    assert info["outputs"] == {"user.rest.test.count.numbers": store.url_of(run.entity("numbers"))}
    assert info["notebook_report_url"] == store.url_of(run.entity("reports_count_ipynb"))
    metrics = json.loads(store.open(run.entity("reports_count_ipynb")).read("metrics.json"))
    assert metrics == {"run_id": run.run_id, "count": 3}
    told = capsys.readouterr().out
    assert store.url_of(run) in told
    assert "Publish" in told
    assert f"published  {store.url_of(run.entity('numbers'))}" in told


def test_a_failing_step_exits_with_1_and_its_report_tells_where_and_why(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [*GOOD, "## Divide", "print('kept')\n1 / 0"]
    folder = make_step({"count.ipynb": bad, "later.ipynb": ["print('never')"]})
    assert main(folder, mode="dev", argv=[]) == 1
    store = stores("user")
    run, record = only_run(store)
    reason = "count.ipynb, 'Divide': ZeroDivisionError: division by zero"
    assert (record.status, record.reason) == (RunStatus.FAILED, reason)
    files, info = read_report(store, run)
    assert files == REPORT_FILES
    assert (info["result"], info["status"], info["reason"]) == ("FAIL", "FAILED", reason)
    page = store.open(run.entity("reports_count_ipynb")).read("report.html").decode()
    assert "division by zero" in page
    assert "kept" in page
    assert [e.name for e in store.entities(run)] == ["numbers", "reports_count_ipynb"]
    assert f"failed: {reason}" in capsys.readouterr().out


def test_outputs_of_a_failed_step_are_never_resolved(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [*GOOD, "if substep_params.get('fail'):\n    raise ValueError"]})
    assert main(folder, mode="dev", argv=["--run-id", RUN_ID]) == 0
    assert main(folder, mode="dev", argv=["--set", "fail=true"]) == 1
    assert stores("user").resolve(STEP, ["numbers"]).run_id == RUN_ID


def test_a_step_that_stops_on_purpose_exits_with_254(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    stop = "from sinara_lib.errors import StopStep\nraise StopStep('nothing new')"
    assert main(make_step({"count.ipynb": [stop]}), mode="dev", argv=[]) == 254
    run, record = only_run(stores("user"))
    assert (record.status, record.reason) == (RunStatus.FAILED, "nothing new")
    assert read_report(stores("user"), run)[1]["status"] == "STOPPED"
    assert "stopped: nothing new" in capsys.readouterr().out


def test_a_full_disk_is_told_with_its_remedy_and_leaves_no_partial_output(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    full = """from sinara_lib.store import begin_entity
with begin_entity(substep.outputs().numbers) as writer, writer.open("half") as sink:
    sink.write(b"x")
    raise OSError(28, "No space left on device")"""
    assert main(make_step({"count.ipynb": [INTERFACE, full]}), mode="dev", argv=[]) == 1
    assert "Free space on that disk, or put the store elsewhere" in capsys.readouterr().out
    run, _ = only_run(stores("user"))
    assert [e.name for e in stores("user").entities(run)] == ["reports_count_ipynb"]


def test_a_broken_notebook_fails_the_step_and_is_reported_without_pages(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": []})
    (folder / "count.ipynb").write_text("{")
    assert main(folder, mode="dev", argv=[]) == 1
    run, record = only_run(stores("user"))
    assert "is not a readable notebook" in str(record.reason)
    assert read_report(stores("user"), run)[0] == ["metrics.json", "runinfo.json"]


def test_a_misspelt_notebook_fails_the_step_and_names_the_right_one(
    make_step: MakeStep, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_step({"count.ipynb": []})
    (folder / "count.ipynb").rename(folder / "counting.ipynb")
    assert main(folder, mode="dev", argv=[]) == 1
    assert "notebooks there: counting.ipynb" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--params", "params/nothing.json"], "Cannot read params file"),
        (["--set", "pipeline_params.zone=x"], "unknown key 'pipeline_params.zone'"),
        (["--run-id", "monday"], "'monday' is not a run id"),
    ],
)
def test_a_wrong_argument_fails_before_anything_is_written(
    make_step: MakeStep,
    stores: Callable[[str], ArtifactStore],
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    message: str,
) -> None:
    assert main(make_step({"count.ipynb": []}), mode="dev", argv=argv) == 1
    assert message in capsys.readouterr().out
    assert stores("user").runs(STEP) == []


def test_another_params_file_and_step_name_can_be_given(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]})
    job = {
        "pipeline_params": {"pipeline_name": "other"},
        "step_params": {"step_name": "tally"},
        "substeps_params": [{"substep_name": "count.ipynb", "substep_params": {"from": "job"}}],
    }
    (folder / "params" / "job.json").write_text(json.dumps(job))
    assert main(folder, mode="dev", argv=["--params", "params/job.json"]) == 0
    run, _ = only_run(stores("user"), StepAddress("other", "test", "tally"))
    assert stores("user").open(run.entity("numbers")).read("n.txt") == b"{'from': 'job'}"


def test_an_orchestrator_can_give_the_run_id_and_a_taken_one_is_refused(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]})
    monkeypatch.setenv(RUN_ID_VARIABLE, RUN_ID)
    assert main(folder, mode="dev", argv=[]) == 0
    assert only_run(stores("user"))[0].run_id == RUN_ID
    assert main(folder, mode="dev", argv=[]) == 1


def test_notebooks_run_in_the_order_of_the_params_file_and_share_the_run(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    read = """from sinara_lib.substep import ENTITY_NAME, STEP_NAME, NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(inputs=[{STEP_NAME: "count", ENTITY_NAME: "numbers"}])
assert substep.inputs("count").numbers.startswith(substep.run_url)"""
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH], "check.ipynb": [read]})
    assert main(folder, mode="dev", argv=[]) == 0
    run, record = only_run(stores("user"))
    assert [e.name for e in stores("user").entities(run)] == ["numbers", "reports_check_ipynb", "reports_count_ipynb"]
    assert record.inputs == (stores("user").url_of(run.entity("numbers")),)


def test_a_notebook_that_ends_without_publishing_what_it_declares_has_failed(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE]})
    with pytest.raises(StepFailedError, match=r"count\.ipynb ended without publishing numbers"):
        run_step(folder, mode="dev")
    run, record = only_run(stores("user"))
    assert record.status is RunStatus.FAILED
    _, info = read_report(stores("user"), run)
    assert (info["result"], info["outputs"]) == ("FAIL", {})
