"""In process or over HTTP, the same service gives the same predictions."""

import http.server
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector_prediction import predict_dataset
from scenes import document, split_in
from service_access import RestClient, limit_words, limits_for, open_service
from sinara_lib.errors import DataError, SinaraError
from sinara_lib.vision.coco import CocoDataset


@pytest.fixture
def test_set(tmp_path: Path) -> CocoDataset:
    """Six blurred noise images of the size the document states."""
    made = document([], images=6)
    (tmp_path / "images").mkdir()
    for image in made.images:
        picture = np.random.default_rng(image.id).integers(0, 256, (image.height, image.width, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / image.file_name), cv2.GaussianBlur(picture, (0, 0), 4))
    return made


@pytest.fixture
def broken_server() -> Iterator[str]:
    """A server that answers every request with a page and status 500."""

    class Broken(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(b"<h1>it broke</h1>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_over_http_the_predictions_are_those_in_process(
    bento_url: str, test_set: CocoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where whoever runs it let the service take next to nothing from strangers."""
    monkeypatch.setenv("SERVICE_TOKEN", "a-secret")
    for name in ("SERVICE_MAX_PIXELS", "SERVICE_MAX_BODY_BYTES", "SERVICE_HELD_BYTES", "SERVICE_QUEUE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SERVICE_RATE_LIMIT", "0.1")
    limits = limits_for(split_in(tmp_path, test_set), at_once=3)
    found = {}
    for through in ("process", "rest"):
        with open_service(bento_url, through=through, limits=limits) as service:
            assert os.environ["SERVICE_MAX_PIXELS"] == "1"
            assert service.service_version()["model_name"] == "yolox_nano"
            found[through] = predict_dataset(service, split_in(tmp_path, test_set), at_once=3)
    assert len(found["process"]) > 50
    assert found["rest"] == found["process"]
    (tmp_path / "images" / test_set.images[0].file_name).write_bytes(b"no image")
    with open_service(bento_url, through="rest") as service, pytest.raises(DataError, match=r"0001\.jpg .*answered 4"):
        predict_dataset(service, split_in(tmp_path, replace(test_set, images=test_set.images[:1])))


def test_an_answer_that_is_none_is_told_with_its_status(broken_server: str) -> None:
    with pytest.raises(DataError, match="categories answered 500: <h1>it broke</h1>"):
        RestClient(broken_server).categories()


def test_a_service_that_is_not_there_is_named() -> None:
    with pytest.raises(SinaraError, match=r"http://127\.0\.0\.1:9/categories does not answer"):
        RestClient("http://127.0.0.1:9").categories()


def test_neither_image_nor_token_goes_to_a_proxy_of_the_environment(
    broken_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(DataError, match="categories answered 500: <h1>it broke</h1>"):
        RestClient(broken_server, token="a-secret").categories()  # noqa: S106 - made up


def test_limits_reach_to_the_largest_image_and_file_of_the_test_set_and_say_what_serves_it(
    test_set: CocoDataset, tmp_path: Path
) -> None:
    (tmp_path / "images" / "large.bin").write_bytes(bytes(40 << 20))
    large = replace(test_set, images=(*test_set.images, replace(test_set.images[0], id=99, width=10_000, height=9_000)))
    limits = limits_for(split_in(tmp_path, large), at_once=8)
    assert limits["SERVICE_MAX_PIXELS"] == limits["OPENCV_IO_MAX_IMAGE_PIXELS"] == "90000000"
    assert int(limits["SERVICE_MAX_BODY_BYTES"]) > 40 << 20
    assert int(limits["SERVICE_HELD_BYTES"]) > 8 * (40 << 20)
    assert limit_words(test_set) == ""
    assert limit_words(large).endswith("SERVICE_MAX_PIXELS=90000000 serves them to others too.")
