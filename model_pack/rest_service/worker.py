"""The service of one worker: model, queue, routes and middleware, from its first warm-up to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rest_service.app import Readiness, Routes, build_app
from rest_service.inference_queue import InferenceQueue
from rest_service.metrics import ServiceMetrics
from rest_service.middleware import build_middleware
from rest_service.options import PredictOptions
from rest_service.page import Page
from rest_service.prediction import Prediction, packed_image, packed_result
from rest_service.request_body import BodyReader
from rest_service.settings import ServiceSettings

_TRIES = 3
"""The first prediction is slow; the queue learns how long one takes from those after it."""

_PARENT_SECONDS = 1.0

logger = logging.getLogger("bentoml.detector")


class Worker:
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
            page=Page(),
            folder=folder,
        )
        app = build_app(routes)
        paths = [getattr(route, "path", "") for route in app.routes]
        self.middleware = build_middleware(app, settings=settings, metrics=self.metrics, paths=paths)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self.middleware(scope, receive, send)

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
        logger.info("Ended: %d requests accepted, %d answered", self.middleware.begun, self.middleware.ended)


async def end_with_parent(starter: str | None) -> None:
    """End the server in good order when its supervisor, or the process that started that, is gone.

    `starter` is that process' id, where it told us: killed, it could not end what it had started.
    """
    supervisor = os.getppid()
    while os.getppid() == supervisor and (starter is None or _lives(int(starter))):
        await asyncio.sleep(_PARENT_SECONDS)
    orphaned = os.getppid() != supervisor
    logger.critical("The process that started this server is gone: it ends")
    os.kill(os.getpid() if orphaned else supervisor, signal.SIGTERM)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


MIN_IOU = 0.9
SCORE_TOLERANCE = 0.03
"""Another execution provider rounds otherwise; another model is far beyond this."""


def disagreements(expected: Mapping[str, Any], found: Mapping[str, Any], *, min_score: float) -> list[str]:
    """List the detections of one answer that have no partner in the other: same class, place and score.

    One that is scored within the tolerance of `min_score` may be missing.
    """
    if (expected["width"], expected["height"]) != (found["width"], found["height"]):
        return [f"the image has {found['width']} x {found['height']} pixels, packed were {expected['width']} x "
                f"{expected['height']}"]  # fmt: skip
    sides = (("packed", expected, found), ("new", found, expected))
    return [
        f"{side} {one['category_id']} at {one['bbox']}, scored {one['score']}, has no partner"
        for side, mine, other in sides
        for one in mine["annotations"]
        if one["score"] > min_score + SCORE_TOLERANCE and not _has_partner(one, other["annotations"])
    ]


def _has_partner(one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    return any(
        one["category_id"] == other["category_id"]
        and abs(one["score"] - other["score"]) <= SCORE_TOLERANCE
        and _iou(one["bbox"], other["bbox"]) >= MIN_IOU
        for other in others
    )


# The service stands alone, with its own IoU: the library's is in sinara_lib/vision/boxes.py.
def _iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    together = one[2] * one[3] + other[2] * other[3] - shared
    return shared / together if together else 0.0
