"""A source that is labelled elsewhere: the step asks it on every run, and publishes only what is new."""

import io
import json
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_sources.changes import ask_sources, end_early, end_without_changes
from faulty_server import FaultyServer, status, whole
from fetch_params import FetchParams
from sinara_lib.downloads.options import RetryPolicy
from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import DownloadError, ParamsError, Unchanged
from sinara_lib.params import parse_params
from sinara_lib.store import publish_folder
from sinara_lib.substep import ENTITY_NAME, STEP_NAME, NotebookSubstep

STEP = Path(__file__).parents[3] / "data_load"
PIPELINE = {"env_name": "user", "pipeline_name": "obj_detect_rest", "zone_name": "test"}


def photos() -> bytes:
    ok, jpeg = cv2.imencode(".jpg", np.full((8, 8, 3), 90, np.uint8))
    assert ok
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.jpg", bytes(jpeg))
    return buffer.getvalue()


def labels(name: str = "person") -> bytes:
    images = [{"id": 1, "file_name": "1.jpg", "width": 8, "height": 8, "license": 1}]
    licences = [{"id": 1, "name": "CC BY 2.0", "url": "http://creativecommons.org/licenses/by/2.0/"}]
    page = {"images": images, "annotations": [], "categories": [{"id": 1, "name": name}], "licenses": licences}
    return json.dumps(page).encode()


@pytest.fixture
def as_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in the folder of the next step, with the store of this test, and put the log back afterwards."""
    monkeypatch.setenv("SINARA_USER_ROOT", str(tmp_path / "store"))
    (tmp_path / "data_prep").mkdir()
    monkeypatch.chdir(tmp_path / "data_prep")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_the_step_publishes_once_and_the_next_step_keeps_reading_that(
    server: FaultyServer, tmp_path: Path, as_a_notebook: None
) -> None:
    folder = tmp_path / "alone" / "data_load"
    shutil.copytree(STEP, folder, ignore=shutil.ignore_patterns("__pycache__", "tmp", ".ipynb_checkpoints"))
    urls = {
        "images_url": server.serve("/photos.zip", whole(photos())),
        "annotations_url": server.serve("/labels.json", whole(labels(), etag='"v2"')),
    }
    command = [sys.executable, "step.dev.py", "--params", "params/sample.json", "--set", "always_changed=true"]
    command += [part for name, url in urls.items() for part in ("--set", f"{name}={url}?token=hidden")]
    environment = {**os.environ, "PYTHONPATH": str(STEP.parent)}
    told = []
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        told.append(done.stdout)

    first, second = sorted((tmp_path / "store/obj_detect_rest/test/data_load").iterdir())
    assert f"unchanged since {first.name}" in told[1]
    assert sorted(path.name for path in second.iterdir()) == ["_RUN.json", "reports_data_load_ipynb"]
    assert [headers.get("If-None-Match") for headers in server.asked] == [None, None, '"v1"', '"v2"']
    manifest = json.loads((first / "coco_datasets_images" / "_MANIFEST.json").read_text())
    licence = "CC BY 2.0 http://creativecommons.org/licenses/by/2.0/"
    assert [(source["url"], source["licences"]) for source in manifest["sources"]] == [
        (url, [licence]) for url in urls.values()
    ]
    assert "CC BY 2.0" in (first / "reports_data_load_ipynb" / "business_report.html").read_text()

    reader = NotebookSubstep(PIPELINE, {}, {})
    names = ("coco_datasets_images", "coco_datasets_annotations")
    reader.interface(inputs=[{STEP_NAME: "data_load", ENTITY_NAME: name} for name in names])
    assert first.name in reader.inputs("data_load").coco_datasets_images
    assert first.name in reader.inputs("data_load").coco_datasets_annotations


def run_by_hand(params: FetchParams, work: Path) -> dict[str, Origin]:
    """What the notebook does about changes, without reading the data."""
    substep = NotebookSubstep(PIPELINE, {}, {})
    substep.interface(outputs=[{ENTITY_NAME: "images"}], tmp_entities=[{ENTITY_NAME: "empty"}])
    work.mkdir()
    asked = ask_sources(params, work)
    end_early(substep, asked)
    end_without_changes(substep, params, asked)
    for origin in asked.values():
        substep.add_source(origin.url, sha256=origin.sha256, size=origin.size, fetched=origin.fetched)
    publish_folder(substep.tmp_entities().empty, substep.outputs().images)
    return asked


def test_a_server_without_version_marks_is_compared_by_its_bytes(
    server: FaultyServer, tmp_path: Path, as_a_notebook: None
) -> None:
    params = FetchParams(
        images_url=server.serve("/photos.zip", whole(photos(), etag=None)),
        annotations_url=server.serve(
            "/labels.json",
            whole(labels(), etag=None),
            whole(labels(), etag=None),
            whole(labels("bus"), etag=None),
        ),
        always_changed=True,
    )

    assert len(run_by_hand(params, tmp_path / "first")) == 2
    with pytest.raises(Unchanged):
        run_by_hand(params, tmp_path / "second")
    assert len(run_by_hand(params, tmp_path / "third")) == 2


def test_an_old_copy_never_stands_in_for_a_source_that_changes(
    server: FaultyServer, tmp_path: Path, as_a_notebook: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinara_lib.downloads.options.RetryPolicy", lambda **_: RetryPolicy(attempts=1))
    urls = {
        "images_url": server.serve("/photos.zip", whole(photos())),
        "annotations_url": server.serve("/labels.json", whole(labels()), status(503)),
    }
    params = FetchParams(**urls, always_changed=True, when_unreachable="use_cached")
    run_by_hand(params, tmp_path / "first")

    with pytest.raises(DownloadError, match=r"labels\.json: gave up"):
        run_by_hand(params, tmp_path / "second")


@pytest.mark.parametrize(
    "contradiction",
    [
        {"images_url": "a.zip", "annotations_url": "b.json", "annotations_sha256": "0" * 64},
        {"images_url": "sample://scenes"},
    ],
)
def test_what_cannot_change_cannot_be_marked(contradiction: dict[str, str]) -> None:
    with pytest.raises(ParamsError, match="always_changed contradicts"):
        parse_params(FetchParams, {**contradiction, "always_changed": True}, where="data_load.ipynb")
