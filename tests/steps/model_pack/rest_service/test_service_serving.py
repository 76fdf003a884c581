"""The service as a process: slow clients, overload, the end of it, several workers, and files that were changed."""

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from service_cases import encoded
from sinara_lib.bento.server import start_server, stop_server, wait_until_ready
from sinara_lib.bento.service import DevService, fetch_bento, start_dev_bentoservice, stop_dev_bentoservice
from sinara_lib.errors import SinaraError

Serve = Callable[..., DevService]


@pytest.fixture
def serve(bento_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start the service with these settings in its environment."""
    started: list[DevService] = []

    def start(**settings: str) -> DevService:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        started.append(start_dev_bentoservice(bento_url))
        return started[-1]

    yield start
    for one in started:
        stop_dev_bentoservice(one)


@pytest.fixture(scope="module")
def large() -> bytes:
    """An image whose decoding takes some tenths of a second."""
    return encoded(Image.new("RGB", (7000, 7000), (30, 90, 60)), "PNG")


def post(url: str, data: bytes) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{url}/predict", data=data, headers={"Content-Type": "image/png"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextmanager
def connection(service: DevService) -> Iterator[socket.socket]:
    with socket.create_connection((service.server.host, service.server.port), timeout=10) as opened:
        yield opened


def log_of(service: DevService) -> str:
    assert service.server.log
    return service.server.log.read_text()


def test_every_request_in_flight_is_answered_once_when_the_service_is_told_to_end(serve: Serve, large: bytes) -> None:
    service = serve()
    with ThreadPoolExecutor(5) as clients:
        answers = [clients.submit(post, service.url, large) for _ in range(5)]
        wait_for_queue(service)
        start = time.monotonic()
        service.server.process.terminate()
        found = [one.result() for one in answers]
        assert service.server.process.wait(12) == 0
    assert time.monotonic() - start < 10
    assert [status for status, _ in found] == [200] * 5
    assert all(json.loads(body)["width"] == 7000 for _, body in found)
    (counted,) = re.findall(r"Ended: (\d+) requests accepted, (\d+) answered", log_of(service))
    assert counted[0] == counted[1]


def wait_for_queue(service: DevService) -> None:
    """Return when all five images have been taken in: the next one would find five before it."""
    pattern = re.compile(r"^detector_images_inside.* 5\.0$", re.MULTILINE)
    for _ in range(400):
        with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
            if pattern.search(answer.read().decode()):
                return
        time.sleep(0.01)
    raise AssertionError("the five images did not come in")


def test_overload_is_refused_with_retry_after_and_health_is_still_answered(serve: Serve, large: bytes) -> None:
    service = serve(SERVICE_QUEUE="2")
    with ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(post, service.url, large) for _ in range(8)]
        with urllib.request.urlopen(f"{service.url}/livez", timeout=5) as health:
            assert health.status == 200
        found = [one.result() for one in answers]
    statuses = {status for status, _ in found}
    assert statuses == {200, 429}
    assert {json.loads(body)["error"]["code"] for status, body in found if status == 429} == {"overloaded"}


def test_a_slow_body_is_given_up_and_holds_nobody_else(serve: Serve, large: bytes) -> None:
    service = serve(SERVICE_BODY_SECONDS="1")
    with connection(service) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nab")
        start = time.monotonic()
        assert post(service.url, b"\0" * 10)[0] == 400
        assert time.monotonic() - start < 1
        answer = slow.recv(4096)
        slow.settimeout(5)
        rest = slow.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout" in answer + rest
    assert 0.9 < time.monotonic() - start < 4


def test_a_client_that_leaves_midway_costs_nothing(serve: Serve) -> None:
    service = serve()
    for _ in range(20):
        with connection(service) as gone:
            gone.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nab")
    assert post(service.url, b"x")[0] == 400
    assert "Traceback" not in log_of(service)


def test_two_hundred_half_open_connections_do_not_stop_the_service(serve: Serve) -> None:
    service = serve()
    opened = [socket.create_connection((service.server.host, service.server.port)) for _ in range(200)]
    try:
        for one in opened:
            one.sendall(b"POST /predict HTTP/1.1\r\nHost:")
        assert post(service.url, b"x")[0] == 400
    finally:
        for one in opened:
            one.close()


def test_a_large_body_refused_by_its_length_still_reads_its_answer(serve: Serve) -> None:
    service = serve(SERVICE_MAX_BODY_BYTES="1000")
    found = []
    threads = [threading.Thread(target=lambda: found.append(post(service.url, b"\0" * 8_000_000))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [status for status, _ in found] == [413] * 4


def test_two_workers_share_the_cores_and_their_metrics(bento_url: str, tmp_path: Path) -> None:
    bento = fetch_bento(bento_url, tmp_path)
    server = start_server(bento, tmp_path, host="127.0.0.1", port=0, quiet=True, workers=2)
    try:
        wait_until_ready(server)
        image = next((bento / "src" / "artifacts").glob("test_image.*")).read_bytes()
        for _ in range(12):
            assert post(server.url, image)[0] == 200
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        stop_server(server)
    assert 'detector_requests_total{endpoint="/predict",status="200"} 12.0' in text
    assert server.log
    assert "threads each in 2 workers" in server.log.read_text()


@pytest.mark.parametrize("name", ["artifacts/model.onnx", "rest_service/request_body.py"])
def test_a_bento_whose_file_was_changed_does_not_start_and_names_it(bento_url: str, tmp_path: Path, name: str) -> None:
    bento = fetch_bento(bento_url, tmp_path)
    with (bento / "src" / name).open("ab") as file:
        file.write(b"\n# changed\n")
    server = start_server(bento, tmp_path, host="127.0.0.1", port=0, quiet=True)
    try:
        with pytest.raises(
            SinaraError, match=rf"(?s)ended at its start, exit code 1.*{name} was changed after packing"
        ):
            wait_until_ready(server, seconds=30)
    finally:
        stop_server(server)


def test_a_setting_that_makes_no_sense_does_not_start(serve: Serve) -> None:
    with pytest.raises(SinaraError, match=r"(?s)ended at its start.*SERVICE_QUEUE must be a number of at least 1"):
        serve(SERVICE_QUEUE="none")
