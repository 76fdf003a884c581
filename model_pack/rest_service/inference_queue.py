"""Inference in threads of its own, behind a bounded queue: refused early when full, given up when late."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from rest_service.errors import RequestError

Answer = TypeVar("Answer")
STUCK_SECONDS = 60.0
"""A thread that is busy with one image for so long will not come back."""
_WEIGHT = 0.2
"""Share of the newest image in the running mean of seconds per image."""
_PATIENCE = 0.5
"""Part of the deadline that an image may be expected to take: the machine may become half as fast meanwhile."""

logger = logging.getLogger("bentoml.detector")


class InferenceQueue:
    """Runs jobs in `threads` threads; `limit` of them may wait or run. Called from one event loop."""

    def __init__(
        self,
        *,
        threads: int,
        limit: int,
        deadline_seconds: float,
        stuck_seconds: float = STUCK_SECONDS,
        on_stuck: Callable[[], None] = lambda: os._exit(70),
    ) -> None:
        self._threads = threads
        self._limit = limit
        self._deadline = deadline_seconds
        self._stuck = stuck_seconds
        self._on_stuck = on_stuck
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="detector")
        self._seconds = 0.0
        self._ending = False
        self.inside = 0
        """Images that wait or are being answered."""

    async def run(self, jobs: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Run `jobs` in the threads and return what they return, in order.

        Raises RequestError: 429 when there is no room for all, 504 when the deadline passes first. What runs then
        cannot be stopped, and keeps its place until it ends; a thread that never ends makes the worker end instead.
        """
        if wait := self.refuses(len(jobs)):
            raise overloaded(wait)
        futures = [self._submit(job) for job in jobs]
        waiting = [asyncio.wrap_future(future) for future in futures]
        _, late = await asyncio.wait(waiting, timeout=self._deadline)
        if not late:
            self.inside -= len(jobs)
            return [one.result() for one in waiting]
        loop = asyncio.get_running_loop()
        for one in waiting:
            # Its answer, or its error, is of no use to anybody any more.
            one.add_done_callback(lambda done: done.cancelled() or done.exception())
        for future in futures:
            if not future.done() and not future.cancel():
                loop.call_later(self._stuck, self._check, future)
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        message = f"no answer within {self._deadline:g} seconds"
        raise RequestError(HTTPStatus.GATEWAY_TIMEOUT, "deadline_passed", message)

    def refuses(self, images: int) -> int:
        """Return 0 when there is room for so many images more, else the seconds after which to try again."""
        if self._ending:
            return math.ceil(self._deadline)
        seconds = self._seconds / self._threads
        late = self.inside and (self.inside + images) * seconds > self._deadline * _PATIENCE
        full = self.inside + images > self._limit
        return max(1, math.ceil(self.inside * seconds)) if full or late else 0

    def close(self) -> None:
        """End the threads once they are done; jobs that have not begun are dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _submit(self, job: Callable[[], Answer]) -> Future[Answer]:
        self.inside += 1
        return self._executor.submit(self._measured, job)

    def _measured(self, job: Callable[[], Answer]) -> Answer:
        start = time.perf_counter()
        try:
            return job()
        finally:
            taken = time.perf_counter() - start
            self._seconds += (taken - self._seconds) * (_WEIGHT if self._seconds else 1.0)

    def _leave(self) -> None:
        self.inside -= 1

    def _check(self, future: Future[Answer]) -> None:
        """End the worker for a thread that hangs, once what else was accepted is answered or late."""
        if future.done() or self._ending:
            return
        self._ending = True
        logger.critical("An inference has not ended for %.0f s: this worker ends, another takes over", self._stuck)
        asyncio.get_running_loop().call_later(self._deadline, self._on_stuck)


def overloaded(seconds: int) -> RequestError:
    """Return the error for a request that finds no room."""
    message = f"more images are waiting than can be answered in time; try again in {seconds} s"
    return RequestError(HTTPStatus.TOO_MANY_REQUESTS, "overloaded", message, headers={"Retry-After": str(seconds)})
