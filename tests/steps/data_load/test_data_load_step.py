"""The step as a user runs it: the notebook publishes the three archives, or fails with one clear message."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STEP = Path(__file__).parents[3] / "data_load"
ENTITIES = ("coco_datasets_images", "coco_datasets_annotations", "yolox_pth_pretrain_weights")


def run_step(folder: Path, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SINARA_USER_ROOT": str(root), "PYTHONPATH": str(STEP.parent)}
    command = [sys.executable, "step.dev.py", "--params", "params/sample.json", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The step folder alone, away from the others."""
    folder = tmp_path_factory.mktemp("alone") / "data_load"
    shutil.copytree(STEP, folder, ignore=shutil.ignore_patterns("__pycache__", "tmp", ".ipynb_checkpoints"))
    return folder


def manifests(root: Path) -> list[dict[str, str]]:
    """For each run, in order, the content hash of each published archive."""
    runs = sorted((root / "obj_detect_rest" / "test" / "data_load").iterdir())
    return [
        {name: json.loads((run / name / "_MANIFEST.json").read_text())["content"] for name in ENTITIES} for run in runs
    ]


def test_two_runs_on_the_sample_publish_the_same_three_archives(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = run_step(folder, tmp_path, "--set", "images_url=sample://scenes?images=8&size=128&seed=1")
        assert done.returncode == 0, done.stdout + done.stderr

    first, second = manifests(tmp_path)
    assert first == second
    report = next((tmp_path / "obj_detect_rest" / "test" / "data_load").glob("*/reports_data_load_ipynb"))
    page = (report / "business_report.html").read_text()
    assert "Some of the images with their boxes" in page
    assert page.count("data:image/") >= 2
    assert json.loads((report / "metrics.json").read_text())["images"] == 8


def test_a_missing_source_ends_with_one_message_and_nothing_published(folder: Path, tmp_path: Path) -> None:
    done = run_step(
        folder, tmp_path, "--set", "images_url=/nowhere/a.zip", "--set", "annotations_url=/nowhere/labels.json"
    )

    assert done.returncode == 1
    assert "there is no file or folder /nowhere/a.zip. Correct the path in the parameters." in done.stdout + done.stderr
    run = next((tmp_path / "obj_detect_rest" / "test" / "data_load").iterdir())
    assert not any((run / name).exists() for name in ENTITIES)
    info = json.loads((run / "reports_data_load_ipynb" / "runinfo.json").read_text())
    assert (info["status"], "/nowhere/a.zip" in info["reason"]) == ("FAILED", True)
