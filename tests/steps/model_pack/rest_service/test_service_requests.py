"""What the service answers to good and bad requests; the same routes as over HTTP, in this process."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from rest_service.settings import ServiceSettings
from service_cases import FORM, encoded, form, joined, odd_images, open_service
from sinara_lib.bento.service import differences
from small_network import CLASSES, MIN_SCORE


@pytest.fixture(scope="module")
def image(service_folder: Path) -> bytes:
    return (service_folder / "artifacts" / "test_image.png").read_bytes()


@pytest.fixture(scope="module")
def expected(service_folder: Path) -> dict[str, Any]:
    return json.loads((service_folder / "artifacts" / "test_result.json").read_text())


def ask(client: TestClient, image: bytes, query: str = "", *, path: str = "/predict") -> Any:
    answer = client.post(f"{path}{query}", content=image, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_max_detections_keeps_the_best(client: TestClient, image: bytes, expected: dict[str, Any]) -> None:
    found = ask(client, image, "?max_detections=3")["annotations"]
    assert differences(expected["annotations"][:3], found) == []
    assert len(expected["annotations"]) > 3


@pytest.mark.parametrize("query", ["classes=person", "classes=1", "classes=1&classes=person"])
def test_classes_are_chosen_by_name_or_id(
    client: TestClient, image: bytes, expected: dict[str, Any], query: str
) -> None:
    kept = {one["category_name"] for one in ask(client, image, f"?min_score=0.2&{query}")["annotations"]}
    everything = {one["category_name"] for one in ask(client, image, "?min_score=0.2")["annotations"]}
    assert kept == {"person"} < everything


def test_the_best_of_a_class_is_chosen_among_that_class(client: TestClient, image: bytes) -> None:
    everything = ask(client, image, "?min_score=0.2")["annotations"]
    rare = min(CLASSES, key=lambda name: sum(one["category_name"] == name for one in everything) or 999)
    found = ask(client, image, f"?min_score=0.2&classes={rare}&max_detections=1")["annotations"]
    best = next(one for one in everything if one["category_name"] == rare)
    assert [(one["category_name"], one["score"]) for one in found] == [(rare, best["score"])]


def test_options_of_the_query_win_over_form_fields(client: TestClient, image: bytes) -> None:
    body = joined(form(b"1.0", field="min_score", file_name=None), form(image))
    headers = {"Content-Type": FORM}
    assert client.post("/predict", content=body, headers=headers).json()["annotations"] == []
    answer = client.post(f"/predict?min_score={MIN_SCORE}", content=body, headers=headers).json()
    assert answer["annotations"]


def test_a_batch_is_answered_in_order_and_a_bad_image_fails_alone(
    client: TestClient, image: bytes, expected: dict[str, Any]
) -> None:
    grey = encoded(Image.open(io.BytesIO(image)).convert("L"), "PNG")
    parts = [("one.png", image), ("bad.png", b"text"), ("empty.png", b""), ("grey.png", grey), ("two.png", image)]
    body = joined(*(form(data, field="images", file_name=name) for name, data in parts))
    results = client.post("/predict_batch", content=body, headers={"Content-Type": FORM}).json()["results"]
    assert [one["file_name"] for one in results] == [name for name, _ in parts]
    assert differences({**expected, "file_name": "one.png"}, results[0]) == []
    assert differences({**expected, "file_name": "two.png"}, results[4]) == []
    assert [one["error"]["code"] for one in results[1:3]] == ["bad_image", "empty_image"]
    assert results[3]["annotations"] != results[0]["annotations"]


def test_a_batch_of_too_many_images_is_refused(service_folder: Path, image: bytes) -> None:
    small = open_service(service_folder, ServiceSettings(batch=2))
    body = joined(*(form(image, field="images") for _ in range(3)))
    answer = small.post("/predict_batch", content=body, headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_multipart")
    assert "2" in answer.json()["error"]["message"]


def test_predict_image_draws_the_boxes_where_predict_finds_them(client: TestClient, image: bytes) -> None:
    answer = client.post("/predict_image?max_detections=1", content=image, headers={"Content-Type": "image/png"})
    drawn = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR).astype(int)
    plain = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert (answer.headers["content-type"], drawn.shape) == ("image/jpeg", plain.shape)
    (best,) = ask(client, image, "?max_detections=1")["annotations"]
    x, y, width, height = best["bbox"]
    change = np.abs(drawn - plain).sum(axis=2)
    edge = change[int(y + height) - 2 : int(y + height) + 1, int(x) : int(x + width)]
    none = client.post("/predict_image?min_score=1", content=image, headers={"Content-Type": "image/png"})
    empty = cv2.imdecode(np.frombuffer(none.content, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert edge.max() > 100
    assert np.abs(empty - plain).sum(axis=2).mean() < 20


@pytest.fixture(scope="module")
def odd(image: bytes) -> dict[str, bytes]:
    return odd_images(Image.open(io.BytesIO(image)).convert("RGB"))


ODD = sorted(odd_images(Image.new("RGB", (8, 8))))


@pytest.mark.parametrize("name", ODD)
def test_odd_images_are_answered(client: TestClient, odd: dict[str, bytes], name: str) -> None:
    answer = ask(client, odd[name])
    assert (answer["width"], answer["height"]) == (200, 120)
    assert answer["annotations"]


def test_an_animation_is_answered_by_its_first_frame(client: TestClient, odd: dict[str, bytes]) -> None:
    still = ask(client, odd["gif"])["annotations"]
    assert still == ask(client, odd["animated gif"])["annotations"]
    assert still != ask(client, odd["grey jpeg"])["annotations"]


@pytest.mark.parametrize("size", [(1, 1), (10000, 10), (3, 4000), (1, 700)])
def test_images_of_odd_sizes_are_answered_and_drawn(client: TestClient, size: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", size, (90, 120, 40)), "PNG")
    answer = ask(client, data, "?min_score=0")
    assert (answer["width"], answer["height"]) == size
    drawn = client.post("/predict_image?min_score=0", content=data, headers={"Content-Type": "image/png"})
    assert Image.open(io.BytesIO(drawn.content)).size == size


def test_a_picture_too_long_for_jpeg_is_drawn_as_png(client: TestClient) -> None:
    data = encoded(Image.new("RGB", (70000, 3)), "PNG")
    drawn = client.post("/predict_image?min_score=1", content=data, headers={"Content-Type": "image/png"})
    assert drawn.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(drawn.content)).size == (70000, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_boxes_lie_in_the_upright_image(client: TestClient, image: bytes, kind: str) -> None:
    exif = Image.Exif()
    exif[0x112] = 6  # the camera was rotated: rows are columns
    upright = Image.open(io.BytesIO(image)).convert("RGB")
    rotated = encoded(upright.rotate(90, expand=True), kind, exif=exif, quality=100)
    plain = encoded(upright, kind, quality=100)
    answer, wanted = ask(client, rotated), ask(client, plain)
    assert (answer["width"], answer["height"]) == (200, 120)
    if kind != "JPEG":  # its blocks lie otherwise when it is rotated
        assert differences(wanted["annotations"], answer["annotations"]) == []


TEN_THOUSAND = (10_000, 10_000)


def test_the_pixel_limit_is_a_setting(service_folder: Path) -> None:
    data = encoded(Image.new("L", TEN_THOUSAND), "PNG")
    large = open_service(service_folder, ServiceSettings(max_pixels=100_000_000))
    answer = large.post("/predict", content=data)
    assert (answer.status_code, answer.json()["width"]) == (200, 10_000)
    beyond = open_service(service_folder, ServiceSettings(max_pixels=99_999_999)).post("/predict", content=data)
    assert (beyond.status_code, beyond.json()["error"]["code"]) == (413, "too_many_pixels")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_bomb_is_refused_by_its_header_in_every_format(service_folder: Path, kind: str) -> None:
    strict = open_service(service_folder, ServiceSettings(max_pixels=119 * 200))
    for size, status in (((200, 120), 413), ((200, 119), 200)):
        answer = strict.post("/predict", content=encoded(Image.new("RGB", size), kind))
        assert answer.status_code == status, answer.text


def test_a_bomb_is_refused_before_it_is_decoded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(data) < 200_000
    monkeypatch.setattr("rest_service.detector.decode_image", lambda _: pytest.fail("decoded"))
    answer = client.post("/predict", content=data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_pixels")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_image_is_an_error(client: TestClient, image: bytes, kind: str, share: float) -> None:
    whole = encoded(Image.open(io.BytesIO(image)).convert("RGB"), kind)
    answer = client.post("/predict", content=whole[: int(len(whole) * share)], headers={"Content-Type": "image/jpeg"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_image")


def test_metrics_name_only_paths_that_exist(client: TestClient) -> None:
    for number in range(20):
        client.get(f"/secret-{number}")
    text = client.get("/metrics").text
    assert "secret" not in text
    assert 'detector_requests_total{endpoint="other",status="404"}' in text
    assert 'execution_provider="CPUExecutionProvider"' in text
    assert 'detector_stage_seconds_count{stage="network"}' in text
