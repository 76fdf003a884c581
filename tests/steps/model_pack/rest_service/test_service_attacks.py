"""What strangers send to stop the service for others, and what they try to learn or to pretend."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from starlette.testclient import TestClient

from rest_service import metrics
from rest_service.settings import ServiceSettings
from service_cases import FORM, form, joined, open_service
from sinara_lib.bento.service import DevService, start_dev_bentoservice, stop_dev_bentoservice

KEY = "key"
SLOW_TEXT = b"-".join([b"a" * 300_000, b"bcd"])
"""As punycode it takes Python seconds, as UTF-8 nothing."""


@pytest.fixture(scope="module")
def limited(bento_url: str) -> Iterator[DevService]:
    """A service that allows one request a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVICE_RATE_LIMIT", "0.5")
        service = start_dev_bentoservice(bento_url)
    yield service
    stop_dev_bentoservice(service)


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "idna", "latin-1", "rot13", '"; x'])
def test_text_in_another_coding_than_utf8_is_refused_at_once(client: TestClient, charset: str) -> None:
    body = joined(form(b"image"), form(SLOW_TEXT, field="file_name", file_name=None))
    answer = client.post("/predict", content=body, headers={"Content-Type": f"{FORM}; charset={charset}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_charset")


def test_a_text_field_of_a_form_is_short(client: TestClient) -> None:
    body = joined(form(b"image"), form(b"a" * 70_000, field="file_name", file_name=None))
    answer = client.post("/predict", content=body, headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_multipart")


def test_a_message_with_two_lengths_is_refused_and_its_connection_ends(limited: DevService) -> None:
    with socket.create_connection((limited.server.host, limited.server.port), timeout=10) as opened:
        opened.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        answer = b""
        while piece := opened.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer.lower()


def test_no_client_names_its_own_address_unless_a_proxy_was_named(limited: DevService) -> None:
    statuses = []
    for number in range(4):
        request = urllib.request.Request(f"{limited.url}/categories", headers={"X-Forwarded-For": f"10.0.0.{number}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                statuses.append(answer.status)
        except urllib.error.HTTPError as error:
            statuses.append(error.code)
    assert 429 in statuses


def test_the_schema_for_bentomls_clients_stands_behind_the_token(service_folder: Path) -> None:
    locked = open_service(service_folder, ServiceSettings(token=KEY))
    assert locked.get("/schema.json").status_code == 401


@pytest.mark.parametrize("text", ["key\n", " key\r\n", "key"])
def test_a_token_from_a_file_may_end_with_a_line_break(text: str) -> None:
    assert ServiceSettings.read({"SERVICE_TOKEN": text}).token == KEY


@pytest.mark.parametrize("text", ["two words", "a\nb", "schl\u00fcssel", "a\x00b"])
def test_a_token_that_no_header_carries_does_not_start(text: str) -> None:
    with pytest.raises(ValueError, match="SERVICE_TOKEN holds blanks, control characters or letters beyond ASCII"):
        ServiceSettings.read({"SERVICE_TOKEN": text})


def test_images_inside_a_killed_worker_are_not_counted_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    # prometheus_client asks for the folder when it is imported, so that it runs in a process of its own.
    code = (
        "import os\n"
        "from prometheus_client import values\n"
        "from rest_service import metrics\n"
        "one = metrics.ServiceMetrics()\n"
        "one._waiting.set(11)\n"
        "from pathlib import Path\n"
        f"for file in Path({str(tmp_path)!r}).glob('gauge_live*.db'):\n"
        f"    file.rename(file.with_name(file.name.replace(str(os.getpid()), '{dead.pid}')))\n"
        "print(metrics.ServiceMetrics().render().decode())\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(metrics.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert "detector_images_inside 11.0" not in done.stdout


def test_probes_answer_within_a_second_while_large_forms_and_images_are_taken_apart(bento_url: str) -> None:
    service = start_dev_bentoservice(bento_url)
    fill = b"\xff\xd8" + b"\xff" * 20_000_000
    parts = b"\r\n--cut\r" * 1_000_000

    def attack(body: bytes, kind: str) -> None:
        request = urllib.request.Request(f"{service.url}/predict", data=body, headers={"Content-Type": kind})
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            statuses.append(error.code)

    statuses: list[int] = []
    try:
        attacks = [threading.Thread(target=attack, args=args) for args in [(fill, "image/jpeg"), (parts, FORM)] * 2]
        for one in attacks:
            one.start()
        slowest = 0.0
        while any(one.is_alive() for one in attacks):
            begun = time.monotonic()
            with urllib.request.urlopen(f"{service.url}/livez", timeout=30) as answer:
                assert answer.status == 200
            slowest = max(slowest, time.monotonic() - begun)
    finally:
        stop_dev_bentoservice(service)
    assert statuses == [400] * 4
    assert slowest < 5  # seconds on a busy machine; before, it was as long as the attack


def test_a_server_ends_with_the_process_that_started_it_however_that_ends(bento_url: str) -> None:
    code = (
        "import sys, time\n"
        "from sinara_lib.bento import start_dev_bentoservice\n"
        f"service = start_dev_bentoservice({bento_url!r})\n"
        "print(service.server.process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout
    supervisor = psutil.Process(int(starter.stdout.readline()))
    family = [supervisor, *supervisor.children(recursive=True)]
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_workers_end_with_their_killed_supervisor(bento_url: str) -> None:
    service = start_dev_bentoservice(bento_url)
    try:
        workers = psutil.Process(service.server.process.pid).children(recursive=True)
        service.server.process.kill()
        service.server.process.wait()
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert alive == []
        assert workers
    finally:
        stop_dev_bentoservice(service)
