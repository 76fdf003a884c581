"""The step as a whole: scores, report and predictions are published, and a closed gate fails it after that."""

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from scenes import SIDE, random_truth
from sinara_lib.archive import open_archive, pack
from sinara_lib.bento.service import save_bentoservice
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import StepAddress, split_entity_url
from sinara_lib.store import ArtifactStore, fetch_folder, store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco import CocoDataset, save_coco

STEP = Path(__file__).parents[3] / "model_eval"
SERVICE = """
import json
from pathlib import Path
import bentoml

ANSWERS = json.loads((Path(__file__).parent / "artifacts" / "answers.json").read_text())

@bentoml.service(name="rest_service")
class RestService:
    @bentoml.api
    def predict(self, image: bytes = b"", file_name: str = "", min_score: float = 0.5) -> dict:
        return {"width": 320, "height": 320, "annotations": ANSWERS.get(file_name, [])}

    @bentoml.api
    def categories(self) -> list:
        return [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}, {"id": 3, "name": "car"}]

    @bentoml.api
    def service_version(self) -> dict:
        return {"model_name": "oracle", "model_run": "run-m", "execution_provider": "none"}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """An environment in which data_prep published a test set, and model_pack a service that knows it by heart."""
    made = store_at(str(tmp_path_factory.mktemp("user")))
    folder = tmp_path_factory.mktemp("upstream")
    truth = publish_test_set(made, folder / "test", seed=5)
    answers = {
        image.file_name: [
            {"category_id": one.category_id, "bbox": list(one.bbox), "score": 0.9}
            for one in truth.annotations_of(image.id)
        ]
        for image in truth.images
    }
    service = folder / "service"
    (service / "artifacts").mkdir(parents=True)
    (service / "service.py").write_text(SERVICE)
    (service / "requirements.txt").write_text("bentoml\n")
    (service / "artifacts" / "answers.json").write_text(json.dumps(answers))
    (service / "artifacts" / "test_image.png").write_bytes(b"")
    expected = {"width": 320, "height": 320, "annotations": []}
    (service / "artifacts" / "test_result.json").write_text(json.dumps(expected))
    save_bentoservice(service, _new_run(made, "model_pack") + "/bento_service", version="run-1")
    pack_read_newest_split(made)
    return made


def pack_read_newest_split(store: ArtifactStore) -> None:
    """Let model_pack's run say that it read data_prep's newest."""
    (run,) = store.runs(StepAddress("obj_detect_rest", "test", "model_pack"))
    split = store.runs(StepAddress("obj_detect_rest", "test", "data_prep"))[0]
    record = store.run_record(run)
    store.replace_record(run, record.model_copy(update={"inputs": (store.url_of(split.entity("coco_eval_dataset")),)}))


def publish_test_set(store: ArtifactStore, folder: Path, *, seed: int) -> CocoDataset:
    """Publish eight grey images with random objects as data_prep's newest run."""
    truth = random_truth(seed, images=8, crowds=False)
    (folder / "images").mkdir(parents=True)
    for image in truth.images:
        cv2.imwrite(str(folder / "images" / image.file_name), np.full((SIDE, SIDE, 3), 120, np.uint8))
    save_coco(truth, folder / "annotations.json")
    pack(folder, _new_run(store, "data_prep") + "/coco_test_dataset")
    return truth


def _new_run(store: ArtifactStore, step: str) -> str:
    now = datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.INTERACTIVE, started=now, producer=Producer(library="test"))
    return store.url_of(store.start_run(StepAddress("obj_detect_rest", "test", step), record, now=now))


def run_step(store: ArtifactStore, folder: Path, *settings: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a copy of the step's folder; returns the finished process and the URL of its run."""
    step = shutil.copytree(STEP, folder / "model_eval", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "SINARA_USER_ROOT": store.url, "PYTHONPATH": str(STEP.parent)}
    command = [sys.executable, "step.dev.py", "--params", "params/sample.json"]
    command += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, cwd=step, env=environment, capture_output=True, text=True, check=False)
    (run,) = store.runs(StepAddress("obj_detect_rest", "test", "model_eval"))[:1]
    return done, store.url_of(run)


def test_a_detector_without_fault_scores_one_and_passes(store: ArtifactStore, tmp_path: Path) -> None:
    done, run = run_step(store, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = fetch_folder(f"{run}/model_quality_report", tmp_path / "report")
    assert json.loads((report / "metrics.json").read_text())["coco"]["AP"] == pytest.approx(1, abs=1e-9)
    assert "Passes the gate" in (report / "report.html").read_text(encoding="utf-8")
    predictions = json.loads(open_archive(f"{run}/coco_inference_result_dataset").read("predictions.json"))
    assert len(predictions) == len(random_truth(5, images=8, crowds=False).annotations)
    metrics = fetch_folder(f"{run}/reports_score_ipynb", tmp_path / "notebook") / "metrics.json"
    assert "AP50_bicycle" in metrics.read_text()


def test_the_model_is_scored_on_the_split_that_it_was_made_from(store: ArtifactStore, tmp_path: Path) -> None:
    publish_test_set(store, tmp_path / "newer", seed=7)
    done, run = run_step(store, tmp_path, "shown_images=0")
    assert done.returncode == 0, done.stdout + done.stderr
    truth = json.loads(open_archive(f"{run}/coco_inference_result_dataset").read("annotations.json"))
    assert len(truth["annotations"]) == len(random_truth(5, images=8, crowds=False).annotations)


def test_a_closed_gate_fails_the_step_after_the_report_is_published(store: ArtifactStore, tmp_path: Path) -> None:
    step = StepAddress("obj_detect_rest", "test", "model_eval")
    passed = store.resolve(step, ["model_quality_report"])
    publish_test_set(store, tmp_path / "others", seed=6)
    pack_read_newest_split(store)
    done, run = run_step(store, tmp_path, "shown_images=0", 'at_least={"AP75": 0.7}')
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "The quality gate is closed: mean AP at IoU 0.50 is" in said
    assert "AP75 is" in said
    assert "below the threshold of 0.700. Predictions and report are published" in said
    report = fetch_folder(f"{run}/model_quality_report", tmp_path / "report")
    assert "Fails the gate" in (report / "report.html").read_text(encoding="utf-8")
    assert open_archive(f"{run}/coco_inference_result_dataset").names() == [
        "annotations.json",
        "predictions.json",
        "service_version.json",
    ]
    # Nobody downstream is given what failed: the newest run to read is still the one that passed.
    for entity in ("model_quality_report", "coco_inference_result_dataset"):
        assert store.resolve(step, [entity]) == passed
    with pytest.raises(ArtifactNotFoundError, match=r"FAILED .*quality gate is closed"):
        store.resolve(step, ["model_quality_report"], run_id=run.rsplit("/", 1)[-1])


def test_a_misspelt_bar_is_refused_before_anything_is_scored(store: ArtifactStore, tmp_path: Path) -> None:
    done, run = run_step(store, tmp_path, 'at_least={"AP50_lorry": 0.7}')
    assert done.returncode == 1
    assert "at_least: unknown metric AP50_lorry" in done.stdout + done.stderr
    assert not store.is_committed(split_entity_url(f"{run}/model_quality_report")[1])
