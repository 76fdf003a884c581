"""A load of HTTP requests over kept-alive connections, by raw bytes, so that the client costs little."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

NO_ANSWER = 0
"""Stands for a connection that ended without an answer."""


@dataclass
class Load:
    """What came back."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds of each request that was answered 200."""
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Requests a second that were answered 200."""
        return len(self.latencies) / self.seconds

    @property
    def milliseconds(self) -> float:
        """Median latency."""
        return sorted(self.latencies)[len(self.latencies) // 2] * 1000 if self.latencies else float("nan")


def post_request(url: str, body: bytes, *, kind: str = "image/jpeg") -> bytes:
    """Return the bytes of a POST request."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run_load(
    address: str,
    requests: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    pause: float = 0.0,
) -> Load:
    """Send `requests` in turn over so many connections for a time; after a refusal a connection waits for `pause`."""
    load = Load()

    async def everybody() -> None:
        end = time.perf_counter() + seconds
        start = time.perf_counter()
        tasks = [
            _one_client(address, requests[n % len(requests) :], load, end=end, pause=pause) for n in range(connections)
        ]
        await asyncio.gather(*tasks)
        load.seconds = time.perf_counter() - start

    asyncio.run(everybody())
    return load


async def _one_client(address: str, requests: Sequence[bytes], load: Load, *, end: float, pause: float) -> None:
    parts = urlsplit(address)
    reader, writer = None, None
    number = 0
    while time.perf_counter() < end:
        start = time.perf_counter()
        try:
            if writer is None or reader is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(requests[number % len(requests)])
            status, kept = await read_answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            status, kept = NO_ANSWER, False
        load.statuses[status] += 1
        number += 1
        if status == 200:
            load.latencies.append(time.perf_counter() - start)
        elif pause:
            await asyncio.sleep(pause)
        if not kept and writer:
            writer.close()
            reader, writer = None, None
    if writer:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read one answer; return its status and whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), b"connection: close" not in head
