"""A step as a process: interrupted, run twice at once, and leaving no temporary files."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from sinara_lib.step import main
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunStatus
from step_cases import INTERFACE, PUBLISH, REPORT_FILES, STEP, MakeStep, only_run, read_report


def _interrupted(make_step: MakeStep, cell: str, *, mark: Path, signals: list[signal.Signals]) -> str:
    """Run a step whose cell makes the file `mark` and sleeps, send it signals then, and return what it said.

    The cell sleeps for a minute: a step that ends within 30 s of the signals was ended by them.
    """
    folder = make_step({"count.ipynb": ["## Wait", cell]}, params={"count.ipynb": {"mark": str(mark)}})
    with subprocess.Popen(
        [sys.executable, "step.dev.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as step:
        for _ in range(800):
            if mark.exists():
                break
            time.sleep(0.05)
        for number in signals:
            step.send_signal(number)
            time.sleep(0.5)
        told, _ = step.communicate(timeout=30)
    assert step.returncode == 254, told
    return told


def test_ctrl_c_ends_the_cell_keeps_its_output_and_exits_with_254(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], tmp_path: Path
) -> None:
    wait = """print('kept')
import time
from pathlib import Path
Path(substep_params['mark']).write_text('')
time.sleep(60)"""
    told = _interrupted(make_step, wait, mark=tmp_path / "started", signals=[signal.SIGINT])
    assert "stopped: count.ipynb, 'Wait': interrupted." in told
    run, record = only_run(stores("user"))
    assert (record.status, record.reason) == (RunStatus.FAILED, "count.ipynb, 'Wait': interrupted.")
    files, info = read_report(stores("user"), run)
    assert (files, info["status"]) == ([n for n in REPORT_FILES if n != "environment.json"], "STOPPED")
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
    _interrupted(make_step, deaf, mark=tmp_path / "started", signals=[signal.SIGTERM, signal.SIGTERM])
    run, record = only_run(stores("user"))
    assert record.status is RunStatus.FAILED
    assert read_report(stores("user"), run)[1]["status"] == "STOPPED"


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


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("python step.dev.py", "2>&1 | head -1"),
        ("sinara run", "| head -1"),
        ("python step.dev.py", ">&-"),
        ("sinara run", ">&- 2>&-"),
    ],
)
def test_a_reader_who_leaves_or_a_closed_output_fails_no_run(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], command: str, end: str
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH, "for _ in range(50):\n    print('x' * 10000)"]})
    (folder.parent / "sinara.toml").write_text(f'[pipeline]\nsteps = ["{folder.name}"]\n')
    done = subprocess.run(
        ["bash", "-c", f"{Path(sys.executable).parent}/{command} {end}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert only_run(stores("user"))[1].status is RunStatus.SUCCESS
