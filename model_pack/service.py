"""The REST service: thin routes over the detector beside it."""

from __future__ import annotations

import json
import logging
import os
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "50000000")  # read by OpenCV when it is loaded

import bentoml
from detector import Detector
from service_http import BoundedQueue, JsonErrors, PredictInput, RequestError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent
ARTIFACTS = HERE / "artifacts"
THREADS_VARIABLE = "DETECTOR_THREADS"
QUEUE = 32
"""Requests that wait or are being answered at most; the next one is refused with 429."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Object detector</title><style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui;max-width:40em;
margin:3em auto;padding:0 1em}</style><h1>Object detector</h1><p>Send an image:</p>
<pre>curl -F image=@photo.jpg http://HOST/predict</pre><ul><li><a href="test_data">test_data</a> the packed image
<li><a href="test_result">test_result</a> what it must give<li><a href="categories">categories</a>
<li><a href="service_version">service_version</a><li><a href="docs.json">docs.json</a> OpenAPI</ul></html>"""


def _test_image() -> Path:
    (path,) = ARTIFACTS.glob("test_image.*")
    return path


def _test_result() -> dict[str, Any]:
    result: dict[str, Any] = json.loads((ARTIFACTS / "test_result.json").read_text(encoding="utf-8"))
    return result


def _running() -> Any:
    return bentoml.get_current_service()


async def _show_page(_request: Request) -> Response:
    return HTMLResponse(_PAGE)


async def _show_test_data(_request: Request) -> Response:
    return FileResponse(_test_image())


async def _show_test_result(_request: Request) -> Response:
    return JSONResponse(_test_result())


async def _show_version(_request: Request) -> Response:
    return JSONResponse(_running().detector.version)


async def _show_categories(_request: Request) -> Response:
    return JSONResponse(_running().detector.categories)


PAGES = Starlette(
    routes=[
        Route("/", _show_page),
        Route("/test_data", _show_test_data),
        Route("/test_result", _show_test_result),
        Route("/service_version", _show_version),
        Route("/categories", _show_categories),
    ]
)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
IMAGE = bentoml.images.Image(
    base_image=f"python:{PYTHON}-slim-bookworm", distro="none", python_version=PYTHON, lock_python_packages=False
).python_packages(*(HERE / "requirements.txt").read_text(encoding="utf-8").split())


@bentoml.service(name="rest_service", image=IMAGE, traffic={"timeout": 10})
@bentoml.asgi_app(PAGES, path="/")
class RestService:
    """Detects objects in images."""

    def __init__(self) -> None:
        self.detector = Detector(ARTIFACTS, threads=int(os.environ.get(THREADS_VARIABLE, "0")))
        # Below `bentoml`, so that it stands in the server's log.
        logging.getLogger("bentoml.detector").info("The model runs on %s", self.detector.execution_provider)

    @bentoml.api(input_spec=PredictInput)
    def predict(self, image: bytes, file_name: str = "image", min_score: float | None = None) -> dict[str, Any]:
        """Detect the objects of one image and return them in the manner of COCO."""
        try:
            return self.detector.predict(image, file_name=file_name, min_score=min_score)
        except ValueError as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, "bad_image", str(error)) from error

    @bentoml.api
    def test_data(self) -> Path:
        """Return the packed test image."""
        return _test_image()

    @bentoml.api
    def test_result(self) -> dict[str, Any]:
        """Return what `predict` must answer for the packed test image."""
        return _test_result()

    @bentoml.api
    def service_version(self) -> dict[str, Any]:
        """Return the version of the service, its model, and the execution provider in use."""
        return self.detector.version

    @bentoml.api
    def categories(self) -> list[dict[str, Any]]:
        """Return the classes as COCO categories."""
        return self.detector.categories


RestService.add_asgi_middleware(JsonErrors)
RestService.add_asgi_middleware(BoundedQueue, path="/predict", limit=QUEUE)
