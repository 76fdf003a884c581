"""The routes: read the request, ask the detector through the queue, answer."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from rest_service.errors import RequestError, answer_failure, answer_request_error, answer_routing_error
from rest_service.inference_queue import InferenceQueue
from rest_service.metrics import MEDIA_TYPE, ServiceMetrics
from rest_service.openapi import openapi_document
from rest_service.options import PredictOptions, read_options
from rest_service.page import Page
from rest_service.prediction import Prediction, packed_image, packed_result
from rest_service.request_body import BodyReader, Upload, read_upload
from rest_service.settings import ServiceSettings

SCHEMA_APP = "sinara.schema_app"
"""Key of a request's scope: BentoML's own app."""


@dataclass
class Readiness:
    """Whether predictions are answered; `reason` says why not, and is empty once they are."""

    reason: str = "the model is being warmed up"
    lasting: bool = False
    """Whether waiting is of no use."""

    def fail(self, reason: str) -> None:
        """Never become ready."""
        self.reason, self.lasting = reason, True

    def require(self) -> None:
        """Raise RequestError (503) while predictions are not answered."""
        if self.lasting:
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", self.reason)
        if self.reason:
            headers = {"Retry-After": "1"}
            raise RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "warming_up", self.reason, headers=headers)


@dataclass(frozen=True)
class Routes:
    """What the routes share: the model, its queue and the limits."""

    prediction: Prediction
    settings: ServiceSettings
    queue: InferenceQueue
    metrics: ServiceMetrics
    readiness: Readiness
    bodies: BodyReader
    page: Page
    folder: Path
    """Where service.py lies, with `artifacts` beside it."""

    async def predict(self, request: Request) -> Response:
        """Answer one image in the manner of COCO."""
        start = time.perf_counter()
        async with self._one_image(request) as (name, data, options):
            (content,) = await self.queue.run([lambda: _dumped(self.prediction.answer(data, options, file_name=name))])
        return _json(content, since=start)

    async def predict_image(self, request: Request) -> Response:
        """Answer with the picture and the boxes on it."""
        async with self._one_image(request) as (_, data, options):
            ((picture, media_type),) = await self.queue.run([partial(self.prediction.draw, data, options)])
        return Response(picture, media_type=media_type)

    async def predict_batch(self, request: Request) -> Response:
        """Answer several images in order; one that cannot be read has an error in its place."""
        start = time.perf_counter()
        most = min(self.settings.batch, self.settings.queue)
        async with self._upload(request, field_names=("images", "image"), most=most) as (upload, options):
            answer = self.prediction.answer_or_say
            results = await self.queue.run(
                [partial(answer, data, options, file_name=name) for name, data in upload.files]
            )
        return _json(_dumped({"results": results}), since=start)

    async def show_page(self, _request: Request) -> Response:
        """Answer the page for people."""
        return Response(self.page.content, media_type="text/html", headers=self.page.headers)

    async def show_test_data(self, _request: Request) -> Response:
        """Answer the packed image."""
        return FileResponse(packed_image(self.folder))

    async def show_test_result(self, _request: Request) -> Response:
        """Answer what /predict must answer for the packed image."""
        return JSONResponse(packed_result(self.folder))

    async def show_version(self, _request: Request) -> Response:
        """Answer versions and the execution provider in use."""
        return JSONResponse(self.prediction.detector.version)

    async def show_categories(self, _request: Request) -> Response:
        """Answer the classes."""
        return JSONResponse(self.prediction.detector.categories)

    async def show_openapi(self, _request: Request) -> Response:
        """Answer the description of this service."""
        model = self.prediction.detector.model
        document = openapi_document(version=model.service_version, min_score=model.min_score, settings=self.settings)
        return JSONResponse(document)

    async def show_metrics(self, _request: Request) -> Response:
        """Answer counts and times for Prometheus."""
        return Response(self.metrics.render(), media_type=MEDIA_TYPE)

    async def show_live(self, _request: Request) -> Response:
        """Answer that the process lives."""
        return PlainTextResponse("ok\n")

    async def show_ready(self, _request: Request) -> Response:
        """Answer whether predictions are answered."""
        self.readiness.require()
        return PlainTextResponse("ok\n")

    @asynccontextmanager
    async def _upload(
        self, request: Request, *, field_names: tuple[str, ...], most: int
    ) -> AsyncIterator[tuple[Upload, PredictOptions]]:
        self.readiness.require()
        query = request.query_params.multi_items()
        categories = self.prediction.category_ids
        read_options(query, categories=categories)  # refuse what is wrong before the body is taken in
        async with self.bodies.read(request) as body:
            upload = await read_upload(request, body, field_names=field_names, most=most)
            yield upload, read_options([*upload.fields, *query], categories=categories)

    @asynccontextmanager
    async def _one_image(self, request: Request) -> AsyncIterator[tuple[str, bytes, PredictOptions]]:
        async with self._upload(request, field_names=("image",), most=1) as (upload, options):
            ((name, data),) = upload.files
            try:
                # In a thread: walking a large file must not keep others, such as the probes, waiting.
                await anyio.to_thread.run_sync(self.prediction.check, data)
            except RequestError as error:
                raise _sharpened(error, request) from error
            yield name, data, options


def build_app(routes: Routes) -> Starlette:
    """Return the service as an ASGI app without the middleware around it."""
    posted = {
        "/predict": routes.predict,
        "/predict_batch": routes.predict_batch,
        "/predict_image": routes.predict_image,
    }
    read = {
        "/": routes.show_page,
        "/docs.json": routes.show_openapi,
        "/metrics": routes.show_metrics,
        "/healthz": routes.show_live,
        "/livez": routes.show_live,
        "/readyz": routes.show_ready,
    }
    either = {
        "/test_data": routes.show_test_data,
        "/test_result": routes.show_test_result,
        "/service_version": routes.show_version,
        "/categories": routes.show_categories,
    }
    app = Starlette(
        routes=[
            *(Route(path, endpoint, methods=["POST"]) for path, endpoint in posted.items()),
            *(Route(path, endpoint, methods=["GET"]) for path, endpoint in read.items()),
            Route("/schema.json", SchemaRoute(), methods=["GET"]),
            *(Route(path, endpoint, methods=["GET", "POST"]) for path, endpoint in either.items()),
        ],
        exception_handlers={
            RequestError: answer_request_error,
            HTTPException: answer_routing_error,
            ClientDisconnect: _answer_nobody,
            Exception: answer_failure,
        },
    )
    # A path is served or it is not: a redirect would send a client to whatever host it names itself.
    app.router.redirect_slashes = False
    return app


class SchemaRoute:
    """The schema that BentoML's own clients ask for, behind the same middleware as everything else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to BentoML's app; in a process without one there is no schema."""
        app = scope.get(SCHEMA_APP)
        if app is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        await app(scope, receive, send)


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _sharpened(error: RequestError, request: Request) -> RequestError:
    # Bytes that are no image, under a name that never was one's: the sender meant something else.
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    image_like = kind.startswith(("image/", "multipart/")) or kind in ("", "application/octet-stream")
    if error.code != "bad_image" or image_like:
        return error
    message = f"{kind[:80]} is not an image; {error.message}"
    return RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)


def _dumped(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _json(content: bytes, *, since: float) -> Response:
    took = f"total;dur={(time.perf_counter() - since) * 1000:.1f}"
    return Response(content, media_type="application/json", headers={"Server-Timing": took})
