"""`import sinara`: steps as SinaraML's users wrote them run with its names, and without its dangers."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sinara.archive import SinaraArchive
from sinara.experiment import Experiment
from sinara.spark import SinaraSpark
from sinara.step import Step, StepSafeguard
from sinara.substep import ENTITY_NAME, STEP_NAME, NotebookSubstep, StopExecution, get_curr_run_id, get_tmp_work_path

from sinara_lib.archive import open_archive
from sinara_lib.errors import ArchiveError, DroppedError, InterfaceError, ParamsError, StepFailedError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from step_cases import MakeStep, git

ROOT = Path(__file__).parents[3]
STEP_FILE = """from sinara.step import Step
from sinara.step import StepSafeguard as sg
from sinara.step import StepReport as sr
{reset}
try:
    step = Step(step_params_file_globs="params/*.json", env_name="{env}")
    for notebook in step.notebooks:
        notebook.run()
except Exception as e:
    step.handle_exception(e)
finally:
    sr.save()
    sr.tag_commit_by_run()
    step.handle_exit()
"""
NOTEBOOK = (
    """from sinara.substep import get_pipeline_params, get_step_params
pipeline_params = get_pipeline_params(pprint=True)
step_params = get_step_params(pprint=True)""",
    """from sinara.substep import NotebookSubstep, ENTITY_NAME
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "files"}, {ENTITY_NAME: "text"}], tmp_entities=[{ENTITY_NAME: "work"}])
substep.print_interface_info()
substep.exit_in_visualize_mode()""",
    """from sinara.spark import SinaraSpark
from sinara.archive import SinaraArchive
import os
tmp, outputs = substep.tmp_entities(), substep.outputs()
open(f"{tmp.work}/a.txt", "w").write(substep_params["WORD"] + step_params["Y"])
SinaraArchive(None).pack_files_from_tmp_to_store(tmp_entity_dir=tmp.work, store_path=outputs.files)
os.makedirs(outputs.text)
open(f"{outputs.text}/b.txt", "w").write(substep.env_name + substep.zone_name)
SinaraSpark.stop_session()""",
)

Stores = Callable[[str], ArtifactStore]


@pytest.fixture
def step(make_step: MakeStep, write_notebook: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder as SinaraML's template has it, committed to git."""
    folder = make_step({"count.ipynb": []})
    write_notebook(folder / "count.ipynb", *NOTEBOOK, parameters="substep_params = {}")
    job = {
        "pipeline_params": {"env_name": "user", "pipeline_name": "rest"},
        "step_params": {"Y": "own"},
        "substeps_params": [{"substep_name": "count.ipynb", "substep_params": {"WORD": "my "}}],
    }
    (folder / "params" / "step_params.json").write_text(json.dumps(job))
    (folder / "step.dev.py").write_text(STEP_FILE.format(env="user", reset=""))
    (folder / "step.prod.py").write_text(STEP_FILE.format(env="prod", reset="sg.git_reset()"))
    (folder / "sinara").mkdir()  # where SinaraML's submodule was
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "step")
    # The installed library knows the name; a checkout beside it, as here, is told.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "sinara_lib/compat/imported_as")]))
    monkeypatch.chdir(folder)
    return folder


def _run(step: Path, file: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, file, *args], cwd=step, capture_output=True, text=True, check=False)


def _newest(store: ArtifactStore) -> RunAddress:
    return store.runs(StepAddress("rest", "zone", "count"))[0]


def test_step_prod_runs_head_tags_it_and_neither_resets_nor_pushes(step: Path, stores: Stores) -> None:
    (step / "count.ipynb").write_text("half a thought")
    done = _run(step, "step.prod.py", "--set", "step_params.Y=set")
    assert done.returncode == 0, done.stdout + done.stderr
    run = _newest(stores("prod"))
    assert open_archive(stores("prod").url_of(run.entity("files"))).read("a.txt") == b"my set"
    assert stores("prod").open(run.entity("text")).read("b.txt") == b"prodzone"
    assert git(step, "tag", "--points-at", "HEAD") == run.run_id
    assert (step / "count.ipynb").read_text() == "half a thought"
    assert "git push origin" in done.stdout
    failed = _run(step, "step.dev.py")
    assert (failed.returncode, "not tagged: no run has ended well" in failed.stdout) == (1, True)
    assert "count.ipynb is not a readable notebook" in failed.stdout


def test_a_glob_that_fits_two_files_is_told_by_one_message_and_exit_code_1(step: Path) -> None:
    (step / "params" / "other.json").write_text("{}")
    done = _run(step, "step.dev.py")
    assert done.returncode == 1
    assert "must fit one file in" in done.stdout
    assert "Traceback" not in done.stderr


def test_safeguards_compare_folder_and_branch_with_patterns(step: Path) -> None:
    assert StepSafeguard.step_is_in_dir(f"{step.parent}/**".lower())
    assert StepSafeguard.step_is_in_branch(["ver*", "main"])
    with pytest.raises(StepFailedError, match=r"is on branch main, not on ver\*"):
        StepSafeguard.step_is_in_branch("ver*")
    with pytest.raises(StepFailedError, match=r"fits none of /nowhere"):
        StepSafeguard.step_is_in_dir("/nowhere")
    first = Step("params/missing.json").notebooks[0]
    with pytest.raises(ParamsError, match=r"it fits: none"):
        first.run()


@pytest.mark.usefixtures("log_as_before")
def test_a_substep_by_hand_gives_paths_names_and_the_last_runs_temporary_folders(
    step_folder: Path, publish: Callable[..., RunAddress], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINARA_CACHE", str(tmp_path / "cache"))
    upstream = publish("images")
    place = {"env_name": "user", "pipeline_name": "rest", "zone_name": "test"}
    substep = NotebookSubstep(place, {}, {})
    substep.interface(
        inputs=[{"STEP_NAME": "data_load", "ENTITY_NAME": "images"}],
        outputs=[{ENTITY_NAME: "table"}],
        tmp_outputs=[{ENTITY_NAME: "handed_on"}],
    )
    images = substep.inputs(step_name="data_load", env_name="curr_env_name").images
    assert Path(images, "a").read_text() == "a"
    assert substep.last_run_id("data_load", "user", "rest", "test", "images") == upstream.run_id
    with pytest.raises(InterfaceError, match=r"pin the run in the interface cell"):
        substep.inputs(step_name="data_load", run_id="run-20-01-01-000000")
    assert (substep.env_name, substep.pipeline_name, substep.zone_name) == ("user", "rest", "test")
    substep.add_metric("fit", {"r2": 1})
    assert substep.metrics == {"run_id": get_curr_run_id(), "fit": {"r2": 1}}
    os.makedirs(substep.outputs().table)
    Path(substep.outputs().table, "t.csv").write_text("x")
    assert substep.publish_outputs() == [f"{substep.run_url}/table"]
    Path(substep.tmp_outputs().handed_on, "b").write_text("b")
    reader = NotebookSubstep(place, {}, {})
    reader.interface(inputs=[{STEP_NAME: "data_prep", ENTITY_NAME: "table"}], tmp_inputs=[{ENTITY_NAME: "handed_on"}])
    assert Path(reader.inputs(step_name="data_prep").table, "t.csv").read_text() == "x"
    assert Path(reader.tmp_inputs().handed_on, "b").read_text() == "b"
    assert Path(get_tmp_work_path()).parent == Path(get_tmp_work_path(write_root=True))
    with pytest.raises(StopExecution):
        raise StopExecution


def test_archives_go_to_and_come_from_folders_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.txt").write_text("a")
    archive = SinaraArchive()
    archive.pack(tmp_path / "from", str(tmp_path / "own" / "place"))
    assert (tmp_path / "own" / "place" / "_SUCCESS").read_bytes() == b""
    archive.unpack_files_from_store_to_tmp(str(tmp_path / "own" / "place"), tmp_path / "to")
    assert (tmp_path / "to" / "a.txt").read_text() == "a"
    with pytest.raises(ArchiveError, match=r"holds files already"):
        archive.pack(tmp_path / "from", str(tmp_path / "own" / "place"))


def test_a_notebook_is_a_function_of_what_its_parameters_cell_sets(
    tmp_path: Path, write_notebook: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "first.ipynb", "{'a': a, 'twice': b['b'] * 2}", parameters="a = 1\nb = {}")
    assert Experiment.function("first.ipynb", "2")("x", {"b": 3}) == {"a": "x", "twice": 6}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("from sinara.store import SinaraStore", "SinaraArchive"),
        ("from sinara.bentoservice import SinaraOnnxBentoService", "save_bentoservice"),
        ("from sinara.bentoml.bento_archive import BentoArchive", "SinaraArchive"),
        ("from sinara.substep import default_param_values", "get_pipeline_params"),
        ("from sinara.step import SinaraDiffReport", "sinara diff"),
    ],
)
def test_what_is_gone_says_what_to_use_instead(line: str, words: str) -> None:
    with pytest.raises(DroppedError, match=words):
        exec(line)  # noqa: S102 - the line is the case


def test_without_spark_its_session_says_what_to_use_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    session = SinaraSpark.run_session(0)
    SinaraArchive(session)
    with pytest.raises(DroppedError, match=r"session\.read of SinaraML is gone.*pandas\.read_parquet.*pip install"):
        _ = session.read
    SinaraSpark.stop_session()


def test_a_wheel_holds_the_name_sinara_and_it_wins_over_an_empty_folder(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "sinara_lib", source / "sinara_lib", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([*pip, "--wheel-dir", str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as zipped:
        zipped.extractall(tmp_path / "site")
    (tmp_path / "step" / "sinara").mkdir(parents=True)
    code = "import sinara.step, sinara_lib; print(sinara.step.__file__); print(sinara.__version__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "step",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == str(tmp_path / "site" / "sinara_lib" / "compat" / "step.py")
