"""The service's middleware: a bounded queue, and errors of one shape."""

import asyncio
import json
from typing import Any

from service_http import BoundedQueue, JsonErrors
from starlette.responses import JSONResponse, PlainTextResponse

Answer = tuple[int, dict[str, str], bytes]


async def call(app: Any, path: str = "/predict") -> Answer:
    """Send one request through an ASGI app."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await app({"type": "http", "method": "POST", "path": path, "headers": []}, receive, send)
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_the_request_past_the_limit_is_refused_at_once_and_room_is_given_back() -> None:
    async def scenario() -> tuple[list[int], Answer, int, int]:
        gate = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/predict":
                await gate.wait()
            await PlainTextResponse("done")(scope, receive, send)

        app = JsonErrors(BoundedQueue(slow, path="/predict", limit=2))
        waiting = [asyncio.create_task(call(app)) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await call(app)
        health = await call(app, "/healthz")
        gate.set()
        served = [status for status, *_ in await asyncio.gather(*waiting)]
        return served, refused, health[0], (await call(app))[0]

    served, (status, headers, body), health, afterwards = asyncio.run(scenario())
    assert (served, status, health, afterwards) == ([200, 200], 429, 200, 200)
    assert headers["retry-after"] == "1"
    assert json.loads(body)["error"]["code"] == "overloaded"


def test_room_is_given_back_when_the_answer_fails() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("inside")

    async def scenario() -> list[str]:
        app = BoundedQueue(broken, path="/predict", limit=1)
        results = [await asyncio.gather(call(app), return_exceptions=True) for _ in range(3)]
        return [str(result[0]) for result in results]

    assert asyncio.run(scenario()) == ["inside"] * 3


def test_every_error_gets_the_same_shape_whatever_it_was() -> None:
    async def shape(response: Any) -> Answer:
        return await call(JsonErrors(response))

    texts = {
        "plain text": PlainTextResponse("Not Found", 404),
        "bentoml's list": JSONResponse([{"error": "bad_image: no picture"}], 400),
        "bentoml's object": JSONResponse({"error": "Not able to process the request in 10 seconds"}, 504),
        "nothing": PlainTextResponse("", 500),
    }
    found = {name: json.loads(asyncio.run(shape(response))[2])["error"] for name, response in texts.items()}
    assert found == {
        "plain text": {"code": "not_found", "message": "Not Found"},
        "bentoml's list": {"code": "bad_image", "message": "no picture"},
        "bentoml's object": {"code": "gateway_timeout", "message": "Not able to process the request in 10 seconds"},
        "nothing": {"code": "internal_server_error", "message": "Internal Server Error"},
    }


def test_a_good_answer_passes_untouched() -> None:
    status, headers, body = asyncio.run(call(JsonErrors(PlainTextResponse("fine", headers={"x-mine": "1"}))))
    assert (status, headers["x-mine"], body) == (200, "1", b"fine")
