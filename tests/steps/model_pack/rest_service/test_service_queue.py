"""Room for so many images and no more; a late answer is given up, and a thread that hangs ends the worker."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest

from rest_service.errors import RequestError
from rest_service.inference_queue import InferenceQueue


def open_queue(**settings: Any) -> InferenceQueue:
    return InferenceQueue(**{"threads": 1, "limit": 3, "deadline_seconds": 5.0, **settings})


def run(scenario: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(scenario(), 20)

    return asyncio.run(bounded())


async def outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except RequestError as error:
        return error


def test_answers_come_in_the_order_of_the_jobs() -> None:
    async def scenario() -> list[int]:
        queue = open_queue(threads=3)
        return await queue.run([lambda n=n: time.sleep(0.03 * (3 - n)) or n for n in range(3)])

    assert run(scenario) == [0, 1, 2]


def test_the_image_past_the_limit_is_refused_at_once_and_room_is_given_back() -> None:
    async def scenario() -> tuple[list[Any], Any, int]:
        queue, gate = open_queue(), threading.Event()
        waiting = [asyncio.create_task(queue.run([gate.wait])) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await outcome(queue.run([int]))
        gate.set()
        served = await asyncio.gather(*waiting)
        await asyncio.sleep(0)
        return served, refused, queue.inside

    served, refused, inside = run(scenario)
    assert (served, inside) == ([[True]] * 3, 0)
    assert (refused.status, refused.code, refused.headers) == (429, "overloaded", {"Retry-After": "1"})


def test_several_images_find_room_together_or_not_at_all() -> None:
    async def scenario() -> tuple[Any, int]:
        queue, gate = open_queue(), threading.Event()
        waiting = asyncio.create_task(queue.run([gate.wait, gate.wait]))
        await asyncio.sleep(0)
        refused = await outcome(queue.run([int, int]))
        inside = queue.inside
        gate.set()
        await waiting
        return refused, inside

    refused, inside = run(scenario)
    assert (refused.code, inside) == ("overloaded", 2)


def test_an_image_that_could_not_be_answered_in_time_is_refused_before_it_waits() -> None:
    async def scenario() -> tuple[Any, Any]:
        queue, gate = open_queue(limit=1000, deadline_seconds=1.0), threading.Event()
        await queue.run([lambda: time.sleep(0.3)])
        waiting = asyncio.create_task(queue.run([gate.wait, gate.wait]))
        await asyncio.sleep(0)
        refused = await outcome(queue.run([int]))
        gate.set()
        return await waiting, refused

    served, refused = run(scenario)
    assert served == [True, True]
    assert (refused.code, refused.headers) == ("overloaded", {"Retry-After": "1"})


def test_past_the_deadline_the_waiting_are_dropped_and_the_running_keep_their_place() -> None:
    async def scenario() -> tuple[Any, int, bool, int]:
        queue, gate, begun = open_queue(deadline_seconds=0.1), threading.Event(), threading.Event()
        late = await outcome(queue.run([gate.wait, begun.set]))
        await asyncio.sleep(0.01)
        during = queue.inside
        gate.set()
        await asyncio.sleep(0.1)
        return late, during, begun.is_set(), queue.inside

    late, during, begun, after = run(scenario)
    assert (late.status, late.code) == (HTTPStatus.GATEWAY_TIMEOUT, "deadline_passed")
    assert (during, begun, after) == (1, False, 0)


def test_a_thread_that_hangs_ends_the_worker_and_one_that_is_only_slow_does_not() -> None:
    async def scenario(seconds: float) -> list[str]:
        ended: list[str] = []
        queue = open_queue(deadline_seconds=0.05, stuck_seconds=0.2, on_stuck=lambda: ended.append("ended"))
        gate = threading.Event()
        await outcome(queue.run([lambda: gate.wait(seconds)]))
        await asyncio.sleep(0.35)
        gate.set()
        return ended

    assert run(lambda: scenario(10)) == ["ended"]
    assert run(lambda: scenario(0.1)) == []


def test_an_error_of_a_job_is_the_callers_and_room_is_given_back() -> None:
    async def scenario() -> list[int]:
        queue = open_queue(limit=1)
        found = []
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await queue.run([lambda: 1 // 0])
            await asyncio.sleep(0)
            found.append(queue.inside)
        return found

    assert run(scenario) == [0, 0, 0]
