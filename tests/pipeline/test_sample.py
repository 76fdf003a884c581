"""The first thing a stranger does: the built-in sample, from a fresh clone to a served detector."""

import io
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sinara_lib.archive import open_archive
from sinara_lib.store import ArtifactStore
from store_cases import differences
from tests.pickles import find_pickles
from tests.pipeline.conftest import STEPS, Workspace

SINARA = str(Path(sys.executable).with_name("sinara"))
LOADED = re.compile(r"""(?:src|srcset)\s*=\s*["'](?!data:)[^"']+|<link[^>]+href|@import""")
"""What makes a browser ask for something: links that a person may follow are not among it."""


@pytest.fixture(scope="module")
def printed(workspace: Workspace, clone: Path) -> str:
    return workspace.must([SINARA, "run", "--params", "sample"], clone)


def test_the_five_steps_end_with_one_table_a_score_the_report_and_how_to_ask_the_model(printed: str) -> None:
    table = printed[printed.index("step   ") :]
    rows = [line.split() for line in table.splitlines()]
    assert [row[0] for row in rows if len(row) == 4 and row[1].startswith("run-")] == [*STEPS]
    assert re.search(r"score +AP50 0\.\d\d", table)
    assert "make serve" in table
    assert "curl" in table
    report = re.search(r"report +(\S+report\.html)", table)
    assert report is not None
    assert Path(report[1]).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_one_page_leads_to_the_report_of_every_notebook_and_to_the_quality_report(printed: str) -> None:
    named = re.search(r"all +(\S+index\.html)", printed)
    assert named is not None
    index = Path(named[1])
    links = re.findall(r'<li><a href="([^"]+)"', index.read_text(encoding="utf-8"))
    pages = [link for link in links if link.endswith("/report.html")]
    assert {page.split("/")[0] for page in pages} == {*STEPS}
    assert any("model_quality_report" in page for page in pages)
    assert all((index.parent / link).is_file() for link in links)


def test_the_sample_reaches_ap50_of_one_half_within_2500_image_iterations(printed: str, workspace: Workspace) -> None:
    assert workspace.metrics("user", "model_eval", "score.ipynb")["AP50"] >= 0.5
    assert workspace.metrics("user", "model_train", "model_train.ipynb")["train_images_seen"] <= 2500


def test_every_run_and_every_entity_of_the_pipeline_verifies(printed: str, workspace: Workspace) -> None:
    store = workspace.store("user")
    entities = [e for step in store.steps() for run in store.runs(step) for e in store.entities(run)]
    assert len(entities) >= 14
    for entity in entities:
        assert differences(store, entity) == []


def test_nothing_published_is_a_pickle_but_checkpoints_of_plain_weights(printed: str, workspace: Workspace) -> None:
    import torch

    found = {name: data for name, data in _published_files(workspace.store("user")) if any(find_pickles(name, data))}
    names = {Path(name).name for name in found}
    assert names == {"best.pth", "last.pth"}
    for data in found.values():
        checkpoint = torch.load(io.BytesIO(data), weights_only=True)
        assert set(checkpoint) <= {"state_dict", "meta"}, "an optimizer's state, or what else is not weights"


def test_the_reported_score_is_the_one_pycocotools_gives_for_the_published_predictions(
    printed: str, workspace: Workspace, tmp_path: Path
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    open_archive(workspace.store("user").newest_url("coco_inference_result_dataset")).unpack(tmp_path)
    truth = COCO(str(tmp_path / "annotations.json"))
    found = truth.loadRes(str(tmp_path / "predictions.json"))
    oracle = COCOeval(truth, found, "bbox")
    oracle.evaluate()
    oracle.accumulate()
    oracle.summarize()
    metrics = workspace.metrics("user", "model_eval", "score.ipynb")
    assert metrics["AP"] == pytest.approx(oracle.stats[0], abs=1e-10)
    assert metrics["AP50"] == pytest.approx(oracle.stats[1], abs=1e-10)


def test_the_served_model_answers_as_it_was_packed(printed: str, workspace: Workspace, clone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, SINARA, "serve", "--port", str(port)],
        cwd=clone,
        env=workspace.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            _wait_until_ready(client)
            image = client.get("/test_data").raise_for_status().content
            answer = client.post("/predict", files={"image": ("-", image)}).raise_for_status().json()
            expected = client.get("/test_result").raise_for_status().json()
    finally:
        server.terminate()
        server.wait(20)
    assert answer["annotations"], "the packed image shows objects"
    assert [a["category_id"] for a in answer["annotations"]] == [a["category_id"] for a in expected["annotations"]]
    for got, packed in zip(answer["annotations"], expected["annotations"], strict=True):
        assert got["bbox"] == pytest.approx(packed["bbox"], abs=0.5)
        assert got["score"] == pytest.approx(packed["score"], abs=1e-3)


def test_every_page_opens_without_asking_any_address(printed: str, workspace: Workspace) -> None:
    pages = [p for p in workspace.root.rglob("*.html") if "reports_" in str(p) or "quality" in str(p)]
    assert len(pages) >= 13
    for page in pages:
        loaded = LOADED.findall(page.read_text("utf-8"))
        assert loaded == [], f"{page} loads {loaded}"


def test_nothing_of_the_clone_was_changed(printed: str, clone: Path) -> None:
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == ""


def _published_files(store: ArtifactStore) -> Iterator[tuple[str, bytes]]:
    for entity in (e for step in store.steps() for run in store.runs(step) for e in store.entities(run)):
        reader, url = store.open(entity), store.url_of(entity)
        if any(one.path.endswith(".parquet") for one in reader.manifest.files):
            yield from ((f"{url}/{name}", data) for name, data in open_archive(url))
        else:
            yield from ((f"{url}/{one.path}", reader.read(one.path)) for one in reader.manifest.files)


def _wait_until_ready(client: httpx.Client) -> None:
    for _ in range(120):
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise AssertionError("the service was not ready within a minute")
