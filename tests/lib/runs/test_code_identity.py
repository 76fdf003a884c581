"""Which files say that a step's code, or the library's, is another one."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.runs.code_identity import code_of, library_of


def _git(folder: Path, *args: str) -> None:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def step(tmp_path: Path) -> Path:
    """A step with a room, a page and parameters, in a repository that ignores `made/`."""
    folder = tmp_path / "project" / "step"
    for name in ("step.dev.py", "room/part.py", "room/page.html.j2", "params/step_params.json", "page.ipynb"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder.parent / ".gitignore").write_text("made/\n*.log\n")
    _git(folder.parent, "init", "-q")
    _git(folder.parent, "add", "-A")
    _git(folder.parent, "commit", "-q", "-m", "first")
    return folder


def _edit(name: str, text: str = "edited") -> Callable[[Path], object]:
    def edit(step: Path) -> None:
        (step / name).parent.mkdir(parents=True, exist_ok=True)
        (step / name).write_text(text)

    return edit


def _swap(step: Path) -> None:
    """Give two files each other's content."""
    a, b = (step / "room/part.py").read_text(), (step / "step.dev.py").read_text()
    (step / "room/part.py").write_text(b)
    (step / "step.dev.py").write_text(a)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_edit("room/part.py"), id="a module in a room"),
        pytest.param(_edit("room/page.html.j2"), id="a page"),
        pytest.param(_edit("room/new.css"), id="a new file, not added yet"),
        pytest.param(lambda step: (step / "room/part.py").rename(step / "part.py"), id="a module in another room"),
        pytest.param(lambda step: (step / "room/part.py").unlink(), id="a module gone"),
        pytest.param(_swap, id="two files with each other's content"),
    ],
)
def test_every_file_that_git_would_track_counts(step: Path, edit: Callable[[Path], object]) -> None:
    before = code_of(step)
    edit(step)
    assert code_of(step) != before


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_edit("made/result.json"), id="what git ignores"),
        pytest.param(_edit("room/run.log"), id="a log"),
        pytest.param(lambda step: _edit("../README.md")(step), id="a file beside the step"),
        pytest.param(lambda step: os.symlink("user@host.1", step / ".#part.py"), id="an editor's lock"),
        pytest.param(lambda step: os.mkfifo(step / "pipe"), id="a pipe"),
    ],
)
def test_what_git_ignores_and_what_is_no_file_does_not_count(step: Path, edit: Callable[[Path], object]) -> None:
    before = code_of(step)
    edit(step)
    assert code_of(step) == before


def test_committed_or_not_in_a_worktree_or_in_no_repository_the_code_is_the_same(step: Path, tmp_path: Path) -> None:
    _git(step.parent, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    plain = tmp_path / "plain"
    plain.mkdir()
    subprocess.run(["cp", "-r", str(step), str(plain)], check=True)
    (plain / "step" / "__pycache__").mkdir()
    (plain / "step" / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert code_of(step) == code_of(tmp_path / "tree" / "step") == code_of(plain / "step")


def test_file_names_of_any_bytes_count(step: Path) -> None:
    before = code_of(step)
    Path(os.fsdecode(bytes(step) + b"/\xff\n.txt")).write_text("")
    assert code_of(step) != before


def test_the_code_of_a_checked_out_library_is_known_of_an_installed_one_the_version(tmp_path: Path) -> None:
    checkout, installed = tmp_path / "sinara_lib", tmp_path / "site-packages" / "sinara_lib"
    for folder in (checkout, installed):
        (folder / "store").mkdir(parents=True)
        (folder / "store" / "files.py").write_text("1")
    before = library_of(checkout), library_of(installed)
    for folder in (checkout, installed):
        (folder / "store" / "files.py").write_text("2")
    assert library_of(checkout) != before[0]
    assert library_of(installed) == before[1]
    assert " code " not in before[1]
