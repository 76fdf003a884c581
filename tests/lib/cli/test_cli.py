"""The command line: what it loads, what it prints, how it ends."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib import __version__
from sinara_lib.cli.main import main
from sinara_lib.store import store_at

HEAVY = ["papermill", "nbconvert", "nbformat", "pyarrow", "torch", "bentoml", "matplotlib", "pydantic", "fsspec"]
PUBLISH = """from sinara_lib.store import publish_folder
from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "numbers"}])
publish_folder("params", substep.outputs().numbers)
substep.add_metric("AP50", 0.625)"""


@pytest.fixture
def pipeline(tmp_path: Path, make_step: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a pipeline of a good and a bad step."""
    make_step({"count.ipynb": [PUBLISH]}, name="project/one")
    make_step({"count.ipynb": ["## Divide", "1 / 0"]}, name="project/two")
    (tmp_path / "project" / "sinara.toml").write_text('[pipeline]\nsteps = ["one", "two"]\n')
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_help_loads_nothing_heavy() -> None:
    code = f"""import json, sys
from sinara_lib.cli import main
try:
    main(["--help"])
except SystemExit as end:
    print(json.dumps([end.code, [name for name in {HEAVY} if name in sys.modules]]))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert json.loads(lines[-1]) == [0, []]
    assert all(
        any(line.split()[:1] == [word] for line in lines) for word in ("run", "ls", "show", "serve", "containerize")
    )


@pytest.mark.parametrize("argv", [[], ["rnu"], ["run", "--env", "tset"], ["show"], ["compare", "--limit", "0"]])
def test_a_wrong_command_line_is_refused_with_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: sinara" in capsys.readouterr().err


def test_the_version_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"sinara {__version__}\n"


@pytest.mark.usefixtures("pipeline")
def test_a_run_ends_with_a_table_and_the_score_and_can_be_listed_and_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run", "one"]) == 0
    told = capsys.readouterr().out
    store = store_at(str(tmp_path / "store" / "user"))
    (run,) = store.runs(store.steps()[0])
    rows = [line.split() for line in told.splitlines() if line.startswith("one ")]
    assert [row[3:] for row in rows if len(row) == 4 and row[1] == run.run_id and row[2].isdigit()] == [
        [store.url_of(run.entity("numbers"))]
    ]
    index = tmp_path / "store" / "user" / "rest" / "test" / "index.html"
    assert told.endswith(f"score    AP50 0.62\nall      {index}\n")
    assert f'href="one/{run.run_id}/reports_count_ipynb/report.html"' in index.read_text()
    assert main(["ls"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0] == store.url
    assert [line.split() for line in listed[1:]] == [
        ["step", "run", "status", "published"],
        ["one", run.run_id, "SUCCESS", "numbers"],
    ]
    assert main(["show", run.run_id]) == 0
    assert store.url_of(run) in capsys.readouterr().out


@pytest.mark.usefixtures("pipeline")
def test_a_run_that_fails_exits_with_1_and_still_lists_what_was_done_and_names_its_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["run"]) == 1
    lines = capsys.readouterr().out.splitlines()
    header = lines.index(next(line for line in lines if line.split() == ["step", "run", "seconds", "published"]))
    assert lines[header + 1].startswith("one ")
    assert "failed: count.ipynb, 'Divide': ZeroDivisionError: division by zero" in lines
    assert not any(line.startswith("score") for line in lines)
    index = tmp_path / "store" / "user" / "rest" / "test" / "index.html"
    assert f"all      {index}" in lines
    assert re.findall(r"<h2>(\w+) ", index.read_text()) == ["two", "one"]


@pytest.mark.usefixtures("pipeline")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["run", "three"], "failed: No step three in this pipeline; its steps are one, two."),
        (["show", "nonsense"], "failed: 'nonsense' is neither a run id"),
        (["ls", "--env", "prd"], "failed: Environment 'prd' is not known"),
        (["serve"], "offers bento_service: run the step that makes it"),
        (["containerize"], "offers bento_service: run the step that makes it"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_exit_code_1(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1
    told = capsys.readouterr()
    assert message in told.out
    assert "Traceback" not in told.out + told.err


def test_an_empty_store_lists_its_place_and_no_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINARA_USER_ROOT", str(tmp_path / "nothing"))
    assert main(["ls"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"file://{tmp_path}/nothing"
    assert not (tmp_path / "nothing").exists()
