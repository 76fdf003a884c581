"""The packed service, loaded into this process or started as the real server and asked over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Protocol, cast

import requests

from eval_params import Access
from sinara_lib.bento.service import load_bentoservice, start_dev_bentoservice, stop_dev_bentoservice
from sinara_lib.errors import DataError, SinaraError
from sinara_lib.isolation import set_variables
from sinara_lib.loopback import web_session
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.image_size import MAX_PIXELS

_SECONDS = 120.0
_FORM_BYTES = 1 << 16
"""What the form around an image takes at most."""


class Service(Protocol):
    """What is asked of the packed service."""

    def predict(self, image: bytes, *, file_name: str, min_score: float) -> Mapping[str, Any]:
        """Detect objects in the bytes of an image file; COCO-style answer."""

    def categories(self) -> Sequence[Mapping[str, Any]]:
        """Return the classes the service knows."""

    def service_version(self) -> Mapping[str, Any]:
        """Versions of service, model and dataset, and the execution provider in use."""


def limits_for(split: Split, *, at_once: int) -> dict[str, str]:
    """Return the service's settings under which a test set passes that is asked `at_once`.

    Its limits protect it from strangers; what is measured is the model, on all of the test set.
    """
    pixels = max((image.width * image.height for image in split.dataset.images), default=1)
    body = max(map(split.files.length, split.files.names()), default=1) + _FORM_BYTES
    least = {
        "SERVICE_MAX_PIXELS": max(pixels, MAX_PIXELS),
        "SERVICE_MAX_BODY_BYTES": max(body, 32 << 20),
        "SERVICE_HELD_BYTES": max(at_once * body, 256 << 20),
        "SERVICE_QUEUE": max(at_once, 32),
        "SERVICE_DEADLINE_SECONDS": int(_SECONDS),
    }
    limits = {name: str(max(value, _own(name))) for name, value in least.items()}
    # OpenCV has a limit of its own, which the service sets to this one where nobody else did.
    return limits | {"OPENCV_IO_MAX_IMAGE_PIXELS": limits["SERVICE_MAX_PIXELS"], "SERVICE_RATE_LIMIT": "0"}


def limit_words(dataset: CocoDataset) -> str:
    """Say which images the service refuses from anybody else, and how it takes them; empty when there are none."""
    large = [image.width * image.height for image in dataset.images if image.width * image.height > MAX_PIXELS]
    if not large:
        return ""
    return (
        f"{len(large):,} test images have more than the {MAX_PIXELS:,} pixels that the service takes by default; they "
        f"are scored all the same. SERVICE_MAX_PIXELS={max(large)} serves them to others too."
    )


@contextmanager
def open_service(url: str, *, through: Access, limits: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Give the service at `url`, under the given settings; a server lives as long as the block.

    Raises SinaraError with the server's last lines when it does not start.
    """
    if through == "process":
        with set_variables(limits or {}):
            service = cast(Service, load_bentoservice(url))
        yield service
        return
    server = start_dev_bentoservice(url, settings=limits)
    try:
        # The server asks for the token that stands in the environment it was started in: ours.
        yield RestClient(server.url, token=os.environ.get("SERVICE_TOKEN", ""))
    finally:
        stop_dev_bentoservice(server)


class RestClient:
    """A running service, asked over HTTP; safe to call from several threads."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def predict(self, image: bytes, *, file_name: str, min_score: float) -> Mapping[str, Any]:
        """Post one image. Raises DataError when the service refuses it, SinaraError when it does not answer."""
        answer: Mapping[str, Any] = self._ask(
            "POST", "predict", params={"min_score": str(min_score)}, files={"image": (file_name, image)}
        )
        return answer

    def categories(self) -> Sequence[Mapping[str, Any]]:
        """Ask for the classes."""
        answer: Sequence[Mapping[str, Any]] = self._ask("GET", "categories")
        return answer

    def service_version(self) -> Mapping[str, Any]:
        """Ask for the versions."""
        answer: Mapping[str, Any] = self._ask("GET", "service_version")
        return answer

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        url = f"{self._url}/{path}"
        try:
            with web_session() as session:
                answer = session.request(method, url, headers=self._headers, timeout=_SECONDS, **content)
        except requests.RequestException as error:
            raise SinaraError(f"{url} does not answer ({error}); look at the service's log.") from error
        if answer.status_code != HTTPStatus.OK:
            raise DataError(f"{url} answered {answer.status_code}: {_reason(answer)}")
        return answer.json()


def _own(name: str) -> int:
    """Return what the environment sets already; 0 where that is nothing, or no number."""
    text = os.environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() else 0


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return answer.text[:200]
