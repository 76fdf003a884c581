"""The image of a real bento: the same layers each time, hardened, answering as packed, ending in good order."""

import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sinara_lib.container.builder import Builder
from sinara_lib.container.containerize import ServiceImage, containerize
from sinara_lib.errors import SinaraError
from tests.containers import BASE, make_base, remove_storage, storage

HARDENED = ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"]  # noqa: S108 - in the container


@dataclass(frozen=True)
class Built:
    """An image, and where it lies."""

    image: ServiceImage
    storage: Callable[[], Any]
    sbom: Path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Storage with the base image alone."""
    folder = tmp_path_factory.mktemp("base")
    make_base(folder)
    yield folder / "storage"
    remove_storage(folder / "storage")


@pytest.fixture(scope="module")
def built(base: Path, bento_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The image as `sinara containerize` builds it with podman."""
    folder = tmp_path_factory.mktemp("built")
    sbom = folder / "sbom.json"
    with storage(folder / "storage", base=base):
        image = containerize(bento_url, tag="localhost/service:one", base=BASE, builder="podman", sbom=sbom)
    yield Built(image, lambda: storage(folder / "storage", base=base), sbom)
    remove_storage(folder / "storage")


def podman(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def layers(tag: str) -> list[str]:
    return list(json.loads(podman("image", "inspect", tag))[0]["RootFS"]["Layers"])


@contextmanager
def running(built: Built) -> Iterator[tuple[str, int]]:
    """A hardened container of the image: its id, and its port on loopback, ready to answer."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    where = ["--env", "BENTOML_HOST=127.0.0.1", "--env", f"BENTOML_PORT={port}"]
    with built.storage():
        container = podman("run", "--detach", *HARDENED, *where, built.image.tag)
        try:
            wait_until_ready(container, port)
            yield container, port
        finally:
            podman("rm", "--force", "--time", "0", container)


def wait_until_ready(container: str, port: int) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    logs = subprocess.run(["podman", "logs", container], capture_output=True, text=True, check=False)
    raise AssertionError(f"not ready in 30 s:\n{logs.stdout[-3000:]}{logs.stderr[-3000:]}")


def test_a_second_build_with_another_tool_from_an_empty_cache_gives_the_same_layers(
    built: Built, base: Path, bento_url: str, tmp_path: Path
) -> None:
    with built.storage():
        first = layers(built.image.tag)
    with storage(tmp_path / "storage", base=base):
        containerize(bento_url, tag="localhost/service:two", base=BASE, builder="buildah")
        second = layers("localhost/service:two")
    remove_storage(tmp_path / "storage")
    assert first == second
    assert len(first) == 4, "the base, the packages, the list of packages, the bento"


def test_it_answers_as_packed_with_a_read_only_root_without_rights(built: Built, service_folder: Path) -> None:
    image = (service_folder / "artifacts" / "test_image.png").read_bytes()
    expected = json.loads((service_folder / "artifacts" / "test_result.json").read_text())
    with running(built) as (container, port):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", data=image)
        with urllib.request.urlopen(request, timeout=10) as answer:
            found = json.load(answer)
        assert [one["category_id"] for one in found["annotations"]] == [
            one["category_id"] for one in expected["annotations"]
        ]
        scores = [one["score"] for one in expected["annotations"]]
        assert [one["score"] for one in found["annotations"]] == pytest.approx(scores, abs=1e-3)
        assert podman("exec", container, "id", "-u") == "10001"
        podman("healthcheck", "run", container)


def test_a_request_in_flight_is_answered_when_the_container_is_stopped(built: Built, service_folder: Path) -> None:
    image = (service_folder / "artifacts" / "test_image.png").read_bytes()
    with running(built) as (container, port), socket.create_connection(("127.0.0.1", port), timeout=15) as client:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(image)}\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode() + image[:100])
        time.sleep(0.5)
        started = time.monotonic()
        stopping = threading.Thread(target=podman, args=("stop", container))
        stopping.start()
        time.sleep(1)
        client.sendall(image[100:])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        stopping.join()
        seconds = time.monotonic() - started
        state = json.loads(podman("inspect", container))[0]["State"]
    assert answer.startswith(b"HTTP/1.1 200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["annotations"]
    assert state["ExitCode"] == 0
    assert seconds < 10


def test_the_image_says_what_it_is_and_lists_its_packages(built: Built, service_folder: Path) -> None:
    with built.storage():
        config = json.loads(podman("image", "inspect", built.image.tag))[0]
    assert config["Labels"]["org.opencontainers.image.version"] == "run-26-01-02-040506-789"
    assert config["Labels"]["sinara.model_run"] == "run-x"
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert not [value for value in config["Config"]["Env"] if "PIP" in value or "CERT" in value]
    found = {one["purl"] for one in json.loads(built.sbom.read_text())["components"] if "purl" in one}
    pins = (service_folder / "requirements.txt").read_text().split()
    assert {f"pkg:pypi/{pin.replace('==', '@')}" for pin in pins} <= found
    assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in found)
    assert len(built.image.packages) == len(found)


def test_a_base_that_is_not_there_is_an_error_in_the_tools_words(base: Path, tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text("FROM localhost/not-there:1\n")
    with storage(tmp_path / "storage", base=base):
        with pytest.raises(SinaraError, match=r"(?s)podman could not build.*not-there"):
            Builder("podman").build(tmp_path, tag="localhost/x:1")
    remove_storage(tmp_path / "storage")


def test_nothing_of_this_machine_is_in_the_image(built: Built) -> None:
    with built.storage():
        mounted = Path(podman("image", "mount", built.image.tag))
        try:
            service = mounted / "opt" / "service"
            listed = {path.name for path in service.iterdir()}
            owners = {(path.lstat().st_uid, path.lstat().st_mode & 0o022) for path in service.rglob("*")}
            outside = {path.relative_to(mounted).as_posix() for path in (mounted / "tmp").iterdir()}
        finally:
            podman("image", "unmount", built.image.tag)
    assert listed == {"packages", "bento", "sbom.json"}
    assert owners == {(0, 0)}, "root's, and nobody else may write"
    assert outside == set()
