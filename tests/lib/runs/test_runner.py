"""Running one notebook: its parameters, how it may end, and what is said about it."""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sinara_lib.errors import InterfaceError, ParamsError
from sinara_lib.runs.notebook import NotebookEnd, Outcome, cell_titles, check_parameters, run_notebook

Write = Callable[..., Path]


def _run(source: Path, **environ: str) -> tuple[NotebookEnd, nbformat.NotebookNode]:
    target = source.with_name("executed.ipynb")
    end = run_notebook(source, target, parameters={"substep_params": {"size": 7}}, environ=environ)
    return end, nbformat.read(target, as_version=4)


def _printed(notebook: nbformat.NotebookNode) -> str:
    return "".join(o.text for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == "stream")


def test_a_notebook_runs_in_its_own_folder_with_its_parameters_and_environment(
    tmp_path: Path, write_notebook: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINARA_OLD", "before")
    monkeypatch.delenv("SINARA_NEW", raising=False)
    ask = "import os\nprint(substep_params, os.getcwd(), os.environ['SINARA_OLD'], os.environ['SINARA_NEW'])"
    source = write_notebook(tmp_path / "a.ipynb", ask, "print(sorted(os.listdir('.')))")
    before = source.read_bytes()
    end, executed = _run(source, SINARA_OLD="now", SINARA_NEW="new")
    assert end == NotebookEnd(Outcome.DONE)
    printed = _printed(executed).splitlines()
    assert printed[0] == f"{{'size': 7}} {tmp_path} now new"
    assert printed[1] == "['a.ipynb', 'executed.ipynb']"
    assert source.read_bytes() == before
    assert os.environ["SINARA_OLD"] == "before"
    assert "SINARA_NEW" not in os.environ


def test_a_notebook_stripped_of_its_metadata_runs_in_pythons_usual_kernel(
    tmp_path: Path, write_notebook: Write
) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "print(substep_params)")
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata.clear()
    nbformat.write(notebook, source)
    end, executed = _run(source)
    assert (end.outcome, _printed(executed)) == (Outcome.DONE, "{'size': 7}\n")


def test_a_failing_cell_is_named_by_the_heading_above_it_and_its_output_is_kept(
    tmp_path: Path, write_notebook: Write
) -> None:
    cells = [
        "# Title",
        "## Read the images",
        "print('first')",
        "## Draw",
        "print('kept')\nraise OSError('no such image')",
    ]
    end, executed = _run(write_notebook(tmp_path / "a.ipynb", *cells, "print('never')"))
    assert end == NotebookEnd(Outcome.FAILED, "a.ipynb, 'Draw': OSError: no such image")
    assert _printed(executed) == "first\nkept\n"


def test_a_failing_cell_without_heading_is_named_by_its_first_line(tmp_path: Path, write_notebook: Write) -> None:
    end, _ = _run(write_notebook(tmp_path / "a.ipynb", "x = 1 / 0\nprint(x)"))
    assert end.reason == "a.ipynb, 'x = 1 / 0': ZeroDivisionError: division by zero"


def test_an_error_of_the_library_is_told_in_its_own_words(tmp_path: Path, write_notebook: Write) -> None:
    cell = "from sinara_lib.errors import DataError\nraise DataError('No image in a.zip: give another.')"
    end, _ = _run(write_notebook(tmp_path / "a.ipynb", "## Read", cell))
    assert end == NotebookEnd(Outcome.FAILED, "a.ipynb, 'Read': No image in a.zip: give another.")


def test_stop_step_ends_the_notebook_on_purpose(tmp_path: Path, write_notebook: Write) -> None:
    cell = "from sinara_lib.errors import StopStep\nraise StopStep('nothing new to do')"
    end, executed = _run(write_notebook(tmp_path / "a.ipynb", cell, "print('never')"))
    assert end == NotebookEnd(Outcome.STOPPED, "nothing new to do")
    assert _printed(executed) == ""


def test_a_kernel_that_dies_is_told_with_the_likely_cause(tmp_path: Path, write_notebook: Write) -> None:
    end, executed = _run(write_notebook(tmp_path / "a.ipynb", "print('before')", "import os\nos._exit(9)"))
    assert end.outcome is Outcome.FAILED
    assert end.reason is not None
    assert "the kernel died, most often for want of memory" in end.reason
    assert "before" in _printed(executed)


def test_a_kernel_that_dies_while_it_starts_is_told(
    tmp_path: Path, write_notebook: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "broken"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit(3)", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    source = write_notebook(tmp_path / "a.ipynb", "1")
    end = run_notebook(source, tmp_path / "b.ipynb", parameters={}, environ={}, kernel_name="broken")
    assert end.outcome is Outcome.FAILED
    assert "the kernel did not start" in str(end.reason)


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        ("julia-9", None, "there is no Jupyter kernel 'julia-9'"),
        ("a b", None, "there is no Jupyter kernel 'a b'"),
        ("odd", '{"argv":', "the Jupyter kernel 'odd' has a broken kernel.json"),
        ("odd", '{"argv": ["/none/python"]}', "the Jupyter kernel 'odd' starts /none/python, which is no program here"),
        ("odd", '{"argv": []}', "the Jupyter kernel 'odd' starts nothing"),
    ],
)
def test_a_kernel_that_cannot_be_started_is_told_in_one_message_with_those_there_are(
    tmp_path: Path,
    write_notebook: Write,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    spec: str | None,
    words: str,
) -> None:
    if spec is not None:
        folder = tmp_path / "jupyter" / "kernels" / name
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(spec)
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    source = write_notebook(tmp_path / "a.ipynb", "1")
    end = run_notebook(source, tmp_path / "b.ipynb", parameters={}, environ={}, kernel_name=name)
    assert (end.outcome, str(end.reason).startswith(f"a.ipynb: {words}")) == (Outcome.FAILED, True)
    assert "Kernels there are: python3. Name one in step_params.kernel_name" in str(end.reason)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_full_disk_is_told_with_the_remedy(tmp_path: Path, write_notebook: Write) -> None:
    end, _ = _run(
        write_notebook(tmp_path / "a.ipynb", "import errno, os\nraise OSError(errno.ENOSPC, os.strerror(28))")
    )
    assert "No space left on device" in str(end.reason)
    assert "Free space on that disk, or put the store elsewhere (SINARA_<ENV>_ROOT)" in str(end.reason)


def _run_numbered(source: Path, number: int) -> tuple[str, str]:
    target = source.with_name(f"executed{number}.ipynb")
    end = run_notebook(source, target, parameters={"substep_params": number}, environ={})
    return end.outcome.value, _printed(nbformat.read(target, as_version=4))


def test_notebooks_of_one_folder_can_run_at_the_same_time(tmp_path: Path, write_notebook: Write) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "print(substep_params)")
    with ProcessPoolExecutor(3) as pool:
        ends = list(pool.map(_run_numbered, [source] * 3, range(3)))
    assert ends == [("done", f"{number}\n") for number in range(3)]


def test_temporary_files_may_lie_deeper_than_a_socket_can(
    tmp_path: Path, write_notebook: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    end, _ = _run(write_notebook(tmp_path / "a.ipynb", "print(substep_params)"))
    assert end == NotebookEnd(Outcome.DONE)


def test_an_unknown_parameter_is_refused_before_the_start(tmp_path: Path, write_notebook: Write) -> None:
    source = write_notebook(tmp_path / "a.ipynb", parameters="pipeline_params = {}\nsize: int = 3\nif size:\n    x = 1")
    with pytest.raises(
        ParamsError, match=r"a\.ipynb has no parameter colour; its parameters cell sets: pipeline_params, size"
    ):
        run_notebook(source, tmp_path / "b.ipynb", parameters={"size": 1, "colour": 2}, environ={})
    assert not (tmp_path / "b.ipynb").exists()


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path: Path, write_notebook: Write) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "x = 1", parameters=None)
    with pytest.raises(InterfaceError, match=r"has no code cell tagged 'parameters'"):
        check_parameters(source, {})


def test_a_parameters_cell_that_is_no_plain_python_is_refused(tmp_path: Path, write_notebook: Write) -> None:
    source = write_notebook(tmp_path / "a.ipynb", parameters="%matplotlib inline\nx = 1")
    with pytest.raises(InterfaceError, match=r"its parameters cell is not plain Python"):
        check_parameters(source, {})


def test_a_missing_notebook_is_named_with_those_that_are_there(tmp_path: Path, write_notebook: Write) -> None:
    write_notebook(tmp_path / "b.ipynb")
    with pytest.raises(ParamsError, match=r"Notebook a\.ipynb is not in .*; notebooks there: b\.ipynb"):
        check_parameters(tmp_path / "a.ipynb", {})


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", '{"cells": 5, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}']
)
def test_a_broken_notebook_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(InterfaceError, match=r"a\.ipynb is not a readable notebook"):
        check_parameters(tmp_path / "a.ipynb", {})


def _cells(*texts: str) -> list[Any]:
    make = {True: nbformat.v4.new_markdown_cell, False: nbformat.v4.new_code_cell}
    return [make[text.startswith("#")](text) for text in texts]


def test_a_cell_is_titled_by_the_nearest_heading_above_it_else_by_its_first_line() -> None:
    cells = _cells("x = 1\ny = 2", "# Title\ntext\n## Read", "a", "b", "", "### Draw", "c")
    assert cell_titles(cells) == {0: "x = 1", 2: "Read", 3: "Read", 6: "Draw"}
