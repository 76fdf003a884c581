"""The packed service over HTTP: the expected answer, and an error in JSON for everything that is not an image."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bentoml
import pytest

from rest_service.settings import ServiceSettings
from service_cases import FORM, form, joined
from sinara_lib.bento.service import (
    differences,
    fetch_bento,
    load_bentoservice,
    start_dev_bentoservice,
    stop_dev_bentoservice,
)
from small_network import MIN_SCORE


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


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "text/plain", ""])
def test_predict_answers_the_packed_result_whatever_the_part_calls_itself(
    server: str, image: bytes, expected: dict[str, Any], kind: str
) -> None:
    status, _, body = ask(f"{server}/predict", data=form(image, kind=kind), kind=FORM)
    assert (status, differences(expected, json.loads(body))) == (200, [])


def test_predict_takes_the_bare_bytes_too(server: str, image: bytes, expected: dict[str, Any]) -> None:
    status, _, body = ask(f"{server}/predict", data=image, kind="image/png")
    assert (status, differences({**expected, "file_name": "image"}, json.loads(body))) == (200, [])


def test_min_score_replaces_the_packed_threshold(server: str, image: bytes, expected: dict[str, Any]) -> None:
    packed = [one["score"] for one in expected["annotations"]]
    found = {}
    for threshold in (0.2, MIN_SCORE, packed[1]):
        _, _, body = ask(f"{server}/predict?min_score={threshold}", data=image, kind="image/png")
        found[threshold] = [one["score"] for one in json.loads(body)["annotations"]]
        assert min(found[threshold]) >= threshold
    assert len(found[0.2]) > len(found[MIN_SCORE]) == len(packed) > len(found[packed[1]]) > 0


def test_options_may_be_form_fields(server: str, image: bytes) -> None:
    body = joined(
        form(b"1.0", field="min_score", file_name=None),
        form(b"new name.png", field="file_name", file_name=None),
        form(image),
    )
    status, _, body = ask(f"{server}/predict", data=body, kind=FORM)
    answer = json.loads(body)
    assert (status, answer["annotations"], answer["file_name"]) == (200, [], "new name.png")


def test_a_client_of_bentoml_may_ask_too(server: str, service_folder: Path, expected: dict[str, Any]) -> None:
    with bentoml.SyncHTTPClient(server) as client:
        answer = client.predict(image=service_folder / "artifacts" / "test_image.png", min_score=MIN_SCORE)
        assert differences(expected, answer) == []
        assert client.categories()[0] == {"id": 1, "name": "person"}


def test_bentoml_forgets_a_request_within_a_minute(bento_url: str, tmp_path: Path) -> None:
    description = (fetch_bento(bento_url, tmp_path) / "bento.yaml").read_text(encoding="utf-8")
    (timeout,) = re.findall(r"traffic:\n\s+timeout: (\S+)", description)
    assert float(timeout) == ServiceSettings().longest_seconds < 60


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
    "address as text": (form(b"http://127.0.0.1:1/x.png", file_name=None), FORM, 400, "no_image"),
    "broken form": (b"not a form", FORM, 400, "bad_multipart"),
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


@pytest.mark.parametrize("path", ["healthz", "livez", "readyz", "metrics", "docs.json"])
def test_health_metrics_and_openapi_are_there(server: str, path: str) -> None:
    assert ask(f"{server}/{path}")[0] == 200


def test_the_page_and_the_api_description_name_no_outside_address(server: str) -> None:
    texts = [ask(f"{server}/{name}")[2].decode() for name in ("", "docs.json")]
    assert "<canvas" in texts[0]
    assert "/predict" in json.loads(texts[1])["paths"]
    assert [re.findall(r"(?:https?:)?//[a-z0-9]", text) for text in texts] == [[], []]
