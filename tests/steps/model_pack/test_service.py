"""The packed service over HTTP: the expected answer, and an error in JSON for everything that is not an image."""

import json
import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_network import MIN_SCORE

from sinara_lib.bento import differences, load_bentoservice, start_dev_bentoservice, stop_dev_bentoservice

FORM = "multipart/form-data; boundary=cut"
END = b"\r\n--cut--\r\n"


@pytest.fixture(scope="module")
def server(bento_url: str) -> Iterator[str]:
    handle = start_dev_bentoservice(bento_url)
    yield handle.url
    stop_dev_bentoservice(handle)
    assert handle.server.process.returncode == 0


@pytest.fixture(scope="module")
def image(service_folder: Path) -> bytes:
    return (service_folder / "artifacts" / "test_image.png").read_bytes()


@pytest.fixture(scope="module")
def expected(service_folder: Path) -> dict[str, Any]:
    return json.loads((service_folder / "artifacts" / "test_result.json").read_text())


def ask(url: str, *, data: bytes | None = None, kind: str = "", method: str | None = None) -> tuple[int, str, bytes]:
    headers = {"Content-Type": kind} if kind else {}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["content-type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read()


def form(content: bytes, *, field: str = "image", file_name: str | None = "test_image.png", kind: str = "") -> bytes:
    name = f'; filename="{file_name}"' if file_name else ""
    head = f'--cut\r\nContent-Disposition: form-data; name="{field}"{name}\r\n' + (
        f"Content-Type: {kind}\r\n" if kind else ""
    )
    return head.encode() + b"\r\n" + content + END


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "text/plain", ""])
def test_predict_answers_the_packed_result_whatever_the_part_calls_itself(
    server: str, image: bytes, expected: dict[str, Any], kind: str
) -> None:
    status, _, body = ask(f"{server}/predict", data=form(image, kind=kind), kind=FORM)
    assert (status, differences(expected, json.loads(body))) == (200, [])


def test_predict_takes_the_bare_bytes_too(server: str, image: bytes, expected: dict[str, Any]) -> None:
    status, _, body = ask(f"{server}/predict", data=image, kind="image/png")
    assert (status, differences({**expected, "file_name": "image"}, json.loads(body))) == (200, [])


def test_min_score_replaces_the_packed_bar(server: str, image: bytes, expected: dict[str, Any]) -> None:
    packed = [one["score"] for one in expected["annotations"]]
    found = {}
    for bar in (0.2, MIN_SCORE, packed[1]):
        _, _, body = ask(f"{server}/predict?min_score={bar}", data=image, kind="image/png")
        found[bar] = [one["score"] for one in json.loads(body)["annotations"]]
        assert min(found[bar]) >= bar
    assert len(found[0.2]) > len(found[MIN_SCORE]) == len(packed) > len(found[packed[1]]) > 0


def test_options_may_be_form_fields(server: str, image: bytes) -> None:
    fields = (
        form(b"1.0", field="min_score", file_name=None)[: -len(END)]
        + b"\r\n"
        + form(b"new name.png", field="file_name", file_name=None)[: -len(END)]
    )
    status, _, body = ask(f"{server}/predict", data=fields + b"\r\n" + form(image), kind=FORM)
    answer = json.loads(body)
    assert (status, answer["annotations"], answer["file_name"]) == (200, [], "new name.png")


def test_openapi_describes_the_upload_as_a_form_with_a_file(server: str) -> None:
    document = json.loads(ask(f"{server}/docs.json")[2])
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    schema = json.dumps(document["components"]["schemas"]["PredictInput"])
    assert all(name in schema for name in ("image", "min_score", "file_name"))


def test_in_process_gives_the_same_as_over_http(bento_url: str, image: bytes, expected: dict[str, Any]) -> None:
    service = load_bentoservice(bento_url)
    assert differences(expected, service.predict(image, file_name="test_image.png")) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_packed_image_result_version_and_categories_answer_get_and_post(
    server: str, image: bytes, expected: dict[str, Any], method: str
) -> None:
    data = b"" if method == "POST" else None
    answers = {
        name: ask(f"{server}/{name}", data=data, method=method)
        for name in ("test_data", "test_result", "service_version", "categories")
    }
    assert {status for status, *_ in answers.values()} == {200}
    assert answers["test_data"][1:] == ("image/png", image)
    assert json.loads(answers["test_result"][2]) == expected
    assert json.loads(answers["categories"][2])[0] == {"id": 1, "name": "person"}
    version = json.loads(answers["service_version"][2])
    assert version["service_version"] == "run-26-01-02-040506-789"
    assert version["execution_provider"].endswith("ExecutionProvider")


BAD = {
    "no body": (b"", "", 400, "empty_image"),
    "empty file": (form(b""), FORM, 400, "empty_image"),
    "text": (form(b"hello"), FORM, 400, "bad_image"),
    "json": (b"{}", "application/json", 400, "bad_image"),
    "other field": (form(b"x", field="photo"), FORM, 400, "no_image"),
    "address as text": (form(b"http://127.0.0.1:1/x.png", file_name=None), FORM, 400, "no_image"),
    "two files": (form(b"x")[: -len(END)] + b"\r\n" + form(b"y"), FORM, 400, "bad_multipart"),
    "broken form": (b"not a form", FORM, 400, "bad_multipart"),
    "form without boundary": (b"x", "multipart/form-data", 400, "bad_multipart"),
    "too large": (b"\0" * (33 << 20), "image/png", 413, "too_large"),
    "pickle": (b"x", "application/vnd.bentoml+pickle", 415, "unsupported_media_type"),
}


@pytest.mark.parametrize(("data", "kind", "status", "code"), BAD.values(), ids=BAD)
def test_a_bad_request_gets_its_status_and_a_json_error(
    server: str, data: bytes, kind: str, status: int, code: str
) -> None:
    found, content_type, body = ask(
        f"{server}/predict", data=data, kind=kind or "application/octet-stream", method="POST"
    )
    error = json.loads(body)["error"]
    assert (found, content_type, error["code"]) == (status, "application/json", code)
    assert error["message"]


def test_a_truncated_image_is_an_error(server: str, image: bytes) -> None:
    status, _, body = ask(f"{server}/predict", data=image[: len(image) // 2], kind="image/png")
    assert (status, json.loads(body)["error"]["code"]) == (400, "bad_image")


def test_an_image_of_too_many_pixels_is_refused_before_it_fills_the_memory(server: str) -> None:
    bomb = cv2.imencode(".png", np.zeros((8000, 7000), np.uint8))[1].tobytes()
    assert len(bomb) < 200_000
    status, _, body = ask(f"{server}/predict", data=bomb, kind="image/png")
    assert (status, json.loads(body)["error"]["code"]) == (400, "bad_image")


@pytest.mark.parametrize("value", ["x", "-0.1", "1.1", "nan"])
def test_min_score_outside_its_range_is_an_error(server: str, image: bytes, value: str) -> None:
    status, _, body = ask(f"{server}/predict?min_score={value}", data=image, kind="image/png")
    assert (status, json.loads(body)["error"]["code"]) == (400, "bad_min_score")


@pytest.mark.parametrize(("path", "method", "status"), [("nowhere", "GET", 404), ("predict", "PUT", 405)])
def test_an_unknown_path_or_method_is_a_json_error(server: str, path: str, method: str, status: int) -> None:
    found, content_type, body = ask(
        f"{server}/{path}/{uuid.uuid4()}" if status == 404 else f"{server}/{path}", method=method
    )
    assert (found, content_type) == (status, "application/json")
    assert json.loads(body)["error"]["code"] in {"not_found", "method_not_allowed"}


@pytest.mark.parametrize("path", ["healthz", "livez", "readyz", "metrics", "docs.json"])
def test_health_metrics_and_openapi_are_there(server: str, path: str) -> None:
    assert ask(f"{server}/{path}")[0] == 200


def test_the_page_and_the_api_description_name_no_outside_address(server: str) -> None:
    page = ask(f"{server}/")[2].decode()
    assert "test_result" in page
    assert not re.search(r"(?:src|href)=\"?(?:https?:)?//", page)
    assert "googletagmanager" not in page
    assert "/predict" in json.loads(ask(f"{server}/docs.json")[2])["paths"]
