"""A step's parameter models are found in its folder, loaded apart, and hold before a run is claimed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sinara_lib.step
from sinara_lib.errors import ParamsError
from sinara_lib.step import main, run_step
from sinara_lib.step_models import step_models
from sinara_lib.store import ArtifactStore
from step_cases import GOOD, STEP, MakeStep, git

MODULE = """from sinara_lib.params import ParamsModel
from counting.numbers import START


class CountParams(ParamsModel):
    \"\"\"What count.ipynb can be told.\"\"\"

    size: int = START
    \"\"\"How far to count.\"\"\"


NOTEBOOKS = {"count.ipynb": CountParams}
"""


def _add_model(folder: Path, text: str = MODULE, *, start: int = 1) -> Path:
    (folder / "counting").mkdir()
    (folder / "counting" / "__init__.py").write_text("")
    (folder / "counting" / "numbers.py").write_text(f"START = {start}\n")
    (folder / "count_params.py").write_text(text)
    return folder


@pytest.fixture
def step(make_step: MakeStep) -> Path:
    """A step that counts, with a model of its parameters."""
    return _add_model(make_step({"count.ipynb": GOOD}))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--set", "sise=3"], r"failed: count\.ipynb: unknown key 'sise' \(did you mean size\?\)"),
        (["--set", "size=three"], r"failed: count\.ipynb: 'size' is 'three'"),
        (["--set", "count.ipynb.size=NaN"], r"failed: --set count\.ipynb\.size: the value is NaN"),
    ],
)
def test_a_wrong_parameter_ends_the_step_before_a_run_is_claimed(
    step: Path,
    stores: Callable[[str], ArtifactStore],
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    message: str,
) -> None:
    assert main(step, mode="dev", argv=argv) == 1
    assert re.search(message, capsys.readouterr().out)
    assert stores("user").runs(STEP) == []
    assert not Path(stores("user").url.removeprefix("file://")).exists()


def test_prod_holds_the_parameters_of_head_against_the_models_of_head(
    step: Path, stores: Callable[[str], ArtifactStore]
) -> None:
    git(step, "init", "-q", "-b", "main")
    git(step, "add", "-A")
    git(step, "commit", "-q", "-m", "step")
    (step / "count_params.py").write_text("not read")
    with pytest.raises(ParamsError, match=r"unknown key 'sise'"):
        run_step(step, mode="prod", assignments=["sise=3"])
    assert stores("prod").runs(STEP) == []
    assert git(step, "status", "--porcelain") == "M count_params.py"


def test_set_finds_a_parameter_that_only_the_model_names(make_step: MakeStep) -> None:
    folder = _add_model(make_step({"count.ipynb": [], "check.ipynb": []}))
    with pytest.raises(ParamsError, match=r"^count\.ipynb: 'size' is 'x'"):
        run_step(folder, mode="dev", assignments=["size=x"])
    with pytest.raises(ParamsError, match=r"sise: no such parameter \(did you mean size\?\)"):
        run_step(folder, mode="dev", assignments=["sise=1"])


def test_models_of_two_steps_never_mix_and_nothing_of_them_stays(make_step: MakeStep) -> None:
    one = _add_model(make_step({"count.ipynb": []}, name="one"), start=1)
    two = _add_model(make_step({"count.ipynb": []}, name="two"), start=2)
    before = dict(sys.modules)
    defaults = [step_models(folder)["count.ipynb"]().model_dump() for folder in (one, two, one)]
    assert defaults == [{"size": 1}, {"size": 2}, {"size": 1}]
    assert sys.modules == before
    assert not list(one.parent.rglob("__pycache__"))


def test_a_module_that_names_no_notebook_is_not_even_run(make_step: MakeStep) -> None:
    folder = make_step({"count.ipynb": []})
    (folder / "old_params.py").write_text("import torch_that_is_not_there  # no NOTEBOOKS here")
    assert step_models(folder) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NOTEBOOKS = {", r"count_params\.py is no Python module: .*line 1"),
        ("import no_such_package\nNOTEBOOKS = {}", r"cannot be loaded \(ModuleNotFoundError: .*no_such_package"),
        ("NOTEBOOKS = 3", r"NOTEBOOKS is a int; expected models by the notebook's file name"),
        ('NOTEBOOKS = {"count.ipynb": 3}', r"NOTEBOOKS gives count\.ipynb 3, which is no pydantic model"),
        (MODULE.replace("count.ipynb", "cuont.ipynb"), r"names cuont\.ipynb; notebooks beside it: count\.ipynb"),
    ],
)
def test_a_module_that_is_of_no_use_is_named_with_what_is_wrong(make_step: MakeStep, text: str, message: str) -> None:
    folder = _add_model(make_step({"count.ipynb": []}), text)
    with pytest.raises(ParamsError, match=message):
        run_step(folder, mode="dev")


def test_two_modules_cannot_name_the_same_notebook(step: Path) -> None:
    (step / "more_params.py").write_text(MODULE)
    with pytest.raises(ParamsError, match=r"more_params\.py: NOTEBOOKS names count\.ipynb, which another module names"):
        step_models(step)


def test_before_the_parameters_are_judged_nothing_is_imported_that_takes_time(step: Path) -> None:
    code = f"""import sys
from pathlib import Path
from sinara_lib.step import main
assert main(Path({str(step)!r}), mode="dev", argv=["--set", "sise=3"]) == 1
heavy = "fsspec psutil requests papermill nbconvert nbformat pyarrow numpy torch cv2 av bentoml matplotlib".split()
print("imported:", sorted(sys.modules.keys() & set(heavy)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=step.parent)
    assert "unknown key 'sise'" in done.stdout
    assert done.stdout.endswith("imported: []\n")


def test_help_lists_the_parameters_wherever_one_stands(step: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(step / "step.prod.py"), "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert "--push" in told
    assert told.endswith("\nparameters of count.ipynb:\n  size: integer; default 1\n      How far to count.\n")


def test_help_is_given_though_the_models_cannot_be_loaded(step: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (step / "count_params.py").write_text("NOTEBOOKS = {")
    with pytest.raises(SystemExit):
        main(step, mode="dev", argv=["--help"])
    assert re.search(r"--run-id.*parameters: .*count_params\.py is no Python module", capsys.readouterr().out, re.S)


def test_what_python_asks_a_step_for_is_there_and_nothing_else() -> None:
    assert all(hasattr(sinara_lib.step, name) for name in sinara_lib.step.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'run_stop'"):
        _ = sinara_lib.step.run_stop
