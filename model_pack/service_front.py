"""The service of one worker: model, queue, routes and doors, from its first warm-up to its end."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from service_app import Readiness, Routes, build_app
from service_body import BodyReader
from service_doors import build_doors
from service_metrics import ServiceMetrics
from service_options import PredictOptions
from service_page import Page
from service_prediction import Prediction, packed_image, packed_result
from service_queue import InferenceQueue
from service_settings import ServiceSettings
from service_warmup import disagreements

_TRIES = 3
"""The first prediction is slow; the queue learns how long one takes from those after it."""

logger = logging.getLogger("bentoml.detector")


class Front:
    """The ASGI app of one worker."""

    def __init__(self, prediction: Prediction, *, settings: ServiceSettings, folder: Path) -> None:
        self._prediction = prediction
        self._folder = folder
        self.metrics = ServiceMetrics()
        self.readiness = Readiness()
        self.queue = InferenceQueue(
            threads=settings.parallel, limit=settings.queue, deadline_seconds=settings.deadline_seconds
        )
        prediction.detector.timed = self.metrics.timed
        self.metrics.describe(prediction.detector.version, inside=lambda: self.queue.inside)
        routes = Routes(
            prediction=prediction,
            settings=settings,
            queue=self.queue,
            metrics=self.metrics,
            readiness=self.readiness,
            bodies=BodyReader(settings),
            page=Page(folder),
            folder=folder,
        )
        app = build_app(routes)
        paths = [getattr(route, "path", "") for route in app.routes]
        self.doors = build_doors(app, settings=settings, metrics=self.metrics, paths=paths)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self.doors(scope, receive, send)

    async def warm_up(self) -> None:
        """Answer the packed image; the service is ready when that is what was packed with it."""
        try:
            image, expected = packed_image(self._folder), packed_result(self._folder)
            for _ in range(_TRIES):
                found = await asyncio.to_thread(
                    self._prediction.answer, image.read_bytes(), PredictOptions(), file_name=image.name
                )
        except Exception:
            # Whatever it was, the service lives on to say that it is not ready.
            self.readiness.fail("the packed image could not be answered; the log says why")
            logger.exception("Not ready: the packed image could not be answered")
            return
        wrong = disagreements(expected, found, min_score=self._prediction.detector.model.min_score)
        if wrong:
            self.readiness.fail("the model does not answer the packed image as it was packed")
            logger.error("Not ready: %d disagreements with the packed result, first: %s", len(wrong), wrong[0])
        else:
            self.readiness.reason = ""
            logger.info("Ready: the packed image was answered as it was packed")

    def close(self) -> None:
        """End the threads, and say in the log that no accepted request was lost."""
        self.queue.close()
        logger.info("Ended: %d requests accepted, %d answered", self.doors.begun, self.doors.ended)
