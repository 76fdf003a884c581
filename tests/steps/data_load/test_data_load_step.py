"""The step as a user runs it: the notebook publishes the three archives, or fails with one clear message."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from faulty_server import FaultyServer, whole

STEP = Path(__file__).parents[3] / "data_load"
ENTITIES = ("coco_datasets_images", "coco_datasets_annotations", "yolox_pth_pretrain_weights")
HIDDEN = "hidden-word"


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
    run = next((tmp_path / "obj_detect_rest" / "test" / "data_load").iterdir())
    manifest = json.loads((run / ENTITIES[0] / "_MANIFEST.json").read_text())
    url = "sample://scenes?images=8&size=128&seed=1&defects=1"
    assert manifest["inputs"] == [url]
    assert [source["url"] for source in manifest["sources"]] == [url, url]
    assert len({source["sha256"] for source in manifest["sources"]}) == 2
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


def test_manifests_name_what_was_downloaded_and_no_file_keeps_a_credential(
    folder: Path, tmp_path: Path, server: FaultyServer
) -> None:
    picture = _zipped("val/1.jpg", _jpeg())
    document = json.dumps(
        {
            "images": [{"id": 1, "file_name": "1.jpg", "width": 8, "height": 8}],
            "annotations": [],
            "categories": [{"id": 1, "name": "person"}],
        }
    ).encode()
    shown = [server.serve("/val.zip", whole(picture)), server.serve("/labels.json", whole(document, etag='"v2"'))]
    asked = [url.replace("http://", f"http://me:{HIDDEN}@") + f"?X-Amz-Signature={HIDDEN}" for url in shown]
    done = run_step(folder, tmp_path, "--set", f"images_url={asked[0]}", "--set", f"annotations_url={asked[1]}")
    assert done.returncode == 0, done.stdout + done.stderr
    run = next((tmp_path / "obj_detect_rest" / "test" / "data_load").iterdir())
    for name in ENTITIES:
        manifest = json.loads((run / name / "_MANIFEST.json").read_text())
        assert manifest["inputs"] == shown
        assert [
            (source["url"], source["sha256"], source["bytes"], source["etag"]) for source in manifest["sources"]
        ] == [
            (url, hashlib.sha256(data).hexdigest(), len(data), etag)
            for url, data, etag in zip(shown, (picture, document), ('"v1"', '"v2"'), strict=True)
        ]
        fetched = datetime.fromisoformat(manifest["sources"][0]["fetched"].replace("Z", "+00:00"))
        assert abs(datetime.now(timezone.utc) - fetched) < timedelta(minutes=5)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if HIDDEN.encode() in path.read_bytes()] == []
    assert HIDDEN not in done.stdout + done.stderr


def _jpeg() -> bytes:
    ok, data = cv2.imencode(".jpg", np.full((8, 8, 3), 90, np.uint8))
    assert ok
    return bytes(data)


def _zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()
