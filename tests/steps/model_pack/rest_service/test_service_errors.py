"""Every bad request gets its status and a JSON error; none fills the memory, and none learns our insides."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from rest_service.errors import RequestError
from rest_service.image_header import check_image
from rest_service.settings import ServiceSettings
from service_cases import END, FORM, form, joined, open_service


@pytest.fixture(scope="module")
def image(service_folder: Path) -> bytes:
    return (service_folder / "artifacts" / "test_image.png").read_bytes()


FORM_HEADERS = {"Content-Type": FORM}
JSON_HEADERS = {"Content-Type": "application/json"}
BAD: dict[str, tuple[str, bytes, dict[str, str], int, str]] = {
    "no body": ("/predict", b"", {}, 400, "empty_image"),
    "empty file": ("/predict", form(b""), FORM_HEADERS, 400, "empty_image"),
    "text in the file": ("/predict", form(b"hello"), FORM_HEADERS, 400, "bad_image"),
    "text as body": ("/predict", b"hello", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    "json": ("/predict", b"{}", JSON_HEADERS, 415, "unsupported_media_type"),
    "pickle": ("/predict", b"x", {"Content-Type": "application/vnd.bentoml+pickle"}, 415, "unsupported_media_type"),
    "svg": ("/predict", b"<svg></svg>", {"Content-Type": "image/svg+xml"}, 415, "unsupported_media_type"),
    "heic": ("/predict", b"\0\0\0\x18ftypheic" + b"\0" * 40, {}, 415, "unsupported_media_type"),
    "other field": ("/predict", form(b"x", field="photo"), FORM_HEADERS, 400, "no_image"),
    "address as text": ("/predict", form(b"http://127.0.0.1:1/", file_name=None), FORM_HEADERS, 400, "no_image"),
    "only options": ("/predict", form(b"1", field="min_score", file_name=None), FORM_HEADERS, 400, "no_image"),
    "two files": ("/predict", joined(form(b"x"), form(b"y")), FORM_HEADERS, 400, "bad_multipart"),
    "broken form": ("/predict", b"not a form", FORM_HEADERS, 400, "bad_multipart"),
    "cut form": ("/predict", form(b"x" * 99)[:-60], FORM_HEADERS, 400, "no_image"),
    "no boundary": ("/predict", b"x", {"Content-Type": "multipart/form-data"}, 400, "bad_multipart"),
    "empty batch": ("/predict_batch", END.lstrip(), FORM_HEADERS, 400, "no_image"),
    "batch of text": ("/predict_batch", b"{}", JSON_HEADERS, 200, "bad_image"),
    "score of text": ("/predict?min_score=x", b"x", {}, 400, "bad_min_score"),
    "score below": ("/predict?min_score=-0.1", b"x", {}, 400, "bad_min_score"),
    "score above": ("/predict?min_score=1.1", b"x", {}, 400, "bad_min_score"),
    "score nan": ("/predict?min_score=nan", b"x", {}, 400, "bad_min_score"),
    "no detections": ("/predict?max_detections=0", b"x", {}, 400, "bad_max_detections"),
    "half a detection": ("/predict?max_detections=1.5", b"x", {}, 400, "bad_max_detections"),
    "endless detections": ("/predict?max_detections=" + "9" * 5000, b"x", {}, 400, "bad_max_detections"),
    "digits of another script": ("/predict?max_detections=%D9%A3", b"x", {}, 400, "bad_max_detections"),
    "unknown class": ("/predict?classes=person,unicorn", b"x", {}, 400, "bad_classes"),
    "no class": ("/predict?classes=", b"x", {}, 400, "bad_classes"),
    "unknown option": ("/predict?min_scores=1", b"x", {}, 400, "bad_parameter"),
    "unknown option in the form": (
        "/predict",
        joined(form(b"1", field="treshold", file_name=None), form(b"x")),
        FORM_HEADERS,
        400,
        "bad_parameter",
    ),
    "drawn text": ("/predict_image", form(b"hello"), FORM_HEADERS, 400, "bad_image"),
}


@pytest.mark.parametrize(("path", "body", "headers", "status", "code"), BAD.values(), ids=BAD)
def test_a_bad_request_gets_its_status_and_a_json_error(
    client: TestClient, path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = client.post(path, content=body, headers=headers)
    document = answer.json()
    error = (document["results"][0] if "results" in document else document)["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert len(error["message"]) > 5


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nowhere", 404, None),
        ("POST", "/nowhere/%2e%2e/x", 404, None),
        ("POST", "/predict/", 404, None),
        ("GET", "/predict", 405, "POST"),
        ("PUT", "/predict", 405, "POST"),
        ("DELETE", "/categories", 405, "GET, HEAD, POST"),
        ("POST", "/healthz", 405, "GET, HEAD"),
    ],
)
def test_an_unknown_path_or_method_is_a_json_error(
    client: TestClient, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == {404: "not_found", 405: "method_not_allowed"}[status]
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allow if allow else "allow" not in answer.headers


def test_a_fault_of_ours_is_a_json_error_that_tells_nothing_of_its_insides(
    service_folder: Path, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = open_service(service_folder)
    monkeypatch.setattr("rest_service.app._dumped", lambda _: 1 / 0)
    answer = client.post("/predict", content=image)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "ZeroDivision" not in answer.text


def test_a_body_beyond_the_limit_is_refused_with_or_without_its_length(service_folder: Path, image: bytes) -> None:
    client = open_service(service_folder, ServiceSettings(max_body_bytes=len(image)))
    assert client.post("/predict", content=image).status_code == 200

    def chunks() -> Iterator[bytes]:
        yield image
        yield b"\0"

    for body in (image + b"\0", chunks()):
        answer = client.post("/predict", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert client.post("/predict", content=image).status_code == 200


def test_bodies_that_fill_the_memory_together_are_refused(service_folder: Path, image: bytes) -> None:
    client = open_service(service_folder, ServiceSettings(held_bytes=len(image) - 1))
    answer = client.post("/predict", content=image)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert client.post("/predict", content=image[:10]).status_code == 400


RIFF = b"RIFF????WEBP"
STARTS = [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*", RIFF + b"VP8X", RIFF + b"VP8L", b""]


@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=80))
@settings(max_examples=400, deadline=None)
def test_whatever_follows_an_images_first_bytes_is_measured_or_refused(start: bytes, rest: bytes) -> None:
    try:
        width, height = check_image(start + rest, max_pixels=10**6)
    except RequestError as error:
        found = error.status
    else:
        found = 200 if 0 < width * height <= 10**6 else 500
    assert found in (200, 400, 413, 415)


def test_a_header_of_endless_segments_is_given_up() -> None:
    with pytest.raises(RequestError, match="cut off or broken"):
        check_image(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 5_000_000, max_pixels=10**6)
