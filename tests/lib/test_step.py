"""A step from its command line: records, reports, exit codes, dev on the working tree and prod on HEAD."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara_lib.errors import StepFailedError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.manifest import RunRecord, RunStatus
from sinara_lib.step import RUN_ID_VARIABLE, StepSafeguard, main, run_step
from sinara_lib.store import ArtifactStore, store_at

MakeStep = Callable[..., Path]
STEP = StepAddress("rest", "test", "count")
RUN_ID = "run-26-01-02-030405-006"
REPORT_FILES = ["business_report.html", "metrics.json", "report.html", "report.ipynb", "runinfo.json"]

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


@pytest.fixture
def stores(tmp_path: Path) -> Callable[[str], ArtifactStore]:
    """The store of an environment."""
    return lambda env: store_at(str(tmp_path / "store" / env))


def _only_run(store: ArtifactStore, step: StepAddress = STEP) -> tuple[RunAddress, RunRecord]:
    (run,) = store.runs(step)
    record = store.run_record(run)
    assert record is not None
    return run, record


def _report(
    store: ArtifactStore, run: RunAddress, name: str = "reports_count_ipynb"
) -> tuple[list[str], dict[str, Any]]:
    reader = store.open(run.entity(name))
    return [f.path for f in reader.manifest.files], json.loads(reader.read("runinfo.json"))


def _git(folder: Path, *args: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    return subprocess.run(
        ["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def _commit(folder: Path) -> str:
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "step")
    return _git(folder, "rev-parse", "HEAD")


def test_a_good_step_is_recorded_published_and_reported(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_step({"count.ipynb": GOOD}, params={"count.ipynb": {"size": 1}})
    assert main(folder, mode="dev", argv=["--set", "size=2", "--set", "pipeline_params.zone_name=test"]) == 0
    store = stores("user")
    run, record = _only_run(store)
    assert (record.status, record.reason) == (RunStatus.SUCCESS, None)
    assert record.finished is not None
    assert record.finished >= record.started
    assert record.params["substeps_params"][0]["substep_params"] == {"size": 2}
    assert store.open(run.entity("numbers")).read("n.txt") == b"{'size': 2}"
    files, info = _report(store, run)
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
    run, record = _only_run(store)
    reason = "count.ipynb, 'Divide': ZeroDivisionError: division by zero"
    assert (record.status, record.reason) == (RunStatus.FAILED, reason)
    files, info = _report(store, run)
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
    run, record = _only_run(stores("user"))
    assert (record.status, record.reason) == (RunStatus.FAILED, "nothing new")
    assert _report(stores("user"), run)[1]["status"] == "STOPPED"
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
    run, _ = _only_run(stores("user"))
    assert [e.name for e in stores("user").entities(run)] == ["reports_count_ipynb"]


def test_a_broken_notebook_fails_the_step_and_is_reported_without_pages(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": []})
    (folder / "count.ipynb").write_text("{")
    assert main(folder, mode="dev", argv=[]) == 1
    run, record = _only_run(stores("user"))
    assert "is not a readable notebook" in str(record.reason)
    assert _report(stores("user"), run)[0] == ["metrics.json", "runinfo.json"]


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
    run, _ = _only_run(stores("user"), StepAddress("other", "test", "tally"))
    assert stores("user").open(run.entity("numbers")).read("n.txt") == b"{'from': 'job'}"


def test_an_orchestrator_can_give_the_run_id_and_a_taken_one_is_refused(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]})
    monkeypatch.setenv(RUN_ID_VARIABLE, RUN_ID)
    assert main(folder, mode="dev", argv=[]) == 0
    assert _only_run(stores("user"))[0].run_id == RUN_ID
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
    run, record = _only_run(stores("user"))
    assert [e.name for e in stores("user").entities(run)] == ["numbers", "reports_check_ipynb", "reports_count_ipynb"]
    assert record.inputs == (stores("user").url_of(run.entity("numbers")),)


def test_a_notebook_that_ends_without_publishing_what_it_declares_has_failed(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE]})
    with pytest.raises(StepFailedError, match=r"count\.ipynb ended without publishing numbers"):
        run_step(folder, mode="dev")
    run, record = _only_run(stores("user"))
    assert record.status is RunStatus.FAILED
    _, info = _report(stores("user"), run)
    assert (info["result"], info["outputs"]) == ("FAIL", {})


def test_dev_runs_the_working_tree_and_records_that_it_was_not_committed(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH, "from number import N\nsubstep.add_metric('n', N)"]})
    (folder / "number.py").write_text("N = 1\n")
    commit = _commit(folder)
    (folder / "number.py").write_text("N = 2\n")
    result = run_step(folder, mode="dev")
    assert result.metrics["n"] == 2
    _, record = _only_run(stores("user"))
    assert (record.producer.commit, record.producer.uncommitted) == (commit, True)
    assert _git(folder, "tag") == ""


def test_prod_runs_head_alone_and_neither_uses_nor_touches_uncommitted_work(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH, "from number import N\nsubstep.add_metric('n', N)"]})
    (folder / "number.py").write_text("N = 1\n")
    commit = _commit(folder)
    (folder / "number.py").write_text("N = 2\n")
    (folder / "notes.txt").write_text("mine")
    assert main(folder, mode="prod", argv=[]) == 0
    run, record = _only_run(stores("prod"))
    assert stores("user").runs(STEP) == []
    assert (record.producer.commit, record.producer.uncommitted) == (commit, False)
    report = stores("prod").open(run.entity("reports_count_ipynb"))
    assert json.loads(report.read("metrics.json"))["n"] == 1
    assert ((folder / "number.py").read_text(), (folder / "notes.txt").read_text()) == ("N = 2\n", "mine")
    assert _git(folder, "status", "--porcelain").splitlines() == ["M number.py", "?? notes.txt"]
    assert "left out, not committed: number.py, notes.txt" in capsys.readouterr().out
    assert _git(folder, "worktree", "list").count("\n") == 0
    assert _git(folder, "cat-file", "-t", run.run_id) == "tag"
    assert _git(folder, "rev-parse", f"{run.run_id}^{{commit}}") == commit
    assert _git(folder, "tag", "-l", "--format=%(contents)", run.run_id).strip() == stores("prod").url_of(run)


def test_a_prod_run_that_fails_is_recorded_but_not_tagged(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": ["1 / 0"]})
    _commit(folder)
    assert main(folder, mode="prod", argv=[]) == 1
    run, record = _only_run(stores("prod"))
    assert record.status is RunStatus.FAILED
    assert _report(stores("prod"), run)[1]["status"] == "FAILED"
    assert _git(folder, "tag") == ""
    assert _git(folder, "worktree", "list").count("\n") == 0


def test_a_prod_tag_is_pushed_only_when_asked(make_step: MakeStep, tmp_path: Path) -> None:
    folder = make_step({"count.ipynb": []})
    _git(tmp_path, "init", "-q", "--bare", "origin.git")
    _commit(folder)
    _git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    assert main(folder, mode="prod", argv=["--run-id", RUN_ID]) == 0
    assert _git(tmp_path / "origin.git", "tag") == ""
    other = RUN_ID.replace("006", "007")
    assert main(folder, mode="prod", argv=["--run-id", other, "--push"]) == 0
    assert _git(tmp_path / "origin.git", "tag") == other


def test_prod_keeps_a_relative_root_of_the_pipeline_where_a_person_expects_it(
    make_step: MakeStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]}, name="project/count")
    monkeypatch.delenv("SINARA_PROD_ROOT")
    (tmp_path / "project" / "sinara.toml").write_text('[env.prod]\nroot = "artifacts"\n')
    (tmp_path / "project" / ".gitignore").write_text("artifacts/\n")
    _commit(tmp_path / "project")
    result = run_step(folder, mode="prod")
    store = store_at(str(tmp_path / "project" / "artifacts"))
    assert result.run_url.startswith(store.url)
    assert store.open(_only_run(store)[0].entity("numbers")).read("n.txt") == b"{}"


def test_prod_outside_a_repository_or_without_commit_is_refused_with_what_to_do(
    make_step: MakeStep, capsys: pytest.CaptureFixture[str], stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": []})
    assert main(folder, mode="prod", argv=[]) == 1
    assert "is not in a git repository: prod runs committed code. Run `git init`, commit." in capsys.readouterr().out
    _git(folder, "init", "-q")
    assert main(folder, mode="prod", argv=[]) == 1
    assert "has no commit yet" in capsys.readouterr().out
    assert stores("prod").runs(STEP) == []


def test_ctrl_c_ends_the_cell_keeps_its_output_and_exits_with_254(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], tmp_path: Path
) -> None:
    wait = """print('kept')
import time
from pathlib import Path
Path(substep_params['mark']).write_text('')
time.sleep(60)"""
    mark = tmp_path / "started"
    folder = make_step({"count.ipynb": ["## Wait", wait]}, params={"count.ipynb": {"mark": str(mark)}})
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "step.dev.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as step:
        while not mark.exists() and time.monotonic() - started < 40:
            time.sleep(0.05)
        step.send_signal(signal.SIGINT)
        told, _ = step.communicate(timeout=30)
    assert step.returncode == 254
    assert "stopped: count.ipynb, 'Wait': interrupted." in told
    run, record = _only_run(stores("user"))
    assert (record.status, record.reason) == (RunStatus.FAILED, "count.ipynb, 'Wait': interrupted.")
    files, info = _report(stores("user"), run)
    assert (files, info["status"]) == (REPORT_FILES, "STOPPED")
    executed = nbformat.reads(stores("user").open(run.entity("reports_count_ipynb")).read("report.ipynb").decode(), 4)
    assert "kept" in str(executed.cells)


def test_a_second_ctrl_c_ends_a_cell_that_ignores_the_first(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], tmp_path: Path
) -> None:
    deaf = """import signal, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.SIG_IGN)
Path(substep_params['mark']).write_text('')
time.sleep(60)"""
    mark = tmp_path / "started"
    folder = make_step({"count.ipynb": ["## Wait", deaf]}, params={"count.ipynb": {"mark": str(mark)}})
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "step.dev.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as step:
        while not mark.exists() and time.monotonic() - started < 40:
            time.sleep(0.05)
        for _ in range(2):
            step.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        told, _ = step.communicate(timeout=30)
    assert step.returncode == 254, told
    run, record = _only_run(stores("user"))
    assert record.status is RunStatus.FAILED
    assert _report(stores("user"), run)[1]["status"] == "STOPPED"
    assert time.monotonic() - started < 50


def test_the_safeguard_refuses_the_wrong_folder_and_the_wrong_branch(make_step: MakeStep, tmp_path: Path) -> None:
    folder = make_step({"count.ipynb": []})
    safeguard = StepSafeguard(folder)
    safeguard.step_is_in_dir(tmp_path)
    with pytest.raises(StepFailedError, match=r"is not below .*elsewhere: run the step from there"):
        safeguard.step_is_in_dir(tmp_path / "elsewhere")
    with pytest.raises(StepFailedError, match=r"is on branch none, not on main: check it out"):
        safeguard.step_is_in_branch("main")
    _commit(folder)
    safeguard.step_is_in_branch("main")
    with pytest.raises(StepFailedError, match=r"is on branch main, not on release"):
        safeguard.step_is_in_branch("release")


def test_temporary_files_of_a_run_are_removed(
    make_step: MakeStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "tmp"
    work.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(work))
    monkeypatch.setenv("TMPDIR", str(work))
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]})
    before = sorted(p.name for p in folder.iterdir())
    assert main(folder, mode="dev", argv=[]) == 0
    assert list(work.iterdir()) == []
    assert sorted(p.name for p in folder.iterdir()) == before
    assert os.environ.get("SINARA_RUN_URL") is None


def test_two_runs_of_one_step_at_the_same_time_do_not_disturb_each_other(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]})
    command = [sys.executable, "step.dev.py", "--set"]
    steps = [
        subprocess.Popen([*command, f"count.ipynb.size={n}"], cwd=folder, stdout=subprocess.DEVNULL) for n in range(2)
    ]
    assert [step.wait(timeout=60) for step in steps] == [0, 0]
    store = stores("user")
    runs = store.runs(STEP)
    assert len({run.run_id for run in runs}) == 2
    assert {store.open(run.entity("numbers")).read("n.txt") for run in runs} == {b"{'size': 0}", b"{'size': 1}"}
    assert sorted(p.name for p in folder.iterdir()) == ["count.ipynb", "params", "step.dev.py", "step.prod.py"]
