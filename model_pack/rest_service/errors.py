"""The one shape of errors: {"error": {"code", "message"}} with the fitting status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse


class RequestError(Exception):
    """The request cannot be answered: a status, a short code for programs and a sentence for people."""

    def __init__(
        self, status: HTTPStatus, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    @property
    def document(self) -> dict[str, Any]:
        """What the client reads."""
        return {"error": {"code": self.code, "message": self.message}}

    @property
    def response(self) -> JSONResponse:
        """The error as an answer."""
        return JSONResponse(self.document, int(self.status), self.headers)


async def answer_request_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer what our own code refused."""
    assert isinstance(error, RequestError)  # noqa: S101 - Starlette's type is wider than what it is registered for
    return error.response


async def answer_routing_error(request: Request, error: Exception) -> JSONResponse:
    """Answer an unknown path or a wrong method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    status = HTTPStatus(error.status_code)
    message = {
        HTTPStatus.NOT_FOUND: f"nothing is served at {request.url.path[:200]}; see /docs.json",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not for {request.url.path}; see /docs.json",
    }.get(status, error.detail)
    code = status.phrase.lower().replace(" ", "_")
    return RequestError(status, code, message, headers=error.headers).response


async def answer_failure(_request: Request, _error: Exception) -> JSONResponse:
    """Answer a fault of ours without telling its insides; Starlette hands it on to the server's log."""
    message = "the service failed on this request; its log says more"
    return RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message).response
