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
from sinara_lib.loopback import web_session

_SECONDS = 120.0


class Service(Protocol):
    """What is asked of the packed service."""

    def predict(self, image: bytes, *, file_name: str, min_score: float) -> Mapping[str, Any]:
        """Detect objects in the bytes of an image file; COCO-style answer."""

    def categories(self) -> Sequence[Mapping[str, Any]]:
        """Return the classes the service knows."""

    def service_version(self) -> Mapping[str, Any]:
        """Versions of service, model and dataset, and the execution provider in use."""


@contextmanager
def open_service(url: str, *, through: Access) -> Iterator[Service]:
    """Give the service at `url`; a server lives as long as the block.

    Raises SinaraError with the server's last lines when it does not start.
    """
    if through == "process":
        yield cast(Service, load_bentoservice(url))
        return
    server = start_dev_bentoservice(url)
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


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (json.JSONDecodeError, KeyError, TypeError):
        return answer.text[:200]
