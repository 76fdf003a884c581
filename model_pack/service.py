"""The REST service for BentoML: what it starts with, what runs in process, and the way in to the routes."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# OpenCV reads both when it is loaded: its own limit behind ours, and no line in the log for each broken image.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", os.environ.get("SERVICE_MAX_PIXELS", "50000000"))
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import bentoml
from pydantic import Field

from rest_service.app import SCHEMA_APP
from rest_service.checksums import check_files
from rest_service.detector import Detector
from rest_service.options import PredictOptions
from rest_service.prediction import Prediction, packed_image, packed_result
from rest_service.settings import ServiceSettings
from rest_service.worker import Worker, end_with_parent

HERE = Path(__file__).parent
# BentoML's supervisor imports this module before it starts a worker: only here can a start be refused as a whole.
check_files(HERE)
SETTINGS = ServiceSettings.read(os.environ)
# uvicorn reads it in each worker, after this module: by default it would believe whoever connects from 127.0.0.1.
os.environ["FORWARDED_ALLOW_IPS"] = SETTINGS.trusted_proxies
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
IMAGE = bentoml.images.Image(
    base_image=f"python:{PYTHON}-slim-bookworm", distro="none", python_version=PYTHON, lock_python_packages=False
).python_packages(*(HERE / "requirements.txt").read_text(encoding="utf-8").split())

# Below `bentoml`, so that it stands in the server's log.
logger = logging.getLogger("bentoml.detector")


class PredictInput(bentoml.IODescriptor):
    """What a client of BentoML may send to /predict; `rest_service/app.py` reads it."""

    image: Path = Field(description="JPEG, PNG, WebP, GIF, BMP or TIFF file")
    file_name: str = Field(default="image", description="Repeated in the answer")
    min_score: float | None = Field(default=None, description="Leave out detections scored below it")
    max_detections: int | None = Field(default=None, description="Keep so many of the best")
    classes: str | None = Field(
        default=None, description="Classes to keep: names or ids, separated by commas, or a JSON list"
    )


@bentoml.service(
    name="rest_service",
    image=IMAGE,
    workers=SETTINGS.workers,
    # BentoML keeps a timer of every request until this has passed, whether it was answered or not: as short as our own
    # limits, which come first, allow.
    traffic={"timeout": SETTINGS.longest_seconds},
    # Ours are in rest_service/worker.py: BentoML makes a series of metrics for every path that a stranger asks for.
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class RestService:
    """Detects objects in images."""

    def __init__(self) -> None:
        self.detector = Detector(HERE / "artifacts", threads=SETTINGS.threads)
        self.prediction = Prediction(self.detector, max_pixels=SETTINGS.max_pixels)
        self.worker: Worker | None = None

    @bentoml.on_startup
    async def open(self) -> None:
        """Open the routes; predictions are answered once the warm-up has passed."""
        logger.info(
            "The model runs on %s, %d threads each in %d workers",
            self.detector.execution_provider,
            SETTINGS.threads,
            SETTINGS.workers,
        )
        self.worker = Worker(self.prediction, settings=SETTINGS, folder=HERE)
        self.warm_up = asyncio.create_task(self.worker.warm_up())
        self.watch = asyncio.create_task(end_with_parent(os.environ.get("SERVICE_STARTER")))

    @bentoml.on_shutdown
    async def close(self) -> None:
        """Close the routes."""
        if self.worker:
            self.worker.close()

    @bentoml.api(input_spec=PredictInput)
    def predict(
        self,
        image: bytes,
        file_name: str = "image",
        min_score: float | None = None,
        max_detections: int | None = None,
        classes: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """Detect the objects of one image and return them in the manner of COCO."""
        self.prediction.check(image)
        kept = None if classes is None else frozenset(classes)
        options = PredictOptions(min_score=min_score, max_detections=max_detections, classes=kept)
        return self.prediction.answer(image, options, file_name=file_name)

    @bentoml.api
    def test_data(self) -> Path:
        """Return the packed test image."""
        return packed_image(HERE)

    @bentoml.api
    def test_result(self) -> dict[str, Any]:
        """Return what `predict` must answer for the packed test image."""
        return packed_result(HERE)

    @bentoml.api
    def service_version(self) -> dict[str, Any]:
        """Return the version of the service, its model, and the execution provider in use."""
        return self.detector.version

    @bentoml.api
    def categories(self) -> list[dict[str, Any]]:
        """Return the classes as COCO categories."""
        return self.detector.categories


class RequestMiddleware:
    """ASGI middleware that sends every request to our routes; the one of the schema asks BentoML's own app."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the request on its way."""
        if scope["type"] == "http":
            await bentoml.get_current_service().worker({**scope, SCHEMA_APP: self._app}, receive, send)
        else:
            await self._app(scope, receive, send)


RestService.add_asgi_middleware(RequestMiddleware)
