"""How a request's body comes in: bounded in size and time, also all bodies together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import anyio
import anyio.to_thread
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from rest_service.errors import RequestError
from rest_service.inference_queue import overloaded
from rest_service.settings import ServiceSettings

_LINGER_SECONDS = 2.0
"""How long a refused body is still taken in, so that the client reads the answer instead of a broken connection."""
_SLICE = 1 << 18
_FIELDS = 8
_MOST_TEXT = 1 << 16
"""Bytes of one text field; a list of all classes has some thousands."""


@dataclass(frozen=True)
class Upload:
    """The files of one request and the text fields beside them."""

    files: Sequence[tuple[str, bytes]]
    """File name and content, in order."""
    fields: Sequence[tuple[str, str]] = field(default=())


class BodyReader:
    """Reads bodies within the limits of one worker."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._held = 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Give the whole body; its bytes count as held until the block ends.

        Raises RequestError: 413 when it is too large, 408 when it takes too long, 429 when others fill the memory.
        """
        taken = [0]
        try:
            yield await self._within_time(request, taken)
        finally:
            self._held -= taken[0]

    async def _within_time(self, request: Request, taken: list[int]) -> bytes:
        seconds = self._settings.body_seconds
        try:
            with anyio.fail_after(seconds):
                return await self._collect(request, taken)
        except TimeoutError as error:
            message = f"the body did not arrive within {seconds:g} seconds"
            raise RequestError(
                HTTPStatus.REQUEST_TIMEOUT, "body_timeout", message, headers={"Connection": "close"}
            ) from error

    async def _collect(self, request: Request, taken: list[int]) -> bytes:
        limit = self._settings.max_body_bytes
        pieces = []
        stream = request.stream()
        if int(request.headers.get("content-length", 0)) > limit:
            await self._refuse_large(stream)
        async for piece in stream:
            taken[0] += len(piece)
            self._held += len(piece)
            if taken[0] > limit:
                await self._refuse_large(stream)
            if self._held > self._settings.held_bytes:
                raise overloaded(1)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _refuse_large(self, stream: AsyncIterator[bytes]) -> None:
        with anyio.move_on_after(_LINGER_SECONDS):
            async for _ in stream:
                pass
        message = f"the request is larger than {self._settings.max_body_bytes} bytes"
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message, headers={"Connection": "close"})


async def read_upload(request: Request, body: bytes, *, field_names: Sequence[str], most: int) -> Upload:
    """Find the image files in a body: multipart files in one of `field_names`, or the body itself.

    A text field is never fetched as an address. Raises RequestError for anything but 1 to `most` files.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return Upload([("image", body)])
    form = await _parse(request, body, most=most)
    files, fields = [], []
    try:
        for name, value in form.multi_items():
            if isinstance(value, str) and name not in field_names:
                fields.append((name, value))
            elif not isinstance(value, str) and name in field_names:
                files.append((value.filename or "image", await value.read()))
            else:
                kind = "text" if isinstance(value, str) else "a file"
                raise _no_image(field_names[0], f"{kind} in the field {name[:40]!r}")
    finally:
        await form.close()
    if not files:
        raise _no_image(field_names[0], "none")
    return Upload(files, fields)


async def _parse(request: Request, body: bytes, *, most: int) -> FormData:
    _refuse_other_charsets(request.headers.get("content-type", ""))

    async def slices() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), _SLICE):
            yield body[start : start + _SLICE]
        yield b""

    parser = MultiPartParser(request.headers, slices(), max_files=most, max_fields=_FIELDS, max_part_size=_MOST_TEXT)
    parser.spool_max_size = len(body) + 1  # all of it is in memory already; nothing goes to the disk
    try:
        # It reads byte by byte in Python: in a loop and a thread of its own, so that others have their turn.
        return await anyio.to_thread.run_sync(asyncio.run, parser.parse())
    except (MultiPartException, MultipartParseError, KeyError, ValueError) as error:
        detail = getattr(error, "message", None) or str(error)
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "bad_multipart", f"the form cannot be read: {detail[:200]}"
        ) from error


def _refuse_other_charsets(content_type: str) -> None:
    """Raise RequestError (415) for text that is not UTF-8: some of Python's decoders take minutes for a megabyte."""
    _, options = parse_options_header(content_type)
    charset = options.get(b"charset", b"utf-8").decode("latin-1").strip().lower()
    if charset not in {"utf-8", "utf8", "us-ascii", "ascii"}:
        message = f"text fields must be UTF-8, the form says {charset[:40]!r}"
        raise RequestError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_charset", message)


def _no_image(name: str, found: str) -> RequestError:
    message = f"send the file as multipart field `{name}`, or as the body; found {found}"
    return RequestError(HTTPStatus.BAD_REQUEST, "no_image", message)
