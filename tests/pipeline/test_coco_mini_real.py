"""The full job, small: real COCO archives and real weights by URL, five steps, in dev and in prod from a clone."""

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara_lib.archive import open_archive
from sinara_lib.bento.service import extract_artifacts_from_bentoservice, load_bentoservice
from sinara_lib.layout import split_entity_url
from tests.pipeline.conftest import STEPS, Workspace

WEIGHTS = "yolox_nano_416_coco-bdeee7ae.pth"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output to the test."""


@pytest.fixture(scope="module")
def address(real_data: Path) -> Iterator[str]:
    """Serves the real data on loopback."""
    handler = functools.partial(_Quiet, directory=str(real_data))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def changes(address: str, mode: str) -> dict[str, list[str]]:
    """What the full job's parameters become: other addresses, the small network, few epochs, no threshold to pass."""
    return {
        "data_load": [
            f"images_url={address}/coco-mini/val2017.zip",
            f"annotations_url={address}/coco-mini/annotations_trainval2017.zip",
            f"weights_url={address}/{WEIGHTS}",
        ],
        "model_train": ["MODEL_NAME=yolox_nano", "input_size=[416, 416]", "epochs=2"],
        "model_pack": {"dev": [], "prod": ["precision=int8", "max_ap_loss=0.05", "torchscript=true"]}[mode],
        "model_eval": ["threshold_map05=0.1"],
    }


@pytest.fixture(scope="module", params=["dev", "prod"])
def finished(
    request: pytest.FixtureRequest, workspace: Workspace, clone: Path, address: str
) -> tuple[str, Workspace, str]:
    """All five steps done in one mode; gives the environment, the workspace and what was printed."""
    printed = ""
    for step in STEPS:
        sets = [arg for change in changes(address, request.param).get(step, []) for arg in ("--set", change)]
        printed += workspace.must([f"step.{request.param}.py", *sets], clone / step)
    return {"dev": "user", "prod": "prod"}[request.param], workspace, printed


def test_the_images_of_coco_arrive_with_the_annotations_of_the_six_classes(
    finished: tuple[str, Workspace, str],
) -> None:
    env, workspace, _ = finished
    loaded = workspace.metrics(env, "data_load", "data_load.ipynb")
    assert (loaded["images"], loaded["annotations"], loaded["classes"]) == (252, 2326, 80)
    with_images = open_archive(workspace.store(env).newest_url("coco_test_dataset"))
    document = json.loads(with_images.read("annotations.json"))
    assert [c["name"] for c in document["categories"]] == ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
    assert {f"images/{i['file_name']}" for i in document["images"]} == set(with_images.names()) - {"annotations.json"}


def test_fine_tuning_starts_from_what_the_weights_know_and_never_publishes_worse(
    finished: tuple[str, Workspace, str],
) -> None:
    env, workspace, _ = finished
    metrics = workspace.metrics(env, "model_train", "model_train.ipynb")
    assert metrics["AP50_start"] >= 0.25, "the class channels of the pretrained head were not kept"
    assert metrics["AP_best"] >= metrics["AP_start"]


def test_the_report_scores_the_test_split_as_pycocotools_does(
    finished: tuple[str, Workspace, str], tmp_path: Path
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    env, workspace, _ = finished
    open_archive(workspace.store(env).newest_url("coco_inference_result_dataset")).unpack(tmp_path)
    truth = COCO(str(tmp_path / "annotations.json"))
    oracle = COCOeval(truth, truth.loadRes(str(tmp_path / "predictions.json")), "bbox")
    oracle.evaluate()
    oracle.accumulate()
    oracle.summarize()
    metrics = workspace.metrics(env, "model_eval", "score.ipynb")
    assert metrics["AP50"] == pytest.approx(oracle.stats[1], abs=1e-10)
    assert metrics["AP50"] >= 0.25


def test_the_packed_service_finds_objects_in_a_real_photograph(finished: tuple[str, Workspace, str]) -> None:
    env, workspace, _ = finished
    service = load_bentoservice(workspace.store(env).newest_url("bento_service"))
    photographs = open_archive(workspace.store(env).newest_url("coco_test_dataset"))
    document = json.loads(photographs.read("annotations.json"))
    crowded = max(document["images"], key=lambda i: sum(a["image_id"] == i["id"] for a in document["annotations"]))
    answer = service.predict(image=photographs.read(f"images/{crowded['file_name']}"))
    assert max(a["score"] for a in answer["annotations"]) > 0.3
    assert (answer["width"], answer["height"]) == (crowded["width"], crowded["height"])


def test_the_packed_precision_is_the_one_asked_for_and_its_score_stands_beside_pytorchs(
    finished: tuple[str, Workspace, str], tmp_path: Path
) -> None:
    env, workspace, _ = finished
    metrics = workspace.metrics(env, "model_pack", "model_pack.ipynb")
    assert metrics["precision"] == {"user": "fp32", "prod": "int8"}[env]
    allowed = {"user": 0.001, "prod": 0.05}[env]
    assert metrics["AP_eval_packed"] == pytest.approx(metrics["AP_eval_torch"], abs=allowed)
    folder = extract_artifacts_from_bentoservice(workspace.store(env).newest_url("bento_service"), tmp_path / "out")
    assert (folder / "model.pt").is_file() == (env == "prod")


def test_lineage_leads_from_the_report_back_to_the_urls_of_the_archives(
    finished: tuple[str, Workspace, str], address: str
) -> None:
    env, workspace, _ = finished
    store = workspace.store(env)
    read, waiting = set(), [store.newest_url("model_quality_report")]
    while waiting:
        url = waiting.pop()
        if url.startswith(store.url):
            found = store.open(split_entity_url(url)[1]).manifest.inputs
            waiting += set(found) - read
            read |= set(found)
    assert f"{address}/coco-mini/val2017.zip" in read
    assert f"{address}/{WEIGHTS}" in read
