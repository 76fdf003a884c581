"""How requests come in and errors go out: one image per request, bounded in size, and every error as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

MAX_BODY_BYTES = 32 * 1024 * 1024

_CODED = re.compile(r"(?P<code>[a-z][a-z_]+): (?P<message>.*)", re.DOTALL)
Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


class RequestError(BentoMLException):
    """The request cannot be answered; its text is `code: message`."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.error_code = status


class PredictInput(bentoml.IODescriptor):
    """One image: a multipart file named `image`, or the raw bytes as body; options as form fields or in the query."""

    image: Path = Field(description="JPEG, PNG, BMP, WebP or TIFF file")
    file_name: str = Field(
        default="image", description="Repeated in the answer; default: the name of the uploaded file"
    )
    min_score: float | None = Field(default=None, description="Leave out detections scored below it")

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> PredictInput:
        """Read the image whatever its content type; a text field is never fetched as an address."""
        data, options = await _read_image(request)
        if not data:
            raise RequestError(HTTPStatus.BAD_REQUEST, "empty_image", "the image has no bytes")
        options |= request.query_params
        name = options.get("file_name", "image")
        return cls.model_construct(image=data, file_name=name, min_score=_min_score(options.get("min_score")))


class BoundedQueue:
    """ASGI middleware that answers 429 when `limit` requests to `path` are waiting or being answered already."""

    def __init__(self, app: Any, *, path: str, limit: int) -> None:
        self.app = app
        self._path = path
        self._limit = limit
        self._inside = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it at once."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self.app(scope, receive, send)
        elif self._inside >= self._limit:
            error = f"overloaded: {self._limit} requests are waiting already; try again in a second"
            headers = {"Retry-After": "1"}
            await JSONResponse({"error": error}, HTTPStatus.TOO_MANY_REQUESTS, headers)(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self._inside -= 1


class JsonErrors:
    """ASGI middleware that gives every error response the shape {"error": {"code", "message"}}."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass good responses through as they come; hold back a failed one until its body is complete."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def reshape(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
                start.update(message)
            elif not start:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    await _send_error(start, bytes(body), send)

        await self.app(scope, receive, reshape)


async def _read_image(request: Request) -> tuple[bytes, dict[str, str]]:
    bounded = Request(request.scope, _bounded(request))
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await bounded.body(), {}
    try:
        async with bounded.form(max_files=1, max_fields=8) as form:
            image = form.get("image")
            if isinstance(image, UploadFile):
                options = {key: value for key, value in form.items() if isinstance(value, str)}
                return await image.read(), {"file_name": image.filename or "image", **options}
    except HTTPException as error:
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "bad_multipart", f"the form cannot be read: {error.detail}"
        ) from error
    found = "a text field" if image is not None else "no such field"
    raise RequestError(HTTPStatus.BAD_REQUEST, "no_image", f"send the file as multipart field `image`; found {found}")


def _bounded(request: Request) -> Receive:
    # Counts what arrives, so that a body without Content-Length is bounded as well.
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            limit = f"the request is larger than {MAX_BODY_BYTES} bytes"
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", limit)
        return message

    return receive


def _min_score(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise RequestError(HTTPStatus.BAD_REQUEST, "bad_min_score", f"min_score must be 0 to 1, found {text[:40]!r}")
    return value


async def _send_error(start: Message, body: bytes, send: Send) -> None:
    status = HTTPStatus(start["status"])
    code, message = _describe(status, body)
    content = json.dumps({"error": {"code": code, "message": message}}).encode()
    dropped = (b"content-type", b"content-length")
    headers = [pair for pair in start.get("headers", ()) if pair[0].lower() not in dropped]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _describe(status: HTTPStatus, body: bytes) -> tuple[str, str]:
    text = body.decode("utf-8", errors="replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        document = text
    if isinstance(document, list) and document:
        document = document[0]
    if isinstance(document, dict):
        document = document.get("error", document)
    coded = _CODED.fullmatch(document) if isinstance(document, str) else None
    if coded:
        return coded["code"], coded["message"]
    return status.phrase.lower().replace(" ", "_"), str(document) or status.phrase
