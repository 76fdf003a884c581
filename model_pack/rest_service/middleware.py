"""What stands before the routes: who may come in, how often, and what is counted and logged of it."""

from __future__ import annotations

import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Collection
from http import HTTPStatus

import anyio
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rest_service.errors import RequestError
from rest_service.metrics import ServiceMetrics
from rest_service.settings import ServiceSettings

OPEN_PATHS = ("/", "/healthz", "/livez", "/readyz")
"""Paths that need no token: probes, and the page, which asks for it."""
_CLIENTS = 10_000
_SEND_SECONDS = 30.0
_AT_ONCE = 1 << 16
"""Bytes that go into the connection's buffers without waiting for whoever reads them."""
_PROBES = ("/healthz", "/livez", "/readyz", "/metrics")

logger = logging.getLogger("bentoml.requests")


def build_middleware(
    app: ASGIApp, *, settings: ServiceSettings, metrics: ServiceMetrics, paths: Collection[str]
) -> RequestMetrics:
    """Return `app` behind its middleware; `paths` are the ones that metrics may name."""
    guarded: ASGIApp = RequestLimits(app, settings=settings)
    if settings.cors_origins:
        guarded = CORSMiddleware(
            guarded,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Retry-After", "Server-Timing"],
        )
    return RequestMetrics(guarded, metrics=metrics, paths=paths)


class RequestMetrics:
    """ASGI middleware that counts, times and logs every answer, and does not wait for ever for who takes it in."""

    def __init__(self, app: ASGIApp, *, metrics: ServiceMetrics, paths: Collection[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)
        self.begun = 0
        """Requests that came in."""
        self.ended = 0
        """Requests whose answer was handed out whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on and watch its answer."""
        start = time.perf_counter()
        status = 0
        self.begun += 1

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            if len(message.get("body", b"")) <= _AT_ONCE:
                await send(message)
            else:
                with anyio.fail_after(_SEND_SECONDS):
                    await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.ended += 1

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.perf_counter() - start
            path = scope["path"]
            self._metrics.answered(path if path in self._paths else "other", status, seconds)
            if path not in _PROBES:
                # %r, for a path may hold line breaks that would forge a line.
                logger.info("%s %r %d %.1f ms", scope["method"], path[:200], status, seconds * 1000)


class RequestLimits:
    """ASGI middleware that asks for the bearer token and bounds how often one client address may ask."""

    def __init__(self, app: ASGIApp, *, settings: ServiceSettings) -> None:
        self._app = app
        self._token = settings.token.encode()
        # Each worker sees its share of a client's requests.
        self._limit = RateLimit(settings.rate / settings.workers) if settings.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or refuse it."""
        error = self._refusal(scope)
        if error:
            await error.response(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RequestError | None:
        names = {name for name, _ in scope["headers"]}
        if {b"content-length", b"transfer-encoding"} <= names:
            # RFC 9112, 6.1: such a message may be an attempt at smuggling; the connection ends with the answer.
            message = "send Content-Length or Transfer-Encoding, not both"
            return RequestError(HTTPStatus.BAD_REQUEST, "two_lengths", message, headers={"Connection": "close"})
        if scope["path"] in OPEN_PATHS:
            return None
        if self._token and not self._authorized(scope):
            message = "send the header `Authorization: Bearer TOKEN`"
            headers = {"WWW-Authenticate": "Bearer"}
            return RequestError(HTTPStatus.UNAUTHORIZED, "unauthorized", message, headers=headers)
        client = scope.get("client")
        wait = self._limit.ask(client[0] if client else "", now=time.monotonic()) if self._limit else 0
        if wait:
            headers = {"Retry-After": str(wait)}
            message = f"more requests than one client may send; try again in {wait} s"
            return RequestError(HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", message, headers=headers)
        return None

    def _authorized(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


class RateLimit:
    """A bucket per client: `rate` requests a second, and as many at once as come in two seconds, one at least."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, 2 * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def ask(self, client: str, *, now: float) -> int:
        """Return 0 when the client may go on, else the seconds after which to try again. `now` is monotonic."""
        left, last = self._buckets.pop(client, (self._most, now))
        left = min(self._most, left + (now - last) * self._rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if allowed else max(1, round((1 - left) / self._rate))
