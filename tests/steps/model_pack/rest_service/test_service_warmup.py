"""Ready only when the model answers the packed image as it was packed."""

import asyncio
import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from rest_service.detector import Detector
from rest_service.prediction import Prediction
from rest_service.settings import ServiceSettings
from rest_service.worker import Worker, disagreements

ANSWER: dict[str, Any] = {
    "width": 200,
    "height": 100,
    "annotations": [
        {"category_id": 1, "bbox": [10.0, 10.0, 50.0, 40.0], "score": 0.9},
        {"category_id": 2, "bbox": [100.0, 20.0, 50.0, 40.0], "score": 0.26},
    ],
}


def changed(**first: Any) -> dict[str, Any]:
    answer = copy.deepcopy(ANSWER)
    answer["annotations"][0].update(first)
    return answer


@pytest.mark.parametrize("first", [{}, {"score": 0.92}, {"bbox": [10.5, 10.0, 50.0, 40.0]}])
def test_rounding_of_another_processor_is_no_disagreement(first: dict[str, Any]) -> None:
    assert disagreements(ANSWER, changed(**first), min_score=0.25) == []


def test_a_detection_at_the_bar_may_be_missing_and_the_order_may_differ() -> None:
    rotated = {**ANSWER, "annotations": ANSWER["annotations"][::-1]}
    without = {**ANSWER, "annotations": ANSWER["annotations"][:1]}
    assert disagreements(ANSWER, rotated, min_score=0.25) == []
    assert disagreements(ANSWER, without, min_score=0.25) == []


@pytest.mark.parametrize("first", [{"score": 0.8}, {"category_id": 3}, {"bbox": [20.0, 10.0, 50.0, 40.0]}])
def test_another_detection_disagrees_on_both_sides(first: dict[str, Any]) -> None:
    assert len(disagreements(ANSWER, changed(**first), min_score=0.25)) == 2


def test_a_missing_detection_and_another_size_disagree() -> None:
    nothing = {**ANSWER, "annotations": []}
    assert len(disagreements(ANSWER, nothing, min_score=0.25)) == 1
    assert len(disagreements(nothing, ANSWER, min_score=0.25)) == 1
    assert disagreements(ANSWER, {**ANSWER, "width": 100}, min_score=0.25) == [
        "the image has 100 x 100 pixels, packed were 200 x 100"
    ]


def open_front(folder: Path) -> Worker:
    return Worker(
        Prediction(Detector(folder / "artifacts", threads=1), max_pixels=10**6),
        settings=ServiceSettings(),
        folder=folder,
    )


@pytest.fixture
def copied(service_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(service_folder, tmp_path / "service"))


def test_until_the_warm_up_has_passed_the_service_lives_but_is_not_ready(copied: Path) -> None:
    front = open_front(copied)
    client = TestClient(front)
    image = (copied / "artifacts" / "test_image.png").read_bytes()
    for answer in (client.get("/readyz"), client.post("/predict", content=image)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "warming_up")
        assert answer.headers["retry-after"] == "1"
    assert client.get("/livez").status_code == 200
    asyncio.run(front.warm_up())
    assert client.get("/readyz").status_code == 200
    assert client.post("/predict", content=image).status_code == 200


def test_a_model_that_answers_otherwise_never_becomes_ready(copied: Path) -> None:
    result = copied / "artifacts" / "test_result.json"
    document = json.loads(result.read_text())
    document["annotations"][0]["score"] += 0.1
    result.write_text(json.dumps(document))
    front = open_front(copied)
    asyncio.run(front.warm_up())
    answer = TestClient(front).get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert "retry-after" not in answer.headers
    assert answer.json()["error"]["message"] == "the model does not answer the packed image as it was packed"


def test_a_packed_image_that_cannot_be_read_is_said(copied: Path) -> None:
    (copied / "artifacts" / "test_image.png").write_bytes(b"x")
    front = open_front(copied)
    asyncio.run(front.warm_up())
    assert TestClient(front).get("/readyz").json()["error"]["message"].startswith("the packed image could not be")
