"""A step's repository installs: its requirements.txt names where the library comes from, told in one place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from git_cases import commit_all
from sinara_lib import __version__
from sinara_lib.cli import main
from sinara_lib.errors import ParamsError
from sinara_lib.scaffold.requirement import library_lines, with_library
from step_cases import git

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library's wheel, built from this checkout."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheels")
    shutil.copytree(ROOT / "sinara_lib", source / "sinara_lib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    _pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(folder), str(source))
    return folder


def _pip(*args: str, **environ: str) -> None:
    env = {**os.environ, **environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "-q", *args], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_clone_of_a_step_installs_offline_into_a_fresh_environment(
    tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sinara.toml").write_text(f'[pipeline]\nname = "shop"\nlibrary = "{wheels}"\nsteps = []\n')
    monkeypatch.chdir(tmp_path)
    assert main(["new", "step", "collect", "--git"]) == 0
    git(tmp_path, "clone", "-q", str(commit_all(tmp_path / "collect")), "clone")
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(fresh)], check=True)
    python = str(fresh / "bin" / "python")
    for step, environ in ((tmp_path / "clone", {}), (ROOT / "model_eval", {"PIP_FIND_LINKS": str(wheels)})):
        # Of the library alone: what it needs in turn is the matter of its own metadata.
        _pip("--python", python, "install", "--no-index", "--no-deps", "-r", str(step / "requirements.txt"), **environ)
    code = "import sinara_lib; print(sinara_lib.__version__, sinara_lib.__file__)"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, "-c", code], cwd=fresh, env=env, capture_output=True, text=True, check=True)
    version, file = done.stdout.split()
    assert version == __version__
    assert fresh in Path(file).parents
    assert (Path(file).parent / "scaffold" / "templates" / "step_test.txt").is_file()


def test_version_git_url_and_folder_are_told_in_one_place(tmp_path: Path) -> None:
    assert library_lines("[a]", None, tmp_path) == f"sinara_lib[a]>={__version__}"
    assert library_lines("[a]", "1.2.3", tmp_path) == "sinara_lib[a]==1.2.3"
    assert library_lines("", "git+https://host/lib@v1", tmp_path) == "sinara_lib @ git+https://host/lib@v1"
    (tmp_path / "wheels").mkdir()
    lines = library_lines("[a]", "wheels", tmp_path)
    assert lines == f"--find-links {tmp_path}/wheels\nsinara_lib[a]"
    text = "# What it needs.\nsinara_lib[a,b]\nrequests>=2  # downloads\n"
    there = with_library(text.replace("[a,b]", "[a]"), "wheels", tmp_path)
    assert there == f"# What it needs.\n{lines}\nrequests>=2  # downloads\n"
    assert (
        with_library(there, None, tmp_path)
        == f"# What it needs.\nsinara_lib[a]>={__version__}\nrequests>=2  # downloads\n"
    )


@pytest.mark.parametrize("library", ["git+https://me:pl4nted@host/lib", "no-folder"])
def test_what_is_none_of_these_is_refused(tmp_path: Path, library: str) -> None:
    with pytest.raises(ParamsError, match=r"pipeline\.library: ") as refusal:
        library_lines("", library, tmp_path)
    assert "pl4nted" not in str(refusal.value)


def test_every_steps_requirements_are_written_and_one_without_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sinara.toml").write_text('[pipeline]\nlibrary = "1.2"\nsteps = ["one", "two"]\n')
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "requirements.txt").write_text("sinara_lib[notebook]\n")
    monkeypatch.chdir(tmp_path)
    assert main(["pipeline", "requirements"]) == 1
    assert (tmp_path / "two" / "requirements.txt").read_text() == "sinara_lib[notebook]==1.2\n"
    assert "failed for one; the others are done" in capsys.readouterr().out
