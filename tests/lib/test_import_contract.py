"""The contract that `make lint` holds imports to catches what it is there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ("data_load", "data_prep", "model_train", "model_pack", "model_eval")
WRONG = {
    "sinara_lib/store/hashing.py": "import sinara_lib.catalog.show",
    "sinara_lib/reports/pages.py": "def late() -> None:\n    import papermill  # noqa: F401",
    "data_load/label_formats/values.py": "import coco_fetch",
    "model_eval/quality_gate/metrics.py": "import dataset_checks.checks",
    "model_train/train_params.py": "import torch",
    "model_pack/rest_service/errors.py": "import model_pack.service",
    "data_prep/nowhere.py": "",
}
"""A line that no contract allows, at the end of each of these files; the last one is a module without a layer."""


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the contract says of a copy of the code with a wrong import in several places."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("sinara_lib", *STEPS):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "tmp", "*.ipynb"))
    (copy / "tests").mkdir()
    for name in ("pyproject.toml", "tests/__init__.py", "tests/step_layers.py"):
        shutil.copyfile(ROOT / name, copy / name)
    for name, line in WRONG.items():
        with (copy / name).open("a") as file:
            file.write(f"\n{line}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=copy,
        env={"PYTHONPATH": str(copy), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "sentence",
    [
        "sinara_lib.store.hashing -> sinara_lib.catalog.show",
        "sinara_lib.reports.pages -> papermill",
        "data_load.label_formats.values imports coco_fetch, which does not lie below it.",
        "model_eval.quality_gate.metrics imports dataset_checks, which is another step's, or a step's folder.",
        "model_train.train_params -> torch",
        "model_pack.rest_service.errors imports model_pack.service, which is another step's, or a step's folder.",
        "data_prep/nowhere stands in no layer: give it one.",
    ],
)
def test_an_import_that_climbs_or_crosses_or_is_too_heavy_is_caught(verdict: str, sentence: str) -> None:
    assert sentence in verdict
