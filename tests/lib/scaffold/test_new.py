"""`sinara new` makes what runs at once, by hand and as a job, passes its own test, and writes over nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sinara_lib.cli import main
from sinara_lib.errors import ParamsError
from sinara_lib.scaffold import new_step
from sinara_lib.scaffold.wiring import with_step
from sinara_lib.settings import load_settings

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with a store of its own."""
    monkeypatch.setenv("SINARA_USER_ROOT", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line as a person does with the environment activated."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.run(["bash", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_readme_to_the_letter(here: Path) -> None:
    section = README.split("## A step of your own")[1].split("\n## ")[0]
    lines = [line[4:].split("  #")[0] for line in section.splitlines() if line.startswith("    ")]
    assert [re.split(r" && |\s", line)[0] for line in lines] == ["sinara", "cd", "sinara", "sinara", "sinara", "pytest"]
    done = _shell("set -e\n" + "\n".join(lines), here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    store = load_settings(here / "shop").store("user")
    assert sorted(step.path for step in store.steps()) == ["shop/test/clean", "shop/test/collect"]


def test_a_notebook_runs_by_hand_too(here: Path) -> None:
    assert main(["new", "pipeline", "shop"]) == 0
    os.chdir("shop")
    assert main(["new", "step", "collect", "--substeps", "first,second", "--publishes", "rows"]) == 0
    for name in ("first", "second"):
        line = f"jupyter nbconvert --to notebook --execute --stdout {name}.ipynb"
        done = _shell(line, here / "shop" / "collect")
        assert done.returncode == 0, done.stderr
    store = load_settings(here / "shop").store("user")
    published = [entity.name for step in store.steps() for run in store.runs(step) for entity in store.entities(run)]
    assert "rows" in published


def test_twice_writes_over_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "pipeline", "shop"]) == 0
    assert main(["new", "pipeline", "shop"]) == 1
    os.chdir("shop")
    assert main(["new", "step", "collect", "--git"]) == 0
    files = {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()}
    assert (Path.cwd() / "collect" / ".git").is_dir()
    assert main(["new", "step", "collect"]) == 1
    assert {path: path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a-b"}, r"step 'a-b': use letters, digits and _"),
        ({"name": "a", "reads": ["load"]}, r"--reads 'load': expected STEP\.ENTITY"),
        ({"name": "a", "publishes": ["class"]}, r"--publishes 'class': use letters, .* and no word of its own"),
        ({"name": "a", "reads": ["load.import"]}, r"--reads 'import': use letters"),
        ({"name": "a", "publishes": ["x y"]}, r"--publishes 'x y': use letters"),
        ({"name": "a", "substeps": ["x", "x"]}, r"--substeps: a name is given twice"),
    ],
)
def test_what_cannot_be_a_name_makes_nothing(here: Path, options: dict[str, object], words: str) -> None:
    (here / "sinara.toml").write_text('[pipeline]\nname = "shop"\n')
    with pytest.raises(ParamsError, match=words):
        new_step(into=here, **options)  # type: ignore[arg-type]
    assert [path.name for path in here.iterdir()] == ["sinara.toml"]


def test_outside_a_pipeline_the_person_is_told_what_to_do(here: Path) -> None:
    with pytest.raises(ParamsError, match=r"No sinara\.toml here or above: `sinara new pipeline NAME`"):
        new_step("a", into=here)
    (here / "sinara.toml").write_text("[pipeline]\nsteps = []\n")
    with pytest.raises(ParamsError, match=r"gives the pipeline no name"):
        new_step("a", into=here)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[pipeline]\nsteps = []\n", '[pipeline]\nsteps = ["new"]\n'),
        ('[pipeline]\nsteps = ["a"] # ]\n', '[pipeline]\nsteps = ["a", "new"] # ]\n'),
        ('[pipeline]\nsteps = [\n    "a",\n]\n', '[pipeline]\nsteps = [\n    "a",\n    "new"\n]\n'),
        ('[pipeline]\nsteps = ["a]", {git="h:b", ref="]"}]\n', None),
        ('[pipeline]\nname = "x"\n', '[pipeline]\nsteps = ["new"]\nname = "x"\n'),
        ('[env.user]\nroot = "r"\n', '[pipeline]\nsteps = ["new"]\n\n[env.user]\nroot = "r"\n'),
        ('[pipeline.steps]\na = "a"\n\n[env.user]\n', '[pipeline.steps]\na = "a"\n"new" = "new"\n\n[env.user]\n'),
        ('[pipeline.steps]\na = "a"', '[pipeline.steps]\na = "a"\n"new" = "new"'),
    ],
)
def test_a_step_finds_its_line_in_any_form_of_the_file(before: str, after: str | None) -> None:
    if after is None:
        with pytest.raises(ParamsError, match=r"name 'a\]' is not usable"):
            with_step(before, "new", "sinara.toml")
    else:
        assert with_step(before, "new", "sinara.toml") == after


def test_what_is_written_is_what_ours_are_made_of(here: Path) -> None:
    main(["new", "pipeline", "shop"])
    folder = new_step("collect", into=here / "shop", reads=["far.rows"])
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert names == [
        *(".gitignore", "README.md", "collect.ipynb", "collect_params.py", "params/step_params.json"),
        *("requirements.txt", "step.dev.py", "step.prod.py", "tests/test_collect.py"),
    ]
    cells = json.loads((folder / "collect.ipynb").read_text())["cells"]
    assert [cell["metadata"].get("tags", []) for cell in cells] == [[], ["parameters"], ["interface"], []]
